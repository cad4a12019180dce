"""Carrying out one request in this process, for executors of all kinds."""

import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlab import training
from cnnlab.core.devices import synchronize
from cnnlab.core.errors import CnnlabError, RunBusyError, TrainingError
from cnnlab.core.messages import quietly
from cnnlab.data import Dataset
from cnnlab.runs import Run
from cnnlab.runs.mirrors import telling
from cnnlab.studies.execution.executor import (
    EpochDone,
    Event,
    Failed,
    Failure,
    Finished,
    Started,
    Stopped,
    TrialRequest,
)
from cnnlab.training.execution import Execution
from cnnlab.training.precision import PrecisionChoice
from cnnlab.training.signals import Interrupted
from cnnlab.training.step import is_out_of_memory
from cnnlab.training.timed_step import single_step

_SIGTERM = 15
_STEPS_BEFORE = 2
_SECONDS = 1.0


def run_trial(
    request: TrialRequest,
    *,
    runs: Path,
    data_dir: Path | None,
    offline: bool,
    datasets: MutableMapping[str, Dataset],
    tell: Callable[[Event], None],
    may_go_on: Callable[[], bool],
    raised: type[Exception] | tuple[()] = (),
) -> Event:
    """Trains what a request says; the last event is returned, those before are told.

    :param datasets: already loaded, as for :func:`cnnlab.train`.
    :param may_go_on: asked after each epoch.
    :param raised: errors that are raised and not told as failures, by their type: those of which the caller knows more.
    :raises Interrupted: when a signal asks this process to stop.
    """
    seen: list[Path] = []
    told: list[str] = []
    is_stopped = False

    def at_epoch(end: training.EpochEnd) -> None:
        nonlocal is_stopped
        seen[:] = [end.folder]
        tell(EpochDone(request.number, _row(end), end.folder))
        if not may_go_on():
            is_stopped = True
            raise Interrupted(_SIGTERM, str(end.folder))

    tell(Started(request.number, _epochs(request.recipe)))
    try:
        with quietly(), telling(told.append):
            run = training.train(
                dict(request.recipe),
                runs=runs,
                data_dir=data_dir,
                offline=offline,
                callbacks=[at_epoch],
                datasets=datasets,
            )
    except Interrupted:
        if not is_stopped:
            raise
        return Stopped(request.number, seen[0])
    except raised:
        raise
    except Exception as error:
        return Failed(request.number, kind_of(error), _reason(error), next(iter(seen), None))
    return Finished(request.number, run.folder, tuple(told))


def kind_of(error: BaseException) -> Failure:
    """What sort of failure an error is, which says whether trying again can help."""
    if isinstance(error, RunBusyError):
        return "busy"
    if isinstance(error, TrainingError):
        return "nan"
    return "memory" if is_out_of_memory(error) else "error"


@dataclass(frozen=True)
class StepTiming:
    """How fast the steps of a recipe are, how they are carried out, and why in that number format."""

    images_per_second: float
    execution: Execution
    choice: PrecisionChoice


def time_steps(
    recipe: Mapping[str, Any],
    *,
    data_dir: Path | None,
    offline: bool,
    datasets: MutableMapping[str, Dataset],
    seconds: float = _SECONDS,
) -> StepTiming:
    """The steps of a recipe in this process, timed for so long."""
    step = single_step(dict(recipe), data_dir=data_dir, offline=offline, datasets=datasets)
    images = _random_images(step.batch, step.shape).to(step.execution.torch_device)
    done = 0
    with step.execution.applied():
        for _ in range(_STEPS_BEFORE):
            step(images)
        synchronize(step.execution.device)
        began = time.perf_counter()
        while done == 0 or time.perf_counter() - began < seconds:
            step(images)
            done += 1
        synchronize(step.execution.device)
        took = time.perf_counter() - began
    return StepTiming(done * step.batch / took, step.execution, step.choice)


def _random_images(count: int, shape: tuple[int, int, int]) -> Any:
    import torch

    from cnnlab.core.seeds import generator

    return torch.rand(count, *shape, generator=generator(0, "probe"))


def _epochs(recipe: Mapping[str, Any]) -> int:
    """Of the whole trial: with folds it is several trainings."""
    read = training.Recipe.read(recipe)
    return sum(phase.epochs or 0 for phase in read.carried_out()) * (1 if read.fold is not None else read.folds or 1)


def _row(end: training.EpochEnd) -> dict[str, Any]:
    """Of the history, with the epochs of earlier folds counted in."""
    run = Run(end.folder)
    earlier = int(run.recipe.get("fold") or 1) - 1
    return dict(end.row) | {"epoch": int(end.row["epoch"]) + earlier * (run.epochs or 0)}


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, CnnlabError) else f"{type(error).__name__}: {text}"
