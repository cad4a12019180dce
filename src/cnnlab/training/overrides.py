"""Keys put over a recipe, dotted ones reach inside: ``data.size=64``, ``augment[1].p=0.5``, ``phases[0].steps=9``."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cnnlab.core import yaml
from cnnlab.core.counterparts import keys as keys_elsewhere
from cnnlab.core.errors import SpecError, UsageError
from cnnlab.core.number_text import counted
from cnnlab.core.sinks import in_short
from cnnlab.core.spec import Call, format_calls, read, read_value, split_pairs
from cnnlab.training.spec_keys import SPECS

_PATH = re.compile(r"([a-z_]+)(?:\[(\d+)\])?((?:\.[A-Za-z_][A-Za-z0-9_]*)*)")
_PHASE = re.compile(r"phases\[(\d+)\]\.(.+)")
_DIGITS = re.compile(r"[0-9]{1,100}")
_TEXTS = {"name", "device", "select", "parent", "balance", "precision", "kernels", "weights"}


def parse_pairs(words: Sequence[str]) -> dict[str, Any]:
    """``key=value`` words as a command line gives them.

    :raises UsageError: for a word without ``=``, or a value that cannot be read.
    """
    return {key: _value(key, text) for key, text in split_pairs(words, "epochs=15 or data.size=64").items()}


def override(content: dict[str, Any], keys: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a recipe with ``keys`` put over it; plain keys first, then those that reach inside.

    :param defaults: what a spec is that the content does not name and a key reaches into.
    """
    result = dict(content) | {key: value for key, value in keys.items() if _is_plain(key)}
    for path, value in keys.items():
        if not _is_plain(path):
            _reach(result, path, value, defaults)
    if "epochs" in keys and "steps" not in keys:
        result.pop("steps", None)
    if "steps" in keys and "epochs" not in keys:
        result.pop("epochs", None)
    return result


def _value(key: str, text: str) -> Any:
    if key in SPECS or key in ("train", "mirror"):
        return text
    if key == "phases":
        return _phases(text)
    if key == "rates":
        return yaml.load(text, "rates")
    try:
        value = read_value(text) if text.strip() else None
    except SpecError:
        # Of a key that is none, that is said, and not that its value has a bar in it.
        if key in _TEXTS or keys_elsewhere.of(key):
            return text
        raise
    if isinstance(value, float) and _DIGITS.fullmatch(text.strip()):
        # The grammar takes numbers of very many digits for rounded ones; a seed is exact.
        return int(text)
    return text if key in _TEXTS and value is not None else value


def _phases(text: str) -> Any:
    """A list of mappings has no place among specs; on a line it is written as YAML writes one; or ``none``."""
    content = yaml.load(text, "phases") if text.strip().lower() != "none" else []
    if not isinstance(content, list) or not all(isinstance(phase, dict) for phase in content):
        raise UsageError(
            f"phases={in_short(text)} is no list of phases. Write it as in phases='[{{epochs: 5}}, {{epochs: 10, "
            'optimizer: "sgd(lr=0.01)"}]\', or in a recipe file.'
        )
    return content


def _is_plain(path: str) -> bool:
    return "." not in path and "[" not in path


def _reach(content: dict[str, Any], path: str, value: Any, defaults: Mapping[str, Any]) -> None:
    if path.startswith("phases") and not _PHASE.fullmatch(path):
        raise UsageError(f"{path} names no key of one phase; write it as in phases[0].epochs=3.")
    if phase := _PHASE.fullmatch(path):
        _reach_phase(content, path, int(phase.group(1)), {phase.group(2): value}, defaults)
        return
    match = _PATH.fullmatch(path)
    if match is None:
        raise UsageError(f"{path!r} is not the path of a value; write it as data.size or augment[1].p.")
    key, index, inside = match.group(1), match.group(2), match.group(3).split(".")[1:]
    if key == "rates" and inside:
        content[key] = {**(content.get(key) or {}), ".".join(inside): value}
        return
    if key not in SPECS:
        raise UsageError(f"{path} reaches inside {key}, which has no arguments. Those that have: {', '.join(SPECS)}.")
    calls = list(read(content.get(key) or defaults.get(key) or ""))
    place = _place(path, key, calls, index)
    calls[place : place + 1] = [_with(calls[place], key, inside, value)] if inside else read(value)
    content[key] = format_calls(calls)


def _reach_phase(
    content: dict[str, Any], path: str, number: int, keys: Mapping[str, Any], defaults: Mapping[str, Any]
) -> None:
    phases = list(content.get("phases") or ())
    if number >= len(phases):
        raise UsageError(
            f"{path}: the recipe has {counted(len(phases), 'phase')}, numbered from 0; there is no [{number}]."
        )
    # What a phase leaves open is the recipe's.
    phases[number] = override(dict(phases[number]), keys, {**defaults, **content})
    content["phases"] = phases


def _place(path: str, key: str, calls: list[Call], index: str | None) -> int:
    if not calls:
        raise UsageError(f"{path} reaches inside {key}, which is none here. Give {key} as well.")
    if index is None and len(calls) > 1:
        raise UsageError(f"{path}: {key} is {len(calls)} specs joined by |; say which, as in {key}[0].")
    place = int(index or 0)
    if place >= len(calls):
        raise UsageError(f"{path}: {key} has {counted(len(calls), 'spec')}, numbered from 0; there is no [{place}].")
    return place


def _with(call: Call, key: str, inside: list[str], value: Any) -> Call:
    named = _named(call, key)
    name, *deeper = inside
    if not deeper:
        return replace(named, kwargs={**named.kwargs, name: value})
    inner = named.kwargs.get(name)
    if isinstance(inner, str):
        inner = Call(inner)
    if not isinstance(inner, Call):
        raise UsageError(f"{name} of {key} is {inner!r}, which has no argument {deeper[0]!r}.")
    return replace(named, kwargs={**named.kwargs, name: _with(inner, key, deeper, value)})


def _named(call: Call, key: str) -> Call:
    """The call with its arguments by name, since one given by place may be the one to be replaced."""
    if not call.args:
        return call
    from cnnlab.training.recipe_specs import parse_spec

    return read(str(parse_spec(key, call)))[0]
