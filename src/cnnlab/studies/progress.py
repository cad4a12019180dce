"""What a person sees while a study runs: one live table on a terminal, a bar in a notebook, plain lines elsewhere."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cnnlab.core import notebook
from cnnlab.core.durations import clock_text
from cnnlab.core.measurements import Metric
from cnnlab.core.messages import bar_console, note, shows_bars
from cnnlab.core.number_text import fixed
from cnnlab.core.sinks import for_terminal
from cnnlab.studies.execution.scheduler import TrialTask
from cnnlab.studies.result import Trial

_SHOWN = ("validation_accuracy", "train_accuracy", "validation_loss", "train_loss")


@dataclass
class _Row:
    """A trial under way."""

    task: TrialTask
    epochs: int
    began: float = field(default_factory=time.monotonic)
    epoch: int = 0
    trained: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def share_trained(self) -> float:
        """Of the trial, how much was trained in this go."""
        return min(1.0, self.trained / self.epochs) if self.epochs else 0.0

    @property
    def share_left(self) -> float:
        """Of the trial, how much is still to be trained."""
        return max(0.0, 1 - self.epoch / self.epochs) if self.epochs else 1.0

    def seconds_left(self) -> float | None:
        """By the pace of the epochs so far."""
        if not self.trained:
            return None
        return (time.monotonic() - self.began) / self.trained * max(0, self.epochs - self.epoch)


class StudyProgress:
    """Follows the trials of a study and says how far it is.

    :param total: trials of the study; ``done`` of them need no training.
    """

    def __init__(self, name: str, total: int, done: int) -> None:
        self.name, self.total, self.done = name, total, done
        self._began: float | None = None
        self._settled = 0.0
        self._rows: dict[int, _Row] = {}
        self._live: Any = None
        self._bar: Any = None

    def __enter__(self) -> "StudyProgress":
        note(f"{self.name}: {self.done} of {self.total} trials are there already.")
        if shows_bars() and notebook.is_here():
            self._bar = notebook.bar(total=self.total, initial=self.done, desc=self.name, unit="trial")
        elif shows_bars():
            from rich.live import Live

            self._live = Live(self._table(), console=bar_console(), transient=True, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(self, *unused: object) -> None:
        if self._live is not None:
            self._live.stop()
        if self._bar is not None:
            self._bar.close()

    def trial_started(self, number: int, task: TrialTask, epochs: int) -> None:
        """A trial begins or goes on."""
        if self._began is None:
            # Not before, when workers come up and steps are timed.
            self._began = time.monotonic()
        self._rows[number] = _Row(task, epochs)
        self._show()

    def epoch(self, number: int, row: Mapping[str, Any]) -> None:
        """An epoch of it ended."""
        known = self._rows[number]
        if self._began is not None and row.get("seconds"):
            # It may have begun a while before that was heard, as while other workers came up.
            self._began = min(self._began, time.monotonic() - row["seconds"])
        known.epoch, known.facts = int(row["epoch"]), row
        known.trained += 1
        self._show()

    def trial_ended(self, number: int, task: TrialTask, trial: Trial, metric: Metric) -> None:
        """It ended, one way or the other."""
        row = self._rows.pop(number, None) or _Row(task, 0)
        self.done += 1
        self._settled += row.share_trained if row.epochs else 1.0
        value = trial.metrics.get(metric.name)
        outcome = f"{metric.label} {fixed(value, 4)}" if value is not None else (trial.reason or trial.status)
        left = self.seconds_left()
        rest = "" if left is None or self.done >= self.total else f"  {clock_text(left)} left"
        what = f"{row.task.setting.label}, seed {row.task.seed}"
        self._say(f"[{self.done}/{self.total}] {what}: {outcome}  ({clock_text(trial.seconds)}){rest}")
        self._show()

    def retried(self, number: int, reason: str) -> None:
        """It failed and is tried again."""
        row = self._rows.pop(number, None)
        if row is not None:
            self._say(f"{row.task.setting.label}, seed {row.task.seed}: {reason}; trying again.")
        self._show()

    def seconds_left(self) -> float | None:
        """By the pace of the epochs trained so far, in trials ended and under way."""
        trained = self._settled + sum(row.share_trained for row in self._rows.values())
        if not trained or self._began is None:
            return None
        left = self.total - self.done - sum(1 - row.share_left for row in self._rows.values())
        return (time.monotonic() - self._began) / trained * max(0.0, left)

    def _say(self, text: str) -> None:
        if self._live is not None:
            self._live.console.print(for_terminal(text), markup=False, highlight=False)
        else:
            note(text)

    def _show(self) -> None:
        if self._live is not None:
            self._live.update(self._table())
        if self._bar is not None:
            self._bar.n = self.done + round(sum(1 - row.share_left for row in self._rows.values()), 2)
            left = self.seconds_left()
            self._bar.set_postfix_str("" if left is None else f"{clock_text(left)} left")

    def _table(self) -> Any:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        left = self.seconds_left()
        title = f"{self.name}: {self.done} of {self.total} trials"
        title += f", {clock_text(left)} left" if left is not None else ""
        table = Table(
            title=Text(for_terminal(title)),
            box=box.SIMPLE_HEAD,
            title_justify="left",
            pad_edge=False,
        )
        # A long label goes on in the next line and is never cut off; numbers stay in one.
        table.add_column("trial", overflow="fold")
        for column in ("seed", "epoch", "score", "images/s", "left"):
            table.add_column(column, justify="right", no_wrap=True)
        for row in self._rows.values():
            table.add_row(*_cells(row))
        return table


def _cells(row: _Row) -> list[Any]:
    from rich.text import Text

    name = next((name for name in _SHOWN if name in row.facts), None)
    speed, left = row.facts.get("images_per_second"), row.seconds_left()
    return [
        Text(for_terminal(row.task.setting.label)),
        str(row.task.seed),
        f"{row.epoch}/{row.epochs}",
        "" if name is None else f"{name.replace('_', ' ')} {fixed(row.facts[name], 4)}",
        "" if speed is None else f"{speed:,.0f}",
        "" if left is None else clock_text(left),
    ]
