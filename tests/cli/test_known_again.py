"""What is there already is said at once, and PyTorch, which takes seconds to load, is not loaded for it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from cnnlab.runs import RunStore

Cnnlab = Callable[..., Result]
TRAIN = ("train", "data=digits", "model=mlp(hidden=[4])", "epochs=1", "batch_size=64")
STUDY = """
question: Does it matter?
base: {data: digits, model: "mlp(hidden=[4])", epochs: 1, batch_size: 64, threads: 1}
vary: {augment: [none, flip]}
repeats: 2
"""


def _loads(tmp_path: Path, *words: str) -> set[str]:
    """Which heavy packages a command loads."""
    program = (
        f"import sys; sys.argv = ['cnnlab', *{words!r}]\nfrom cnnlab.cli import main\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code\n"
        "print('loaded', *{'torch', 'scipy', 'pandas', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


def _but_its_time(stdout: str) -> list[str]:
    return [line for line in stdout.splitlines() if not line.startswith("this command")]


@pytest.mark.slow(8)
def test_a_finished_training_is_found_again_without_torch(cnnlab: Cnnlab, tmp_path: Path) -> None:
    first = cnnlab(*TRAIN).stdout
    assert _but_its_time(cnnlab(*TRAIN).stdout) == _but_its_time(first)
    assert len(RunStore(tmp_path / "runs").list()) == 1
    assert _loads(tmp_path, *TRAIN) == set()


def test_a_training_whose_run_is_gone_is_done_anew(cnnlab: Cnnlab, tmp_path: Path) -> None:
    cnnlab(*TRAIN)
    (run,) = RunStore(tmp_path / "runs").list()
    cnnlab("runs", "delete", run.name, "--yes")
    cnnlab(*TRAIN)
    assert len(RunStore(tmp_path / "runs").list()) == 1


def test_another_run_of_it_is_trained_when_asked_for(cnnlab: Cnnlab, tmp_path: Path) -> None:
    cnnlab(*TRAIN)
    cnnlab(*TRAIN, "--again")
    assert sorted(run.repeat for run in RunStore(tmp_path / "runs").list()) == [1, 2]


@pytest.mark.slow(20)
def test_a_stored_study_is_shown_again_without_torch(cnnlab: Cnnlab, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    first = cnnlab("study", "run", "study.yaml", "--workers", "1").stdout
    assert cnnlab("study", "run", "study.yaml").stdout == first
    assert _loads(tmp_path, "study", "run", "study.yaml") == set()
    # A run that is gone is missed.
    victim = RunStore(tmp_path / "runs").list()[0].name
    cnnlab("runs", "delete", victim, "--yes")
    assert "3 of 4 finished" in cnnlab("study", "show", "study.yaml").stdout
