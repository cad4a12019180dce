"""What tells runs apart, in short: the keys of their recipes that differ, and of a spec the arguments that do."""

from collections.abc import Mapping, Sequence
from typing import Any

from cnnlab.core.errors import SpecError
from cnnlab.core.spec import Call, format_calls, format_value, read
from cnnlab.runs.run_info import RunInfo

_LAST = ("seed", "repeat")
"""Differences of repeats, told after those of settings."""
_UNTOLD = ("name", "checkpoint_seconds", "keep_checkpoint", "members", "mirror")
"""Keys that neither the result nor its cost depends on, and names of runs, which are too long for a line."""

_HOW = ("ensemble",)
"""Keys that say what a run is, told of every run that has them."""


def differences(runs: Sequence[RunInfo]) -> list[dict[str, str]]:
    """For each of these runs the keys by which it differs from others that have them, with its values in short.

    A key that the recipe of a run does not have, as that of an ensemble has no optimizer, is not told of it.
    """
    recipes = [{**run.recipe, "repeat": run.repeat} for run in runs]
    keys = dict.fromkeys(key for recipe in recipes for key in recipe if key not in _UNTOLD)
    columns = {key: [recipe.get(key) for recipe in recipes] for key in keys}
    told = {key: told_apart(values) for key, values in columns.items() if key in _HOW or _differ(key, recipes)}
    ordered = sorted(told, key=lambda key: _LAST.index(key) if key in _LAST else -1)
    return [
        {key: told[key][place] for key in ordered if key in recipe and (key != "repeat" or run.repeat > 1)}
        for place, (run, recipe) in enumerate(zip(runs, recipes, strict=True))
    ]


def _differ(key: str, recipes: Sequence[Mapping[str, Any]]) -> bool:
    """Whether those that have this key have it otherwise."""
    having = [recipe[key] for recipe in recipes if key in recipe]
    return any(value != having[0] for value in having)


def told_apart(values: Sequence[Any]) -> list[str]:
    """Each value in short words that no other value has: of specs the names, with arguments where these differ."""
    whole = [_text(value) for value in values]
    specs = {text: calls for text in dict.fromkeys(whole) if (calls := _calls(text))}
    short = {text: "|".join(call.name for call in calls) for text, calls in specs.items()}
    by_names: dict[str, list[str]] = {}
    for text, names in short.items():
        by_names.setdefault(names, []).append(text)
    for alike in by_names.values():
        if len(alike) > 1:
            short |= _by_arguments({text: specs[text] for text in alike})
    return [short.get(text, text) for text in whole]


def _by_arguments(specs: Mapping[str, tuple[Call, ...]]) -> dict[str, str]:
    """Of specs with the same names, each with the arguments that all of them do not have alike."""
    pipelines = list(specs.values())
    if any(call.args for calls in pipelines for call in calls):
        return {text: text for text in specs}
    differing = [_differing([pipeline[place] for pipeline in pipelines]) for place in range(len(pipelines[0]))]
    return {
        text: format_calls(
            [
                Call(call.name, (), {name: value for name, value in call.kwargs.items() if name in names})
                for call, names in zip(calls, differing, strict=True)
            ]
        )
        for text, calls in specs.items()
    }


def _differing(calls: Sequence[Call]) -> set[str]:
    """The arguments that these calls do not have alike."""
    first = calls[0].kwargs
    names = dict.fromkeys(name for call in calls for name in call.kwargs)
    return {
        name
        for name in names
        if name not in first or any(name not in call.kwargs or call.kwargs[name] != first[name] for call in calls)
    }


def _calls(text: str) -> tuple[Call, ...]:
    try:
        return read(text) if "(" in text else ()
    except SpecError:
        return ()


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return format_value(value)
    except TypeError:
        return str(value)
