"""Losses, metrics and objectives of one's own, given in Python."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.core.given_objects import NotFoundHereError, given_name, recall
from cnnlab.core.measurements import Direction
from cnnlab.core.seeds import generator
from cnnlab.core.spec import Call

Rows: TypeAlias = Tensor | Mapping[str, Tensor]
"""Outputs or targets N×K, or N where K is 1; of several heads by their names."""

_SAMPLES = 4


@dataclass(frozen=True)
class OwnLoss:
    """A loss of one's own: ``f(outputs, targets)`` gives one loss for each of N samples, or their mean.

    :param call: what stands for it on record.
    :param classes: how many classes one softmax head tells apart; None for every other objective.
    """

    call: Call
    classes: int | None

    @property
    def name(self) -> str:
        """What it is called."""
        return given_name(self.call)

    @cached_property
    def function(self) -> Callable[[Any, Any], Any]:
        """The function.

        :raises NotFoundHereError: where this process does not know it and cannot import it.
        """
        found: Callable[[Any, Any], Any] = recall(self.call)[0]
        return found() if isinstance(found, type) else copy.deepcopy(found) if isinstance(found, nn.Module) else found

    @property
    def is_known(self) -> bool:
        """Whether this process has it."""
        try:
            return callable(self.function)
        except NotFoundHereError:
            return False

    @cached_property
    def takes_shares(self) -> bool:
        """Whether it is given the shares of the classes, N×K, and not their indices, N.

        Both are tried. Shares are taken where they mean the same as indices, for then blended targets can be learnt
        too; where only one of both can be taken, or they mean different things, it is that, or indices.
        """
        assert self.classes is not None
        count = _SAMPLES + (self.classes == _SAMPLES)
        outputs = torch.randn(count, self.classes, generator=generator(0, "own loss"))
        labels = torch.arange(count) % self.classes
        shares = nn.functional.one_hot(labels, self.classes).float()
        try:
            by_labels = self._checked(outputs, labels)
        except UsageError as error:
            try:
                self._checked(outputs, shares)
            except UsageError:
                raise error from None
            return True
        try:
            return torch.allclose(self._checked(outputs, shares).mean(), by_labels.mean(), atol=1e-5)
        except UsageError:
            return False

    def __call__(self, outputs: Rows, encoded: Rows) -> Tensor:
        """One loss for each of N samples, in float32; where the function gives a mean, that for each."""
        if self.classes is not None and isinstance(encoded, Tensor) and not self.takes_shares:
            encoded = encoded.argmax(1)
        said, truth = plain_rows(outputs), plain_rows(encoded)
        count = len(next(iter(said.values())) if isinstance(said, Mapping) else said)
        if isinstance(self.function, nn.Module):
            self.function.to(next(iter(said.values())).device if isinstance(said, Mapping) else said.device)
        losses: Any = self.function(said, truth)
        if not isinstance(losses, Tensor) or tuple(losses.shape) not in ((), (1,), (count,)):
            found = f"a tensor {list(losses.shape)}" if isinstance(losses, Tensor) else type(losses).__name__
            raise UsageError(
                f"the loss {self.name} is to give one number for each of N samples, or their mean; for N={count} it "
                f"gave {found}."
            )
        return losses.reshape(-1).expand(count)

    def rehearse(self, outputs: Rows, encoded: Rows) -> None:
        """Refuses what cannot be trained by.

        :raises UsageError: when it fails, has weights of its own, or no gradient.
        """
        if isinstance(self.function, nn.Module) and any(p.requires_grad for p in self.function.parameters()):
            raise UsageError(
                f"the loss {self.name} has weights of its own, and those of the network alone are trained. Make them "
                "part of the network, or freeze them: loss.requires_grad_(False)."
            )
        self._checked(outputs, encoded, self)

    def _checked(self, outputs: Rows, encoded: Rows, ask: "Callable[[Rows, Rows], Any] | None" = None) -> Tensor:
        def leaf(rows: Tensor) -> Tensor:
            return rows.detach().clone().requires_grad_()

        leaves = {k: leaf(v) for k, v in outputs.items()} if isinstance(outputs, Mapping) else leaf(outputs)
        try:
            losses: Any = (ask or self.function)(leaves, encoded)
        except CnnlabError:
            raise
        except Exception as error:
            raise UsageError(f"the loss {self.name} fails: {type(error).__name__}: {error}") from error
        if not isinstance(losses, Tensor) or not losses.requires_grad:
            raise UsageError(f"the loss {self.name} has no gradient by the outputs, so nothing can be learnt by it.")
        return losses.detach()


@dataclass(frozen=True)
class OwnMetric:
    """A metric of one's own: ``f(predictions, targets)`` gives one number; or an object such as torchmetrics has.

    :param call: what stands for it on record; ``metric`` in it is the name of the metric.
    """

    call: Call

    @property
    def name(self) -> str:
        """As it stands in scores."""
        return str(self.call.kwargs["metric"])

    @property
    def better(self) -> Direction:
        """Whether more of it is better; read off its name by whoever knows only that."""
        return "lower" if self.name.endswith(("loss", "_error")) else "higher"

    @property
    def is_known(self) -> bool:
        """Whether this process has it."""
        try:
            recall(self.call)
        except NotFoundHereError:
            return False
        return True

    def __call__(self, predictions: Any, targets: Any) -> float:
        """The number.

        :raises UsageError: when it fails, or gives no number.
        """
        found = recall(self.call)[0]
        try:
            value = _measured(found() if isinstance(found, type) else found, predictions, targets)
            return float(value)
        except CnnlabError:
            raise
        except Exception as error:
            raise UsageError(
                f"the metric {self.name} is to give one number of predictions and targets, and fails: "
                f"{type(error).__name__}: {error}"
            ) from error


def is_batch_metric(metric: Any) -> bool:
    """Whether it is an object that adds up batches, such as torchmetrics has."""
    return all(callable(getattr(metric, name, None)) for name in ("reset", "update", "compute"))


def _measured(metric: Any, predictions: Any, targets: Any) -> Any:
    """By a function; or by a copy of an object that adds up batches."""
    if not is_batch_metric(metric):
        return metric(predictions, targets)
    own = copy.deepcopy(metric)
    own.reset()
    own.update(predictions, targets)
    return own.compute()


def plain_rows(rows: Rows) -> Any:
    """Rows as a person's function is given them: in float32 at most, a single column flat."""
    if isinstance(rows, Mapping):
        return {name: plain_rows(part) for name, part in rows.items()}
    rows = rows.float() if rows.is_floating_point() else rows
    return rows[:, 0] if rows.dim() == 2 and rows.shape[1] == 1 else rows


def own_objective(call: Call) -> Any:
    """The objective, or the function that makes one of columns, that a call stands for.

    :raises UsageError: where this process does not know it.
    """
    try:
        return recall(call)[0]
    except NotFoundHereError as error:
        raise UsageError(
            f"the objective {error.name} was given in Python, and a record holds no code"
            f"{error.reason and f'; {error.reason}'}. Run the cnnlab.train(…) again that it was given to, which "
            "returns the run at once where it is finished; or put it where Python can import it."
        ) from error


CUSTOM = "custom"
"""The call around an objective that has a loss or metrics of one's own."""
