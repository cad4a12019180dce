import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.core.errors import CnnlabError, SpecError, UsageError
from cnnlab.core.spec import read
from cnnlab.training import Recipe, parse_pairs

BASE = {"data": "digits(size=16)", "model": "mlp(hidden=[8])", "augment": "flip|shift(0.1)"}


def arguments(spec: str, place: int = 0) -> dict[str, Any]:
    return dict(read(spec)[place].kwargs)


def test_words_of_a_command_line_become_values() -> None:
    pairs = parse_pairs(
        ["epochs=15", "weight_decay=5e-4", "subset=1/10", "ema=none", "patience=", "compile=true", "snapshots=[2, 4]"]
    )
    assert pairs == {
        "epochs": 15,
        "weight_decay": 5e-4,
        "subset": 0.1,
        "ema": None,
        "patience": None,
        "compile": True,
        "snapshots": [2, 4],
    }


def test_specs_and_names_stay_texts() -> None:
    words = ["model=vgg-like(dropout=0.4)", "name=007", "device=cuda:1", "select=validation_loss", "parent=12e4"]
    assert parse_pairs(words) == dict(word.split("=", 1) for word in words)


def test_pairs_make_the_same_recipe_as_python() -> None:
    words = ["data=digits", "model=mlp", "optimizer=sgd(lr=0.1, momentum=0.9)", "epochs=3", "balance=none", "seed=2"]
    spoken = Recipe.read(None, **parse_pairs(words))
    written = Recipe.read(
        data="digits", model="mlp", optimizer={"name": "sgd", "lr": 0.1, "momentum": 0.9}, epochs=3, seed=2
    )
    assert spoken == written


@pytest.mark.parametrize("word", ["epochs", "=3", "", "epochs 3", " =1"])
def test_a_word_that_is_no_pair_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="key=value"):
        parse_pairs([word])


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="epochs is given twice"):
        parse_pairs(["epochs=1", "epochs=2"])


def test_a_misspelt_key_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean epochs"):
        Recipe.read(BASE, **parse_pairs(["epohcs=3"]))
    with pytest.raises(UsageError, match=r"Write epochs=3$"):
        Recipe.read(BASE, **parse_pairs(["Epochs=3"]))


def test_a_value_that_cannot_be_read_is_refused_where_it_breaks() -> None:
    with pytest.raises(SpecError, match="never closed"):
        parse_pairs(["snapshots=[1, 2"])


def test_a_dotted_key_reaches_an_argument() -> None:
    recipe = Recipe.read(BASE, **{"data.size": 64, "augment[1].p": 0.5, "optimizer.lr": 0.3, "model.dropout": 0.25})
    assert arguments(recipe.data)["size"] == 64
    assert arguments(recipe.augment, 1)["p"] == 0.5
    assert arguments(recipe.augment, 1)["x"] == 0.1
    assert arguments(recipe.augment, 0)["p"] == arguments(Recipe.read(BASE).augment)["p"]
    assert arguments(recipe.model)["dropout"] == 0.25
    assert arguments(recipe.model)["hidden"] == [8]
    # The optimiser is not in the recipe: what a dotted key reaches into is the default.
    assert (arguments(recipe.optimizer)["lr"], arguments(recipe.optimizer)["amsgrad"]) == (0.3, False)


def test_a_dotted_key_replaces_an_argument_given_by_place() -> None:
    recipe = Recipe.read(BASE, optimizer="sgd(0.1, 0.5)", **{"optimizer.lr": 0.2})
    assert (arguments(recipe.optimizer)["lr"], arguments(recipe.optimizer)["momentum"]) == (0.2, 0.5)


def test_a_dotted_key_acts_on_the_spec_given_beside_it_in_any_order() -> None:
    recipe = Recipe.read(BASE, **{"optimizer.lr": 0.2, "optimizer": "adam"})
    other = Recipe.read(BASE, **{"optimizer": "adam", "optimizer.lr": 0.2})
    assert recipe == other
    assert arguments(recipe.optimizer)["lr"] == 0.2


def test_a_dotted_key_reaches_through_a_nested_spec() -> None:
    recipe = Recipe.read({**BASE, "augment": "rotate(10, fill=constant(0.5))"}, **{"augment.fill.value": 0.25})
    assert "constant(value=0.25)" in recipe.augment


def test_a_place_replaces_a_whole_step() -> None:
    names = lambda **keys: [call.name for call in read(Recipe.read(BASE, **keys).augment)]  # noqa: E731
    assert names(**{"augment[0]": "rotate(5)"}) == ["rotate", "shift"]
    assert names(**{"augment[0]": "none"}) == ["shift"]
    assert names(**{"augment[1]": None}) == ["flip"]
    assert names(**{"augment[1]": "rotate(5)|erase"}) == ["flip", "rotate", "erase"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("augment[7].p", ["2 specs", "[7]"]),
        ("augment.p", ["augment[0]"]),
        ("epochs.size", ["epochs", "no arguments"]),
        ("adversary.steps", ["none here"]),
        ("data.", ["'data.'"]),
        ("data.size.deep", ["size of data"]),
        ("augment[x].p", ["augment[x].p"]),
        ("data.sise", ["sise", "size"]),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(path: str, words: list[str]) -> None:
    with pytest.raises(CnnlabError) as caught:
        Recipe.read(BASE, **{path: 1})
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_new_length_takes_the_place_of_the_old() -> None:
    assert Recipe.read({**BASE, "epochs": 3}, steps=7).normal()[0].steps == 7
    assert Recipe.read({**BASE, "steps": 7}, epochs=3).normal()[0].epochs == 3
    with pytest.raises(UsageError, match="epochs and steps"):
        Recipe.read(BASE, steps=7, epochs=3)


paths = st.sampled_from(
    ["augment[0]", "augment[1].p", "data.size", "optimizer.lr", "model", "seed", "adversary.x", "a.b"]
)
texts = st.one_of(st.text(max_size=10), st.sampled_from(["none", "0.5", "flip|erase", "[1, 2]", "sgd(lr=0.1)", "1/0"]))


@given(pairs=st.lists(st.tuples(st.one_of(paths, st.text(max_size=6)), texts), max_size=4))
@settings(max_examples=300, deadline=None)
def test_any_words_read_or_are_refused_properly(pairs: list[tuple[str, str]]) -> None:
    with contextlib.suppress(CnnlabError):
        Recipe.read(BASE, **parse_pairs([f"{key}={value}" for key, value in pairs]))


def test_what_keys_are_put_over_is_left_alone() -> None:
    content = {**BASE, "phases": [{"epochs": 1}]}
    before = repr(content)
    Recipe.read(content, **{"data.size": 8, "seed": 3})
    assert repr(content) == before


PHASES = "[{epochs: 2, augment: none}, {epochs: 3, optimizer: 'sgd(lr=0.2, momentum=0.9)'}]"


def test_phases_are_written_on_a_line_as_yaml_writes_them() -> None:
    recipe = Recipe.read(BASE, **parse_pairs([f"phases={PHASES}"]))
    assert [(phase.epochs, phase.augment) for phase in recipe.normal()] == [(2, "none"), (3, recipe.augment)]
    assert arguments(recipe.normal()[1].optimizer)["momentum"] == 0.9


@pytest.mark.parametrize("none", ["[]", "none"])
def test_phases_of_a_file_are_taken_away_by_none(none: str) -> None:
    content = {**BASE, "phases": [{"epochs": 1}, {"epochs": 2}], "epochs": None}
    recipe = Recipe.read(content, **parse_pairs([f"phases={none}", "epochs=3"]))
    assert [phase.epochs for phase in recipe.normal()] == [3] and "phases" not in recipe.to_dict()
    assert Recipe.read({**content, "phases": None, "epochs": 3}).to_dict() == recipe.to_dict()


def test_a_dotted_key_reaches_into_a_phase() -> None:
    words = [f"phases={PHASES}", "phases[0].steps=7", "phases[1].optimizer.lr=0.5", "phases[1].augment[1].p=0.25"]
    first, second = Recipe.read(BASE, **parse_pairs(words)).normal()
    assert (first.epochs, first.steps) == (None, 7)
    assert arguments(second.optimizer)["lr"] == 0.5 and arguments(second.optimizer)["momentum"] == 0.9
    assert arguments(second.augment, 1)["p"] == 0.25
    untouched = Recipe.read(BASE, **parse_pairs(words[:1])).normal()
    assert untouched[0].augment == first.augment


@pytest.mark.parametrize("text", ["3", "{epochs: 2}", "[2, 3]", ""])
def test_phases_that_are_no_list_of_phases_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="no list of phases"):
        parse_pairs([f"phases={text}"])


@pytest.mark.parametrize("path", ["phases[0]", "phases.epochs", "phases[x].epochs"])
def test_a_path_that_names_no_key_of_a_phase_is_refused_with_an_example(path: str) -> None:
    with pytest.raises(UsageError, match=r"names no key of one phase; write it as in phases\[0\].epochs=3"):
        Recipe.read(BASE, **parse_pairs([f"phases={PHASES}"]), **{path: 3})


def test_a_phase_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match=r"has 2 phases, numbered from 0; there is no \[2\]"):
        Recipe.read(BASE, **parse_pairs([f"phases={PHASES}", "phases[2].epochs=1"]))
