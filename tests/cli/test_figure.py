import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import Result

from cnnlab.runs import Run

Cnnlab = Callable[..., Result]


@pytest.mark.parametrize("words", [("last", "confusion"), ("confusion", "last")], ids="-".join)
def test_a_figure_is_written_and_named(words: tuple[str, str], cnnlab: Cnnlab, trained: Run) -> None:
    told = cnnlab("figure", *words, "--out", "x.png").stdout
    assert "Confusion matrix of" in told and trained.name[:6] in told
    with Image.open("x.png") as image:
        assert image.size[0] > 500


def test_without_a_file_it_is_called_by_its_kind(cnnlab: Cnnlab, trained: Run) -> None:
    answer = json.loads(cnnlab("figure", trained.name, "curves", "--json").stdout)
    assert (answer["image"], answer["figure"]) == ("curves.png", "curves")
    assert Path("curves.png").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("last",), "the last word says what is drawn"),
        (("last", "confusoin"), "the last word says what is drawn"),
        (("curves",), "say what the figure is of"),
        (("nothing", "curves"), "nothing"),
        (("last", "curves", "--out", "x.bmp3"), "cannot be written: figures are"),
        (("last", "roc", "--column", "hour"), "predicts no classes of 'hour'"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_drawn_is_refused(words: tuple[str, ...], message: str, cnnlab: Cnnlab, trained: Run) -> None:
    assert message in " ".join(cnnlab("figure", *words, exit_code=2).stderr.split())


def test_a_training_puts_figures_beside_its_record_when_asked(cnnlab: Cnnlab, tmp_path: Path) -> None:
    train = ("train", "data=digits", "model=mlp(hidden=[4])", "epochs=1", "batch_size=64")
    plain = json.loads(cnnlab(*train, "--json").stdout)
    assert not list(Path(plain["folder"]).glob("*.png"))
    drawn = json.loads(cnnlab(*train, "--figures", "--json").stdout)
    assert drawn["digest"] == plain["digest"] and drawn["folder"] == plain["folder"]
    assert {path.name for path in Path(drawn["folder"]).glob("*.png")} == {"curves.png", "confusion.png"}
