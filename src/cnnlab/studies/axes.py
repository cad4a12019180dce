"""Axes: what varies, read from a study file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cnnlab import augment
from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.spec import format_calls, format_value, read
from cnnlab.studies.designs import Design, SearchDesign
from cnnlab.studies.search_spaces import Choice, Space, is_space, read_space
from cnnlab.training import Recipe, key_line

UNVARIED = {
    "seed": "repeats vary the seed.",
    "name": "the study names its runs.",
    **dict.fromkeys(
        ("device", "precision", "threads", "compile", "workers", "kernels"),
        "it says how trials are carried out, which is fixed once for a study and makes no other recipe. Put it into "
        "the base; to compare two of its values, run the study once with each, in folders of their own (--runs).",
    ),
    **dict.fromkeys(("devices", "sync_batchnorm"), "trials are trained side by side, on a device each."),
    **dict.fromkeys(
        ("checkpoint_seconds", "keep_checkpoint", "mirror"),
        "it says what is kept on the way, which changes no result.",
    ),
}
"""Keys of a recipe that are no part of what is trained, or are the study's own to set, and why none is an axis."""


@dataclass(frozen=True)
class AxisLevel:
    """One value of an axis as the study file gives it: the recipe's keys that it sets, and what it is called."""

    label: str
    keys: Mapping[str, Any]


@dataclass(frozen=True)
class VariedAxis:
    """An axis with its values listed.

    :param is_compound: whether its values set several keys, or any but the one of its name.
    """

    name: str
    levels: tuple[AxisLevel, ...]
    is_compound: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that its values set."""
        return tuple(dict.fromkeys(key for level in self.levels for key in level.keys))


@dataclass(frozen=True)
class SearchedAxis:
    """An axis with a space to search."""

    name: str
    space: Space

    def level(self, drawn: Any) -> AxisLevel:
        """The value that was drawn."""
        value = self.space.value(drawn)
        if isinstance(value, Mapping) and "name" not in value:
            return AxisLevel(_joined(value), dict(value))
        return AxisLevel(_label(value), {self.name: value})


def read_axes(vary: Mapping[str, Any], design: Design) -> tuple[VariedAxis, ...]:
    """The axes of a design that lists values.

    :raises UsageError: for an axis that no key of a recipe bears, or values that cannot be meant.
    """
    if design.takes_pipeline and not any(isinstance(values, str) for values in vary.values()):
        raise UsageError(
            "design: leave-one-out takes one pipeline apart, and no axis here is one: write vary: {augment: "
            "flip|rotate(10)|erase}, without a list around it. To train every value listed, take design: grid."
        )
    axes = tuple(_axis(str(name), values, design) for name, values in vary.items())
    seen: dict[str, str] = {}
    for axis in axes:
        for key in axis.keys:
            if key in seen:
                raise UsageError(f"the axes {seen[key]} and {axis.name} both set {key}; make one axis of them.")
            seen[key] = axis.name
    return axes


def read_searched(vary: Mapping[str, Any], design: SearchDesign) -> tuple[SearchedAxis, ...]:
    """The axes of a search.

    :raises UsageError: for one that is no space.
    """
    axes = []
    for name, value in vary.items():
        if isinstance(value, Mapping):
            raise UsageError(f"{name}: a search takes a space such as log(1e-4, 1), or a list to choose from.")
        try:
            axis = SearchedAxis(str(name), read_space(value))
        except UsageError as error:
            raise UsageError(f"the axis {name}: {error}") from error
        values = axis.space.values if isinstance(axis.space, Choice) else (1,)
        for each in values:
            is_keys = isinstance(each, Mapping) and "name" not in each
            for key in each if is_keys else (axis.name,):
                _check_key(str(key))
        axes.append(axis)
    return tuple(axes)


def _axis(name: str, values: Any, design: Design) -> VariedAxis:
    if isinstance(values, str):
        return _pipeline(name, values, design)
    if isinstance(values, Mapping):
        named = {str(label): value for label, value in values.items()}
    elif isinstance(values, list | tuple):
        labels = [_label(value) for value in values]
        named = dict(zip(labels, values, strict=True))
        if len(named) < len(labels):
            twice = next(label for label in labels if labels.count(label) > 1)
            raise UsageError(f"the axis {name} has the value {twice} twice.")
    else:
        raise UsageError(f"the axis {name} takes a list of values, and got {values!r}.")
    if not named:
        raise UsageError(f"the axis {name} has no values.")
    levels = tuple(_level(name, label, value) for label, value in named.items())
    is_compound = any(tuple(level.keys) != (name,) for level in levels)
    return VariedAxis(name, levels, is_compound)


def _pipeline(name: str, text: str, design: Design) -> VariedAxis:
    if is_space(text):
        raise UsageError(
            f"{name}: {text} is a space to search, and this design takes a list of values. Set design: tpe(trials=20)."
        )
    if not design.takes_pipeline or name != "augment":
        raise UsageError(
            f"the axis {name} takes a list of values: {name}: [{text}]. With design: leave-one-out, augment may be one "
            "pipeline."
        )
    variants = augment.ablations(text)
    return VariedAxis(name, tuple(AxisLevel(label, {name: spec}) for label, spec in variants.items()))


def _level(axis: str, label: str, value: Any) -> AxisLevel:
    is_keys = isinstance(value, Mapping) and "name" not in value
    keys = {str(key): inner for key, inner in value.items()} if is_keys else {axis: value}
    for key, given in keys.items():
        _check_key(key, given)
    return AxisLevel(label, keys)


def _check_key(key: str, value: Any = None) -> None:
    root = key.partition(".")[0].partition("[")[0]
    if root in UNVARIED:
        raise UsageError(f"{root} cannot vary: {UNVARIED[root]}")
    if root not in Recipe.model_fields:
        line = key_line(root, value)
        if line is not None:
            raise UsageError(
                f"a recipe has no key {key!r} that could vary. Write {line.path}: [{_label(line.value)}, …]"
            )
        raise UsageError(
            f"a recipe has no key {key!r} that could vary. {suggestion(root, Recipe.model_fields)} An axis of another "
            "name takes a mapping of keys for each value."
        )


def _label(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return format_calls(read(value)) if "name" in value else _joined(value)
    return format_value(value)


def _joined(keys: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={_label(value)}" for key, value in keys.items())
