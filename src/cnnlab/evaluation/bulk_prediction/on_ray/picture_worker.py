"""A worker on a node of a Ray cluster: it holds the model, and predicts one portion of the pictures after another.

Of pictures that it does not see, it leaves in the mailbox its own number and the places that it wants, and finds the
bytes in an answer.
"""

import secrets
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cnnlab.core import memory
from cnnlab.core.clusters import packing
from cnnlab.core.clusters.mailbox import packed, unpacked
from cnnlab.core.devices import check_device
from cnnlab.core.errors import CnnlabError, CnnlabWarning, one_line
from cnnlab.core.messages import quietly
from cnnlab.data.formats.decode import WhiteUnknownError
from cnnlab.evaluation.bulk_prediction.on_ray.node_images import Archives, Content, NodeImages
from cnnlab.evaluation.bulk_prediction.on_ray.portions import Answer, BatchOutputs, Portion, WorkerConfig, sample
from cnnlab.evaluation.bulk_prediction.read_ahead import Batch, ReadAhead
from cnnlab.evaluation.prediction.predictor import Predictor
from cnnlab.models import Predictable, outputs_of, why_no_native_kernels
from cnnlab.runs.versions import what_differs


class PictureWorker:
    """What is done on the node.

    :param name: of the node.
    :param model: where the predictor lies in the object store.
    """

    def __init__(self, name: str, config: WorkerConfig, model: Any, mailbox: Any) -> None:
        warnings.simplefilter("ignore", CnnlabWarning)
        memory.ask_for_large_pages()
        self._config, self._mailbox, self._number = config, mailbox, secrets.randbits(62)
        self._warnings: list[str] = []
        sees = bool(config.samples) and all(sample(path) == (path, *rest) for path, *rest in config.samples)
        self._archives = Archives() if sees else None
        self._problem: str | None = None
        try:
            self._predictor = self._opened(name, model)
        except CnnlabError as error:
            self._problem = f"on {name}: {error}"

    def answer(self, portion: Portion) -> Answer:
        """Predicts a portion."""
        told, self._warnings = self._warnings, []
        if self._problem is not None:
            return Answer(problem=self._problem)
        config, predictor = self._config, self._predictor
        images = NodeImages(portion, self._archives, self._fetch)
        reader = ReadAhead(
            images, predictor.classifier, white=config.white, batch=portion.batch, threads=config.threads
        )
        found: list[BatchOutputs] = []
        with quietly(), predictor.placed() as placed, memory.kept_between_steps():
            try:
                for batch in reader.batches(0):
                    found.append(self._outputs(predictor, placed, portion.start, batch))
            except WhiteUnknownError:
                return Answer(found, warnings=told, is_white_unknown=True)
        return Answer(found, warnings=told)

    def _outputs(self, predictor: Predictor, placed: Predictable, start: int, batch: Batch) -> BatchOutputs:
        """Computed as without a cluster, a whole batch at once, so that the bits are the same."""
        places, chunk, pixels = batch
        outputs = None
        if pixels is not None:
            found = outputs_of(placed, [pixels], device=predictor.device, precision=predictor.precision)
            outputs = found.numpy()
        read = [start + place for place in chunk.places]
        bad = [
            (start + place, image.reason)
            for place, image in zip(_left_out(places, chunk.places), chunk.bad, strict=True)
        ]
        return BatchOutputs(start + places.start, start + places.stop, read, outputs, bad)

    def _opened(self, name: str, model: Any) -> Predictor:
        """The predictor, on its device.

        :raises CnnlabError: with the reason why it is not to be had on this node.
        """
        differs = what_differs(self._config.versions, "the machine that asks for predictions")
        if differs is not None:
            raise CnnlabError(differs)
        try:
            predictor: Predictor = packing.unpack(_ray().get(model))
        except (ImportError, AttributeError) as error:
            raise CnnlabError(
                f"the model cannot be opened ({one_line(error)}). Code of your own has to be importable there"
            ) from error
        check_device(predictor.device, "Name another by --device, or ask for GPUs that the nodes have by --gpus.")
        predictor.classifier.to(predictor.device)
        lacks = why_no_native_kernels() if predictor.kernels == "native" else None
        if lacks is None:
            return predictor
        self._warnings.append(
            f"on {name} cnnlab's own kernels cannot be had ({lacks}). torch's are used there, which may change the "
            "last digits of what is predicted."
        )
        return replace(predictor, kernels="torch")

    def _fetch(self, start: int, end: int) -> Sequence[Content]:
        ray = _ray()
        ray.get(self._mailbox.put.remote(packed((self._number, start, end)), []))
        _, (stored,) = ray.get(self._mailbox.answered.remote(self._number))
        sent: Sequence[Content] = unpacked(ray.get(stored))
        return sent


def _left_out(places: range, kept: Sequence[int]) -> list[int]:
    there = set(kept)
    return [place for place in places if place not in there]


def _ray() -> Any:
    import ray

    return ray
