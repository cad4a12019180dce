"""docs/transfer.md, of fine-tuning: its commands run and its recipe names parts that there are."""

from pathlib import Path

import documents
import pytest

from cnnlab.core import yaml
from cnnlab.models import network_without_weights, parts_of
from cnnlab.training import Recipe, train

TEXT = documents.read("docs/transfer.md").partition("## Fine-tuning in phases")[2].partition("\n## ")[0]
(RECIPE,) = [block.text for block in documents.blocks(TEXT) if block.language == "yaml"]
SHAPE = (3, 64, 64)


@pytest.mark.slow(10)
def test_its_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CNNLAB_RUNS", raising=False)
    for command in documents.commands(TEXT):
        result = documents.call(command, {})
        assert result.exit_code == 0, f"{command}\n{result.output}"


def test_its_recipe_names_parts_that_there_are() -> None:
    recipe = Recipe.read(yaml.load(RECIPE, "transfer.md"))
    network = network_without_weights(recipe.model.parsed, SHAPE, 10)
    layers = [name for name, _ in network.named_modules()]
    chosen = [phase.train.parsed.within(parts_of(network, SHAPE), layers) for phase in recipe.normal() if phase.train]
    assert [set(each) for each in chosen] == [{"head"}, {"head", "body.blocks.4", "body.blocks.5"}]


@pytest.mark.slow(4)
def test_its_recipe_trains_head_then_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    documents.own_pictures(tmp_path)
    recipe = Recipe.read(yaml.load(RECIPE, "transfer.md"))
    assert recipe.data.parsed.arguments["size"] == 224
    small = {"data.size": 32, "phases[0].epochs": 1, "phases[1].epochs": 1, "batch_size": 16, "threads": 1}
    run = train(yaml.load(RECIPE, "transfer.md"), runs="runs", offline=True, **small)
    assert run.history["phase"].tolist() == [1, 2] and run.status == "finished"


def test_every_key_of_its_table_is_one_of_a_phase() -> None:
    keys = [line.split("`")[1] for line in TEXT.splitlines() if line.startswith("| `")]
    assert keys == ["train", "rates", "layer_decay", "unfreeze", "norms", "views"]
    assert set(keys) <= set(Recipe.model_fields)
