"""Keys that stand over all entries alike, what can be expected of them, and what is told before they are run."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from cnnlab.cli.app import app
from cnnlab.core import yaml
from cnnlab.core.errors import UsageError
from cnnlab.papers import Paper, command_calls
from cnnlab.papers.carrying_out import carried_out, questions
from cnnlab.papers.commands import CommandEntry
from cnnlab.papers.costs import costs
from cnnlab.papers.expectations import note_expected
from cnnlab.papers.format import SCALES
from cnnlab.papers.report import write_paper_report
from cnnlab.papers.sheets import blank_sheet
from cnnlab.papers.studies import StudyEntry

NO_COMMANDS = dict.fromkeys(("trainings", "commands", "numbers", "repeats", "claims", "published"))


@pytest.fixture
def paper(write_paper: Callable[..., Path], tmp_path: Path) -> Paper:
    return Paper(write_paper(), runs=tmp_path / "runs")


def test_a_device_is_where_it_is_computed_and_keeps_nothing_apart(
    write_paper: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reaches trainings and every command that takes it; what came out is found without it, and not done again."""
    words: list[Sequence[str]] = []
    carry_out = command_calls.command_line

    def noted(line: Sequence[str], **options: Any) -> Any:
        words.append([*line, options["device"]])
        return carry_out(line, **options)

    monkeypatch.setattr(command_calls, "command_line", noted)
    paper = Paper(write_paper(), runs=tmp_path / "runs")
    result = paper.run("scores", "smoke", device="cpu")
    assert len(words) == 3 and {line[-1] for line in words} == {"cpu"}
    assert Path(result.folder).name == "small-scores-smoke"
    assert paper.run("scores", "smoke") == result and len(words) == 3
    rates, scores = (carried_out(paper.at(name, "smoke", {"device": "cpu"})) for name in ("rates", "scores"))
    assert isinstance(rates, StudyEntry) and rates.parts[0].study.file.base["device"] == "cpu"
    assert isinstance(scores, CommandEntry) and scores._trainings is not None
    assert scores._trainings.file.base["device"] == "cpu"
    studied = paper.run("rates", "smoke", device="cpu")
    assert studied.is_whole and paper.result("rates", "smoke") == studied
    assert Path(studied.folder).name == "small-rates-smoke"
    transfer = {"data": "digits", "backbones": "pixels", "classifiers": "knn, gaussian-nb", "subset": 100, "repeats": 2}
    changes = {**NO_COMMANDS, "transfer": transfer, "scales": {scale: {} for scale in SCALES}}
    told = {"place": "Figure 3", "title": "Classifiers", "about": "Two."}
    (paper.folder / "scores.yaml").write_text(
        yaml.dump({**told, **{key: value for key, value in changes.items() if value is not None}}), encoding="utf-8"
    )
    fitted = Paper(paper.folder, runs=tmp_path / "runs").run("scores", "smoke", device="cpu")
    assert fitted.measured and Path(fitted.folder).name == "small-scores-smoke"
    with pytest.raises(UsageError, match="no device 'cuda:99' here"):
        paper.run("rates", "smoke", device="cuda:99")


def test_the_data_of_an_entry_of_commands_may_be_others(write_paper: Callable[..., Path], tmp_path: Path) -> None:
    net = {"model": "mlp(hidden=[4])", "epochs": 1, "precision": "float32"}
    changes = {
        "data": "digits",
        "trainings": {"net": net},
        "commands": {"told": "data check {set}", "scored": "evaluate {net}"},
        "numbers": {"pictures": {"of": "told.statistics.images.train", "exact": True}},
        "claims": [],
        "published": None,
        "scales": {scale: {} for scale in SCALES},
    }
    paper = Paper(write_paper(scores=changes), runs=tmp_path / "runs")
    pixels = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "few.npz", images=pixels, labels=np.arange(60) % 3)
    others: dict[str, Any] = {"data": str(tmp_path / "few.npz")}
    values = [paper.run("scores", "smoke", **keys).measured[0].values for keys in ({}, others)]
    assert values == [(1797.0, 1797.0), (60.0, 60.0)]
    entries = [carried_out(paper.at("scores", "smoke", keys)) for keys in ({}, others)]
    recipes = [run.recipe for entry in entries if isinstance(entry, CommandEntry) for run in entry.runs().values()]
    assert [re.split(r"[(,]", str(recipe["data"]))[0] for recipe in recipes] == ["digits", "digits", "npz", "npz"]


def test_data_for_a_whole_paper_leaves_entries_with_pictures_of_their_own_alone(
    write_paper: Callable[..., Path], tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (90, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "few.npz", images=pixels, labels=np.arange(90) % 3)
    words = ["paper", "run", str(write_paper()), "scale=smoke", f"data={tmp_path / 'few.npz'}"]
    done = CliRunner().invoke(app, [*words, "--device", "cpu", "--runs", str(tmp_path / "runs")])
    assert done.exit_code == 0, done.output
    rates, scores = sorted(path.name for path in (tmp_path / "runs" / "papers").iterdir())
    assert re.fullmatch(r"small-rates-smoke-[0-9a-f]{8}", rates) and scores == "small-scores-smoke"


def test_an_entry_with_pictures_of_its_own_takes_no_others(paper: Paper, write_paper: Callable[..., Path]) -> None:
    assert paper.entry("rates").file.takes_data and not paper.entry("scores").file.takes_data
    with pytest.raises(UsageError, match="has data of its own"):
        paper.run("scores", "smoke", data="digits")
    text = (paper.folder / "scores.yaml").read_text()
    (paper.folder / "scores.yaml").write_text(text.replace("evaluate {net}", "evaluate {net} data={set}"))
    with pytest.raises(UsageError, match="which has none"):
        Paper(paper.folder, runs=paper.place.runs).run("scores", "smoke")


def test_the_order_of_classifiers_can_be_expected(write_paper: Callable[..., Path], tmp_path: Path) -> None:
    transfer = {"data": "digits", "backbones": "pixels", "classifiers": "gaussian-nb, knn", "subset": 300, "repeats": 3}
    changes = {**NO_COMMANDS, "transfer": transfer, "scales": {scale: {} for scale in SCALES}}
    paper = Paper(write_paper(scores=changes), runs=tmp_path / "runs")
    at = paper.at("scores")
    (question,) = questions(at)
    assert question.settings == ("gaussian-nb", "knn") and question.metric == "macro f1" and not question.seen
    note_expected(at.folder, [question.answered(("knn", "gaussian-nb"), 0.05)])
    paper.run("scores")
    assert questions(at)[0].seen
    page = write_paper_report(paper, "laptop", tmp_path / "page.html").read_text()
    assert "knn &gt; gaussian-nb" in page and "1 of 1" in page


def test_a_sheet_leaves_out_what_a_scale_claims(write_paper: Callable[..., Path], tmp_path: Path) -> None:
    claims = [{"says": "the smaller rate is hopeless", "judged": "optimizer.lr=0.0001 is worse than optimizer.lr=0.01"}]
    folder = write_paper(rates={"scales": {"smoke": {"epochs": 1}, "laptop": {"claims": claims}, "full": {}}})
    blank_sheet(Paper(folder), tmp_path / "sheet")
    kept = yaml.read_file(tmp_path / "sheet" / "rates.yaml", "an entry")
    assert kept["scales"] == {"smoke": {"epochs": 1}, "laptop": {}, "full": {}}


def test_a_time_without_commands_and_transfers_says_so(write_paper: Callable[..., Path], tmp_path: Path) -> None:
    transfer = {"data": "digits", "backbones": "pixels", "classifiers": "knn", "subset": 100}
    changes = {**NO_COMMANDS, "transfer": transfer, "scales": {scale: {} for scale in SCALES}}
    paper = Paper(write_paper(scores=changes), runs=tmp_path / "runs")
    scores = costs(paper, probe=True)[1]
    assert scores.seconds["laptop"] == 0 and scores.is_partial["laptop"]


def test_names_between_back_ticks_are_set_as_code_and_nothing_of_them_is_markup(
    write_paper: Callable[..., Path], tmp_path: Path
) -> None:
    claims = [{"says": "it is elegant", "not_judged": "see `rates`"}]
    about = "As `scores` and `<b>` have it; one ` alone stays."
    paper = Paper(write_paper(scores={"about": about, "claims": claims}), runs=tmp_path / "runs")
    paper.run("scores", "smoke")
    page = write_paper_report(paper, "smoke", tmp_path / "page.html").read_text()
    assert "As <code>scores</code> and <code>&lt;b&gt;</code> have it; one ` alone stays." in page
    assert "see <code>rates</code>" in page
