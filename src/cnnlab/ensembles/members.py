"""The runs that a person means to be members."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.core.given_objects import object_name
from cnnlab.core.messages import first_few, note
from cnnlab.core.sinks import is_utf8, visible
from cnnlab.ensembles.methods.base import Method
from cnnlab.models import stored_shape
from cnnlab.models.shapes import format_shape
from cnnlab.runs import Run, RunStore, store_at
from cnnlab.runs.run_info import RunInfo

Named: TypeAlias = str | Path | RunInfo
_PATTERN = set("*?[")


def find_members(given: Named | Iterable[Named], runs: Path | str | None) -> tuple[RunStore, list[Run]]:
    """The store that they lie in, and the runs, in the order named; those of a pattern by their names.

    :param given: runs, or their names, or patterns of names such as ``fashion-*``, which leave ensembles out.
    :raises RunNotFoundError: for a name that means none.
    :raises UsageError: for what names no run, a pattern that matches none, a run that is not finished, or one that is
        named twice.
    """
    names = _checked(given)
    store = _store(names, runs)
    found: list[Run] = []
    for name in names:
        found += _matching(store, name) if _is_pattern(store, name) else [store.find(name)]
    for place, run in enumerate(found):
        if run in found[:place]:
            raise UsageError(f"{run.name} is named twice. A member counts once; method=weights finds how much it does.")
        if run.folder.parent.resolve() != store.root.resolve():
            raise UsageError(
                f"{run.folder} does not lie directly in {store.root}, and an ensemble finds its members at its side. "
                "Move the run there, or name the folder of all of them with --runs."
            )
        if not is_utf8(run.folder.name):
            raise UsageError(
                f"{visible(str(run.folder))} is not UTF-8, and the record of an ensemble is. Rename the folder."
            )
        if run.status != "finished":
            raise UsageError(
                f"{run.name} is {run.state}, and only finished runs can be members. Let it finish (cnnlab resume "
                f"{run.name}), or leave it out."
            )
    return store, found


def check_count(runs: Sequence[Run], method: Method, title: str) -> None:
    """Refuses fewer or more runs than a method takes.

    :raises UsageError: saying what takes as many.
    """
    if not runs:
        raise UsageError("an ensemble is made of runs. Name some, as in: cnnlab ensemble first second third")
    if len(runs) < method.least:
        raise UsageError(
            f"method={title} takes two runs or more, and {runs[0].name} is one. Of one run method=snapshots, "
            "method=average and 'method=tta(flip)' make something."
        )
    if method.most is not None and len(runs) > method.most:
        raise UsageError(
            f"method={title} takes one run, and {len(runs)} were named: {first_few([run.name for run in runs])}. Make "
            "one of each, and an ensemble of these."
        )


def check_pictures(runs: Sequence[Run]) -> None:
    """Refuses runs that do not take pictures of one size and number of channels.

    :raises UsageError: naming two that differ.
    """
    known = {run.name: shape for run in runs if (shape := _shape(run)) is not None}
    for name, shape in known.items():
        first = next(iter(known))
        if shape != known[first]:
            raise UsageError(
                f"{first} takes pictures of {format_shape(known[first])} and {name} of {format_shape(shape)}. An "
                "ensemble takes models of one size and number of channels."
            )


def _shape(run: Run) -> tuple[int, int, int] | None:
    """Of the pictures that a run takes; of an ensemble those of its first member; None where that cannot be read."""
    path = run.folder / "model.safetensors"
    try:
        if run.needs and not path.is_file():
            return _shape(Run(run.folder.parent / run.needs[0]))
        return stored_shape(path)
    except CnnlabError:
        return None


def _checked(given: object) -> list[Named]:
    """What was given as a list, if that can name runs."""
    each_given = given if isinstance(given, Iterable) and not isinstance(given, str) else (given,)
    names: list[Named] = []
    for each in each_given:
        if not isinstance(each, str | Path | RunInfo):
            raise UsageError(
                "an ensemble is made of runs, their names or patterns of names, and was given "
                f"{'None' if each is None else f'an object of the type {object_name(each)}'}. Name runs, as in "
                "cnnlab.ensemble(['first', 'second'])."
            )
        names.append(each)
    return names


def _store(names: Sequence[Named], runs: Path | str | None) -> RunStore:
    """The folder named, or that of the first run that is given itself."""
    given = next((name for name in names if isinstance(name, RunInfo)), None)
    return RunStore(given.folder.parent) if runs is None and given is not None else store_at(runs)


def _is_pattern(store: RunStore, name: Named) -> bool:
    return isinstance(name, str) and bool(set(name) & _PATTERN) and not (store.root / name).exists()


def _matching(store: RunStore, pattern: Named) -> list[Run]:
    matching = store.matching(str(pattern))
    ensembles = [run.name for run in matching if run.is_ensemble]
    found = [run for run in matching if not run.is_ensemble]
    if not found:
        known = first_few([summary.name for summary in store.list()]) or "none"
        raise UsageError(f"no run under {store.root} matches {str(pattern)!r}. There are: {known}.")
    if ensembles:
        note(f"{pattern} leaves out what are ensembles themselves: {first_few(ensembles)}.")
    return found
