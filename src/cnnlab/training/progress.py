"""What a person sees while a training runs: a bar on a terminal, one plain line an epoch elsewhere."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from cnnlab.core.durations import clock_text
from cnnlab.core.messages import announcing, bar_console, note, shows_bars
from cnnlab.core.number_text import fixed
from cnnlab.core.sinks import for_terminal
from cnnlab.training.phases import PhasePlan
from cnnlab.training.state import Counters

_SECONDS_BETWEEN = 0.1


class Display:
    """The progress of one training, for as long as the block lasts.

    :param metrics: those told at the end of an epoch, beside the loss.
    :param first_step: what the first step is spent on, as a person is told when it lasts.
    """

    def __init__(self, plan: PhasePlan, metrics: Sequence[str] = (), first_step: str = "taking the first step") -> None:
        self.first_step, self.before_first_step = first_step, ExitStack()
        self.plan, self.metrics = plan, tuple(dict.fromkeys(("loss", *metrics)))
        self.bar: Any = None
        self.task: Any = None
        self.began, self.steps_before, self.shown_at = time.monotonic(), 0, 0.0

    def __enter__(self) -> "Display":
        if shows_bars():
            from rich.progress import BarColumn, Progress, TextColumn

            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed}/{task.total} · {task.fields[facts]}", markup=False),
                console=bar_console(),
                transient=True,
            )
            self.bar.start()
            self.task = self.bar.add_task("", total=1, facts="")
        self.before_first_step.enter_context(announcing(self.first_step))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.before_first_step.close()
        if self.bar is not None:
            self.bar.stop()

    def begin(self, epoch: int, steps: int, done: int) -> None:
        """An epoch of so many steps begins, some of them perhaps done before."""
        self.began, self.steps_before = time.monotonic(), done
        if self.bar is not None:
            title = f"epoch {epoch + 1}/{self.plan.end}"
            self.bar.update(self.task, description=title, total=steps, completed=done, facts="")

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
        self.bar.update(
            self.task, completed=counters.in_epoch, facts=f"{means} · {speed:,.0f} images/s · {clock_text(left)} left"
        )

    def epoch(self, row: dict[str, Any]) -> None:
        """Says how an epoch ended."""
        keys = [f"{split}_{metric}" for split in ("train", "validation") for metric in self.metrics]
        measured = [key for key in keys if key in row]
        facts = "  ".join(f"{key.replace('_', ' ')} {fixed(row[key], 4)}" for key in measured)
        note(f"epoch {row['epoch']:>3}/{self.plan.end}  {facts}  {row['images_per_second']:,.0f} images/s")
