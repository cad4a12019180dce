"""The page on seeing inside: what it says to type works, and its table says of every method what its page says."""

import re
from pathlib import Path

import documents
import pytest

from cnnlab.explain import ATTRIBUTIONS
from cnnlab.reports.explanations.base import EXPLANATIONS
from cnnlab.reports.explanations.meanings import ATTRIBUTION_MEANINGS

TEXT = documents.read("docs/explain.md")


@pytest.mark.slow(30)
@pytest.mark.filterwarnings("ignore::cnnlab.core.errors.CnnlabWarning")
def test_what_the_page_says_to_type_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CNNLAB_RUNS")
    documents.own_pictures(tmp_path)
    for command in documents.commands(TEXT):
        # All of it is tried in test_explanations.py.
        if any(word in command.split() for word in ("RUN", "MODEL", "all")) or command == "cnnlab explain":
            continue
        result = documents.call(command, {})
        assert result.exit_code == 0, f"{command}\n{result.output}"
    (folder,) = tmp_path.glob("runs/first*/explain")
    figures = {path.stem for path in folder.glob("*.png")}
    assert {"attributions", "grad-cam", "filters-conv1", "maximize-conv2", "dead-units", "mistakes"} <= figures
    for code in documents.python_of(TEXT):
        exec(compile(code, "explain.md", "exec"), {})


def test_the_table_of_methods_is_what_the_package_says() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (.+?) \| (.+?) \|$", TEXT, re.MULTILINE)
    assert {name: (shows, does_not) for name, shows, does_not in rows} == dict(ATTRIBUTION_MEANINGS)


def test_everything_that_can_be_asked_for_stands_on_the_page() -> None:
    for registry in (ATTRIBUTIONS, EXPLANATIONS):
        registry.complete()
        assert all(entry.name in TEXT for entry in registry)


def test_its_pictures_are_small() -> None:
    named = re.findall(r"\(images/([^)]+)\)", TEXT)
    assert named and all((documents.ROOT / "docs/images" / name).stat().st_size < 150_000 for name in named)
