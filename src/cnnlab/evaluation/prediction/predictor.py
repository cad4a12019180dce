"""What is evaluated: the classifier of a run, run as the run was, or a model by itself."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab import objectives
from cnnlab.core.devices import check_device, has_native_bfloat16
from cnnlab.core.errors import UsageError
from cnnlab.core.messages import announcing, warn
from cnnlab.evaluation.prediction.open_model import open_model
from cnnlab.models import OwnNetwork, Predictable, native_kernels, outputs_of, why_no_native_kernels
from cnnlab.objectives import Objective
from cnnlab.runs import Run
from cnnlab.runs.environment import processor


@dataclass(frozen=True)
class Predictor:
    """A classifier, and how it is run.

    :param label: what messages call it.
    :param recipe: of the run it comes from; empty for a classifier by itself.
    :param threads: of the processor; None to leave that as it is.
    :param kernels: ``native`` or ``torch``, as of a training's execution.
    """

    classifier: Predictable
    label: str
    recipe: Mapping[str, Any]
    device: str = "cpu"
    precision: str = "float32"
    threads: int | None = None
    kernels: str = "torch"

    @cached_property
    def objective(self) -> Objective:
        """What the outputs mean."""
        return objectives.restore_objective(self.classifier.objective, self.classifier.classes)

    @contextmanager
    def placed(self) -> Iterator[Predictable]:
        """A block in which the classifier is on its device, and run by its threads and kernels; it is left as found."""
        home = next(self.classifier.parameters(), torch.empty(0)).device
        # Of small networks, to move all of it to where it is takes as long as a layer.
        is_there = _is_on(self.classifier, torch.device(self.device))
        try:
            placed = self.classifier if is_there else self.classifier.to(self.device)
            with _threads(self.threads), native_kernels(self.kernels == "native"):
                yield placed
        finally:
            if not is_there:
                self.classifier.to(home)

    def outputs(self, batches: Iterable[Tensor]) -> Tensor:
        """The raw outputs, N×K float32 on the host, of batches of pictures; the classifier is left where it was."""
        with self.placed() as placed, announcing(f"computing the outputs of {self.label}"):
            return outputs_of(placed, batches, device=self.device, precision=self.precision)


def predictor_of(
    model: Run | Predictable | str | Path,
    *,
    device: str | None = None,
    network: OwnNetwork | None = None,
    offline: bool = False,
    elsewhere: bool = False,
) -> Predictor:
    """What a run or a model by itself is to be evaluated as.

    A run's classifier is run in the precision, on the device and with the threads and kernels that the run was trained
    with, so that its own test split gives its own score again.

    :param model: or the name of one, as :func:`~cnnlab.evaluation.open_model` takes it.
    :param device: another device than that.
    :param network: the network of one's own that the run was trained on, or what makes it, where this process does
        not know it.
    :param offline: never tries the network for weights.
    :param elsewhere: whether the device is one of another machine, so that it is not looked for here.
    :raises ModelFileError: when the run has no classifier yet.
    :raises UsageError: for a device that is not there.
    """
    if isinstance(model, str | Path):
        model = open_model(model, network=network, offline=offline)
    if isinstance(model, Predictable):
        return Predictor(model, "the classifier", {}, device if device and elsewhere else _checked(device or "cpu"))
    if not isinstance(model, Run):
        raise UsageError(f"a run or a classifier can be evaluated; got {type(model).__name__}.")
    execution = model.info.get("execution") or {}
    recorded = str(execution.get("device") or "cpu")
    place = (device if elsewhere else _checked(device)) if device else _available(recorded, model)
    same = torch.device(place).type == recorded.partition(":")[0]
    precision = str(execution.get("precision") or "float32") if same else "float32"
    return Predictor(
        classifier=model.classifier(network=network),
        label=f"run {model.folder.name}",
        recipe=model.recipe,
        device=place,
        precision=precision if elsewhere else _precision(precision, place, model),
        threads=execution.get("threads") if same else None,
        kernels=_kernels(execution) if same else "torch",
    )


def _is_on(model: nn.Module, device: torch.device) -> bool:
    """Whether all of a model is on a device."""
    held = (tensors for part in model.modules() for tensors in (part._parameters, part._buffers))
    return all(tensor is None or tensor.device == device for tensors in held for tensor in tensors.values())


def _available(recorded: str, run: Run) -> str:
    try:
        return _checked(recorded)
    except UsageError:
        warn(
            f"{run.folder.name} was trained on {recorded}, which is not here; it is evaluated on the processor in "
            "float32, which may change the last digits of its scores."
        )
        return "cpu"


def _precision(recorded: str, place: str, run: Run) -> str:
    is_from_here = (run.info.get("environment") or {}).get("processor") == processor()
    is_wanted = is_from_here and run.recipe.get("precision") == recorded
    if recorded != "bfloat16" or is_wanted or has_native_bfloat16(place):
        return recorded
    # Not that of the run at any price: by a reference of torch a picture takes many times as long, and only who named
    # the format, and trained in it on such a processor, has asked for that.
    warn(
        f"{run.folder.name} was trained in bfloat16, which torch does not have natively for this processor; it is "
        "evaluated in float32, which may change the last digits of its scores."
    )
    return "float32"


def _kernels(execution: Mapping[str, Any]) -> str:
    """Those of the run, where they are at hand: torch's give the same but for the last digits, with a warning."""
    if execution.get("kernels") != "native":
        return "torch"
    with announcing("compiling kernels for this processor"):
        reason = why_no_native_kernels()
    if reason is None:
        return "native"
    warn(
        f"the run was computed by cnnlab's own kernels, which cannot be had here: {reason}. It is evaluated by "
        "torch's, which may change the last digits of its scores."
    )
    return "torch"


def _checked(device: str) -> str:
    check_device(device, "Leave it out to take the run's own.")
    return device


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
