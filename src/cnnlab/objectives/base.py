"""The objective: everything about a training that depends on what is predicted, behind one interface."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from cnnlab.core.errors import DataError, UsageError
from cnnlab.core.given_objects import GIVEN
from cnnlab.core.measurements import Direction
from cnnlab.core.messages import warn
from cnnlab.core.metric_names import better
from cnnlab.core.registry import BoundCall, Registry
from cnnlab.core.seeds import generator
from cnnlab.core.spec import Call, read_one
from cnnlab.objectives.clock import Clock
from cnnlab.objectives.columns import Columns, Targets, column_list
from cnnlab.objectives.own import CUSTOM, OwnLoss, OwnMetric, Rows, own_objective, plain_rows
from cnnlab.objectives.quantity import NumberHead

objectives: Registry["Objective"] = Registry("objective", given=("columns",))

_JUDGED_AT_ONCE = 8192
SCALE = ("range", "mean", "std")
"""The arguments of ``scalar`` that say how its number is scaled for the network."""


def build_objective(spec: object, columns: Columns, targets: Targets | None = None) -> "Objective":
    """The objective that ``spec`` names, as text or parsed, for a data set with these target columns.

    Its own ``spec`` names the columns and whatever else the data has settled, so that it says all by itself.

    :param targets: of the training pictures, by which numbers are standardised that the spec gives no scale.
    :raises UsageError: when the columns do not suit it.
    """
    bound = parse_objective(spec)
    objective = bound.build(columns=columns)
    if targets is not None:
        objective.fit(targets)
    objective.spec = str(_settled(bound, objective))
    objective.clock = Clock.of(columns, objective.predicts)
    return objective


def _settled(bound: "BoundCall[Objective]", objective: "Objective") -> Call:
    """The call with what the data has settled; where a loss or metrics of one's own stand around it, within these."""
    if bound.name != CUSTOM:
        return BoundCall(bound.entry, {**bound.arguments, **objective.settled}).call
    inner = _settled(parse_objective(bound.arguments["objective"]), objective)
    return Call(CUSTOM, (), {**bound.call.kwargs, "objective": inner})


def restore_objective(spec: object, classes: Mapping[str, tuple[str, ...]]) -> "Objective":
    """The objective of a stored classifier, which knows its columns of classes; any other that it names is of numbers.

    :param spec: as ``Objective.spec`` gave it.
    """
    named = dict.fromkeys(_columns_named(read_one(spec, "An objective")))
    return build_objective(spec, {**named, **classes})


def parse_objective(spec: object) -> "BoundCall[Objective]":
    """What the spec of an objective means, with the arguments of those within it completed too.

    :raises SpecError: for a name or an argument that there is not.
    """
    if isinstance(spec, BoundCall):
        return spec
    call = read_one(spec, "An objective")
    if call.name not in _given_in_python:
        return _complete(objectives.bind(call))
    bound = _given_in_python.bind(call)
    if bound.name != CUSTOM:
        return bound
    inner = parse_objective(bound.arguments["objective"]).call
    return replace(bound, arguments={**bound.arguments, "objective": inner})


def canonical_objective(spec: object) -> str:
    """The canonical text of an objective's spec."""
    return str(parse_objective(spec))


def without_scales(spec: object) -> str:
    """The canonical spec with the scales of numbers left open, in which objectives alike may differ."""
    return str(_unscaled(parse_objective(spec).call))


def _unscaled(call: Call) -> Call:
    kwargs = {name: _unscaled(value) if isinstance(value, Call) else value for name, value in call.kwargs.items()}
    return Call(call.name, call.args, kwargs | (dict.fromkeys(SCALE) if call.name == "scalar" else {}))


def _complete(bound: "BoundCall[Objective]") -> "BoundCall[Objective]":
    """Objectives within an objective brought to their canonical form too."""
    arguments = {
        name: _complete(objectives.bind(value)).call if isinstance(value, Call) else value
        for name, value in bound.arguments.items()
    }
    return replace(bound, arguments=arguments)


def _columns_named(call: Call) -> list[str]:
    """The columns that a call and the calls within it name."""
    names: list[str] = []
    for name, value in call.kwargs.items():
        if isinstance(value, Call):
            names += _columns_named(value)
        elif name == "column":
            names += [value] if isinstance(value, str) else [word for word in value or () if isinstance(word, str)]
    return names


_given_in_python: Registry["Objective"] = Registry("objective", given=("columns",))
"""What stands for something that was given in Python; nobody writes it, so it is not among those to choose from."""


class Objective(ABC):
    """What a network predicts and how that is scored.

    The network's output is one tensor N×``outputs``, the heads side by side in the order of ``heads``.
    """

    spec: str = ""
    settled: Mapping[str, Any] = {}
    """Arguments of the spec that were left open and that the data's columns have settled."""
    heads: Mapping[str, int]
    """Width of each head by name."""
    predicts: tuple[str, ...]
    """The target columns that are predicted."""
    class_heads: Mapping[str, str] = {}
    """For columns of classes the head whose probabilities are those of its classes."""
    soft: bool = False
    """Whether encoded targets may be blended, as mixup does."""
    smooths: bool = False
    """Whether label smoothing means anything to it."""
    scored: tuple[str, ...] = ()
    """The names of what :meth:`scores` gives."""
    tallied: tuple[str, ...] = ()
    """The names of what :meth:`tally` gives."""
    judged_by: str = "loss"
    """The metric that tells best how good the outputs are, the clock's aside."""
    clock: Clock | None = None
    """How far the time of day is off, where hour and minute are both predicted."""

    scales: Mapping[str, tuple[float, float]] = {}
    """For heads that predict a standardised number, the mean and the standard deviation that this is done by."""

    own_loss: OwnLoss | None = None
    """The loss that is trained by and told, where it is one of a person's own."""
    own_metrics: tuple[OwnMetric, ...] = ()

    def fit(self, targets: Targets) -> None:  # noqa: B027 (most leave nothing open)
        """Takes from the targets of training what the spec leaves open about them."""

    def add_own(self, loss: Call | None, metrics: Sequence[Call]) -> None:
        """Takes a loss and metrics of one's own, by the calls that stand for them.

        :raises UsageError: for a metric by a name that is taken.
        """
        for call in metrics:
            metric = OwnMetric(call)
            if metric.name in (*self.measured, "n"):
                raise UsageError(
                    f"there is a metric {metric.name} already. Give yours another name, as in "
                    f"metrics={{'my_{metric.name}': f}}."
                )
            self.own_metrics = (*self.own_metrics, metric)
        if loss is not None:
            self.own_loss = OwnLoss(loss, None)

    def rehearse_own(self, targets: Targets) -> None:
        """Tries a loss and metrics of one's own on random outputs for some targets, and refuses what fails.

        :raises UsageError: saying why.
        """
        outputs = torch.randn(len(next(iter(targets.values()))), self.outputs, generator=generator(0, "rehearsal"))
        if self.own_loss is not None:
            encoded = self.encode(targets)
            self.own_loss.rehearse(*self.for_loss(outputs, encoded))
        for metric in self.own_metrics:
            metric(*map(plain_rows, self.for_metrics(outputs, targets)))

    def for_loss(self, outputs: Tensor, encoded: Targets) -> tuple[Rows, Rows]:
        """What a loss of one's own is given: outputs and encoded targets of each head by its name."""
        return self.split(outputs), encoded

    def for_metrics(self, outputs: Tensor, targets: Targets) -> tuple[Rows, Rows]:
        """What a metric of one's own is given: what is predicted and what is true of each column by its name."""
        return self.decode(outputs), {column: targets[column] for column in self.predicts}

    @property
    def number_heads(self) -> Mapping[str, NumberHead]:
        """Those of its heads that predict a number, by name."""
        return {}

    @property
    def outputs(self) -> int:
        """The width of all heads together."""
        return sum(self.heads.values())

    @property
    def measured(self) -> tuple[str, ...]:
        """The names of what :meth:`metrics` gives."""
        own = (metric.name for metric in self.own_metrics)
        return ("loss", *self.scored, *(self.clock.scored if self.clock else ()), *own)

    @property
    def select(self) -> str:
        """The validation metric that chooses the best epoch unless the recipe names another."""
        return self.clock.judged_by if self.clock else self.judged_by

    def split(self, outputs: Tensor) -> dict[str, Tensor]:
        """The outputs of each head, as views of N×``outputs``."""
        parts = torch.split(outputs, list(self.heads.values()), dim=1)
        return dict(zip(self.heads, parts, strict=True))

    def better(self, metric: str) -> Direction:
        """Whether a higher or a lower value of the metric is the better one."""
        return better(metric)

    def metrics(self, outputs: Tensor, targets: Targets) -> dict[str, float]:
        """Every metric of these outputs, ``loss`` among them; none of one's own that this process does not know."""
        exact = outputs.double()
        has_loss = self.own_loss is None or self.own_loss.is_known
        scores = {"loss": self.mean_loss(exact, targets)} if has_loss else {}
        scores |= self.scores(exact, targets)
        scores |= self.clock.scores(self.numbers(exact), targets) if self.clock else {}
        return scores | self._own_scores(exact, targets)

    def _own_scores(self, outputs: Tensor, targets: Targets) -> dict[str, float]:
        """Those of one's own metrics; what this process does not know is left out, and told of."""
        known = [metric for metric in self.own_metrics if metric.is_known]
        left_out = [metric.name for metric in self.own_metrics if metric not in known]
        left_out += ["loss"] if self.own_loss is not None and not self.own_loss.is_known else []
        if left_out:
            warn(
                f"{', '.join(left_out)} was given in Python and is not known here, so it is not scored. It is where it "
                "was trained, or where Python can import it."
            )
        if not known:
            return {}
        said, truth = map(plain_rows, self.for_metrics(outputs, targets))
        return {metric.name: metric(said, truth) for metric in known}

    def mean_loss(self, outputs: Tensor, targets: Targets) -> float:
        """The mean over the samples of the loss, in the precision of the outputs."""
        total = 0.0
        # Encoded targets of a thousand classes are a thousand times as large as the targets.
        for start in range(0, len(outputs), _JUDGED_AT_ONCE):
            part = slice(start, start + _JUDGED_AT_ONCE)
            encoded = self.encode({name: column[part] for name, column in targets.items()})
            losses = self.loss(outputs[part], {head: rows.to(outputs.dtype) for head, rows in encoded.items()})
            total += losses.sum().item()
        return total / len(outputs)

    def check(self, targets: Targets) -> None:
        """Refuses targets that cannot be encoded.

        :raises DataError: naming the column that is missing, or what is out of place in it.
        """
        missing = [column for column in self.predicts if column not in targets]
        if missing:
            raise DataError(
                f"{column_list(missing)} is predicted, and the data has no such column; it has {column_list(targets)}."
            )

    def combine(self, outputs: Sequence[Tensor], weights: Sequence[float] | None = None) -> Tensor:
        """What several members say together, as outputs that are decoded and scored like those of one.

        Where there are probabilities the weighted mean of these is meant, given as their logarithms; of what predicts
        a number, the weighted mean of the outputs.

        :param outputs: N×``outputs`` for each member.
        :param weights: one for each member, not negative; all alike unless given. Their sum does not matter.
        :raises UsageError: for no members, or outputs or weights that do not fit together.
        """
        shapes = {tuple(member.shape) for member in outputs}
        if len(shapes) != 1 or outputs[0].dim() != 2 or outputs[0].shape[1] != self.outputs:
            given = " and ".join(str(list(shape)) for shape in sorted(shapes)) or "none"
            raise UsageError(f"members are combined whose outputs are all N×{self.outputs}; got {given}.")
        shares = torch.tensor([1.0] * len(outputs) if weights is None else list(weights), dtype=torch.float64)
        if len(shares) != len(outputs) or not torch.isfinite(shares).all() or shares.min() < 0 or not shares.sum() > 0:
            raise UsageError(
                f"weights of {len(outputs)} members are as many numbers, not negative and not all 0; got {weights}."
            )
        members = torch.stack([member.double() for member in outputs])
        return self.mixture(members, (shares / shares.sum()).to(members.device)).to(outputs[0].dtype)

    @abstractmethod
    def mixture(self, members: Tensor, shares: Tensor) -> Tensor:
        """The outputs N×K of members M×N×K together, float64, each with its share M of the whole."""

    def weighted_mean(self, members: Tensor, shares: Tensor, of: str = "probabilities") -> Tensor:
        """As :meth:`mixture`; or, ``of`` their ``logits``, the weighted mean of these, which is another one.

        It is given as logarithms of probabilities where there are some.
        """
        if of == "logits":
            mean = torch.einsum("mnk,m->nk", members, shares)
            members, shares = mean[None], torch.ones_like(shares[:1])
        return self.mixture(members, shares)

    @abstractmethod
    def encode(self, targets: Targets) -> dict[str, Tensor]:
        """Targets as the loss wants them: for each head a float tensor N×K, which mixing may blend."""

    @abstractmethod
    def loss(self, outputs: Tensor, encoded: Targets, weights: Targets | None = None) -> Tensor:
        """One loss for each of N samples.

        :param weights: for each head a weight for each of its classes, where classes are weighted.
        """

    def weighted(self, weights: Targets | None) -> "Objective":
        """The same objective with a loss that weighs classes so, unless it is told otherwise."""
        if weights is None:
            return self

        def loss(outputs: Tensor, encoded: Targets, weights: Targets | None = weights) -> Tensor:
            return self.loss(outputs, encoded, weights)

        twin = copy.copy(self)
        twin.loss = loss  # type: ignore[method-assign]
        return twin

    @abstractmethod
    def labels(self, targets: Targets) -> dict[str, tuple[Tensor, int]]:
        """For each head that tells classes apart, those of the samples (int64) and how many there are."""

    @abstractmethod
    def tally(self, outputs: Tensor, encoded: Targets) -> dict[str, Tensor]:
        """Sums over the samples of what is followed while training, such as how many were right, left on the device."""

    @abstractmethod
    def numbers(self, outputs: Tensor) -> dict[str, Tensor]:
        """For each predicted column that holds numbers, what was predicted, not rounded, float64."""

    @abstractmethod
    def decode(self, outputs: Tensor) -> dict[str, Tensor]:
        """The predicted value of each target column: int64 class indices, or float32 numbers."""

    @abstractmethod
    def probabilities(self, outputs: Tensor) -> dict[str, Tensor]:
        """Probabilities N×K for each head that has them."""

    @abstractmethod
    def from_log_probabilities(self, logarithms: Mapping[str, Tensor]) -> Tensor:
        """Outputs N×``outputs`` of which :meth:`probabilities` makes these, given by their logarithms, head by head.

        :raises UsageError: where a head has no probabilities.
        """

    @abstractmethod
    def confidences(self, outputs: Tensor) -> dict[str, Tensor]:
        """How sure the prediction of each column is, from 0 to 1, for those of which the objective can tell."""

    @abstractmethod
    def scores(self, outputs: Tensor, targets: Targets) -> dict[str, float]:
        """The metrics beside loss and clock, of float64 outputs."""

    @abstractmethod
    def smooth(self, encoded: Targets, amount: float) -> dict[str, Tensor]:
        """Encoded targets with label smoothing, for the heads that tell classes apart.

        Szegedy and others, Rethinking the Inception Architecture (2016), section 7: (1 - ε) y + ε / K.
        """


@_given_in_python.register(GIVEN)
def _given(columns: Columns, **call: str) -> "Objective":
    found = own_objective(Call(GIVEN, (), call))
    objective = copy.copy(found) if isinstance(found, Objective) else found(columns)
    if not isinstance(objective, Objective):
        raise UsageError(
            f"the objective {call.get('name')} made a {type(objective).__name__}, and is to make a "
            "cnnlab.objectives.Objective of the data's columns."
        )
    return objective


@_given_in_python.register(CUSTOM)
def _custom(columns: Columns, objective: Call, loss: Call | None = None, metrics: tuple[Call, ...] = ()) -> "Objective":
    part = parse_objective(objective).build(columns=columns)
    part.add_own(loss, metrics)
    return part
