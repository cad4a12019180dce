"""Predictions of many pictures by a Ray cluster of one node on this machine."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from greys import Logged, classifier_of, png, zip_of
from ray_nodes import ray_cluster
from safetensors.numpy import load_file

from cnnlab.core.errors import CnnlabError, CnnlabWarning
from cnnlab.evaluation import predict_to_file
from cnnlab.evaluation.bulk_prediction import read_ahead
from cnnlab.evaluation.bulk_prediction.on_ray import outputs_on_ray
from cnnlab.models import Classifier
from cnnlab.runs import environment

pytest.importorskip("ray")
pytest.importorskip("pyarrow")
pytestmark = [pytest.mark.slow(20), pytest.mark.filterwarnings("ignore")]
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


def test_after_the_asking_process_is_killed_the_rest_is_predicted_and_the_file_is_as_without_a_cluster(
    cluster: Any, logged: Classifier, log: Path, tmp_path: Path
) -> None:
    (tmp_path / "test").mkdir()
    for place in range(COUNT):
        (tmp_path / "test" / f"{place}.png").write_bytes(png(place * 7 % 256))
    pictures, out, parts = tmp_path / "test", tmp_path / "s.csv", tmp_path.glob
    words = [sys.executable, "-c", _KILLED, str(pictures), str(out), str(tmp_path / "killed")]
    process = subprocess.Popen(words, cwd=HERE, env={**os.environ, "RAY_ADDRESS": cluster.address})
    deadline = time.monotonic() + PATIENCE
    while not any(parts(".s.csv.parts-*/*.safetensors")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and not out.exists()
    stored = sum(len(load_file(part)["places"]) for part in parts(".s.csv.parts-*/[0-9]*.safetensors"))
    assert 0 < stored < COUNT

    assert predict_to_file(logged, pictures, out, format="kaggle", on="ray").predicted == COUNT
    # To the picture, for nothing else may be at it.
    assert shown(log) == COUNT - stored and not list(parts(".s.csv.parts-*"))
    predict_to_file(logged, pictures, tmp_path / "here.csv", format="kaggle")
    assert out.read_bytes() == (tmp_path / "here.csv").read_bytes()
    # A second call needs nobody.
    before = shown(log)
    assert predict_to_file(logged, pictures, out, format="kaggle", on="ray").was_there and shown(log) == before


def test_a_node_that_does_not_see_the_pictures_is_sent_them_and_only_what_is_damaged_is_left_out(
    cluster: Any, logged: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs_on_ray, "samples", lambda images: [("/not/there", 1, "")])
    # A few at a time, and at least one.
    monkeypatch.setattr(outputs_on_ray, "_MOST_BYTES", 100)
    pictures = zip_of(tmp_path / "test.zip", 30)
    with zipfile.ZipFile(pictures, "a") as archive:
        archive.writestr("damaged.png", png(10)[:40])
    files = {}
    for out, on in (("here.csv", None), ("there.csv", "ray")):
        with pytest.warns(CnnlabWarning, match=r"left out: .*damaged\.png"):
            files[out] = predict_to_file(logged, pictures, tmp_path / out, on_bad="skip", on=on)
    here, there = files.values()
    assert (there.predicted, there.unreadable) == (here.predicted, here.unreadable) == (30, here.unreadable)
    assert there.path.read_bytes() == here.path.read_bytes()
    with there.path.open(newline="") as file:
        assert len(list(csv.reader(file))) == 31


def test_a_node_with_another_version_is_named_with_the_remedy(
    cluster: Any, logged: Classifier, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs_on_ray, "environment", lambda: {**environment(), "torch": "1.0.0"})
    node = re.escape(cluster.head_node.node_id[:8])
    with pytest.raises(CnnlabError, match=rf"on \S+/{node}: it has torch .*pip install torch==1\.0\.0\. .*is kept"):
        predict_to_file(logged, zip_of(tmp_path / "test.zip", 8), tmp_path / "s.csv", on="ray")
    assert not shown(log) and not (tmp_path / "s.csv").exists()
