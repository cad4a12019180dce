"""The pages of the site: each is run by a test, what they say to type is there, and the site builds from them."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import documents
import numpy as np
import pytest
import torch
from documents import ROOT, blocks, commands, python_of
from torch.nn.functional import cross_entropy
from typer.testing import Result

import cnnlab
from cnnlab.core import yaml
from cnnlab.core.errors import SpecError
from cnnlab.core.scored_splits import OUT_OF_FOLD
from cnnlab.models import canonical_model
from cnnlab.studies import Study, ThreadExecutor
from cnnlab.studies.study_file import StudyFile, read_study
from cnnlab.training import Recipe, parse_pairs

PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("docs/*.md"), *ROOT.glob("[CR]*.md")))
LIBRARIES = {"huggingface_hub", "Keras", "fastai", "Lightning", "Ultralytics", "scikit-learn", "tritonclient"}
SHORT = {"epochs": "1", "subset": "100", "validation": "50"}
SMALL = {
    "data=fashion-mnist": SHORT,
    "recipe.yaml": {**SHORT, "model": "cnn(filters=[8])"},
    "mirrored.yaml": {**SHORT, "model": "cnn(filters=[8])", "precision": "float32", "threads": "1"},
    "model=convnet": {"epochs": "1", "model": "convnet(width=0.125, dense=[16])"},
    "model=resnet18": {"epochs": "1", "model": "resnet18(width=0.25)"},
}
NOT_RUN = {
    "docs/install.md": {
        "uvx cnnlab demo": "makes an environment",
        "pip install cnnlab": "changes the environment",
        "cnnlab demo": "is run by tests/cli/test_cli_training.py",
        "uv build --wheel": "tests/test_wheel.py builds it",
        "pip install dist/cnnlab-0.1.0-py3-none-any.whl": "tests/test_wheel.py tries what it would put there",
        "uvx --from dist/cnnlab-0.1.0-py3-none-any.whl cnnlab demo": "makes an environment",
        "uvx --from git+ADDRESS cnnlab demo": "makes an environment",
        "uv pip install --torch-backend=cpu cnnlab": "changes the environment",
        "cnnlab completion fish > ~/.config/fish/completions/cnnlab.fish": "tests/cli/test_shells.py has it read",
        "make demo": "makes an environment",
        "make docs": "is what the test below does",
        "mkdocs build --strict": "is what the test below does",
    },
}
Answer = Callable[[str], Result]


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answer:
    """What comes of a command line in a folder with a reader's own pictures, studies being run in this process."""
    whole = Study.run

    def run(study: Study, **unused: Any) -> Any:
        return whole(study, executor=ThreadExecutor(runs=study.store.root, sets=study.trials.sets), workers=1)

    monkeypatch.setattr(Study, "run", run)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CNNLAB_RUNS")
    documents.own_pictures(tmp_path)

    def told(command: str) -> Result:
        result = documents.call(command, SMALL)
        assert result.exit_code == 0, f"{command}\n{result.output}"
        return result

    return told


def test_every_page_is_run_by_a_test() -> None:
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert [page for page in PAGES if f'"{Path(page).name}"' not in tests and f'"{page}"' not in tests] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_command_on_a_page_is_there_with_its_options(page: str) -> None:
    typed = [command for command in commands(documents.read(page)) if command.startswith("cnnlab ")]
    assert {command: unknown for command in typed if (unknown := documents.unknown_words(command))} == {}


@pytest.mark.parametrize("page", PAGES)
def test_blocks_of_other_libraries_bear_their_names_and_are_code(page: str) -> None:
    for block in blocks(documents.read(page)):
        assert block.is_ours or block.title in LIBRARIES, block
        if block.language == "python":
            compile(block.text, page, "exec")


def test_what_is_not_run_is_on_its_page() -> None:
    for page, reasons in NOT_RUN.items():
        assert set(reasons) <= set(commands(documents.read(page)))


def test_commands_of_the_page_on_installing_run(answer: Answer) -> None:
    page = "docs/install.md"
    for command in commands(documents.read(page)):
        if command not in NOT_RUN[page]:
            assert answer(command).stdout


def cut_file(name: str, **over: Any) -> None:
    """Puts keys over a recipe, or over the base of a study, in its file."""
    content = yaml.read_file(Path(name), name)
    content.get("base", content).update(over)
    Path(name).write_text(yaml.dump(content), encoding="utf-8")


@pytest.mark.slow(12)
@pytest.mark.usefixtures("no_pdf")
def test_the_tutorial_leads_from_an_empty_folder_to_a_report(answer: Answer, data_dir: Path, tmp_path: Path) -> None:
    text = documents.read("docs/tutorial.md")
    contents = [block.text for block in blocks(text) if block.language == "yaml"]
    for name, content in zip(re.findall(r"[Ww]rite this to `(.+?)`", text), contents, strict=True):
        Path(name).write_text(content, encoding="utf-8")
    assert Recipe.read("recipe.yaml").epochs == 3 and len(read_study("mirrored.yaml").claims) == 3
    told = {command: answer(command) for command in commands(text)}
    assert re.search(r"trials +9: ", told["cnnlab study plan mirrored.yaml"].stdout)
    verdicts = re.findall("supported|contradicted|undecided", told["cnnlab study show mirrored"].stdout)
    assert len(verdicts) >= 3
    assert {path.name for path in tmp_path.glob("*.png")} >= {"network.png", "pictures.png", "rates.png"}
    assert (tmp_path / "predictions.csv").is_file() and (tmp_path / "report" / "report-files").is_dir()
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert "Does it help a small network to see clothes mirrored or shifted?" in page
    small = parse_pairs([f"{key}={value}" for key, value in SMALL["mirrored.yaml"].items()])
    cut_file("mirrored.yaml", **small)
    cut_file("recipe.yaml", epochs=1, subset=100, validation=50, model="cnn(filters=[8])")
    for code in python_of(text):
        exec(compile(code, "tutorial.md", "exec"), {})


@pytest.fixture
def trained_shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    """``cnnlab.train`` reads a recipe as it stands and trains a short one of its kind."""
    whole = cnnlab.train

    def train(given: Any = None, /, **keys: Any) -> cnnlab.Run:
        recipe = dict(given or {}) | keys
        if all(isinstance(recipe.get(key, ""), str) for key in ("model", "loss")):
            Recipe.read(recipe)
        if "weights=imagenet" in str(recipe.get("model")):
            recipe["model"] = "cnn(filters=[4])"
        if "phases" in recipe:
            recipe["phases"] = [{**phase, "epochs": 1} for phase in recipe["phases"]]
            return whole(recipe)
        return whole(recipe | {"epochs": 1, "subset": "splits(train=100)"})

    monkeypatch.setattr(cnnlab, "train", train)


@pytest.mark.slow(8)
@pytest.mark.usefixtures("no_pdf")
def test_lines_of_ours_beside_those_of_others_run(
    answer: Answer, trained_shortly: None, data_dir: Path, tmp_path: Path
) -> None:
    text = documents.read("docs/coming-from.md")
    Path("recipe.yaml").write_text("data: digits\n", encoding="utf-8")
    names: dict[str, Any] = {}
    for block in blocks(text):
        if block.title == "cnnlab" and block.language == "python":
            exec(compile(block.text, "coming-from.md", "exec"), names)
    other = cnnlab.train({**names["run"].recipe, "seed": 1}, threads=1)
    names |= {"runs": [names["run"], other], "x": np.zeros((2, 8, 8), np.uint8)}
    names |= {"my_loss": cross_entropy, "my_metric": my_metric}
    for command in commands(text):
        answer(command)
    spans = [span for row in rows(text) for span in re.findall(r"`([^`]+)`", row)]
    assert len(spans) > 60
    for span in spans:
        check_span(span, names)


def my_metric(outputs: torch.Tensor, targets: torch.Tensor) -> float:
    return (outputs.argmax(1) == targets).float().mean().item()


def rows(text: str) -> list[str]:
    """Our side of the tables, bars within code as they are typed."""
    return [right.replace(r"\|", "|") for _, right in re.findall(r"^\| (?!---)(.+?) \| (.+) \|$", text, re.MULTILINE)]


def check_span(span: str, names: dict[str, Any]) -> None:
    """What stands in code in a table: a command, a name in Python, a file of a run, a word of a recipe or a study."""
    if span.startswith("cnnlab "):
        # Was run.
        return
    if re.match(r"(run|cnnlab)\.", span):
        assert eval(span, names) is not None, span
    elif re.search(r"\.(csv|safetensors)$", span):
        assert (names["run"].folder / Path(span).name).is_file(), span
    elif re.match(r"[a-z]+: ", span):
        assert set(yaml.load(span, span)) <= set(StudyFile.model_fields), span
        read_study({"question": "?", "base": {"data": "digits"}, "vary": {"epochs": [1, 2]}, **yaml.load(span, span)})
    elif "=" in span.partition("(")[0]:
        words = shlex.split(span.replace(", ", ",\\ "))
        base = {"data": "folder(path=photos)", "model": "convnet", "optimizer": "adamw(lr=1e-3)"}
        assert Recipe.read(base, **parse_pairs(words)).data, span
    else:
        assert is_word(span), span


def is_word(span: str) -> bool:
    """Whether it is a model, or a word that a key of a recipe takes."""
    for key in ("model", "objective", "augment", "schedule"):
        try:
            return bool(canonical_model(span) if key == "model" else Recipe.read({"data": "digits"}, **{key: span}))
        except (SpecError, cnnlab.CnnlabError):
            continue
    return span in {"true", "false", "same", OUT_OF_FOLD} or span.endswith("/")


@pytest.mark.slow(15)
def test_the_notebook_runs_and_holds_no_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbclient
    import nbformat

    path = ROOT / "docs" / "first-steps.ipynb"
    notebook = nbformat.read(path, as_version=4)
    assert path.stat().st_size < 10_000 and not any(cell.get("outputs") for cell in notebook.cells)
    monkeypatch.delenv("CNNLAB_RUNS")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    nbclient.NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    # The curve that grows while it trains, and the two figures that are asked for.
    assert sum("image/png" in output["data"] for output in shown) == 3
    assert (tmp_path / "runs").is_dir()


@pytest.mark.slow(5)
def test_the_site_builds_without_a_warning_and_fetches_nothing(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for page in PAGES:
        name = {"README": "index", "CONTRIBUTING": "contributing", "CHANGELOG": "changelog"}.get(
            Path(page).stem, Path(page).stem
        )
        html = (tmp_path / "site" / f"{name}.html").read_text("utf-8")
        assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"?https?://(?!\")[^>]+>", html), page
        # A bar that is escaped for a table's sake is not shown so.
        assert r"\|" not in html, page
    reference = (tmp_path / "site" / "reference.html").read_text("utf-8")
    assert ":class:" not in reference
    assert {f"cnnlab.{name}" for name in cnnlab.__all__ if name != "__version__"} <= set(
        re.findall(r"id=\"(cnnlab\.\w+)\"", reference)
    )
