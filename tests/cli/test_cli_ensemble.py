"""``cnnlab ensemble``, and what other commands make of its result."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from cnnlab import training
from cnnlab.core.messages import quietly
from cnnlab.runs import Run

Cnnlab = Callable[..., Result]
Document = Callable[..., Any]


@pytest.fixture(scope="session")
def _once(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    runs = tmp_path_factory.mktemp("pair") / "runs"
    keys: dict[str, Any] = {"data": "digits", "model": "mlp(hidden=[16])", "batch_size": 64, "epochs": 2, "threads": 1}
    with quietly():
        return [training.train(runs=runs, name=name, seed=seed, **keys).folder for seed, name in enumerate("ab")]


@pytest.fixture
def pair(_once: list[Path], tmp_path: Path) -> list[Run]:
    """Two runs really trained, under ``runs/`` of the current folder."""
    return [Run(shutil.copytree(folder, tmp_path / "runs" / folder.name)) for folder in _once]


def test_an_ensemble_is_made_shown_and_listed(cnnlab: Cnnlab, pair: list[Run]) -> None:
    told = cnnlab("ensemble", "a", "b").stdout
    assert told.startswith("ensemble  mean-of-2-") and "95% intervals over pictures" in told
    assert "Against the best member on validation: " in told and "cnnlab runs show mean-of-2-" in told
    assert all(words in told for words in ("Q statistic", "double fault", "disagreement", "correlation of errors"))
    listed = cnnlab("runs", "list").stdout.splitlines()
    assert listed[1].split()[0].startswith("mean-of-2-") and listed[1].split()[1] == "finished"
    shown = cnnlab("runs", "show", "mean-of-2").stdout
    assert "what each member is worth" in shown and "calibration on test" in shown and "so many members" in shown
    assert "a-" in cnnlab("runs", "compare", "mean-of-2", "a").stdout


def test_fitted_weights_tell_what_they_gained_and_how_far_that_was_optimism(cnnlab: Cnnlab, pair: list[Run]) -> None:
    told = cnnlab("ensemble", "*", "method=weights", "--name", "committee").stdout
    assert "what fitting gained over equal weights" in told and "Optimism" in told


def test_json_holds_members_weights_and_findings(document: Document, pair: list[Run]) -> None:
    made = document("ensemble", "a", "b", "method=greedy(size=4)", "--name", "committee")
    assert document("runs", "show", "committee") == made
    assert [member["name"] for member in made["ensemble"]["members"]] == [run.name for run in pair]
    assert sum(member["share"] for member in made["ensemble"]["members"]) == pytest.approx(1)
    analysis = made["ensemble"]["analysis"]
    assert {"diversity", "sizes", "left_out", "calibrated", "gains", "against"} <= analysis.keys()
    assert analysis["ensemble"]["scores"]["test"] == made["scores"]["test"]["accuracy"]
    json.dumps(made, allow_nan=False)


def test_it_predicts_and_is_evaluated_like_a_run(cnnlab: Cnnlab, document: Document, pair: list[Run]) -> None:
    made = document("ensemble", "a", "b", "--name", "committee")
    again = document("evaluate", "committee", "split=test")
    assert again["scores"]["accuracy"] == made["scores"]["test"]["accuracy"]
    assert document("evaluate", "ensemble:committee", "data=digits", "split=test")["scores"] == again["scores"]


def test_a_score_that_flatters_is_told_of_in_one_line(cnnlab: Cnnlab, pair: list[Run]) -> None:
    cnnlab("ensemble", "a", "b", "method=weights", "--name", "committee")
    told = cnnlab("evaluate", "committee", "split=validation", "--quiet").stderr
    assert told.count("\n") == 1 and "was fitted on its validation pictures by weights" in told
    assert not cnnlab("evaluate", "committee", "--quiet").stderr


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_an_ensemble_is_shown_without_pytorch(more: list[str], cnnlab: Cnnlab, pair: list[Run]) -> None:
    cnnlab("ensemble", "a", "b", "method=weights", "--name", "committee")
    program = (
        f"import sys; sys.argv = {['cnnlab', 'runs', 'show', 'committee', *more]!r}\n"
        "from cnnlab.cli import main\n"
        "try: main()\n"
        "finally: print({'torch', 'matplotlib', 'sklearn'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "disagreement" in done.stdout and done.stderr.splitlines()[-1] == "set()"


def test_members_are_deleted_with_the_ensemble_or_by_a_flag(cnnlab: Cnnlab, pair: list[Run]) -> None:
    cnnlab("ensemble", "a", "b", "--name", "committee")
    refused = cnnlab("runs", "delete", "a", "-y", exit_code=2)
    assert "is a member of committee-" in refused.stderr and "--even-if-needed" in refused.stderr
    assert pair[0].folder.is_dir()
    cnnlab("runs", "delete", "a", "-y", "--even-if-needed")
    told = cnnlab("evaluate", "committee", exit_code=2).stderr
    assert f"needs its member {pair[0].name}" in told and told.count("\n") == 1
    cnnlab("runs", "restore", pair[0].name)
    cnnlab("runs", "delete", "a", "committee", "b", "-y")
    assert not list(pair[0].folder.parent.glob("[!.]*"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a"], "takes two runs or more"),
        (["a", "a"], "is named twice"),
        (["a", "c"], "there is no run 'c'"),
        (["z*"], "no run under runs matches 'z*'"),
        (["a", "b", "method=menn"], "there is no method called 'menn'. Did you mean mean"),
        (["a", "b", "metod=mean"], "metod=mean is not method=…"),
        (["a", "b", "temperature=true"], "It is an argument of the method: 'method=mean(temperature=true)'"),
        (["a", "b", "method=mean", "method=vote"], "method is given twice"),
        (["method=mean"], "an ensemble is made of runs"),
        (["a", "b", "method=greedy(size=none)"], "size of method greedy takes a whole number"),
        (["a", "b", "--name", "last"], "cannot be called last"),
    ],
)
def test_what_cannot_be_meant_is_one_line_and_exit_2(
    words: list[str], expected: str, cnnlab: Cnnlab, pair: list[Run]
) -> None:
    result = cnnlab("ensemble", *words, exit_code=2)
    assert expected in result.stderr and result.stderr.count("\n") == 1 and not result.stdout


def test_what_goes_on_from_a_training_refuses_an_ensemble(cnnlab: Cnnlab, pair: list[Run]) -> None:
    cnnlab("ensemble", "a", "b", "--name", "committee")
    for words in (["extend", "committee", "epochs=+1"], ["resume", "committee"]):
        told = cnnlab(*words, exit_code=2).stderr
        assert "is an ensemble" in told and "Take one of its members: a-" in told
    told = cnnlab("train", "data=digits", "model=mlp(hidden=[16], weights=run:committee)", exit_code=2).stderr
    assert told.count("\n") == 1
