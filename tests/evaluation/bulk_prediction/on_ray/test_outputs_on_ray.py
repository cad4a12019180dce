"""Predictions of many pictures by a Ray cluster of one node on this machine."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from greys import Logged, classifier_of, png
from ray_nodes import ray_cluster
from safetensors.numpy import load_file

from cnnlab.evaluation import predict_to_file
from cnnlab.evaluation.bulk_prediction import read_ahead
from cnnlab.evaluation.bulk_prediction.on_ray import outputs_on_ray
from cnnlab.models import Classifier

pytest.importorskip("ray")
pytest.importorskip("pyarrow")
pytestmark = [pytest.mark.slow(30), pytest.mark.filterwarnings("ignore")]
HERE = Path(__file__).parents[1]
COUNT, PATIENCE = 400, 200.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """With the networks of these tests importable on its node."""
    with ray_cluster(PYTHONPATH=os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])) as made:
        yield made


@pytest.fixture(autouse=True)
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of 4 pictures, parts of 8."""
    monkeypatch.setattr(read_ahead, "_BATCH", 4)
    monkeypatch.setattr(read_ahead, "MOST_PICTURES", 8)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def logged(log: Path) -> Classifier:
    return classifier_of(Logged(log))


def shown(log: Path) -> int:
    return sum(map(int, log.read_text().split())) if log.exists() else 0


_KILLED = """
import sys
from pathlib import Path
import greys
from cnnlab.evaluation import predict_to_file
from cnnlab.evaluation.bulk_prediction import read_ahead

read_ahead._BATCH, read_ahead.MOST_PICTURES = 4, 8
pictures, out, log = sys.argv[1:]

class OfAScript(greys.Logged):
    pass

predict_to_file(greys.classifier_of(OfAScript(Path(log), 0.02)), pictures, out, format="kaggle", on="ray")
"""


def test_after_the_asking_process_is_killed_a_node_that_sees_nothing_is_sent_the_rest_and_the_file_is_as_without_ray(
    cluster: Any, logged: Classifier, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test").mkdir()
    for place in range(COUNT):
        (tmp_path / "test" / f"{place}.png").write_bytes(png(place * 7 % 256))
    # The last of all, so that what is killed has not come to it.
    (tmp_path / "test" / f"{COUNT}.png").write_bytes(png(10)[:40])
    pictures, out, parts = tmp_path / "test", tmp_path / "s.csv", tmp_path.glob
    words = [sys.executable, "-c", _KILLED, str(pictures), str(out), str(tmp_path / "killed")]
    said = tmp_path / "said"
    with said.open("wb") as file:
        process = subprocess.Popen(
            words, cwd=HERE, env={**os.environ, "RAY_ADDRESS": cluster.address}, stdout=file, stderr=file
        )
    deadline = time.monotonic() + PATIENCE
    while not any(parts(".s.csv.parts-*/*.safetensors")):
        assert process.poll() is None and time.monotonic() < deadline, said.read_text()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and not out.exists()
    stored = sum(len(load_file(part)["places"]) for part in parts(".s.csv.parts-*/[0-9]*.safetensors"))
    assert 0 < stored < COUNT

    monkeypatch.setattr(outputs_on_ray, "samples", lambda images: [("/not/there", 1, "")])
    # Some at a time, and at least one.
    monkeypatch.setattr(outputs_on_ray, "_MOST_BYTES", 100)
    there = predict_to_file(logged, pictures, out, format="kaggle", on_bad="skip", on="ray")
    # To the picture, for nobody else may be at it.
    assert shown(log) == COUNT - stored and not list(parts(".s.csv.parts-*"))
    here = predict_to_file(logged, pictures, tmp_path / "here.csv", format="kaggle", on_bad="skip")
    assert out.read_bytes() == here.path.read_bytes()
    assert (there.predicted, there.unreadable) == (COUNT, here.unreadable) and "400.png" in here.unreadable[0]
    # A second call needs nobody.
    before = shown(log)
    assert predict_to_file(logged, pictures, out, format="kaggle", on_bad="skip", on="ray").was_there
    assert shown(log) == before
