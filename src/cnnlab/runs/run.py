"""Reading the record of one run."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.core import hooks, yaml
from cnnlab.core.durations import short_duration
from cnnlab.core.errors import ModelFileError, UsageError, suggestion
from cnnlab.runs import record
from cnnlab.runs.history import read_history
from cnnlab.runs.lock import is_locked
from cnnlab.runs.predictions import Predictions, check_split
from cnnlab.runs.run_info import RunInfo
from cnnlab.runs.step_log import read_step_log

if TYPE_CHECKING:
    import pandas as pd

_DIGITS = 4


class Run(RunInfo):
    """One run, read from its folder; nothing here writes.

    What the folder holds is read when it is asked for, so the view of a run that is still training is up to date.

    :param folder: the run folder.
    :raises RunNotFoundError: when it is not a run.
    :raises DataError: when its ``run.json`` is damaged.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        record.read_info(self.folder)

    @property
    def info(self) -> dict[str, Any]:
        """The content of ``run.json``; the fields are described in :mod:`cnnlab.runs.record`."""
        return record.read_info(self.folder)

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe, as ``recipe.yaml`` holds it."""
        return record.read_recipe(self.folder)

    @property
    def is_running(self) -> bool:
        """Whether a process is at work on it just now, read off the run's lock."""
        return is_locked(self.folder)

    @property
    def history(self) -> "pd.DataFrame":
        """A row an epoch: losses, metrics, rate, times; empty before the first epoch's end."""
        return read_history(self.folder / record.HISTORY)

    @property
    def live(self) -> list[dict[str, Any]]:
        """The records of ``live.jsonl`` so far, in order."""
        return read_step_log(self.folder)

    @property
    def splits(self) -> list[str]:
        """The splits, and variants of splits, whose predictions are stored."""
        return sorted(path.stem for path in (self.folder / record.PREDICTIONS).glob("[!.]*.safetensors"))

    def predictions(self, split: str = "test") -> Predictions:
        """The stored predictions on a split.

        :raises UsageError: when none are stored for it.
        :raises ModelFileError: when the file is damaged.
        """
        check_split(split)
        path = self.folder / record.PREDICTIONS / f"{split}.safetensors"
        if not path.is_file():
            hint = suggestion(split, self.splits)
            raise UsageError(f"run {self.name} ({self.state}) has no predictions on {split!r} stored. {hint}")
        return Predictions.load(path)

    def classifier(self, network: Any = None, *, epoch: int | None = None) -> Any:
        """The trained classifier, as of the epoch selected.

        :param network: the network of one's own that the run was trained on, or the class or function that makes it,
            where this process was not given it and cannot import it.
        :param epoch: another epoch after which the weights were kept: the last, or one of ``snapshots``.
        :raises ModelFileError: when no weights are stored yet, or the file is damaged.
        :raises UsageError: for an epoch whose weights were not kept.
        """
        stored = self.stored_epochs
        path = self.folder / record.MODEL
        if epoch is not None and epoch not in stored:
            known = f"Those of {', '.join(map(str, stored))} are" if stored else "None are yet"
            raise UsageError(
                f"run {self.name} did not keep its weights after epoch {epoch}. {known} stored; snapshots=[{epoch}] in "
                "a recipe has them kept."
            )
        path = path if epoch is None else stored[epoch]
        if not path.is_file():
            raise ModelFileError(
                f"run {self.name} ({self.state}) has no classifier stored yet. Let it finish: cnnlab resume {self.name}"
            )
        return hooks.open_stored("classifier", path, network=network)

    @property
    def stored_epochs(self) -> dict[int, Path]:
        """The epochs after which weights were kept, in order, with the files that hold them; 0 is before the first."""
        epochs = {
            int(path.stem.removeprefix("epoch-")): path
            for path in (self.folder / record.SNAPSHOTS).glob("epoch-*.safetensors")
            if path.stem.removeprefix("epoch-").isdecimal()
        }
        selected, last = (self.info.get("selected") or {}).get("epoch"), self.folder / record.LAST
        if last.is_file():
            epochs[self.epochs_done] = last
        if selected is not None and (self.folder / record.MODEL).is_file():
            epochs[int(selected)] = self.folder / record.MODEL
        return dict(sorted(epochs.items()))

    def to_dict(self) -> dict[str, Any]:
        """Everything that describes the run, as plain JSON: ``run.json``, the recipe, where it lies, what is stored."""
        return {**super().to_dict(), "splits": self.splits}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and self.folder.resolve() == other.folder.resolve()

    def __hash__(self) -> int:
        return hash(self.folder.resolve())

    def __repr__(self) -> str:
        facts = [self.state, _epochs(self.info), *_score_lines(self.info)[-1:]]
        return f"Run({self.name}: {', '.join(facts)})"

    def __str__(self) -> str:
        rows = _facts(self)
        width = max(len(label) for label, _ in rows)
        return "\n".join(f"{label:<{width}}  {value}" for label, value in rows)

    def _repr_html_(self) -> str:
        left = 'style="text-align: left"'
        facts = "".join(f"<tr><th {left}>{escape(a)}</th><td {left}>{escape(b)}</td></tr>" for a, b in _facts(self))
        recipe = escape(yaml.dump(record.json_value(self.recipe)).strip())
        return f"<table>{facts}</table><details><summary>recipe</summary><pre>{recipe}</pre></details>"


def _facts(run: Run) -> list[tuple[str, str]]:
    """What a person wants to know of a run at a glance: label and value."""
    info, recipe = run.info, run.recipe
    rows = [("run", run.name), ("status", _status(run, info))]
    rows += [
        (key, str(recipe[key])) for key in ("data", "model", "augment", "optimizer", "schedule") if recipe.get(key)
    ]
    rows += [("epochs", _epochs(info)), ("selected", _selected(info)), ("time", short_duration(info.get("seconds")))]
    rows += [("scores" if place == 0 else "", line) for place, line in enumerate(_score_lines(info))]
    rows += [("warning", text) for text in info.get("warnings") or []]
    rows.append(("folder", str(run.folder)))
    return [(label, value) for label, value in rows if value]


def _status(run: Run, info: Mapping[str, Any]) -> str:
    state = run.state
    return f"{state}: {info['reason']}" if state == "failed" and info.get("reason") else state


def _epochs(info: Mapping[str, Any]) -> str:
    done, total = int(info.get("epochs_done") or 0), info.get("epochs")
    if total is None or done == total:
        return f"{done} epoch{'' if done == 1 else 's'}"
    return f"{done} of {total} epochs"


def _selected(info: Mapping[str, Any]) -> str:
    chosen = info.get("selected") or {}
    if not chosen:
        return ""
    return f"epoch {chosen.get('epoch')}, by {chosen.get('metric')} {_number(chosen.get('value'))}"


def _score_lines(info: Mapping[str, Any]) -> list[str]:
    """A line for each split that was scored, the test split last."""
    return [
        f"{split} {', '.join(f'{name} {_number(value)}' for name, value in values.items() if name != 'n')}"
        for split, values in (info.get("scores") or {}).items()
        if values
    ]


def _number(value: Any) -> str:
    return f"{value:.{_DIGITS}f}" if isinstance(value, float) else str(value)
