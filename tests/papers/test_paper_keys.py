"""Keys that stand over all entries alike, what can be expected of them, and what is told before they are run."""

import re
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from cnnlab.cli.app import app
from cnnlab.cli.paper.predict import ask
from cnnlab.core import yaml
from cnnlab.core.errors import UsageError
from cnnlab.papers import Paper, command_calls
from cnnlab.papers.carrying_out import carried_out, questions
from cnnlab.papers.commands import CommandEntry
from cnnlab.papers.costs import costs
from cnnlab.papers.expectations import expected, note_expected
from cnnlab.papers.format import SCALES
from cnnlab.papers.needed_data import needed_data
from cnnlab.papers.report import write_paper_report
from cnnlab.papers.sheets import blank_sheet
from cnnlab.papers.studies import StudyEntry

RATES: dict[str, Any] = {
    "place": "Table 1",
    "title": "Learning rates",
    "about": "Two rates.",
    "base": {"data": "digits", "model": "mlp(hidden=[4])"},
    "vary": {"optimizer.lr": [0.001, 0.01]},
    "scales": {scale: {} for scale in SCALES},
}
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


def test_the_data_of_a_study_are_those_of_its_base_of_each_and_of_its_settings(
    write_paper: Callable[..., Path], tmp_path: Path
) -> None:
    """At each scale, with what is put over the entry; options of a data set are no part of its name."""
    settings = {"as it is": {"epochs": 1}, "other": {"data": "clocks(n=20, size=16)", "epochs": 1}}
    scales = {"smoke": {"vary.way": {"as it is": {"epochs": 1}}}, "laptop": {}, "full": {"data": "here.npz"}}
    changes = {"vary": {"way": settings}, "scales": scales, "claims": [], "published": None}
    (tmp_path / "runs").mkdir()
    paper = Paper(write_paper(rates=changes), runs=tmp_path / "runs", data_dir=tmp_path)
    found = {scale: needed_data(paper.at("rates", scale)) for scale in SCALES}
    assert found == {
        "smoke": {"digits": True},
        "laptop": {"digits": True, "clocks": True},
        "full": {"here.npz": False, "clocks": True},
    }
    (tmp_path / "here.npz").write_bytes(b"")
    assert needed_data(paper.at("rates", "full"))["here.npz"] is True
    each = {**RATES, "each": {"data": ["mnist", "digits"]}, "claims": [], "published": []}
    each["scales"] = {"smoke": {"each": ["digits"]}, "laptop": {}, "full": {}}
    (paper.folder / "rates.yaml").write_text(yaml.dump(each))
    both = Paper(paper.folder, data_dir=tmp_path)
    assert list(needed_data(both.at("rates", "smoke"))) == ["digits"]
    assert list(needed_data(both.at("rates", "laptop"))) == ["mnist", "digits"]
    axis = {**RATES, "vary": {"data": ["digits", "clocks(n=20, size=16)"]}, "claims": [], "published": []}
    (paper.folder / "rates.yaml").write_text(yaml.dump(axis))
    assert list(needed_data(Paper(paper.folder).at("rates", "laptop"))) == ["digits", "clocks"]


def test_the_data_of_commands_are_those_of_trainings_and_of_their_words(
    write_paper: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "sets"))
    monkeypatch.setenv("CNNLAB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "sets" / "photos").mkdir(parents=True)
    net = {"model": "mlp(hidden=[4])", "epochs": 1, "precision": "float32"}
    changes = {
        "data": "digits",
        "trainings": {"net": net},
        "commands": {
            "told": "data check {set}",
            "shown": "data show kmnist",
            "glimpse": "augment preview data=fashion-mnist augment=flip --out {out}/glimpse.png",
            "predicted": "predict {net} {data}/cats-vs-dogs.zip --out {out}/predictions.csv",
            "others": "predict {net} {data}/photos --out {out}/predictions.csv",
        },
        "numbers": {},
        "claims": [],
        "published": None,
        "scales": {"smoke": {"commands": {"told": "data check {set}"}}, "laptop": {}, "full": {"data": "mnist"}},
    }
    paper = Paper(write_paper(scores=changes), runs=tmp_path / "runs")
    named = {"kmnist": False, "fashion-mnist": False, "cats-vs-dogs": False, "photos": True}
    assert needed_data(paper.at("scores", "smoke")) == {"digits": True}
    assert needed_data(paper.at("scores", "laptop")) == {"digits": True, **named}
    assert needed_data(paper.at("scores", "full")) == {"mnist": False, **named}


def test_the_data_of_a_transfer_are_its_own_and_an_entry_that_cannot_be_meant_has_none(
    write_paper: Callable[..., Path], tmp_path: Path
) -> None:
    transfer = {"data": "digits", "backbones": "pixels", "classifiers": "knn", "subset": 100}
    scales = {"smoke": {}, "laptop": {}, "full": {"data": "eurosat"}}
    paper = Paper(
        write_paper(scores={**NO_COMMANDS, "transfer": transfer, "scales": scales}, rates={"base": "no.yaml"})
    )
    assert list(needed_data(paper.at("scores", "laptop"))) == ["digits"]
    assert list(needed_data(paper.at("scores", "full"))) == ["eurosat"]
    assert needed_data(paper.at("rates", "laptop")) == {}


@pytest.mark.parametrize(
    ("name", "laptop", "full"),
    [
        ("000/augmentation", ["cifar10-jpeg"], ["eurosat"]),
        ("001/mnist", ["mnist", "fashion-mnist"], ["mnist", "fashion-mnist"]),
        ("001/shapes", [], []),
        ("002/prediction", ["cifar10-jpeg"], ["cifar10", "kaggle-test"]),
        ("003/backbone-frozen", ["cats-vs-dogs"], ["cats-vs-dogs"]),
        ("004/clock", ["clocks"], ["clocks"]),
    ],
)
def test_the_data_of_papers_that_come_with_cnnlab_are_known(name: str, laptop: list[str], full: list[str]) -> None:
    paper, entry = name.split("/")
    found = [list(needed_data(Paper(paper).at(entry, scale))) for scale in ("laptop", "full")]
    assert found == [laptop, full]


def test_answers_that_are_piped_in_leave_each_question_a_line_of_its_own(
    write_paper: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    at = Paper(write_paper(), runs=tmp_path / "runs").at("rates", "smoke")
    monkeypatch.setattr("sys.stdin", StringIO("3 > 1\n2 > 1\n5 points\n"))
    ask(at)
    lines = [line.partition(",")[0].strip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    which, how = "Which order do you expect", "How far is the first ahead of the last"
    assert lines[1:] == ["1  0.0001", "2  0.01", which, "'3' is no setting here. Valid: 0.0001", which, how]
    kept = expected(at.folder)
    assert kept is not None and kept["expectations"][0]["spread"] == 0.05
