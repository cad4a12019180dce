"""What a person sees while a training runs: a bar in a terminal or a notebook, one plain line an epoch elsewhere."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from cnnlab.core import notebook
from cnnlab.core.durations import clock_text
from cnnlab.core.messages import announcing, bar_console, note, shows_bars
from cnnlab.core.number_text import fixed
from cnnlab.core.sinks import for_terminal
from cnnlab.training.notebook_progress import NotebookBar
from cnnlab.training.phases import PhasePlan
from cnnlab.training.state import Counters

_SECONDS_BETWEEN = 0.1


class Bar(Protocol):
    """A bar of the steps of one epoch, with some facts beside it."""

    def begin(self, title: str, steps: int, done: int, facts: str) -> None:
        """An epoch begins."""

    def show(self, done: int, facts: str) -> None:
        """So many of its steps are done."""

    def end_epoch(self) -> None:
        """Its row is written."""

    def close(self) -> None:
        """The training is over, or stopped."""


class TerminalBar:
    """A bar on standard error, which goes when it is closed."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        facts = TextColumn("{task.completed}/{task.total} · {task.fields[facts]}", markup=False)
        self.rich = Progress(
            TextColumn("{task.description}"), BarColumn(), facts, console=bar_console(), transient=True
        )
        self.task: Any = None

    def begin(self, title: str, steps: int, done: int, facts: str) -> None:
        """Shown from the first epoch on."""
        if self.task is None:
            self.task = self.rich.add_task(title, total=steps, completed=done, facts=facts)
            self.rich.start()
        self.rich.update(self.task, description=title, total=steps, completed=done, facts=facts)

    def show(self, done: int, facts: str) -> None:
        """As it is now."""
        self.rich.update(self.task, completed=done, facts=facts)

    def end_epoch(self) -> None:
        """Told by a line of its own."""

    def close(self) -> None:
        """Takes the bar away."""
        self.rich.stop()


class Display:
    """The progress of one training, for as long as the block lasts.

    :param folder: of the run, whose curves are drawn in a notebook.
    :param metrics: those told at the end of an epoch, beside the loss.
    :param first_step: what the first step is spent on, as a person is told until it is done.
    """

    def __init__(
        self,
        plan: PhasePlan,
        metrics: Sequence[str] = (),
        first_step: str = "taking the first step",
        folder: Path | None = None,
    ) -> None:
        self.first_step, self.before_first_step, self.folder = first_step, ExitStack(), folder
        self.plan, self.metrics = plan, tuple(dict.fromkeys(("loss", *metrics)))
        self.bar: Bar | None = None
        self.began, self.steps_before, self.shown_at = time.monotonic(), 0, 0.0

    def __enter__(self) -> "Display":
        if shows_bars():
            self.bar = NotebookBar(self.folder) if notebook.is_here() else TerminalBar()
        else:
            self.before_first_step.enter_context(announcing(self.first_step))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.before_first_step.close()
        if self.bar is not None:
            self.bar.close()

    def begin(self, epoch: int, steps: int, done: int) -> None:
        """An epoch of so many steps begins, some of them perhaps done before."""
        self.began, self.steps_before = time.monotonic(), done
        if self.bar is not None:
            self.bar.begin(f"epoch {epoch + 1}/{self.plan.end}", steps, done, self.first_step)
            self.first_step = ""

    def frozen(self, done: int, of: int) -> None:
        """So many batches have passed the parts that are frozen, once and for all of the phase."""
        if self.bar is not None:
            if done == 1:
                self.bar.begin("frozen parts", of, done, "")
            self.bar.show(done, "batches, computed once")

    def step(self, counters: Counters) -> None:
        """Shows where the epoch is."""
        self.before_first_step.close()
        now = time.monotonic()
        if self.bar is None or now - self.shown_at < _SECONDS_BETWEEN:
            return
        self.shown_at = now
        samples = counters.sums["samples"]
        means = for_terminal(" ".join(f"{k} {v / samples:.3f}" for k, v in counters.sums.items() if k != "samples"))
        taken = max(1, counters.in_epoch - self.steps_before)
        pace = (now - self.began) / taken
        speed = samples / max(1, counters.in_epoch) / pace
        left = pace * (self.plan.steps - counters.step)
        self.bar.show(counters.in_epoch, f"{means} · {speed:,.0f} images/s · {clock_text(left)} left")

    def epoch(self, row: dict[str, Any]) -> None:
        """Says how an epoch ended."""
        keys = [f"{split}_{metric}" for split in ("train", "validation") for metric in self.metrics]
        measured = [key for key in keys if key in row]
        facts = "  ".join(f"{key.replace('_', ' ')} {fixed(row[key], 4)}" for key in measured)
        note(f"epoch {row['epoch']:>3}/{self.plan.end}  {facts}  {row['images_per_second']:,.0f} images/s")
        if self.bar is not None:
            self.bar.end_epoch()
