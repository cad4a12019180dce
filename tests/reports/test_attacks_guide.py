"""The page on fooling networks: what it says to type works, and it names every attack."""

import re
from pathlib import Path

import documents
import pytest

TEXT = documents.read("docs/attacks.md")


@pytest.mark.slow(20)
@pytest.mark.filterwarnings("ignore::cnnlab.core.errors.CnnlabWarning")
def test_what_the_page_says_to_type_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CNNLAB_RUNS")
    documents.own_pictures(tmp_path)
    for command in documents.commands(TEXT):
        if "RUN" in command.split() or command in ("cnnlab attack", "cnnlab fool", "cnnlab predict"):
            continue
        result = documents.call(command, {})
        assert result.exit_code == 0, f"{command}\n{result.output}"
    (folder,) = tmp_path.glob("runs/first*/attacks")
    kinds = {re.sub(r"-[0-9a-f]{8,12}", "", path.stem) for path in folder.glob("*.png")}
    assert {"pgd-examples", "pgd-classes", "noise-figure", "picture-figure", "pattern-0", "universal-figure"} <= kinds
    report = documents.call("cnnlab report first --out report", {})
    assert report.exit_code == 0, report.output
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert "What fools it" in page and "pgd(norm=l2, eps=1.0, steps=10, target=" in page
    for code in documents.python_of(TEXT):
        exec(compile(code, "attacks.md", "exec"), {})


def test_its_pictures_are_small() -> None:
    named = re.findall(r"\(images/([^)]+)\)", TEXT)
    assert named and all((documents.ROOT / "docs/images" / name).stat().st_size < 150_000 for name in named)
