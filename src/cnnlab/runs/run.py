"""Reading the record of one run."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.core import hooks, yaml
from cnnlab.core.displays import html_facts
from cnnlab.core.durations import short_duration
from cnnlab.core.errors import ModelFileError, UsageError, suggestion
from cnnlab.core.number_text import fixed
from cnnlab.core.sinks import for_html
from cnnlab.runs import record
from cnnlab.runs.history import read_history
from cnnlab.runs.lock import is_locked
from cnnlab.runs.predictions import Predictions, check_split
from cnnlab.runs.run_info import QUICK, WITHOUT_WEIGHTS, RunInfo
from cnnlab.runs.step_log import read_step_log
from cnnlab.runs.writer import ending

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
    def study(self) -> str | None:
        """The study that trained it: the one beside it whose name was given to it; None where there is none."""
        name = self.name.removesuffix(ending(self.digest, self.repeat))
        return name if (self.folder.parent / record.STUDIES / name).is_dir() else None

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
        """The trained classifier, as of the epoch selected; of an ensemble its members and what is made of them.

        :param network: the network of one's own that the run was trained on, or the class or function that makes it,
            where this process was not given it and cannot import it.
        :param epoch: another epoch after which the weights were kept: the last, or one of ``snapshots``.
        :raises ModelFileError: when no weights are stored yet or it was imported without, or the file is damaged.
        :raises UsageError: for an epoch whose weights were not kept.
        """
        self.check_weights()
        stored = self.stored_epochs
        path = self.folder / record.MODEL
        if self.is_ensemble and epoch is None and not path.is_file():
            return hooks.open_stored("ensemble", self.folder, network=network)
        if self.is_transfer and epoch is None:
            return hooks.open_stored("transfer", self.folder)
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
        return hooks.open_stored("classifier", path, network=network, model=self.recipe.get("model"))

    def predict(self, images: Any, **options: Any) -> Any:
        """What its classifier says of pictures: :func:`cnnlab.predict` of this run, with the same options."""
        return hooks.use_run_tool("predict", self, images, **options)

    def confusion(self, split: str = "test", column: str | None = None) -> Any:
        """The :class:`~cnnlab.evaluation.Confusion` matrix of its stored predictions on a split.

        :param column: of the targets, where several are predicted.
        :raises UsageError: when none are stored, or no classes are predicted.
        """
        return hooks.use_run_tool("confusion", self.predictions(split), column)

    def roc(self, split: str = "test", column: str | None = None) -> Any:
        """The :class:`~cnnlab.evaluation.RocCurves` of its stored predictions on a split, as :meth:`confusion`."""
        return hooks.use_run_tool("roc", self.predictions(split), column)

    def plot(self, kind: str = "curves", **options: Any) -> Any:
        """A figure of it, which notebooks show and ``.save("x.pdf")`` writes.

        :param kind: ``curves``, ``confusion``, ``roc``, ``precision-recall``, ``calibration`` or ``mistakes``.
        :param options: ``split``, ``column`` and ``data_dir``, as for :func:`cnnlab.reports.figure_of_runs`.
        :raises UsageError: where there is nothing to draw it from.
        """
        return hooks.use_run_tool("plot", self, kind, **options)

    def save_figures(self) -> list[Path]:
        """Writes its learning curves and confusion matrices as PNG into its folder, and returns where."""
        paths: list[Path] = hooks.use_run_tool("save_figures", self)
        return paths

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
        info = self.info
        made = _made(info) or _epochs(info)
        quick = ["quick trial"] if self.is_quick else []
        return f"Run({self.name}: {', '.join([*quick, self.state, made, *_score_lines(info)[-1:]])})"

    def __str__(self) -> str:
        rows = _facts(self)
        width = max(len(label) for label, _ in rows)
        return "\n".join(f"{label:<{width}}  {value}" for label, value in rows)

    def _repr_html_(self) -> str:
        own, whole = self.given, self.recipe
        rest = {key: value for key, value in whole.items() if key not in own}
        parts = [("recipe", own), *([("at their default", rest)] if rest else [])]
        folded = "".join(
            f"<details><summary>{title}</summary>"
            f"<pre>{for_html(yaml.dump(record.json_value(part)).strip())}</pre></details>"
            for title, part in parts
        )
        return f"{html_facts(_facts(self))}{folded}"


def _made(info: Mapping[str, Any]) -> str:
    """What it is, where it is no training."""
    ensemble, transfer = info.get("ensemble") or {}, info.get("transfer") or {}
    if transfer:
        layer = transfer.get("layer")
        at = "" if layer in (None, "", "pooled") else f" at {layer}"
        return f"{transfer.get('classifier')} on {transfer.get('backbone')}{at}"
    return f"ensemble of {len(ensemble['members'])}" if ensemble else ""


def _facts(run: Run) -> list[tuple[str, str]]:
    """What a person wants to know of a run at a glance: label and value."""
    info, recipe = run.info, run.given
    rows = [("run", run.name), ("status", _status(run, info)), ("quick trial", QUICK if run.is_quick else "")]
    rows += [
        (key, str(recipe[key])) for key in ("data", "model", "augment", "optimizer", "schedule") if recipe.get(key)
    ]
    ensemble = info.get("ensemble") or {}
    rows += [("method", ensemble.get("method", "")), ("members", ", ".join(ensemble.get("members") or ()))]
    rows += [
        ("fitted", _made(info) if run.is_transfer else ""),
        ("epochs", _epochs(info) if run.is_trained else ""),
        ("selected", _selected(info)),
        ("training time" if run.is_trained else "time", short_duration(run.seconds)),
    ]
    rows += [("scores" if place == 0 else "", line) for place, line in enumerate(_score_lines(info))]
    lines = run.diagnosis.lines if run.diagnosis else ()
    rows += [("learned nothing" if place == 0 else "", line) for place, line in enumerate(lines)]
    rows += [("weights", WITHOUT_WEIGHTS if run.came_without_weights else "")]
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
    if "epoch" not in chosen:
        return ""
    return f"epoch {chosen.get('epoch')}, by {chosen.get('metric')} {_number(chosen.get('value'))}"


def _score_lines(info: Mapping[str, Any]) -> list[str]:
    """A line for each split that was scored, the test split last."""
    return [
        f"{split} {', '.join(f'{name} {_number(value)}' for name, value in values.items() if name != 'n')}"
        for split, values in sorted((info.get("scores") or {}).items(), key=lambda scored: scored[0] == "test")
        if values
    ]


def _number(value: Any) -> str:
    return fixed(value, _DIGITS) if isinstance(value, float) else str(value)
