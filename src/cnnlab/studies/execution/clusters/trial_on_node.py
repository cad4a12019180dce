"""Carrying out one request on a node of a cluster, whose name goes with what fails there."""

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnnlab.core.errors import CnnlabError
from cnnlab.core.messages import quietly
from cnnlab.data import Dataset
from cnnlab.studies.execution.executor import EpochDone, Event, Failed, Stopped, TrialRequest
from cnnlab.studies.execution.run_trial import run_trial
from cnnlab.training import Recipe
from cnnlab.training.prepare import load_dataset
from cnnlab.training.recipe_specs import GivenInPython
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


def lack_of_data(
    recipe: Mapping[str, Any], *, data_dir: Path | None, offline: bool, datasets: MutableMapping[str, Dataset]
) -> str | None:
    """Why this node cannot load the data of a recipe, as the study could at home; None where it can.

    :param datasets: already loaded, to which what is loaded is added.
    """
    try:
        read = Recipe.read(recipe)
    except CnnlabError:
        # Of what its code lacks the training tells.
        return None
    if isinstance(read.data.parsed, GivenInPython):
        return None
    try:
        with quietly():
            load_dataset(read, data_dir=data_dir, offline=offline, datasets=datasets)
    except (OSError, CnnlabError) as error:
        return str(error)
    return None


def data_of(request: TrialRequest) -> str:
    """By which it is told apart from other data in what nodes lack, whatever is drawn of it."""
    return str(request.recipe.get("data"))
