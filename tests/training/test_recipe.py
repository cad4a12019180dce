from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.core import yaml
from cnnlab.core.errors import CnnlabError, SpecError, UsageError
from cnnlab.training import Phase, Recipe

DATA = "0" * 64
BASE = {"data": "digits", "model": "mlp(hidden=[8])"}

# For each key that decides what is learnt, a value that is not its default.
MEANINGFUL: dict[str, Any] = {
    "model": "mlp(hidden=[9])",
    "objective": "classes(column=label)",
    "augment": "flip",
    "optimizer": "adam",
    "schedule": "cosine",
    "batch_size": 32,
    "epochs": 11,
    "steps": 7,
    "label_smoothing": 0.1,
    "weight_decay": 0.01,
    "clip_gradient": 1.0,
    "clip_weights": 1.0,
    "train": "head",
    "rates": {"head": 0.1},
    "layer_decay": 0.5,
    "unfreeze": 1,
    "norms": "train",
    "views": 3,
    "permute": 0,
    "folds": 3,
    "normalize": "imagenet",
    "balance": "weights",
    "phases": [{"epochs": 1}, {"epochs": 2}],
    "ema": 0.9,
    "select": "loss",
    "patience": 3,
    "snapshots": [1],
    "quick": True,
    "seed": 1,
}
# How a training is carried out or kept, and what only shows in the digest of the data.
MEANINGLESS: dict[str, Any] = {
    "name": "mine",
    "checkpoint_seconds": 1,
    "keep_checkpoint": True,
    "device": "cuda",
    "precision": "bfloat16",
    "compile": True,
    "threads": 3,
    "workers": 3,
    "kernels": "torch",
    "mirror": "tensorboard",
    "devices": 2,
    "sync_batchnorm": False,
    "data": "digits(size=9)",
    "subset": 100,
    "validation": 0.2,
    "test": 50,
}
# Decided together with what they name: the weights of a parent or a run, a registered adversary, one of the folds.
ELSEWHERE = {"parent", "weights", "adversary", "fold"}


def digest(**keys: Any) -> str:
    return Recipe.read(BASE, **keys).digest(DATA)


def refused(content: dict[str, Any]) -> str:
    with pytest.raises(UsageError) as caught:
        Recipe.read(content)
    return str(caught.value)


def test_every_key_either_counts_in_the_digest_or_is_known_not_to() -> None:
    assert set(Recipe.model_fields) == {*MEANINGFUL, *MEANINGLESS, *ELSEWHERE}


@pytest.mark.parametrize("key", MEANINGFUL)
def test_digest_depends_on_what_decides_the_result(key: str) -> None:
    assert digest(**{key: MEANINGFUL[key]}) != digest()


@pytest.mark.parametrize("key", MEANINGLESS)
def test_digest_ignores_how_the_training_is_carried_out(key: str) -> None:
    assert digest(**{key: MEANINGLESS[key]}) == digest()


def test_each_fold_is_a_training_of_its_own_and_a_seeds_draw_counts_by_its_words() -> None:
    assert len({digest(folds=3), digest(folds=3, fold=1), digest(folds=3, fold=2), digest()}) == 4
    assert len({digest(subset="bootstrap"), digest(subset=0.5), digest(subset=0.6), digest()}) == 4


def test_a_key_added_later_leaves_digests_as_they_were() -> None:
    class LaterPhase(Phase):
        warmth: float = 0.5

    class LaterRecipe(Recipe):
        colour: str = "red"

    content = {**BASE, "augment": "flip", "epochs": 3, "ema": 0.9}
    now, later = Recipe.read(content), LaterRecipe.read(content)
    assert later.digest(DATA) == now.digest(DATA)
    assert LaterRecipe.read(content, colour="blue").digest(DATA) != now.digest(DATA)
    phase = now.normal()[0].digested()
    assert phase["epochs"] == 3
    assert LaterPhase.model_validate({"augment": "flip", "epochs": 3}).digested() == phase
    assert LaterPhase.model_validate({"augment": "flip", "epochs": 3, "warmth": 0.0}).digested() != phase


def test_a_default_given_in_so_many_words_changes_nothing() -> None:
    said = {key: Recipe.model_fields[key].default for key in MEANINGFUL if key not in {"model", "epochs", "phases"}}
    assert digest(**said) == digest()


def test_the_normalization_of_the_pictures_is_not_that_of_the_weights() -> None:
    start = {"data": "digits", "model": "alexnet(weights=imagenet)"}
    digests = {Recipe.read(start, **keys).digest(DATA) for keys in ({}, {"normalize": "dataset"})}
    assert len(digests) == 2
    assert Recipe.read(start, normalize="weights").digest(DATA) in digests


def test_digest_depends_on_the_content_of_data_and_weights() -> None:
    recipe = Recipe.read(BASE)
    assert len({recipe.digest(DATA), recipe.digest("1" * 64), recipe.digest(DATA, "2" * 64)}) == 3


def test_one_thing_said_in_several_ways_has_one_digest(tmp_path: Path) -> None:
    path = tmp_path / "anywhere.yaml"
    path.write_text("model: mlp(hidden=[8])\ndata: digits\naugment: [flip, {name: shift, x: 0.1}]\nepochs: 10\n")
    said = {
        Recipe.read(path).digest(DATA),
        Recipe.read(str(path)).digest(DATA),
        digest(augment="flip | shift( 0.1 )"),
        digest(augment="flip|shift(x=1/10)", ema="none", clip_gradient="", select=None),
        digest(augment="flip|shift(0.1)", phases=[{"epochs": 10}]),
        digest(augment="none", phases=[{"epochs": 10, "augment": "flip|shift(0.1)"}]),
    }
    assert len(said) == 1


def test_epochs_are_ten_where_nothing_is_said() -> None:
    (phase,) = Recipe.read(BASE).normal()
    assert (phase.epochs, phase.steps) == (10, None)
    (phase,) = Recipe.read(BASE, steps=5).normal()
    assert (phase.epochs, phase.steps) == (None, 5)


def test_phases_take_what_they_do_not_say_from_the_recipe() -> None:
    recipe = Recipe.read(BASE, batch_size=32, clip_gradient=1.0, phases=[{"epochs": 1}, {"steps": 2, "batch_size": 8}])
    first, second = recipe.normal()
    assert (first.epochs, first.steps, first.batch_size, first.clip_gradient) == (1, None, 32, 1.0)
    assert (second.epochs, second.steps, second.batch_size, second.clip_gradient) == (None, 2, 8, 1.0)


def test_a_phase_can_switch_off_what_the_recipe_switches_on() -> None:
    recipe = Recipe.read(BASE, clip_gradient=1.0, phases=[{"epochs": 1, "clip_gradient": None}])
    again = Recipe.read(yaml.load(yaml.dump(recipe.to_dict()), "it"))
    assert recipe.normal()[0].clip_gradient is None
    assert again.normal()[0].clip_gradient is None


def test_yaml_is_read_by_the_rules_of_1_2(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("data: digits\nweight_decay: 1e-3\nname: no\nema: ~\nselect: null\n")
    recipe = Recipe.read(path)
    assert (recipe.weight_decay, recipe.name, recipe.ema, recipe.select) == (1e-3, "no", None, None)


@pytest.mark.parametrize("empty", [None, "", "none", "null", " None "])
@pytest.mark.parametrize("key", ["augment", "ema", "patience", "permute", "balance", "clip_weights", "validation"])
def test_nothing_has_several_spellings(key: str, empty: Any) -> None:
    assert digest(**{key: empty}) == digest()


def test_a_recipe_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Recipe.read(BASE).seed = 3  # type: ignore[misc]


def test_an_unknown_key_is_refused_with_the_nearest() -> None:
    message = refused({**BASE, "optimizr": "sgd"})
    assert "'optimizr'" in message
    assert "Did you mean optimizer" in message


def test_an_unknown_key_in_a_phase_is_refused_with_the_nearest() -> None:
    message = refused({**BASE, "phases": [{"epochs": 1}, {"epochs": 1, "batchsize": 3}]})
    assert "phase 2" in message
    assert message.endswith("Write batch_size: 3")


@pytest.mark.parametrize(
    "text",
    [
        "{data: digits, optimizer: sgd(lr=0.1, momentum=0.9)}",
        "{data: digits, optimizer: sgd(lr=0.1, momentum=0.9, nesterov=true), epochs: 3}",
        "data: digits\nphases: [{epochs: 1, optimizer: sgd(lr=0.1, momentum=0.9)}]\n",
    ],
)
def test_a_spec_that_yaml_split_at_its_comma_is_told_to_be_quoted(text: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r'quotes: optimizer: "sgd\(lr=0.1, momentum=0.9.*\)"'):
        Recipe.read(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"epochs": 1, "steps": 2}, ["epochs and steps"]),
        ({"epochs": 1, "phases": [{"epochs": 1}]}, ["inside each phase"]),
        ({"steps": 1, "phases": [{"epochs": 1}]}, ["inside each phase"]),
        ({"phases": [{"epochs": 1}, {"augment": "flip"}]}, ["phase 2", "epochs or steps"]),
        ({"phases": [{"epochs": 1, "steps": 1}]}, ["phase 1", "epochs or steps"]),
        ({"phases": [{"epochs": 1, "batch_size": 0}]}, ["phase 1", "batch_size", "0"]),
        ({"phases": 3}, ["phases", "3"]),
        ({"epochs": "many"}, ["epochs", "many", "integer"]),
        ({"epochs": 0}, ["epochs", "0"]),
        ({"epochs": True}, ["epochs", "True"]),
        ({"batch_size": 2.5}, ["batch_size", "2.5"]),
        ({"label_smoothing": 1}, ["label_smoothing", "less than 1"]),
        ({"weight_decay": -1}, ["weight_decay", "-1"]),
        ({"weight_decay": float("inf")}, ["weight_decay", "finite"]),
        ({"clip_gradient": float("nan")}, ["clip_gradient", "finite"]),
        ({"validation": 1.5}, ["validation", "1.5", "less than 1"]),
        ({"precision": "float8"}, ["precision", "bfloat16"]),
        ({"balance": "yes"}, ["balance", "sampler"]),
        ({"snapshots": [-1]}, ["snapshots", "-1"]),
        ({"steps_per_execution": 10}, ["steps_per_execution", "Keras", "one step after the other", "leave it out"]),
        ({"seed": -1}, ["seed", "-1"]),
        ({"compile": "no"}, ["compile", "no"]),
        ({"name": 3}, ["name", "3"]),
        ({"threads": 10**12}, ["threads", "1024"]),
        ({"data": "caf\udce9.npz"}, ["data", r"caf\udce9.npz", "UTF-8", "Rename", "link"]),
        ({"data": "a\ud800b"}, ["data", r"a\ud800b", "UTF-8"]),
        ({"optimizer": "sgd(lr=0.1)", "weight_decay": 0.1, "phases": [{"epochs": 1, "optimizer": "rprop"}]}, ["rprop"]),
        ({"optimizer": "sgd(lr=0.1, nesterov=true)"}, ["sgd"]),
    ],
)
def test_what_cannot_be_meant_is_refused_and_named(content: dict[str, Any], words: list[str]) -> None:
    message = refused({**BASE, **content})
    assert all(word in message for word in words), message
    assert "\n" not in message
    assert "pydantic" not in message


def test_missing_data_is_named() -> None:
    assert "needs data" in refused({"epochs": 3})
    for nothing in ("", "none", None):
        assert "no data is named" in refused({"data": nothing})


@pytest.mark.parametrize("key", ["model", "augment", "optimizer", "schedule", "objective", "normalize", "data"])
def test_an_unknown_name_in_a_spec_is_refused_where_it_stands(key: str) -> None:
    with pytest.raises(SpecError, match="nonesuch"):
        Recipe.read(BASE, **{key: "nonesuch(3)"})


def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path) -> None:
    contents = {
        "list": b"- 1\n",
        "binary": b"\xff\xfe\x00",
        "empty": b"",
        "broken": b"data: [",
        "twice": b"data: a\ndata: b\n",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError, match=name):
            Recipe.read(tmp_path / name)
    with pytest.raises(UsageError, match="no recipe file"):
        Recipe.read(tmp_path / "missing.yaml")
    with pytest.raises(UsageError, match="no recipe file"):
        Recipe.read(tmp_path)


texts = st.one_of(
    st.text(max_size=12), st.sampled_from(["none", "1", "0.5", "true", "sgd(lr=0.1)", "flip|", "a(b=", "[1]"])
)
keys = st.one_of(st.sampled_from(list(Recipe.model_fields)), st.text(max_size=8))


@given(content=st.dictionaries(keys, texts, max_size=6))
@settings(max_examples=300, deadline=None)
def test_any_mapping_of_texts_reads_or_is_refused_properly(content: dict[str, str]) -> None:
    try:
        recipe = Recipe.read(content)
    except CnnlabError:
        return
    assert Recipe.read(recipe.to_dict()) == recipe


choices = {key: st.sampled_from([MEANINGFUL[key]]) for key in MEANINGFUL if key not in {"phases", "epochs", "steps"}}
choices |= {key: st.sampled_from([MEANINGLESS[key]]) for key in MEANINGLESS}
lengths = st.sampled_from(
    [
        {},
        {"epochs": 3},
        {"steps": 4},
        {"phases": [{"steps": 3, "optimizer": {"name": "adam", "lr": 1e-3}}, {"epochs": 1}]},
    ]
)


@given(content=st.fixed_dictionaries({}, optional=choices), length=lengths)
@settings(max_examples=100, deadline=None)
def test_what_is_written_down_reads_back_the_same(content: dict[str, Any], length: dict[str, Any]) -> None:
    recipe = Recipe.read({**BASE, **content, **length})
    again = Recipe.read(yaml.load(yaml.dump(recipe.to_dict()), "recipe.yaml"))
    assert again.to_dict() == recipe.to_dict()
    assert again.digest(DATA) == recipe.digest(DATA)
