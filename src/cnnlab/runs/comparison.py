"""Runs side by side: what differs between their recipes, and what came out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cnnlab.core.displays import html_table
from cnnlab.core.durations import short_duration
from cnnlab.core.sinks import for_terminal, in_short
from cnnlab.runs.record import flattened
from cnnlab.runs.run_info import RunInfo

_LONGEST, _WIDEST = 120, 40
"""Letters of a value, and of a column of text."""


@dataclass(frozen=True)
class RunComparison:
    """Runs side by side; every list has one value a run, in the order of ``runs``, None where a run has none.

    :param runs: their names.
    :param recipe: dotted keys of the recipe that differ, with each run's value.
    :param execution: what else differs of how they were run, by dotted key: precision, device, versions, code.
    :param scores: each metric of each split, as ``test.accuracy``.
    :param samples: how many samples each split was scored on.
    :param states: ``running``, ``finished``, ``unfinished`` or ``failed``.
    :param epochs: whole epochs done.
    :param selected: the epoch whose weights were kept.
    :param seconds: time spent training.
    """

    runs: list[str]
    recipe: dict[str, list[Any]]
    execution: dict[str, list[Any]]
    scores: dict[str, list[float | None]]
    samples: dict[str, list[int | None]]
    states: list[str]
    epochs: list[int]
    selected: list[int | None]
    seconds: list[float]

    def _rows(self) -> list[tuple[str, ...]]:
        """A line a fact: what came out, then what differs, with each run's value."""
        scores = {_words(key): values for key, values in self.scores.items() if not key.startswith("train.")}
        differing = {key: values for key, values in {**self.recipe, **self.execution}.items() if key != "name"}
        facts: dict[str, Sequence[Any]] = {"state": self.states, "epochs": self.epochs, **scores}
        facts |= {"time": [short_duration(seconds) for seconds in self.seconds], **differing}
        return [(key, *map(_shown, values)) for key, values in facts.items()]

    def __str__(self) -> str:
        lines = [("", *self.runs), *self._rows()]
        widths = [min(_WIDEST, max(len(line[place]) for line in lines)) for place in range(len(self.runs) + 1)]
        cells = (
            (in_short(text, _WIDEST).ljust(width) for text, width in zip(line, widths, strict=True)) for line in lines
        )
        return for_terminal("\n".join("  ".join(line).rstrip() for line in cells))

    def _repr_html_(self) -> str:
        return html_table(("", *self.runs), self._rows(), most=100)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON."""
        return asdict(self)


def side_by_side(runs: Sequence[RunInfo]) -> RunComparison:
    """The comparison of these runs."""
    infos = [run.info for run in runs]
    scores = _columns([flattened(info.get("scores") or {}) for info in infos])
    execution = [{part: info[part] for part in ("execution", "environment") if info.get(part)} for info in infos]
    return RunComparison(
        runs=[run.name for run in runs],
        recipe=_differing(_columns([flattened(run.recipe) for run in runs])),
        execution=_differing(_columns([flattened(facts) for facts in execution])),
        scores={key: values for key, values in scores.items() if not key.endswith(".n")},
        samples={key.removesuffix(".n"): values for key, values in scores.items() if key.endswith(".n")},
        states=[run.state for run in runs],
        epochs=[run.epochs_done for run in runs],
        selected=[(info.get("selected") or {}).get("epoch") for info in infos],
        seconds=[run.seconds for run in runs],
    )


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    keys = dict.fromkeys(key for row in rows for key in row)
    return {key: [row.get(key) for row in rows] for key in keys}


def _differing(columns: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    return {key: values for key, values in columns.items() if any(value != values[0] for value in values)}


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else in_short(str(value), _LONGEST)


def _words(key: str) -> str:
    return key.replace(".", " ").replace("_", " ")
