"""What goes to the nodes of a cluster, and what a worker there makes of it; no test needs a cluster."""

import io
import pickle
import sys
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from greys import Nearest, classifier_of, png, zip_of
from PIL import Image

from cnnlab.core.clusters import packing
from cnnlab.core.clusters.mailbox import packed
from cnnlab.core.clusters.ray_cluster import Node
from cnnlab.core.errors import CnnlabError, DataError, UsageError
from cnnlab.core.messages import printing_notes
from cnnlab.data import find_images
from cnnlab.data.white import White
from cnnlab.evaluation import predict_to_file
from cnnlab.evaluation.bulk_prediction.on_ray import picture_worker
from cnnlab.evaluation.bulk_prediction.on_ray.node_images import Archives, Content, NodeImages
from cnnlab.evaluation.bulk_prediction.on_ray.outputs_on_ray import OnRay, OutputsOnRay
from cnnlab.evaluation.bulk_prediction.on_ray.picture_worker import PictureWorker
from cnnlab.evaluation.bulk_prediction.on_ray.pipeline import worker_class
from cnnlab.evaluation.bulk_prediction.on_ray.portions import (
    Answer,
    BatchOutputs,
    Portion,
    WorkerConfig,
    portions,
    sample,
    samples,
)
from cnnlab.evaluation.prediction.predictor import Predictor, predictor_of
from cnnlab.runs import environment


@pytest.fixture
def predictor() -> Predictor:
    return predictor_of(classifier_of(Nearest()))


@pytest.fixture
def worker_for(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a worker whose model comes from here, and which is sent no picture."""
    monkeypatch.setattr(picture_worker, "_ray", lambda: SimpleNamespace(get=lambda value: value))

    def make(model: Any, *, seen: Sequence[Any] = (), versions: Any = None) -> PictureWorker:
        config = WorkerConfig(versions or environment(), seen, White(), 1)
        return PictureWorker("host/0123", config, packing.pack(model) if isinstance(model, Predictor) else model, None)

    return make


@pytest.mark.parametrize(
    ("count", "start", "batch", "workers", "sizes"),
    [
        # Four portions for each worker, of whole batches.
        (100, 0, 4, 1, [28, 28, 28, 16]),
        (100, 90, 4, 3, [4, 4, 2]),
        # No more than 1,024 pictures, and a batch at least.
        (9000, 0, 256, 1, [1024] * 8 + [808]),
        (5, 0, 2000, 2, [5]),
    ],
)
def test_portions_are_whole_batches_that_hold_each_picture_once(
    tmp_path: Path, count: int, start: int, batch: int, workers: int, sizes: list[int]
) -> None:
    (tmp_path / "a.png").write_bytes(png(10))
    images = find_images([tmp_path / "a.png"]) * count
    made = portions(images, start, batch, workers)
    assert [len(portion.pictures) for portion in made] == sizes
    assert [portion.start for portion in made] == [start + sum(sizes[:place]) for place in range(len(sizes))]


def test_pictures_are_named_by_paths_that_hold_wherever_a_process_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test" / "in").mkdir(parents=True)
    (tmp_path / "test" / "in" / "a.png").write_bytes(png(10))
    zip_of(tmp_path / "z.zip", 1)
    (portion,) = portions(find_images(["test", "test/in/a.png", "z.zip"]), 0, 4, 1)
    here = str(tmp_path)
    loose = (None, f"{here}/test/in/a.png")
    assert portion.pictures == [loose, loose, (f"{here}/z.zip", "0.png")]


def test_a_file_is_the_same_elsewhere_by_its_size_and_how_it_begins(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(10))
    (one,) = samples(find_images([tmp_path / "a.png"]) * 3)
    assert sample(one[0]) == one
    (tmp_path / "a.png").write_bytes(png(20))
    assert sample(one[0]) != one and sample(str(tmp_path / "not there")) is None


def portion_of(*paths: Path, start: int = 100, batch: int = 4) -> Portion:
    return Portion(start, batch, [(None, str(path)) for path in paths])


def test_what_a_node_cannot_read_is_sent_alone(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"here")
    asked = []

    def fetch(start: int, end: int) -> list[Content]:
        asked.append((start, end))
        return [b"sent"]

    images = NodeImages(portion_of(tmp_path / "a.png", tmp_path / "b.png"), Archives(), fetch)
    assert [images.encoded(0), images.encoded(1)] == [b"here", b"sent"] and asked == [(101, 102)]


def test_a_node_that_reads_nothing_is_sent_the_rest_of_a_batch_as_far_as_it_goes_at_once(tmp_path: Path) -> None:
    asked = []

    def fetch(start: int, end: int) -> list[Content]:
        asked.append((start, end))
        return [FileNotFoundError(2, "gone"), b"103"] if start == 102 else [b"%d" % start, b"%d" % (start + 1)]

    images = NodeImages(portion_of(*(tmp_path / f"{place}.png" for place in range(6))), None, fetch)
    assert [images.encoded(0), images.encoded(1)] == [b"100", b"101"]
    with pytest.raises(FileNotFoundError):
        images.encoded(2)
    assert [images.encoded(3), images.encoded(4), images.encoded(5)] == [b"103", b"104", b"105"]
    assert asked == [(100, 104), (102, 104), (104, 106)]


def test_an_archive_without_the_picture_is_one_that_is_not_seen(tmp_path: Path) -> None:
    archives = Archives()
    path = str(zip_of(tmp_path / "z.zip", 2))
    assert Image.open(io.BytesIO(archives.read(path, "1.png"))).size == (6, 6)
    with pytest.raises(DataError, match=r"there is no 7\.png"):
        archives.read(path, "7.png")


def test_a_worker_answers_for_each_batch_with_the_places_of_what_it_read(
    worker_for: Any, predictor: Predictor, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{place}.png" for place in range(3)]
    for path, content in zip(paths, (png(0), png(255)[:40], png(255)), strict=True):
        path.write_bytes(content)
    worker = worker_for(predictor, seen=[sample(str(paths[0]))])
    worker._fetch = None
    first, last = worker.answer(portion_of(*paths, batch=2)).batches
    assert (first.start, first.end, first.places, last.places) == (100, 102, [100], [102])
    assert [place for place, _ in first.bad] == [101] and not last.bad
    # Logits fall with the distance of the brightness from 0, 1/2 and 1.
    np.testing.assert_allclose(np.concatenate([first.outputs, last.outputs]), [[0, -4, -8], [-8, -4, 0]], atol=1e-6)


def test_a_worker_stops_at_a_picture_of_which_nothing_says_what_is_white(
    worker_for: Any, predictor: Predictor, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{place}.png" for place in range(2)]
    paths[0].write_bytes(png(10))
    Image.fromarray(np.full((6, 6), 900, np.uint16)).save(paths[1])
    answer = worker_for(predictor, seen=[sample(str(paths[0]))]).answer(portion_of(*paths, batch=1))
    assert answer.is_white_unknown and [batch.end for batch in answer.batches] == [101]


def test_a_node_without_the_device_or_the_code_of_a_model_is_named(worker_for: Any, predictor: Predictor) -> None:
    missing = (b"cnot_there_at_all\nNetwork\n.", [])
    assert "on host/0123: the model cannot be opened (No module named" in worker_for(missing).answer(None).problem
    object.__setattr__(predictor, "device", "cudda")
    problem = worker_for(predictor).answer(None).problem
    assert problem.startswith("on host/0123: there is no device 'cudda'") and "--device" in problem


class Cluster:
    """Stands in for a connection and for Ray itself: a call is its own result."""

    ray = property(lambda self: self)

    def __init__(self, *answers: tuple[bytes | None, str | None], free: int = 1) -> None:
        self.answers, self.ended, self.free = list(answers), 0, free
        self.waits: list[float | None] = []
        self.cloudpickle = pytest.importorskip("ray").cloudpickle

    def answering(self) -> Any:
        return nullcontext()

    def actor(self, kind: type, *words: Any) -> Any:
        told = SimpleNamespace(remote=lambda: self.answers.pop(0))
        return SimpleNamespace(next=told, take=SimpleNamespace(remote=lambda timeout: []))

    def put(self, value: Any) -> Any:
        return value

    get = put

    def is_busy(self, cpus: int, gpus: float) -> bool:
        return self.free < cpus

    def said_of_free(self, cpus: int, gpus: float) -> str:
        return f"{self.free} free"

    def wait(self, calls: list[Any], num_returns: int, timeout: float | None) -> tuple[list[Any], list[Any]]:
        self.waits.append(timeout)
        if timeout is not None:
            # Longer than anybody waits without a word.
            return [], calls
        return calls[:1], calls[1:]

    def kill(self, actor: Any) -> None:
        self.ended += 1


def test_a_node_with_another_version_is_named_with_the_remedy_and_all_is_ended(
    worker_for: Any, predictor: Predictor, tmp_path: Path
) -> None:
    worker = worker_for(predictor, versions={**environment(), "torch": "1.0.0"})
    cluster = Cluster((packed(worker.answer(None)), None))
    images = find_images([zip_of(tmp_path / "z.zip", 6)])
    said = r"on host/0123: it has torch .*, and .* 1\.0\.0\. .*pip install torch==1\.0\.0\. What was predicted is kept"
    with OutputsOnRay(cluster, images, predictor, 1, 1, 0) as source, pytest.raises(CnnlabError, match=said):
        next(source.batches(0))
    assert cluster.ended == 2


def test_what_went_wrong_on_the_cluster_is_told_with_what_to_do(predictor: Predictor, tmp_path: Path) -> None:
    cluster = Cluster((None, "the actor died."))
    source = OutputsOnRay(cluster, find_images([zip_of(tmp_path / "z.zip", 6)]), predictor, 1, 1, 0)
    with pytest.raises(CnnlabError, match=r"on the Ray cluster: the actor died\. What was predicted is kept"):
        next(source.batches(0))


def test_a_cluster_that_is_busy_is_told_of_once_and_waited_for(
    predictor: Predictor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "The Ray cluster is busy (0 free). The prediction waits for room there; Ctrl-C stops it."
    for free, waits in ((1, [None]), (0, [10.0, None])):
        cluster = Cluster((None, "the actor died."), free=free)
        source = OutputsOnRay(cluster, find_images([zip_of(tmp_path / "z.zip", 6)]), predictor, 1, 1, 0)
        with printing_notes(), pytest.raises(CnnlabError, match="the actor died"):
            next(source.batches(0))
        assert cluster.waits == waits
        told = " ".join(capsys.readouterr().err.split())
        assert told.count(said) == (free == 0)


def test_a_model_that_cannot_be_sent_is_refused(predictor: Predictor, tmp_path: Path) -> None:
    predictor.classifier.network.lock = threading.Lock()
    source = OutputsOnRay(Cluster(), find_images([zip_of(tmp_path / "z.zip", 6)]), predictor, 1, 1, 0)
    with pytest.raises(UsageError, match=r"cannot be brought to other machines .*lock.* Leave on= out"):
        next(source.batches(0))


def test_a_node_without_cnnlab_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    content = ray.cloudpickle.dumps(worker_class())
    context = SimpleNamespace(get_node_id=lambda: "0123456789ab")
    monkeypatch.setattr(ray, "get_runtime_context", lambda: context)
    with monkeypatch.context() as patch:
        for name in [name for name in sys.modules if name.partition(".")[0] == "cnnlab"]:
            patch.setitem(sys.modules, name, None)
        rows = pickle.loads(content)(b"", "1.2.3", [])({"portion": [b""]})
    (problem,) = rows["problem"]
    assert "/01234567 cnnlab does not load" in problem and problem.endswith("pip install cnnlab==1.2.3")


def test_tensors_that_are_sent_lie_where_their_bytes_do(predictor: Predictor) -> None:
    predictor.classifier.network.weight = torch.nn.Parameter(torch.arange(1000.0))
    content, arrays = packing.pack(predictor)
    weight = packing.unpack((content, arrays)).classifier.network.weight
    assert weight.requires_grad and torch.equal(weight, torch.arange(1000.0)) and len(content) < 4000
    assert any(array.ctypes.data == weight.data_ptr() for array in arrays)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"on": "slurm"}, "by --on ray. On Slurm, have one job carry out the command without --on"),
        ({"on": "rya"}, "there is no such place. Did you mean ray?"),
        ({"on": "ray", "workers": 0}, "workers=0: it takes one at least"),
        ({"on": "ray", "cpus": 0}, "cpus=0: a worker needs a core at least"),
        ({"on": "ray", "gpus": 1.5}, "name a share of one GPU"),
        ({"cpus": 2, "gpus": 1}, "cpus, gpus: this is asked of a cluster"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(tmp_path: Path, words: dict[str, Any], said: str) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    with pytest.raises(UsageError) as refused:
        predict_to_file(classifier_of(Nearest()), tmp_path / "a.png", tmp_path / "p.csv", **words)
    assert said in str(refused.value)


def on_ray(nodes: Sequence[Node], **words: Any) -> OnRay:
    place = OnRay("ray", **words)
    place.__dict__["cluster"] = SimpleNamespace(nodes=lambda: nodes)
    return place


def test_workers_are_as_many_as_there_is_room_for_or_are_asked_for(predictor: Predictor) -> None:
    nodes = [Node("a", "a", 4.0, 0.0), Node("b", "b", 3.0, 1.0)]
    for words, count in (({}, 7), ({"cpus": 2}, 3), ({"cpus": 2, "workers": 2}, 2), ({"gpus": 0.25}, 3)):
        assert on_ray(nodes, **words).outputs([], predictor)._workers == count
    with pytest.raises(UsageError, match=r"no node of the cluster has 5 cores\. Ask for less"):
        on_ray(nodes, cpus=5).outputs([], predictor)


def test_the_model_is_run_on_gpus_where_that_is_asked_for() -> None:
    model, nodes = classifier_of(Nearest()), [Node("a", "a", 1.0, 1.0)]
    asked: list[tuple[str | None, float | None, str]] = [
        (None, None, "cpu"),
        ("cuda:1", None, "cuda"),
        (None, 0.5, "cuda"),
        ("cpu", 0.5, "cpu"),
    ]
    for device, gpus, expected in asked:
        place = on_ray(nodes, gpus=gpus)
        predictor = place.predictor(model, device=device, network=None)
        assert predictor.device == expected
        share = place.outputs([], predictor)._gpus
        assert share == (gpus if gpus is not None else float(expected == "cuda"))


def test_a_gap_in_what_comes_back_is_no_result(predictor: Predictor, tmp_path: Path) -> None:
    images = find_images([zip_of(tmp_path / "z.zip", 6)])
    source = OutputsOnRay(Cluster(), images, predictor, 1, 1, 0)
    some = [BatchOutputs(start, start + 2, [start], np.zeros((1, 3), np.float32), []) for start in (0, 4)]
    source._answers = lambda start: iter([Answer(some)])
    batches = source.batches(0)
    assert next(batches)[0] == range(2)
    with pytest.raises(CnnlabError, match="of 6 pictures the Ray cluster left out that at 2"):
        next(batches)
