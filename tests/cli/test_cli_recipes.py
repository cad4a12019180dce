"""``cnnlab recipes``, and ``recipe:NAME`` among the words of other commands."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cnnlab.cli.app import app
from cnnlab.core.packaged import packaged_recipe


def cnnlab(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), prog_name="cnnlab")


def test_list_says_of_each_what_it_is_for() -> None:
    told = cnnlab("recipes", "list").stdout
    assert "Handwritten digits: at least 99.5% in under three minutes on two cores.\n" in told
    rows = json.loads(cnnlab("recipes", "list", "--json").stdout)
    assert [row["recipe"] for row in rows] == ["clocks", "fashion-mnist", "mnist"]
    assert all(row["what"] in told for row in rows)


def test_show_prints_the_file_as_it_stands_and_copies_it(tmp_path: Path) -> None:
    text = packaged_recipe("mnist").read_text(encoding="utf-8")
    assert cnnlab("recipes", "show", "mnist").stdout == text
    copy = tmp_path / "mine.yaml"
    assert f"cnnlab train {copy}" in cnnlab("recipes", "show", "recipe:mnist", "--out", str(copy)).stdout
    assert copy.read_text(encoding="utf-8") == text
    assert json.loads(cnnlab("recipes", "show", "mnist", "--json").stdout)["keys"]["weight_decay"] == 5e-4


def test_show_replaces_nothing_and_knows_no_others(tmp_path: Path) -> None:
    copy = tmp_path / "mine.yaml"
    copy.write_text("data: digits\n")
    refused = cnnlab("recipes", "show", "mnist", "--out", str(copy))
    assert refused.exit_code == 2 and "is there already" in refused.stderr
    assert copy.read_text() == "data: digits\n"
    assert "Did you mean mnist?" in cnnlab("recipes", "show", "mnits").stderr


@pytest.mark.slow(2)
def test_train_takes_one_by_name_with_keys_over_it(data_dir: Path, tmp_path: Path) -> None:
    keys = ["model.width=0.125", "epochs=1", "subset=100", "validation=50", "threads=1"]
    trained = cnnlab("train", "recipe:mnist", *keys, "--data-dir", str(data_dir), "--json")
    assert trained.exit_code == 0, trained.output
    (recipe,) = Path(tmp_path / "runs").glob("*/recipe.yaml")
    assert "weight_decay: 0.0005" in recipe.read_text()
