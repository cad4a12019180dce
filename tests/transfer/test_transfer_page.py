"""The page on transfer: its commands and its Python run, and its tables are what there is."""

import re
from dataclasses import fields
from pathlib import Path

import documents
import pytest

from cnnlab.core.feature_cache import LIMIT, limit
from cnnlab.core.packaged import packaged
from cnnlab.transfer.classifiers import EIGHT, PROBE, classifiers
from cnnlab.transfer.number_format import BOUND
from cnnlab.transfer.request import TransferRequest
from cnnlab.transfer.search import KEPT

TEXT = documents.read("docs/transfer.md")
ROWS = re.findall(r"^\| (`[^|]+`) \| ([^|]*) \| ([^|]*) \|", TEXT, re.MULTILINE)
YAML = [block.text for block in documents.blocks(TEXT) if block.language == "yaml"]


@pytest.mark.slow(20)
@pytest.mark.filterwarnings("ignore::cnnlab.core.errors.CnnlabWarning")
def test_what_the_page_says_to_type_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CNNLAB_RUNS")
    documents.own_pictures(tmp_path)
    (tmp_path / "neighbours.yaml").write_text(YAML[0])
    for command in documents.commands(TEXT):
        if not command.startswith("cnnlab ") or "examples/" in command:
            continue
        result = documents.call(command, {})
        assert result.exit_code == 0, f"{command}\n{result.output}"
    assert (tmp_path / "predictions.csv").is_file()
    for code in documents.python_of(TEXT):
        exec(compile(code, "transfer.md", "exec"), {})


def test_what_comes_with_cnnlab_is_on_the_page_with_its_report() -> None:
    for name in packaged("transfer"):
        assert f"`{name}`" in TEXT and f"]({name}/report.html)" in TEXT
        assert (documents.ROOT / "docs" / name / "report.html").is_file()


def test_every_key_is_in_the_table() -> None:
    named = {word for keys, _, _ in ROWS for word in re.findall(r"`(\w+)`", keys)}
    assert {each.name for each in fields(TransferRequest) if each.init} <= named


def test_the_classifiers_of_the_table_are_at_their_defaults_with_their_scaling() -> None:
    told = {}
    for spec, scaling, _ in ROWS:
        if spec.strip("`").partition("(")[0] in (*EIGHT, PROBE):
            bound = classifiers.bind(spec.strip("`"))
            assert not bound.short.kwargs, spec
            told[bound.name] = (scaling.strip(), bound.arguments["scaling"])
    assert set(told) == {*EIGHT, PROBE} and all(said == own for said, own in told.values())


def test_the_numbers_of_the_page_are_those_of_the_program() -> None:
    assert f"at\nmost {BOUND:.0%} of their length" in TEXT and KEPT == 3 and "the best three" in TEXT
    assert limit() == 4 << 30 and f"`{LIMIT}=20GB`" in TEXT
