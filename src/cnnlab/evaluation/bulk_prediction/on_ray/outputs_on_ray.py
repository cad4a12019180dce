"""The outputs of many pictures, computed by the nodes of a Ray cluster."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import cached_property
from math import ceil
from typing import Any, Self

import torch
from torch import Tensor

from cnnlab.core.clusters.mailbox import Mailbox, packed, unpacked
from cnnlab.core.clusters.packing import pack
from cnnlab.core.clusters.ray_cluster import (
    RAY,
    RAY_CLIENT,
    RayCluster,
    address_of,
    check_share,
    is_ray,
    said_of_no_room,
)
from cnnlab.core.errors import CnnlabError, DataError, UsageError, one_line, suggestion
from cnnlab.core.messages import note, track, warn
from cnnlab.core.number_text import counted
from cnnlab.core.threads import map_ahead
from cnnlab.core.version import __version__
from cnnlab.data import ImageFile
from cnnlab.data.formats.decode import WhiteUnknownError
from cnnlab.data.image_files import FoundImages
from cnnlab.data.raw_images import Chunk, Survey, UnreadableImage
from cnnlab.evaluation.bulk_prediction.on_ray.node_images import Content
from cnnlab.evaluation.bulk_prediction.on_ray.pipeline import Pipeline
from cnnlab.evaluation.bulk_prediction.on_ray.portions import Answer, BatchOutputs, WorkerConfig, portions, samples
from cnnlab.evaluation.bulk_prediction.read_ahead import Batch, ReadAhead, Stretch
from cnnlab.evaluation.prediction.predictor import Predictor, predictor_of
from cnnlab.models import OwnNetwork, Predictable
from cnnlab.runs import Run, environment

_WAIT_SECONDS = 30.0
# After which it is told that a cluster which was busy before has given nothing.
_BUSY_SECONDS = 10.0
_MOST_BYTES = 64 << 20


class OnRay:
    """Where and by how many workers: a cluster, which is connected to when something is first asked of it.

    :param on: ``ray`` for the cluster that this machine belongs to, or one of this machine alone; ``ray://HOST:PORT``
        for another.
    :param workers: at once, each with the model; by default as many as there is room for.
    :param cpus: cores of each; by default the threads that the run was trained with, or one.
    :param gpus: of each, where fractions share one; by default one where the model is run on a GPU.
    :raises UsageError: for a place or a share that cannot be asked for.
    """

    def __init__(self, on: str, workers: int | None = None, cpus: int | None = None, gpus: float | None = None) -> None:
        if on == "slurm":
            raise UsageError(
                "on=slurm: pictures are spread over Ray clusters alone, by --on ray. On Slurm, have one job carry out "
                "the command without --on; it goes on where the last was stopped."
            )
        if not is_ray(on):
            raise UsageError(f"on={on}: there is no such place. {suggestion(on, (RAY, f'{RAY_CLIENT}HOST:PORT'))}")
        if workers is not None and workers < 1:
            raise UsageError(f"workers={workers}: it takes one at least.")
        check_share(cpus, gpus, "a worker")
        self._address, self._workers, self._cpus, self._gpus = address_of(on), workers, cpus, gpus
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @cached_property
    def cluster(self) -> RayCluster:
        """The connection, which is given up at the end of the block."""
        cluster = RayCluster(self._address)
        self._stack.callback(cluster.close)
        return cluster

    def predictor(self, model: Run | Predictable, *, device: str | None, network: OwnNetwork | None) -> Predictor:
        """The model, and how nodes run it: on GPUs where that is said, or the run was trained so and they have some.

        :param device: cpu or cuda; its number means nothing here, for Ray gives out GPUs.
        """
        asked = None if device is None else device.partition(":")[0]
        if asked is None:
            asked = "cuda" if self._gpus or (self._gpus is None and self._has_gpus_for(model)) else "cpu"
        return predictor_of(model, device=asked, network=network, elsewhere=asked == "cuda")

    def outputs(self, images: Sequence[ImageFile], predictor: Predictor) -> "OutputsOnRay":
        """What the nodes are to compute.

        :raises UsageError: where no node has room for a worker.
        """
        cpus = self._cpus or predictor.threads or 1
        gpus = self._gpus if self._gpus is not None else float(predictor.device == "cuda")
        room = sum(node.room(cpus, gpus) for node in self.cluster.nodes())
        if not room:
            raise UsageError(f"nothing can be predicted: {said_of_no_room(cpus, gpus)}")
        # By the processor of a node, as many threads as are asked for there, and not as this one happens to have.
        run_by = replace(predictor, threads=predictor.threads or cpus)
        return OutputsOnRay(self.cluster, images, run_by, min(room, self._workers or room), cpus, gpus)

    def _has_gpus_for(self, model: Run | Predictable) -> bool:
        execution = (model.info.get("execution") or {}) if isinstance(model, Run) else {}
        was_on_one = str(execution.get("device")).startswith("cuda")
        return was_on_one and any(node.gpus for node in self.cluster.nodes())


class OutputsOnRay:
    """A data set of portions of the pictures, which workers on the nodes predict.

    The model goes once into the object store. A node that sees the pictures reads them itself, any other is sent them.
    """

    def __init__(
        self,
        cluster: RayCluster,
        images: Sequence[ImageFile],
        predictor: Predictor,
        workers: int,
        cpus: int,
        gpus: float,
    ) -> None:
        self._cluster, self._images, self._predictor = cluster, images, predictor
        self._workers, self._cpus, self._gpus = workers, cpus, gpus
        self._reader = ReadAhead(FoundImages(images), predictor.classifier)
        self._actors, self._warned = ExitStack(), set[str]()
        self.tell_white = self._reader.tell_white

    @property
    def is_white_told(self) -> bool:
        """Whether what is white was told by the largest value of all pictures."""
        return self._reader.is_white_told

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._actors.close()

    def outputs(self, stretch: Stretch) -> Tensor:
        """As they came."""
        parts = list(stretch)
        return torch.cat(parts) if parts else torch.empty(0, 0)

    def batches(self, start: int) -> Iterator[Batch]:
        """From a place on, in order: the places, what could be read, and the outputs.

        :raises CnnlabError: where a node is not fit, with its name, or the cluster does not answer.
        :raises WhiteUnknownError: at a picture of more than 8 bits, where :meth:`tell_white` has to be called.
        """
        self._actors.close()
        count, size = len(self._images) - start, self._reader.batch
        yield from track(self._heard(start), f"Predicting {counted(count, 'picture')}", ceil(count / size))

    def _heard(self, start: int) -> Iterator[Batch]:
        end = start
        for answer in self._answers(start):
            for text in set(answer.warnings) - self._warned:
                warn(text)
                self._warned.add(text)
            for batch in answer.batches:
                if batch.start != end:
                    break
                yield self._batch(batch)
                end = batch.end
            if answer.is_white_unknown:
                raise WhiteUnknownError
        if end < len(self._images):
            # What is stored has no gap, whatever another version of Ray may do.
            raise CnnlabError(f"of {counted(len(self._images), 'picture')} the Ray cluster left out that at {end:,}.")

    def _answers(self, start: int) -> Iterator[Answer]:
        ray = self._cluster.ray
        with self._cluster.answering():
            # Asked before anything of this is there.
            is_busy = self._cluster.is_busy(self._cpus, self._gpus)
            pipeline, mailbox = self._started(start)
            said, wanted = pipeline.next.remote(), mailbox.take.remote(_WAIT_SECONDS)
            while True:
                ready, _ = ray.wait([said, wanted], num_returns=1, timeout=_BUSY_SECONDS if is_busy else None)
                if is_busy and not ready:
                    self._tell_of_the_wait()
                is_busy = False
                if wanted in ready:
                    for message, _ in ray.get(wanted):
                        self._send(mailbox, *unpacked(message))
                    wanted = mailbox.take.remote(_WAIT_SECONDS)
                if said not in ready:
                    continue
                content, problem = ray.get(said)
                answer: Answer = Answer(problem=problem) if content is None or problem else unpacked(content)
                if answer.problem is not None:
                    raise CnnlabError(_said_of(answer.problem))
                if content is None:
                    return
                said = pipeline.next.remote()
                yield answer

    def _tell_of_the_wait(self) -> None:
        note(
            f"The Ray cluster is busy ({self._cluster.said_of_free(self._cpus, self._gpus)}). The prediction waits for "
            "room there; Ctrl-C stops it."
        )

    def _started(self, start: int) -> tuple[Any, Any]:
        """The actors of the data set and of the mailbox."""
        mailbox = self._actor(Mailbox)
        config = WorkerConfig(environment(), samples(self._images), self._reader.white, self._cpus)
        words = (packed(config), __version__, [mailbox, self._model])
        some = [packed(portion) for portion in portions(self._images, start, self._reader.batch, self._workers)]
        return self._actor(Pipeline, some, words, self._workers, self._cpus, self._gpus), mailbox

    @cached_property
    def _model(self) -> Any:
        """Where the predictor lies in the object store.

        :raises UsageError: where it cannot be brought to other machines.
        """
        ray = self._cluster.ray
        try:
            content = pack(self._predictor, ray.cloudpickle.CloudPickler)
        except Exception as error:  # whatever an object does that is not made for it
            raise UsageError(
                f"this model cannot be brought to other machines ({one_line(error)}). Leave on= out to predict here."
            ) from error
        return ray.put(content)

    def _actor(self, kind: type, *arguments: Any) -> Any:
        actor = self._cluster.actor(kind, *arguments)

        def end() -> None:
            with suppress(Exception):
                self._cluster.ray.kill(actor)

        self._actors.callback(end)
        return actor

    def _send(self, mailbox: Any, worker: int, start: int, end: int) -> None:
        """Pictures from one place to another, as many as go at once, to a worker that does not see them."""
        contents: list[Content] = []
        length = 0
        for content in map_ahead(self._content, range(start, end)):
            contents.append(content)
            length += len(content) if isinstance(content, bytes) else 0
            if length >= _MOST_BYTES:
                break
        mailbox.answer.remote(worker, packed(None), [self._cluster.ray.put(packed(contents))])

    def _content(self, place: int) -> Content:
        try:
            return self._images[place].read()
        except (OSError, DataError) as error:
            return error

    def _batch(self, done: BatchOutputs) -> Batch:
        bad = [UnreadableImage(self._images[place].name, reason) for place, reason in done.bad]
        outputs = None if done.outputs is None else torch.from_numpy(done.outputs)
        return range(done.start, done.end), Chunk((), done.places, bad, Survey()), outputs


def _said_of(problem: str) -> str:
    return (
        f"the pictures cannot be predicted on the Ray cluster: {problem.rstrip('.')}. What was predicted is kept: put "
        "that right, or take the node out of the cluster, and the same command goes on where it is."
    )
