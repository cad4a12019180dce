"""What ``--out`` takes, looked at before any work is done."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnnlab.cli.app import app
from cnnlab.core.errors import UsageError
from cnnlab.reports import write_runs_report

COMMANDS = {
    "predict": ["predict", "nowhere", "one.png"],
    "figure": ["figure", "nowhere", "curves"],
    "draw": ["models", "draw", "vgg-like", "--input", "1x28x28"],
    "find-lr": ["find-lr", "data=digits"],
    "preview": ["augment", "preview", "data=digits", "augment=flip"],
    "recipes": ["recipes", "show", "mnist"],
}


def said(*words: str) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 2 and "Traceback" not in result.output
    return result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_is_no_file(command: str, tmp_path: Path) -> None:
    text = said(*COMMANDS[command], "--out", str(tmp_path))
    assert f"{tmp_path} is a folder" in text and "Name it, as in --out" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_is_there_and_whose_name_says_nothing_is_not_replaced(command: str, tmp_path: Path) -> None:
    kept = tmp_path / "passwd"
    kept.write_text("mine")
    assert "is not replaced" in " ".join(said(*COMMANDS[command], "--out", str(kept)).split())
    assert kept.read_text() == "mine"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_link_to_a_file_is_neither_replaced_nor_followed(command: str, tmp_path: Path) -> None:
    link, kept = tmp_path / "link.png", tmp_path / "kept.png"
    kept.write_text("mine")
    link.symlink_to(kept)
    assert f"is a link to {kept}. Name the file itself" in " ".join(
        said(*COMMANDS[command], "--out", str(link)).split()
    )
    assert link.is_symlink() and kept.read_text() == "mine"


def test_the_sign_of_the_users_folder_is_understood_wherever_a_path_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["recipes", "show", "mnist", "--out=~/recipe.yaml"]).exit_code == 0
    assert (tmp_path / "home" / "recipe.yaml").is_file() and not (tmp_path / "~").exists()
    assert "there are no runs under" in said("runs", "show", "last", "--runs=~/runs").replace("\n", " ")
    assert "there is no user of that name" in said("train", "data=digits", "--runs=~nosuchuser/runs")
    monkeypatch.setenv("CNNLAB_RUNS", "~nosuchuser/runs")
    assert "there is no user of that name" in said("runs", "list")


@pytest.mark.parametrize(
    ("command", "name", "kind"),
    [("predict", "p.xlsx", "CSV"), ("predict", "p.json", "CSV"), ("recipes", "r.json", "YAML")],
)
def test_a_suffix_of_another_kind_is_refused(command: str, name: str, kind: str, tmp_path: Path) -> None:
    text = said(*COMMANDS[command], "--out", str(tmp_path / name))
    assert f"written as {kind}" in text and not (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["report.pdf", "report.md", "report.CSV", "notes"])
def test_a_report_is_a_page_or_a_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(UsageError, match=r"a page of HTML, as in --out report\.html, or a folder"):
        write_runs_report([], tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_a_page_of_somebody_else_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<html>mine</html>")
    with pytest.raises(UsageError, match="there already, and no report"):
        write_runs_report([], tmp_path / "index.html")
    assert (tmp_path / "index.html").read_text() == "<html>mine</html>"
