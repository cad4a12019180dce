"""How to have two runs predict the same pictures, for those that cannot be members of one ensemble as they are."""

import shlex
from typing import Any

from cnnlab.data import is_drawn, is_given_in_python
from cnnlab.runs import Run

_DECIDING = ("data", "validation", "test", "subset", "quick")
"""The keys of a recipe that decide on the validation and test pictures."""


def how_to_train_on_the_same(first: Run, other: Run) -> str:
    """How to train the second run anew on the pictures of the first, as sentences with a command where there is one."""
    wanted, own = _deciding(first), _deciding(other)
    differing = {key: value for key, value in wanted.items() if value != own[key]}
    if other.is_ensemble and not other.recipe.get("folds"):
        return f"Make {other.name} anew, of runs that were trained on the data of {first.name}, divided alike."
    if is_given_in_python(wanted["data"]):
        return f"Train {other.name} anew on the arrays that {first.name} was given, divided alike."
    if differing:
        return f"Train {other.name} anew on the data of {first.name}, divided alike: {_command(other, differing)}"
    older = min(first, other, key=lambda run: run.started)
    return (
        "Their recipes name the same data, so it was another when one of them was trained. Train the older one anew: "
        f"{_command(older, {})}"
    )


def _deciding(run: Run) -> dict[str, Any]:
    """These keys of a recipe; what a run draws of train for itself leaves validation and test as they are."""
    keys = {key: run.recipe.get(key) for key in _DECIDING}
    return {**keys, "subset": None if is_drawn(keys["subset"]) else keys["subset"]}


def _command(run: Run, keys: dict[str, Any]) -> str:
    """What trains a run anew with some keys of its recipe changed."""
    words = [f"{key}={_word(value)}" for key, value in keys.items()]
    return shlex.join(["cnnlab", "train", str(run.folder / "recipe.yaml"), *words])


def _word(value: Any) -> str:
    """A value as the command line takes it."""
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
