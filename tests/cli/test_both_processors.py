"""The main commands at once on a processor with native bfloat16 and on one without.

The second kind is the first with its instructions held back, for which every command takes a process of its own. On a
machine that has no AVX-512 both are the same.
"""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from cnnlab.core.devices import has_native_bfloat16
from cnnlab.training.precision import MOST_SECONDS

KINDS = {"as it is": {}, "without AVX-512": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}}
SECONDS_TO_FIRST_STEP = 20
"""Loading PyTorch included, on a loaded machine. Where formats that are not native were timed it was 170 s."""
SECONDS = 60
RECIPE = ["data=digits(size=32)", "model=convnet(width=0.5)", "subset=100", "epochs=1", "batch_size=50"]
# Long enough for two seconds of trying out formats; with torch's kernels a slice of eight pictures tells.
LONG = ["data=digits(size=32)", "model=cnn(filters=[32, 64])", "epochs=1000", "batch_size=200", "kernels=torch"]
STUDY = """question: Does the rate matter?
base: {data: digits(size=32), subset: 100, model: convnet(width=0.5), epochs: 1, batch_size: 50}
vary: {optimizer.lr: [0.001, 0.01]}
repeats: 2
"""


@pytest.fixture(params=KINDS)
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """What a process of this kind is started with."""
    return {**os.environ, "CNNLAB_RUNS": str(tmp_path / "runs"), **KINDS[request.param]}


def _start(words: Sequence[str], folder: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cnnlab", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _ended(process: subprocess.Popen[str]) -> str:
    """Standard output of a process that ends well, and in time."""
    try:
        said, errors = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"{shlex.join(process.args)} hangs: {process.communicate()[1]}") from None
    assert process.returncode == 0, errors
    return said


@pytest.fixture
def answer(environment: dict[str, str], document: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """What a command writes with ``--json``, on a processor of this kind: one document, and nothing else."""

    is_of_this_process = all(environment.get(key) == os.environ.get(key) for key in KINDS["without AVX-512"])

    def call(*words: str) -> Any:
        if is_of_this_process:
            return document(*words)
        return json.loads(_ended(_start([*words, "--json"], tmp_path, environment)))

    return call


def _seconds_to_first_step(process: subprocess.Popen[str], runs: Path) -> float:
    began = time.monotonic()
    while not any(path.stat().st_size for path in runs.glob("*/live.jsonl")):
        if time.monotonic() - began > SECONDS_TO_FIRST_STEP or process.poll() is not None:
            break
        time.sleep(0.05)
    return time.monotonic() - began


@pytest.mark.slow(15)
def test_a_training_comes_to_its_first_step_and_what_it_left_is_evaluated(
    environment: dict[str, str], answer: Callable[..., Any], tmp_path: Path
) -> None:
    environment["CNNLAB_CACHE"] = str(tmp_path / "empty-cache")
    process = _start(["train", *RECIPE, "--json"], tmp_path, environment)
    seconds = _seconds_to_first_step(process, tmp_path / "runs")
    run = json.loads(_ended(process))
    assert seconds < SECONDS_TO_FIRST_STEP
    assert run["status"] == "finished"
    if run["execution"]["kernels"] == "native":
        # They were compiled before that step, for the cache had none.
        assert 0 < run["kernels_build"]["seconds"] < SECONDS_TO_FIRST_STEP
    choice = run["precision_choice"]
    assert choice["precision"] == run["execution"]["precision"] and choice["seconds"] < SECONDS_TO_FIRST_STEP
    if environment.get("ONEDNN_MAX_CPU_ISA") == "AVX2":
        assert (choice["precision"], choice["why"]) == ("float32", "no native bfloat16")
    scores = answer("evaluate", "last")["scores"]
    assert scores["loss"] == pytest.approx(run["scores"]["test"]["loss"], rel=1e-3)
    (tmp_path / "pictures").mkdir()
    from PIL import Image

    Image.new("L", (32, 32), 128).save(tmp_path / "pictures" / "grey.png")
    assert len(answer("predict", "last", "pictures")["images"]) == 1


@pytest.mark.slow(10)
def test_a_training_that_tries_out_formats_comes_to_its_first_step_as_soon(
    environment: dict[str, str], tmp_path: Path
) -> None:
    process = _start(["train", *LONG], tmp_path, environment)
    seconds = _seconds_to_first_step(process, tmp_path / "runs")
    process.terminate()
    _, said = process.communicate(timeout=SECONDS)
    assert seconds < SECONDS_TO_FIRST_STEP, said
    (file,) = (tmp_path / "runs").glob("*/run.json")
    choice = json.loads(file.read_text())["precision_choice"]
    if environment.get("ONEDNN_MAX_CPU_ISA") == "AVX2" or not has_native_bfloat16("cpu"):
        assert (choice["precision"], choice["why"]) == ("float32", "no native bfloat16")
        assert "torch has no native bfloat16 for this processor" in said
    else:
        assert choice["why"] == "timed" and min(choice["float32"], choice["bfloat16"]) > 0
        # One layer of one pass may be under way when the time is over.
        assert 0 < choice["seconds"] < MOST_SECONDS + 0.5
        assert "× float32, tried for" in said


@pytest.mark.slow(10)
@pytest.mark.parametrize(
    "words",
    [
        ["find-lr", *RECIPE, "--steps", "10"],
        ["augment", "cost", "flip|shift(0.1)", *RECIPE, "--repeats", "1"],
        ["study", "plan", "study.yaml", "--probe"],
    ],
    ids=["find-lr", "augment cost", "study plan"],
)
def test_what_times_steps_is_done_soon(words: list[str], answer: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    assert answer(*words)
