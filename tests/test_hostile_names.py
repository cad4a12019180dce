"""Names from outside, wherever they are written: nothing that reads them finds anything to obey."""

import asyncio
import csv
import io
import json
import re
import xml.dom.minidom
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from matplotlib.figure import Figure
from PIL import Image
from typer.testing import CliRunner

import cnnlab
from cnnlab.cli import output, program
from cnnlab.cli.app import app
from cnnlab.core.errors import CnnlabWarning, DataError, ModelFileError, SpecError
from cnnlab.core.messages import note, warn
from cnnlab.core.sinks import for_csv, for_latex, for_message, visible
from cnnlab.data.formats.folders import FolderMembers
from cnnlab.data.target_columns import from_text
from cnnlab.evaluation.prediction.predict import ImagePredictions, PredictedColumn
from cnnlab.export import read_golden
from cnnlab.export.facts import Facts
from cnnlab.models import Classifier, build_network
from cnnlab.reports.contents.tables import Table, TableColumn
from cnnlab.reports.figures.style import save_figure
from cnnlab.reports.writing.svg import svg_of
from cnnlab.reports.writing.tables import csv_of, latex_of

OBEYED = ["\x1b[31mred", "\x1b]0;title\x07", "a\x00b", "\x9b2J", "\u202efdp.exe", "a\rb", "\x7f", "\udcff"]
FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-1+cmd", "@SUM(A1)", "\t=1"]
NAMES = [*OBEYED, *FORMULAS, "[9pt]x", "*x", "<b>&", "50% #1_{}$~^\\"]


def is_plain(text: str) -> bool:
    return not set(text) & set("\x00\x07\x1b\x9b\x7f\r\u202e\udcff")


@pytest.mark.parametrize("name", OBEYED)
def test_what_is_not_seen_is_shown(name: str) -> None:
    assert is_plain(visible(name)) and visible(name) != name
    assert visible("line\n\ttext é 日本 −") == "line\n\ttext é 日本 −"


@pytest.mark.parametrize("name", NAMES)
def test_a_terminal_is_told_nothing_but_text(
    name: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    writers: list[Callable[[str], object]] = [
        output.write,
        output.heading,
        lambda text: output.facts([("label", text)]),
        lambda text: output.table(["name", text], [[text, 1.0]]),
        lambda text: output.write_json({text: text}),
        program.complain,
    ]
    for write in writers:
        write(name)
    with caplog.at_level("INFO", "cnnlab"):
        note(name)
    with pytest.warns(CnnlabWarning) as caught:
        warn(name)
    printed = capsys.readouterr()
    said = [str(DataError(name)), str(SpecError("no", name, 0)), str(caught[0].message), caplog.text]
    assert all(map(is_plain, (printed.out, printed.err, *said)))


def test_json_reads_back_what_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    output.write_json({"names": OBEYED})
    assert json.loads(capsys.readouterr().out) == {"names": OBEYED}


WRITERS = {
    "print": {"cli/output.py", "cli/program.py", "core/messages.py", "studies/progress.py"},
    "echo": {"cli/program.py", "cli/app.py"},
    "warn": {"core/messages.py"},
    "_log": {"core/messages.py", "serving/app.py", "serving/batching.py"},
    "to_csv": {"evaluation/prediction/predict.py"},
    "csv.writer": {"reports/writing/tables.py", "runs/history.py"},
    "savefig": {"reports/figures/style.py", "reports/writing/svg.py"},
}
"""The files that write to a terminal, a table or a figure, all of which are tried here with hostile names."""


@pytest.mark.parametrize("kind", WRITERS)
def test_nothing_else_writes(kind: str) -> None:
    calls = {
        "print": r"(?<!>>> )\bprint\(",
        "echo": r"\.s?echo\(",
        "warn": r"warnings\.warn\(",
        "_log": r"_log\.(info|warning|error)\b",
        "to_csv": r"\.to_(csv|latex|html|markdown)\(",
        "csv.writer": r"csv\.(Dict)?[wW]riter\(",
        "savefig": r"\.savefig\(",
    }
    room = Path(cnnlab.__file__).parent
    found = {str(p.relative_to(room)) for p in room.rglob("*.py") if re.search(calls[kind], p.read_text("utf-8"))}
    assert found == WRITERS[kind]


@pytest.mark.parametrize("name", OBEYED)
def test_a_server_notes_and_answers_nothing_but_text(name: str, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("fastapi")
    from cnnlab.serving.access import Access
    from cnnlab.serving.app import Guard
    from cnnlab.serving.refusals import RefusedError

    async def failing(scope: object, receive: object, send: object) -> None:
        raise RuntimeError(name)

    scope = {"type": "http", "method": "GET", "path": name, "headers": [(b"host", b"here")]}
    service = SimpleNamespace(metrics=SimpleNamespace(answered=lambda *facts: None))
    guard = Guard(failing, service, Access(None, frozenset({"here"})))  # type: ignore[arg-type]
    asyncio.run(guard(scope, None, None))  # type: ignore[arg-type]
    assert caplog.records and is_plain(caplog.text) and is_plain(RefusedError(400, name).reason)


def test_a_command_line_echoes_no_codes_and_no_thousands_of_letters() -> None:
    for words in (
        ["predict", "x", "\x1b[31m"],
        ["train", "data=\x1b[31m"],
        ["\x1b[31m"],
        ["data", "check", "y" * 5000],
    ):
        result = CliRunner().invoke(app, words)
        assert result.exit_code and is_plain(result.output) and "y" * 201 not in result.output


@pytest.mark.parametrize("name", NAMES)
def test_tables_hold_text_and_no_formulas(name: str, tmp_path: Path) -> None:
    table = Table(name, name, (TableColumn(name, name), TableColumn("n", "n", "count")), ((name, 1), ("plain", -2)))
    column = PredictedColumn([name], [0.5], (name, "plain"), [[0.5, 0.5]])
    ImagePredictions([name], {"label": column}).save_csv(tmp_path / "p.csv")
    for text in (csv_of(table), (tmp_path / "p.csv").read_text()):
        rows = list(csv.reader(io.StringIO(text)))
        cells = [cell for row in rows for cell in row]
        assert all(map(is_plain, cells)) and any(visible(name).strip() in cell for cell in cells)
        assert not any(cell.startswith(("=", "+", "@", "\t")) or (cell[:1] == "-" and cell != "-2") for cell in cells)


def test_numbers_in_tables_stay_numbers() -> None:
    assert [for_csv(text) for text in ("-1.5", "+2", "1e-3", "plain", "")] == ["-1.5", "+2", "1e-3", "plain", ""]


@pytest.mark.parametrize("name", NAMES)
def test_latex_finds_nothing_at_the_beginning_of_a_row(name: str) -> None:
    table = Table("t", "t", (TableColumn("a", "a"),), (("first",), (name,)))
    row = latex_of(table).split("first \\\\\n")[1].splitlines()[0]
    assert is_plain(row) and not row.lstrip().startswith(("[", "*"))
    assert for_latex("[9pt]x") == "{[}9pt]x"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "\udcff"])
@pytest.mark.filterwarnings("ignore:Glyph")
def test_pictures_are_markup_that_can_be_read(name: str, tmp_path: Path) -> None:
    figure = Figure()
    figure.text(0.5, 0.5, name)
    for svg in (svg_of(figure), save_figure(figure, tmp_path / "a.svg").read_text(encoding="utf-8")):
        xml.dom.minidom.parseString(svg)


def test_what_a_person_gave_is_echoed_in_two_hundred_letters() -> None:
    assert for_message("x" * 5000 + " is no path") == "x" * 100 + "…" + "x" * 99 + " is no path"
    assert for_message("y" * 200) == "y" * 200


@pytest.mark.parametrize("quote", ["'", '"'])
def test_words_in_quotes_are_echoed_in_short_too(quote: str) -> None:
    said = for_message(f"there is no run {quote}{'a b ' * 500}{quote} here")
    assert len(said) == len("there is no run ") + 200 + len(" here") and said.startswith(f"there is no run {quote}a b ")
    own = f"the classifier's words {'go on and on ' * 30} beside the pictures' names"
    between = f"write {quote}a=(1){quote} {'and so on ' * 30} or {quote}b{quote}"
    assert for_message(own) == own and for_message(between) == between


LONG = {"words": "ab cd " * 800, "one word": "ab_cd_" * 800}
WAYS_IN = [
    ["runs", "show", "{}"],
    ["runs", "list", "--runs", "{}"],
    ["runs", "list", "--{}"],
    ["predict", "{}", "p"],
    ["evaluate", "{}"],
    ["study", "show", "{}"],
    ["study", "plan", "study.yaml"],
    ["study", "plan", "claims.yaml"],
    ["train", "{}"],
    ["train", "data={}"],
    ["train", "data=digits", "model={}"],
    ["train", "recipe.yaml"],
    ["ensemble", "a", "b", "method={}"],
    ["recipes", "show", "{}"],
    ["demo", "{}"],
    ["data", "check", "folder(path='{}')"],
    ["data", "check", "csv(names.csv)"],
    ["data", "check", "csv(labels.csv)"],
    ["data", "check", "arrays.npz"],
    ["data", "check", "photos.zip"],
]


@pytest.mark.parametrize("long", LONG)
@pytest.mark.parametrize("words", WAYS_IN, ids=" ".join)
def test_no_way_in_is_echoed_at_more_than_two_hundred_letters(
    words: list[str], long: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = LONG[long]
    plan = {"question": "q", "name": "n", "base": {"data": "digits", "model": "mlp"}, "vary": {"epochs": [1, 2]}}
    Path("study.yaml").write_text(json.dumps({**plan, "vary": {"model": [text, f"{text}x"]}}))
    Path("claims.yaml").write_text(
        json.dumps({**plan, "question": text, "claims": [f"epochs=2 is better than {text}"]})
    )
    Path("recipe.yaml").write_text(json.dumps({"data": "digits", "epochs": text}))
    picture = io.BytesIO()
    Image.new("L", (4, 4)).save(picture, "PNG")
    Path("a.png").write_bytes(picture.getvalue())
    Path("names.csv").write_text(f"path,label\na.png,x\n{text}.png,y\n")
    Path("labels.csv").write_text(f"path,label\na.png,{text}\n")
    np.savez("arrays.npz", **{text[:2000]: np.zeros((2, 4, 4), np.uint8)})
    with zipfile.ZipFile("photos.zip", "w") as archive:
        archive.writestr(f"{text}/a.png", b"junk")
        archive.writestr("dog/a.png", picture.getvalue())
    result = CliRunner().invoke(app, [word.replace("{}", text) for word in words])
    longest = max((len(found[0]) for found in re.finditer(r"(ab[ _]cd[ _])+", result.output)), default=0)
    assert "Traceback" not in result.output and longest <= 200, result.output


def test_no_message_is_longer_than_a_page_and_its_remedy_stays() -> None:
    said = for_message(f"these are damaged: {'cat, ' * 5000}. Copy them again.")
    assert len(said) == 4000 and said.endswith("Copy them again.")


def test_names_of_files_and_classes_are_made_visible_where_they_come_in(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[2J").mkdir()
    (tmp_path / "a\x1b[2J" / "1.png").write_bytes(b"one")
    members = FolderMembers(tmp_path)
    assert members.names == (r"a\x1b[2J/1.png",) and members.read(members.names[0]) == b"one"
    assert from_text("label", ["\x1b[31mcat", "dog"], is_label=True)[1] == (r"\x1b[31mcat", "dog")


@pytest.mark.filterwarnings("ignore")
def test_exported_files_and_cards_hold_names_as_text(tmp_path: Path) -> None:
    # What is not UTF-8 is escaped where data are read, and no file of weights can hold it.
    hostile = (*(name for name in NAMES if name != "\udcff"), "a\n---\n# b", "```\n| x |", "y" * 5000)
    tame = tuple(f"class {place}" for place in range(len(hostile)))
    network = build_network("mlp(hidden=[2])", (1, 4, 4), len(tame))
    for folder, names in (("tame", tame), ("hostile", hostile)):
        classes = {"label": names}
        model = Classifier(network, (1, 4, 4), [0.0], [1.0], classes, "classes", "mlp(hidden=[2])").eval()
        cnnlab.export(model, tmp_path / folder)
    card, expected = ((tmp_path / folder / "README.md").read_text("utf-8") for folder in ("hostile", "tame"))
    # No name ends a line, opens a block or gets into what programs read; none is longer than a line or two.
    assert [line for line in card.splitlines() if not line.startswith("Of label:")] == [
        line for line in expected.splitlines() if not line.startswith("Of label:")
    ]
    assert is_plain(card) and "y" * 201 not in card and "<b>" not in card and "**" not in card
    assert ModelCard.load(tmp_path / "hostile" / "README.md").data.to_dict() == ModelCard(expected).data.to_dict()
    config = json.loads((tmp_path / "hostile" / "config.json").read_text("utf-8"))
    assert list(config["id2label"].values()) == list(map(visible, hostile))
    cnnlab.export(model, tmp_path / "model.pt2")
    said = {"classes.txt": "", "cnnlab.txt": ""}
    torch.export.load(tmp_path / "model.pt2", extra_files=said)
    assert json.loads(said["classes.txt"]) == json.loads(said["cnnlab.txt"])["classes"]["label"]
    assert json.loads(said["classes.txt"]) == list(map(visible, hostile)) and all(map(is_plain, said.values()))
    assert read_golden(tmp_path / "model.pt2").images.shape == (16, 1, 4, 4)


def test_what_an_exported_file_says_of_itself_may_be_anybodys_words() -> None:
    facts = {"format": 1, "cnnlab": "1", "shape": [1, 2, 3], "any_size": False, "resize": "squash"}
    facts |= {"resampling": "bilinear", "objective": "\x1b[31m", "weights": "w", "recipe": {"\x1b]0;": ["\x9b2J"]}}
    read = Facts.read(Path("model.onnx"), {"cnnlab": json.dumps({**facts, "classes": {"a\x00b": OBEYED}})})
    assert is_plain(read.objective) and read.recipe == {r"\x1b]0;": [r"\x9b2J"]}
    assert read.classes == {r"a\x00b": list(map(visible, OBEYED))}
    with pytest.raises(ModelFileError) as caught:
        Facts.read(Path("model.onnx"), {"cnnlab": json.dumps({**facts, "classes": {}, "shape": ["\x1b" * 5000]})})
    assert is_plain(str(caught.value)) and len(str(caught.value)) < 1000
    for text in ("[" * 100_000, '{"format": ' + "9" * 5000 + "}", "[]", '{"format": 2}'):
        with pytest.raises(ModelFileError):
            Facts.read(Path("model.onnx"), {"cnnlab": text})
