from pathlib import Path

from cnnlab.runs import RunStore, RunWriter
from cnnlab.runs.differences import differences, told_apart


def test_specs_are_told_apart_by_name_and_by_the_arguments_that_differ() -> None:
    values = [
        "cnn(filters=[8], pool=2)",
        "cnn(filters=[16], pool=2)",
        "mlp(hidden=[32], width=1.0)",
        "flip(p=0.5)|shift(x=0.1, fill=zero)",
        "flip(p=0.5)|shift(x=0.2, fill=zero)",
    ]
    assert told_apart(values) == [
        "cnn(filters=[8])",
        "cnn(filters=[16])",
        "mlp",
        "flip|shift(x=0.1)",
        "flip|shift(x=0.2)",
    ]


def test_other_values_stand_as_they_are() -> None:
    assert told_apart([0.1, True, None, "none", "a(b"]) == ["0.1", "true", "none", "none", "a(b"]
    assert told_apart([[{"epochs": 3}], "x"]) == ["[{epochs: 3}]", "x"]


def test_an_argument_that_only_some_have_tells_them_apart() -> None:
    assert told_apart(["cnn(a=1)", "cnn(a=1, b=2)"]) == ["cnn", "cnn(b=2)"]


def test_runs_differ_in_what_their_recipes_and_repeats_do(tmp_path: Path) -> None:
    shared = {"data": "digits", "name": "x", "device": "cpu"}
    for seed, model in ((0, "mlp(hidden=[8])"), (1, "mlp(hidden=[8])"), (1, "mlp(hidden=[9])")):
        recipe = {**shared, "seed": seed, "model": model}
        RunWriter.create(tmp_path, digest=f"{seed}{model[-3]}" * 32, recipe=recipe, name="x").close()
    recipe = {**shared, "seed": 1, "model": "mlp(hidden=[9])"}
    RunWriter.create(tmp_path, digest="19" * 32, recipe=recipe, name="x", repeat=2).close()
    runs = RunStore(tmp_path).list()[::-1]
    assert differences(runs) == [
        {"model": "mlp(hidden=[8])", "seed": "0"},
        {"model": "mlp(hidden=[8])", "seed": "1"},
        {"model": "mlp(hidden=[9])", "seed": "1"},
        {"model": "mlp(hidden=[9])", "seed": "1", "repeat": "2"},
    ]
    assert differences(runs[:1]) == [{}]
    assert differences([]) == []


def test_what_a_recipe_does_not_have_is_not_told_of_it(tmp_path: Path) -> None:
    recipes = (
        {"data": "digits", "model": "mlp", "augment": "flip", "seed": 0},
        {"data": "digits", "model": "cnn", "augment": "flip", "seed": 1},
        {"data": "digits", "ensemble": "mean", "members": ["one-11111111", "two-22222222"]},
    )
    for place, recipe in enumerate(recipes):
        RunWriter.create(tmp_path, digest=f"{place}" * 64, recipe=recipe, name=f"run-{place}").close()
    found = differences(sorted(RunStore(tmp_path).list(), key=lambda run: run.name))
    assert found == [{"model": "mlp", "seed": "0"}, {"model": "cnn", "seed": "1"}, {"ensemble": "mean"}]
