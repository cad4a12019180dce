"""Dead units, ReLUs that are never above zero over a whole split, and sparsity, the share of zeros they put out.

A unit here is a channel of feature maps, or one number of a dense layer.
"""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from cnnlab import data as data_package
from cnnlab.core.errors import UsageError
from cnnlab.core.messages import announcing, first_few
from cnnlab.data import Dataset, ImageSet
from cnnlab.evaluation import open_model, own_data
from cnnlab.evaluation.prediction.alignment import in_the_classifiers_shape
from cnnlab.explain.opened import Model, Opened, opened
from cnnlab.models import Predictable
from cnnlab.runs import Run

_FUNCTIONS = {F.relu, F.relu_, F.relu6, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_}
_CLIPPED = {F.hardtanh, F.hardtanh_}
"""What ReLU6 calls, with 0 as the lower end."""
_BATCH = 256


@dataclass(frozen=True, eq=False)
class ReluUnits:
    """The units of one ReLU.

    :param layer: its name in the summary; of a function that is called within a module the name of that, and which of
        its calls it is.
    :param is_dead: of each unit whether it was never above zero.
    :param zeros: of each unit the share of places and pictures at which it was not above zero.
    """

    layer: str
    is_dead: NDArray[np.bool_]
    zeros: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.is_dead)

    @property
    def dead(self) -> int:
        """How many units are dead."""
        return int(self.is_dead.sum())

    @property
    def sparsity(self) -> float:
        """The share of zeros in all that the layer puts out."""
        return float(self.zeros.mean())


@dataclass(frozen=True, eq=False)
class DeadUnits:
    """The units of every ReLU of a model over a split.

    :param model: what it is called.
    :param data: name of the data set; ``split`` that of its part; ``images`` how many pictures that are.
    :param epoch: after which the weights are meant; None for those that were selected.
    """

    model: str
    data: str
    split: str
    images: int
    layers: tuple[ReluUnits, ...]
    epoch: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def dead(self) -> int:
        """How many units are dead, in all layers."""
        return sum(layer.dead for layer in self.layers)

    @property
    def units(self) -> int:
        """How many units there are."""
        return sum(map(len, self.layers))

    def __repr__(self) -> str:
        return f"DeadUnits({self.dead} of {self.units} in {len(self.layers)} ReLUs of {self.model}, {self.split})"


def dead_units(
    model: Model,
    data: Any = None,
    split: str = "validation",
    *,
    epoch: int | None = None,
    data_dir: str | Path | None = None,
    offline: bool = False,
    device: str | None = None,
) -> DeadUnits:
    """Which units of each ReLU are never above zero over a split, in one pass for all of them.

    Only counts are kept, whatever the split's size. Modules of ReLU and ReLU6 are seen, and the functions of torch and
    its tensors of these names, wherever they are called; not a ReLU that is written in another way, such as
    ``clamp(min=0)``, and no activation that is only near zero, such as GELU.

    :param model: a run, a model by itself, or the name of either, as :func:`cnnlab.open_model` takes it.
    :param data: anything that :func:`cnnlab.load_data` takes, or a set of pictures; None for the data of the run.
    :param split: ``train``, ``validation`` or ``test``.
    :param epoch: one after which the weights of the run were kept, by number; None for those that were selected.
    :raises UsageError: for a network without a ReLU; for a split or an epoch that there is not.
    :raises DataError: when the data cannot be read.
    """
    subject = opened(model, device=device)
    images, name = _images(model, subject, data, split, data_dir, offline)
    return _counted(subject, _at(model, subject, epoch), images, name, split, epoch)


def dead_units_over_training(
    run: Run | str | Path,
    data: Any = None,
    split: str = "validation",
    *,
    data_dir: str | Path | None = None,
    offline: bool = False,
    device: str | None = None,
) -> tuple[DeadUnits, ...]:
    """The same after each epoch whose weights a run has kept, in order; ``snapshots`` of its recipe says which.

    Arguments and errors as of :func:`dead_units`.

    :raises UsageError: for what is no run, or one that kept no weights.
    """
    found = open_model(run)
    if not isinstance(found, Run):
        raise UsageError("only a run keeps weights of several epochs; a model by itself has dead_units().")
    if not found.stored_epochs:
        raise UsageError(f"run {found.name} has no weights stored; snapshots=[1, 2] in a recipe keeps those of epochs.")
    subject = opened(found, device=device)
    images, name = _images(found, subject, data, split, data_dir, offline)
    return tuple(
        _counted(subject, _at(found, subject, epoch), images, name, split, epoch) for epoch in found.stored_epochs
    )


def _at(model: Model, subject: Opened, epoch: int | None) -> Opened:
    if epoch is None:
        return subject
    run = open_model(model)
    if not isinstance(run, Run):
        raise UsageError("only a run has weights of another epoch: leave epoch out.")
    return replace(subject, predictor=replace(subject.predictor, classifier=run.classifier(epoch=epoch)))


def _images(
    model: Model, subject: Opened, data: Any, split: str, data_dir: str | Path | None, offline: bool
) -> tuple[ImageSet, str]:
    """The pictures of a split, and what their data set is called."""
    if isinstance(data, ImageSet):
        return data, "the pictures"
    run = open_model(model)
    if data is None and isinstance(run, Run):
        dataset = own_data(run, data_dir=data_dir, offline=offline)
    elif data is None:
        raise UsageError("a model by itself has no data; name some, as in data=fashion-mnist.")
    elif isinstance(data, Dataset):
        dataset = data
    else:
        wanted = in_the_classifiers_shape(data, subject.model, data_dir)
        dataset = data_package.load_data(wanted, data_dir=data_dir, offline=offline)
    parts = dict(dataset.parts())
    if split not in parts:
        raise UsageError(f"{dataset.name} has no split {split!r}. It has {', '.join(parts)}.")
    return parts[split], dataset.name


def _counted(subject: Opened, at: Opened, images: ImageSet, data: str, split: str, epoch: int | None) -> DeadUnits:
    counts: dict[str, _Count] = {}
    with at.looking() as placed, torch.no_grad(), announcing(f"counting dead units of {subject.name}"):
        for start in range(0, len(images), _BATCH):
            batch = images.batch(torch.arange(start, min(start + _BATCH, len(images))))[0]
            with _ReluWatch(placed, counts):
                placed(batch.to(subject.predictor.device).contiguous(memory_format=torch.channels_last))
    if not counts:
        raise UsageError(
            f"{subject.name} has no ReLU that can be seen, neither as a module nor as a function of torch; dead units "
            "are those of a ReLU that are never above zero."
        )
    layers = tuple(ReluUnits(name, *count.result()) for name, count in counts.items())
    broken = [name for name, count in counts.items() if count.has_nan]
    notes = (f"{first_few(broken)} put out what is no number, which counts as not above zero",) if broken else ()
    return DeadUnits(subject.name, data, split, len(images), layers, epoch, notes)


class _Count:
    """Of one ReLU, at how many places and pictures each unit was above zero."""

    def __init__(self) -> None:
        self.above: Tensor | None = None
        self.places = 0
        self.has_nan = False

    def add(self, output: Tensor) -> None:
        """Of a batch, N×C×H×W, N×K or N×T×D."""
        axis = output.dim() - 1 if output.dim() == 3 else min(1, output.dim() - 1)
        others = [place for place in range(output.dim()) if place != axis]
        above = (output > 0).sum(others) if others else (output > 0).long()
        self.above = above if self.above is None else self.above + above
        self.places += output.numel() // max(1, output.shape[axis])
        self.has_nan = self.has_nan or bool(output.isnan().any())

    def result(self) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Of each unit, whether it never was, and the share at which it was not."""
        assert self.above is not None
        above = self.above.cpu().numpy()
        return above == 0, 1 - above / self.places


class _ReluWatch(TorchFunctionMode):
    """A block around one pass in which every call of a ReLU is counted, by the innermost module that makes it.

    What runs within a module is known by hooks, whose presence also has fused modules run one by one as written.
    """

    def __init__(self, model: Predictable, counts: dict[str, _Count]) -> None:
        super().__init__()
        self.model, self.counts = model, counts
        self._names = _names(model)
        self._within: list[nn.Module] = []
        self._calls: Counter[str] = Counter()
        self._handles: list[Any] = []

    def __enter__(self) -> "_ReluWatch":
        for module in self._names:
            self._handles.append(module.register_forward_pre_hook(self._enter))
            self._handles.append(module.register_forward_hook(self._leave))
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        for handle in self._handles:
            handle.remove()

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = function(*args, **(kwargs or {}))
        if isinstance(output, Tensor) and _is_relu(function, args, kwargs or {}):
            name = self._name()
            self._calls[name] += 1
            which = self._calls[name]
            told = name if which == 1 else f"{name}, call {which}"
            self.counts.setdefault(told, _Count()).add(output)
        return output

    def _name(self) -> str:
        inner = self._within[-1] if self._within else None
        return "the model" if inner is None else self._names[inner]

    def _enter(self, module: nn.Module, inputs: Any) -> None:
        self._within.append(module)

    def _leave(self, module: nn.Module, inputs: Any, output: Any) -> None:
        self._within.pop()


def _is_relu(function: Any, args: Any, kwargs: Any) -> bool:
    if function in _CLIPPED:
        return bool((args[1] if len(args) > 1 else kwargs.get("min_val", -1.0)) == 0)
    return function in _FUNCTIONS


def _names(model: Predictable) -> dict[nn.Module, str]:
    """Every module within the network, by what the summary calls it."""
    whole = getattr(model, "network", model)
    return {module: name or "the network" for name, module in whole.named_modules()}
