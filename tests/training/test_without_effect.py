"""What a recipe asks for and cannot have is refused or warned of, and said only where it is so."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from comparing import runs_in

from cnnlab.core.errors import CnnlabWarning, UsageError
from cnnlab.runs import Run
from cnnlab.training import Recipe, extend
from cnnlab.training.phases import plan_phases, without_effect


def said(**keys: Any) -> list[str]:
    """What is said of a recipe on 100 pictures, ten steps an epoch."""
    recipe = Recipe.read(data="digits", batch_size=10, **keys)
    return list(without_effect(recipe, plan_phases(recipe, 100)))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"snapshots": [1, 7, 8], "epochs": 2}, "after epoch 7, 8, and the training ends after epoch 2"),
        ({"schedule": "step(at=[10])", "epochs": 2}, "lower the rate after epoch 10, and the training ends after 2"),
        ({"schedule": "step(at=[1, 2])", "epochs": 2}, "after epoch 2, and"),
        ({"schedule": "step(at=[1], warmup=1)", "epochs": 2}, "after epoch 1, and"),
        ({"schedule": "step", "epochs": 10}, "after epoch 10, and"),
        (
            {"schedule": "cosine(warmup=5)", "epochs": 2},
            "lasts until epoch 5 and the training until 2, so the rate never",
        ),
        ({"schedule": "linear(warmup=0.5)", "steps": 5}, "lasts until epoch 0.5 and the training until 0.5"),
        (
            {"schedule": "linear(warmup=2)", "phases": [{"epochs": 9}, {"epochs": 2}]},
            "lasts until epoch 2 and phase 2 until 2, so the rate",
        ),
    ],
)
def test_what_never_comes_is_told_with_a_remedy(keys: dict[str, Any], words: str) -> None:
    (text,) = said(**keys)
    assert words in text and "train longer." in text


@pytest.mark.parametrize(
    "keys",
    [
        {"snapshots": [0, 1, 2], "epochs": 2},
        {"snapshots": [3], "phases": [{"epochs": 1}, {"epochs": 2}]},
        {"schedule": "step(at=[1])", "epochs": 2},
        {"schedule": "step(every=1)", "epochs": 2},
        {"schedule": "step(at=[1], warmup=0.9)", "epochs": 2},
        {"schedule": "cosine(warmup=1.9)", "epochs": 2},
        {"schedule": "constant", "epochs": 1},
        {"schedule": "plateau", "epochs": 2},
        {},
    ],
)
def test_nothing_is_said_of_what_comes(keys: dict[str, Any]) -> None:
    assert said(**keys) == []


def test_it_is_said_when_a_training_starts(small_run: Callable[..., Run]) -> None:
    with pytest.warns(CnnlabWarning, match="after epoch 3, and the training ends after epoch 2") as caught:
        run = small_run(snapshots=[3])
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small_run(snapshots=[3])
        longer = extend(run, "+1")
    assert [path.name for path in (longer.folder / "snapshots").iterdir()] == ["epoch-3.safetensors"]


@pytest.mark.parametrize(
    ("select", "remedy"),
    [("accuracy", "train_accuracy"), ("loss", "train_loss"), ("macro_f1", "train_loss")],
)
def test_validation_cannot_judge_where_there_is_none(
    select: str, remedy: str, small_run: Callable[..., Run], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=rf"select={select} needs a validation split.*: select={remedy}\.$"):
        small_run(select=select, validation=0)
    assert not runs_in(tmp_path / "runs")
    assert small_run(select=remedy, validation=0).info["selected"]["metric"] == remedy
