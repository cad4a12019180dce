"""Carrying out one request on a node of a cluster, whose name goes with what fails there."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnnlab.studies.execution.executor import EpochDone, Event, Failed, Stopped, TrialRequest
from cnnlab.studies.execution.run_trial import run_trial
from cnnlab.training.signals import Interrupted


def run_trial_on(node: str, request: TrialRequest, *, tell: Callable[[Event], None], **words: Any) -> Event:
    """As :func:`~cnnlab.studies.execution.run_trial.run_trial`, with a signal told as the stop that it is.

    :param node: its name.
    """
    seen: list[Path] = []

    def told(event: Event) -> None:
        if isinstance(event, EpochDone):
            seen[:] = [event.folder]
        tell(event)

    try:
        last = run_trial(request, tell=told, **words)
    except Interrupted as stop:
        return Stopped(request.number, next(iter(seen), Path(stop.where)))
    if isinstance(last, Failed) and last.kind == "error":
        return replace(last, reason=f"on {node}: {last.reason}")
    return last
