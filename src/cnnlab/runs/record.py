"""What lies in a run folder, under which name, and the two small files that describe the run.

``run.json`` is one JSON object. Fields that are not known yet are null or missing:

==================== ==================================================================================
``format``           version of this layout, a whole number
``digest``           SHA-256 of the recipe in its canonical form: runs of one digest are repeats of one another
``name``             its folder: the name given to it, eight digits of the digest, and from 2 on the repeat
``repeat``           1 for the first run of its digest, 2 for the next, …
``status``           ``unfinished``, ``finished`` or ``failed``; whether it is running is read off the lock alone
``started``          when it was first started, ISO 8601 in UTC, as are the next two
``updated``          when this file was last written
``finished``         when the last score was written
``seconds``          time spent on its steps, the sum over all its processes
``frozen_features``  by the number of a phase what computing its frozen parts once came to: ``{layer, shape, views,
                     bytes, seconds, found}``, seconds over all its processes, and those that it took when it was
                     computed where it was found in the cache; none where there was no room
``epochs_done``      whole epochs behind it
``epochs``           whole epochs to do
``step``             optimiser steps behind it
``selected``         ``{epoch, metric, value}``: the epoch whose weights were kept, and by what
``scores``           ``{train: {…}, validation: {…}, test: {…}}``: metrics by name, and ``n``, the number of samples;
                     with folds also ``train@out-of-fold``
``execution``        what changes bits but not meaning: ``{precision, device, threads, parts, …}``
``precision_choice`` how its number format was chosen at the start: ``{precision, why, seconds, …}``
``kernels_build``    ``{compiler, version, seconds}`` of cnnlab's own kernels, where they were used; no seconds where
                     they were in the cache
``environment``      ``{python, platform, processor, cores, cnnlab, torch, numpy, code}``; see :func:`environment`
``nodes``            of a run that machines of a cluster trained, ``{node, processor, torch, step}`` of each in turn;
                     the step is that of the record from which it went on
``data``             ``{name, digest, sizes, notes}``
``objective``        its spec with what the data settled: columns, and mean and deviation of numbers
``given``            of the recipe what is not at its default, specs in short
``parent``           the run whose weights it started from
``ensemble``         of an ensemble ``{method, members, needs, fitted_on, cross_fitted}``: the spec of its method, the
                     runs that it was made of, those of them that it cannot predict without, the splits that it was
                     fitted on, and those whose stored predictions were told by numbers fitted without the picture
``transfer``         of a classifier on features ``{backbone, layer, classifier, compared, repeats}``: what was chosen,
                     among how many, in how many repeats
``diagnosis``        ``{seen, findings}`` of a run that learned nothing: by what that is told, and what was found, each
                     ``{kind, text}``; empty ones of a run that learned; missing where it was not looked at
``weights_left_out`` of a run that was imported without weights ``{files, parameters}``: the SHA-256 of each file that
                     stayed behind, by its name, and how many trained numbers there are
``warnings``         texts, in the order they came up
``reason``           why it failed
==================== ==================================================================================
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from cnnlab.core import yaml
from cnnlab.core.errors import CnnlabError, DataError, RunNotFoundError
from cnnlab.core.files import read_regular, write_bytes, write_text

FORMAT = 1
_MOST_BYTES = 64 << 20
RECIPE = "recipe.yaml"
INFO = "run.json"
HISTORY = "history.csv"
LIVE = "live.jsonl"
MODEL = "model.safetensors"
TRANSFER = "transfer.json"
"""What a classifier on features is made of, which it predicts with."""
BACKBONE = "backbone.safetensors"
PIPELINE = "pipeline.skops"
"""The network and the fitted classifier of a classifier on features."""
LAST = "last.safetensors"
"""The weights of the last epoch, where another was selected."""
SNAPSHOTS = "snapshots"
PREDICTIONS = "predictions"
CHECKPOINT = "checkpoint"
"""The folder with all that an unfinished run needs to go on."""
STUDIES = "studies"
"""The folder beside the runs of a store in which its studies lie, each under its name."""
PAPERS = "papers"
"""The folder beside the runs of a store in which the results of papers lie."""
STATUSES = ("unfinished", "finished", "failed")


def now() -> str:
    """The time, in UTC, to the microsecond, so that runs started in one second still have an order."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def json_value(value: Any) -> Any:
    """``value`` in the types of JSON: numpy's and torch's scalars become Python's, tuples lists, paths text.

    A number that is not finite becomes null, since JSON has no word for it.

    :raises TypeError: when there is no such form.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes):
        return [json_value(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return json_value(value.tolist())
    raise TypeError(f"{value!r} cannot be recorded: it is no number, text, list or mapping")


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """``old`` with the facts of ``new``; mappings in both are merged in turn, anything else is replaced."""
    result = dict(old)
    for key, value in new.items():
        before = result.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[key] = merged(cast(Mapping[str, Any], before), value) if both else value
    return result


def flattened(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The leaves of nested mappings by dotted key; lists of mappings are entered as ``key[0].inner``."""
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            leaves |= flattened(value, f"{name}.")
        elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
            for place, item in enumerate(value):
                inner = item if isinstance(item, Mapping) else {"": item}
                leaves |= {k.removesuffix("."): v for k, v in flattened(inner, f"{name}[{place}].").items()}
        else:
            leaves[name] = value
    return leaves


def is_run(folder: Path) -> bool:
    """Whether a folder holds the record of a run."""
    return os.path.isfile(folder / INFO)


def holds_a_run(folder: Path) -> bool:
    """Whether a folder is a run by its content, be it damaged: others write a ``run.json`` too."""
    if (folder / RECIPE).is_file():
        return is_run(folder)
    with suppress(CnnlabError):
        return {"digest", "status"} <= read_info(folder).keys()
    return False


def write_info(folder: Path, info: Mapping[str, Any]) -> None:
    """Replaces ``run.json``."""
    write_bytes(folder / INFO, info_bytes(info))


def info_bytes(info: Mapping[str, Any]) -> bytes:
    """The content of ``run.json``."""
    return f"{json.dumps(json_value(info), indent=2, ensure_ascii=False, allow_nan=False)}\n".encode(
        # What is no text stays the escape that JSON has for it.
        errors="backslashreplace"
    )


def read_info(folder: Path) -> dict[str, Any]:
    """The content of ``run.json``.

    :raises RunNotFoundError: when the folder is not a run.
    :raises DataError: when the file is damaged or was written by a later version.
    """
    try:
        text = read_regular(folder / INFO, _MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise RunNotFoundError(f"{folder} is not a run: it holds no {INFO}.") from None
    except OSError as error:
        raise DataError(f"{folder / INFO} cannot be read: {error.strerror}.") from error
    return parse_info(text, folder)


def parse_info(text: bytes | str, folder: Path) -> dict[str, Any]:
    """What ``run.json`` of ``folder`` says, from its text; errors as for :func:`read_info`."""
    from cnnlab.core.schemas import what_is_wrong
    from cnnlab.runs.run_schema import RunRecord

    try:
        info = json.loads(text)
    except (ValueError, RecursionError):
        info = None
    wrong = what_is_wrong(RunRecord, info)
    version = info.get("format") if isinstance(info, dict) else None
    is_later = isinstance(version, int) and version > FORMAT
    if wrong is not None and not is_later:
        raise DataError(
            f"{folder / INFO} is damaged: it is not the JSON object that cnnlab writes ({wrong}). Delete the run, or "
            "put the file back from a copy."
        )
    if is_later:
        raise DataError(
            f"{folder} was written by a later version of cnnlab (run format {version}; this one reads up to {FORMAT}). "
            "Update cnnlab to read it."
        )
    return dict(info)


def write_recipe(folder: Path, recipe: Mapping[str, Any]) -> None:
    """Writes ``recipe.yaml``, keys in the order of the recipe."""
    write_text(folder / RECIPE, yaml.dump(json_value(recipe)))


def read_recipe(folder: Path) -> dict[str, Any]:
    """The recipe as it was stored; empty when the file is missing.

    :raises UsageError: when it is not YAML.
    :raises DataError: when it cannot be read, or holds something else.
    """
    try:
        text = read_regular(folder / RECIPE, _MOST_BYTES).decode()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{folder / RECIPE} cannot be read: {getattr(error, 'strerror', error)}.") from error
    return parse_recipe(text, folder)


def parse_recipe(text: str, folder: Path) -> dict[str, Any]:
    """The recipe of ``folder`` from the text of its file."""
    from cnnlab.core.schemas import what_is_wrong
    from cnnlab.runs.run_schema import RecipeRecord

    recipe = yaml.load(text, str(folder / RECIPE))
    if not isinstance(recipe, Mapping) or not all(isinstance(key, str) for key in recipe):
        raise DataError(f"{folder / RECIPE} is damaged: it holds no keys by name. Put the file back from a copy.")
    wrong = what_is_wrong(RecipeRecord, recipe)
    if wrong is not None:
        raise DataError(f"{folder / RECIPE} is damaged ({wrong}). Put the file back from a copy.")
    return dict(recipe)
