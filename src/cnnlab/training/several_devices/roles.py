"""What a training does otherwise where several devices take part: who decides, who writes, and what is refused."""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import torch

from cnnlab.core.devices import best_device
from cnnlab.core.errors import CnnlabWarning, UsageError
from cnnlab.core.given_objects import given_calls
from cnnlab.core.machine import usable_cores
from cnnlab.core.messages import is_quiet, note, quietly, warn
from cnnlab.core.number_text import counted
from cnnlab.runs import Run, RunWriter
from cnnlab.training.execution import Execution
from cnnlab.training.prepare import TrainingSetup
from cnnlab.training.recipe import Recipe
from cnnlab.training.recipe_specs import GivenInPython
from cnnlab.training.several_devices.following_writer import FollowingWriter
from cnnlab.training.several_devices.presence import is_one_of_several

if TYPE_CHECKING:
    from cnnlab.training.several_devices.group import DeviceGroup


@dataclass(frozen=True)
class Announcement:
    """What the first of several processes tells the others.

    :param folder: of the run; ``info`` what stands in its ``run.json``.
    :param execution: by which it is trained; None where it is finished.
    """

    folder: Path
    info: Mapping[str, Any]
    execution: Execution | None

    def writer(self) -> RunWriter:
        """A record that is not written here."""
        return FollowingWriter(self.folder, self.info)


def joined() -> "DeviceGroup":
    """The group of a process that is one of several.

    :raises UsageError: where the others cannot be met.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_gloo_available()):
        raise UsageError(
            "this build of PyTorch lacks torch.distributed with gloo, by which devices exchange what they compute. "
            "Install one that has it, as those for Linux, macOS and Windows have, or train on one device."
        )
    from cnnlab.training.several_devices.group import join

    return join()


@contextmanager
def among_devices() -> "Iterator[DeviceGroup | None]":
    """A block of training, with the group that this process is one of; None where it trains by itself.

    An error of one process ends the block in all, and all leave it together. Only the first says anything on the way.
    """
    if not is_one_of_several():
        yield None
        return
    group = joined()
    with group.failing_together(), quietly(is_quiet() or not group.is_first), warnings.catch_warnings():
        if not group.is_first:
            warnings.simplefilter("ignore", CnnlabWarning)
        yield group
        group.share()


def is_follower(group: "DeviceGroup | None") -> "TypeGuard[DeviceGroup]":
    """Whether another process decides, writes and prints for this one."""
    return group is not None and not group.is_first


def devices_of(run: Run | None) -> int:
    """On how many devices a run was trained so far; 1 where there is none."""
    return 1 if run is None else int((run.info.get("execution") or {}).get("devices") or 1)


def device_of(run: Run | None) -> str | None:
    """On what kind of device a run was begun; None where there is none."""
    return None if run is None else (run.info.get("execution") or {}).get("device")


def announce(
    group: "DeviceGroup | None", folder: Path, info: Mapping[str, Any] | None = None, execution: Execution | None = None
) -> None:
    """Tells the others, where there are any, what :func:`announced` waits for: an :class:`Announcement`."""
    if group is not None:
        how = None if execution is None else execution.to_dict()
        group.share({"folder": str(folder.absolute()), "info": info or {}, "execution": how})


def announced(group: "DeviceGroup") -> Announcement:
    """What the first tells."""
    told = group.share()
    how = None if told["execution"] is None else Execution.from_dict(told["execution"])
    return Announcement(Path(told["folder"]), told["info"], how)


def at_own_device(group: "DeviceGroup | None", execution: Execution) -> Execution:
    """The execution with the GPU of this process; on the record there is only that it is one."""
    if group is None or execution.torch_device.type != "cuda":
        return execution
    torch.cuda.set_device(group.local_rank)
    return replace(execution, device=f"cuda:{group.local_rank}")


def on_devices(execution: Execution, recipe: Recipe, count: int) -> Execution:
    """The execution on so many devices, which share the cores of this machine unless the recipe says otherwise."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE") or count) if count > 1 else 1
    cores = max(1, usable_cores() // here)
    return replace(
        execution,
        devices=count,
        sync_batchnorm=recipe.sync_batchnorm,
        threads=recipe.threads or cores,
        workers=recipe.workers or cores,
        parts=1,
    )


def begin(
    execution: Execution, writer: RunWriter, network: torch.nn.Module, group: "DeviceGroup | None", before: int | None
) -> None:
    """Records with how many devices a training goes on, and tells the others, where there are any.

    :param before: on how many it was trained until now; None where it begins.
    """
    texts = [tell_own_norms(execution, network)]
    if before is not None and before != execution.devices:
        writer.update(execution=execution.to_dict())
        texts.append(tell_change(execution, before, int(writer.info.get("epochs_done") or 0)))
    for text in texts:
        if text is not None:
            writer.warning(text)
    announce(group, writer.folder, writer.info, execution)


def tell_change(execution: Execution, before: int, epochs: int) -> str:
    """Warns that a run goes on with another number of devices, and gives back the text."""
    text = (
        f"trained on {counted(execution.devices, 'device')} after {counted(epochs, 'epoch')}, on {before} until then. "
        "Order, augmentation and every batch stay what they are; sums are made in another order, so that results "
        "differ in their last digits"
    )
    if not execution.sync_batchnorm:
        text += ", and with sync_batchnorm=false batch normalisation sees slices of another size"
    warn(f"{text}.")
    return f"{text}."


def tell_own_norms(execution: Execution, network: torch.nn.Module) -> str | None:
    """Warns, and gives back the text, where each device normalises by its own slice, which is another training."""
    if execution.devices == 1 or execution.sync_batchnorm:
        return None
    from cnnlab.training.several_devices.batch_norm import batch_norms

    if not batch_norms(network):
        return None
    text = (
        f"with sync_batchnorm=false batch normalisation sees the {execution.devices} slices of each batch one by one, "
        "so the result is not that of one device"
    )
    warn(f"{text}.")
    return f"{text}."


def check_devices(setup: TrainingSetup, count: int, device: str) -> None:
    """Refuses what several devices cannot do together.

    :param device: by its kind; that of a single one is refused.
    :raises UsageError: naming it, with what to do instead.
    """
    recipe, what = setup.recipe, f"devices={count}"
    kind = torch.device(best_device() if device == "auto" else device)
    here = int(os.environ.get("LOCAL_WORLD_SIZE") or count)
    if kind.type == "cuda" and kind.index is not None:
        raise UsageError(f"device={device} is a single one, and {what} asks for {count}. Write device=cuda.")
    if kind.type == "cuda" and here > torch.cuda.device_count():
        raise UsageError(
            f"{what} takes a GPU each, and there {'is' if torch.cuda.device_count() == 1 else 'are'} "
            f"{torch.cuda.device_count()} here. Ask for fewer, or write device=cpu for a process each on the processor."
        )
    if kind.type not in ("cuda", "cpu"):
        raise UsageError(f"there is one {kind.type} device, and {what} asks for {count}. Leave devices out.")
    if recipe.compile:
        raise UsageError(f"compile=true is for one device, and {what} divides batches among several. Leave one out.")
    views = next((phase.views for phase in recipe.normal() if phase.views is not None), None)
    if views is not None:
        raise UsageError(
            f"views={views} keeps what frozen parts make of the pictures for one device, and {what} divides them among "
            "several. Leave one of the two out."
        )
    smallest = min(min(phase.batch_size, len(setup.dataset.train)) for phase in recipe.normal())
    if smallest < count:
        raise UsageError(
            f"{what} divides batches of {counted(smallest, 'picture')}, so some would have none. Ask for fewer, "
            "or larger batches (batch_size)."
        )


def check_size(group: "DeviceGroup | None", asked: int | None) -> None:
    """Refuses another number of devices than there are processes, where several were started.

    :raises UsageError: with the remedy.
    """
    if group is not None and asked not in (None, group.size):
        raise UsageError(
            f"devices={asked} is asked for, and {group.size} processes were started. Leave devices out under torchrun, "
            f"or start torchrun --nproc-per-node {asked}."
        )


def check_can_start(
    setup: TrainingSetup, count: int, device: str | None, callbacks: Sequence[Any], is_given: bool = False
) -> None:
    """Refuses to start processes for what they could not do, or for what only this one knows.

    :param device: on which the run was begun, if it was.
    :param is_given: whether data or a network was given in Python.
    :raises UsageError: with the remedy.
    """
    check_devices(setup, count, device or setup.recipe.device)
    recipe = setup.recipe
    specs = [str(recipe.objective), *(str(phase.optimizer) for phase in recipe.normal())]
    is_given |= any(isinstance(spec.parsed, GivenInPython) for spec in (recipe.data, recipe.model))
    is_given |= any(next(iter(given_calls(spec)), None) is not None for spec in specs)
    if is_given or callbacks:
        what = "what is given in Python" if is_given else "callbacks"
        raise UsageError(
            f"devices={count} starts a process for each device, and these do not know {what}. Have every process run "
            f"your script instead: leave devices out, and start torchrun --nproc-per-node {count} SCRIPT.py; or train "
            "here alone, with devices=1."
        )


def run_on_devices(count: int, verb: str, request: Mapping[str, Any]) -> Run:
    """Starts a process for each device and gives the run that they have trained."""
    from cnnlab.training.several_devices.launch import carry_out

    note(f"starting {count} processes, a device each …")
    return Run(carry_out(count, verb, request))
