"""The language in which runs are chosen: each sign, each kind of key, and what is said of words that are wrong."""

from pathlib import Path

import pytest

from cnnlab.core.errors import UsageError
from cnnlab.runs import RunStore, RunWriter, sort_runs
from cnnlab.runs.filter_language import as_number, is_condition, read_filter

MODELS = {
    "dense": "mlp(hidden=[32], dropout=0.0)",
    "small": "cnn(filters=[8], dropout=0.0)",
    "large": "cnn(filters=[64], dropout=0.5)",
}
ACCURACY = {"dense": 0.8, "small": 0.9, "large": 0.95}


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    """Three finished runs, the one called large started last, and one that has no score yet."""
    for place, (name, model) in enumerate(MODELS.items()):
        recipe = {
            "model": model,
            "augment": "flip(p=0.5)|shift(x=0.1, y=none)" if name == "large" else "none",
            "epochs": 5 * (place + 1),
            "subset": None,
            "amp": name == "large",
            "name": name,
        }
        with RunWriter.create(tmp_path, digest=str(place) * 64, recipe=recipe, name=name) as writer:
            scores = {"accuracy": ACCURACY[name], "loss": 1 - ACCURACY[name], "n": 10}
            writer.finish({"test": scores}, seconds=10.0 * place)
    RunWriter.create(tmp_path, digest="9" * 64, recipe={"model": "mlp(hidden=[4], dropout=0.0)"}, name="begun").close()
    return RunStore(tmp_path)


def named(runs) -> list[str]:
    return [run.name.partition("-")[0] for run in runs]


@pytest.mark.parametrize(
    ("words", "fitting"),
    [
        (["model=cnn"], "large small"),
        (["model=cnn(filters=[8])"], "small"),
        (["model=cnn([64])"], "large"),
        (["model=cnn(dropout=0.5)"], "large"),
        (["model!=cnn"], "begun dense"),
        (["model~FILTERS"], "large small"),
        (["augment=flip|shift(0.1)"], "large"),
        (["augment=flip"], ""),
        (["augment~flip"], "large"),
        (["augment=none"], "small dense"),
        (["augment[1].x>0.05"], "large"),
        (["model.dropout=0.5"], "large"),
        (["model.name=mlp"], "begun dense"),
        (["epochs=10"], "small"),
        (["epochs>=10"], "large small"),
        (["epochs<10"], "dense"),
        (["epochs!=10"], "begun large dense"),
        (["subset=none"], "large small dense"),
        (["amp=true"], "large"),
        (["test_accuracy>0.9"], "large"),
        (["test_accuracy>=90%"], "large small"),
        (["test_accuracy=0.80"], "dense"),
        (["state=finished", "epochs<=10"], "small dense"),
        (["state=finished and epochs<=10"], "small dense"),
        (["run~arg"], "large"),
        (["run='small and large'"], ""),
        (["seconds > 5"], "large small"),
        (["study=none"], "begun large small dense"),
        (["started>=2020-01-01"], "begun large small dense"),
        (["started<2020-01-01T12:00"], ""),
    ],
)
def test_runs_that_fit_are_chosen_in_their_order(store: RunStore, words: list[str], fitting: str) -> None:
    assert named(store.filter(*words)) == fitting.split()


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("modle~vgg", "no run has 'modle'. Did you mean model"),
        ("test_acuracy>0.5", "Did you mean test_accuracy"),
        ("vgg", "is no condition on runs. A condition is KEY=VALUE"),
        ("test_accuracy", "In a shell, quote what holds < or >"),
        ("epochs==3", "write = once, as in epochs=3"),
        ("epochs>", "a value is missing after >"),
        ("model=", "If none is meant, write model=none"),
        ("model>3", "> compares numbers, and model is a text, such as 'mlp"),
        ("epochs>many", "epochs is a number, and 'many' is none"),
        ("started>soon", "Write a day, as 2026-11-01"),
        ("epochs=3 and", "a value is missing|no condition|no run"),
    ],
)
def test_what_is_wrong_is_said_with_the_remedy(store: RunStore, word: str, said: str) -> None:
    if word == "epochs=3 and":
        # The joint is only one between two conditions.
        assert store.filter(word) == []
        return
    with pytest.raises(UsageError) as error:
        store.filter(word)
    assert said in str(error.value)


def test_conditions_and_values_of_keys_are_held_together(store: RunStore) -> None:
    assert named(store.filter("model=cnn", epochs=15)) == ["large"]
    assert named(store.filter(epochs=10)) == ["small"]


def test_of_scores_the_best_come_first_and_of_others_the_least(store: RunStore) -> None:
    runs = store.list()
    assert named(sort_runs(runs, "test_accuracy")) == ["large", "small", "dense", "begun"]
    assert named(sort_runs(runs, "test_loss")) == ["large", "small", "dense", "begun"]
    assert named(sort_runs(runs, "seconds")) == ["begun", "dense", "small", "large"]
    assert named(sort_runs(runs, "test_accuracy", reverse=True)) == ["dense", "small", "large", "begun"]
    assert named(sort_runs(runs, "model"))[:2] == ["large", "small"]
    with pytest.raises(UsageError, match="no run has 'speed'"):
        sort_runs(runs, "speed")


def test_a_name_is_told_from_a_condition() -> None:
    assert [is_condition(word) for word in ("last", "digits-mlp-0a1b2c3d", "a~b", "x.y[0] >= 3")] == [
        False,
        False,
        True,
        True,
    ]
    assert [condition.key for condition in read_filter(["a=1 and b='x and y'", "c~d"])] == ["a", "b", "c"]


def test_numbers_may_be_percentages() -> None:
    assert (as_number("90%"), as_number("1e-3"), as_number("many")) == (pytest.approx(0.9), 1e-3, None)
