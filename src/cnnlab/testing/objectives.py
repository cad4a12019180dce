"""What every objective promises, whatever it predicts."""

import math
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnlab.core.errors import DataError
from cnnlab.objectives import Columns, Objective, Targets, build_objective, canonical_objective, restore_objective
from cnnlab.testing.suite import Check, Suite, require, run

COLUMNS: Columns = {"label": ("cat", "dog", "owl")}
"""The target columns that an objective is tried on where none are given."""

_COUNT, _FITTING_STEPS, _FIRST_STEP = 40, 60, 0.3
# Finite differences take two passes for each output.
_MOST_DIFFERENTIATED = 100


@dataclass(frozen=True)
class ObjectiveCase:
    """An objective, targets for it, and outputs drawn at random."""

    spec: object
    columns: Columns
    objective: Objective
    targets: Targets
    outputs: Tensor

    @property
    def count(self) -> int:
        """How many samples there are."""
        return len(self.outputs)

    @property
    def encoded(self) -> dict[str, Tensor]:
        """The targets as the loss wants them."""
        return self.objective.encode(self.targets)

    def losses(self, outputs: Tensor | None = None, encoded: Targets | None = None) -> Tensor:
        """One loss a sample, of the random outputs unless others are given."""
        outputs = self.outputs if outputs is None else outputs
        return self.objective.loss(outputs, self.encoded if encoded is None else encoded)


def check_objective(spec: object, columns: Columns = COLUMNS, targets: Targets | None = None) -> None:
    """Holds an objective to everything that training, evaluation and storage rely on.

    >>> check_objective("focal(gamma=2)")
    >>> check_objective("counted(column=legs)", {"legs": None}, {"legs": torch.tensor([2.0, 4.0, 8.0])})

    :param spec: of a registered objective, with arguments.
    :param columns: target columns as a data set has them: the names of the classes, or None for numbers.
    :param targets: values of the columns, as long as each other; drawn at random, normal where they are numbers, unless
        given.
    :raises AssertionError: naming the first promise that is broken, and how.
    """
    run(objective_checks(spec, columns, targets))


def objective_checks(spec: object, columns: Columns = COLUMNS, targets: Targets | None = None) -> list[Check]:
    """The checks of :func:`check_objective` one by one, for ``pytest.mark.parametrize``."""
    targets = random_targets(columns) if targets is None else targets
    objective = build_objective(spec, columns, targets)
    outputs = random_outputs(objective, len(next(iter(targets.values()))))
    case = ObjectiveCase(spec, columns, objective, targets, outputs)
    return _suite.checks(f"objective {spec}", lambda: nullcontext(case))


def random_targets(columns: Columns, count: int = _COUNT, seed: int = 0) -> dict[str, Tensor]:
    """Class indices evenly, numbers from the standard normal distribution; the same at every call."""
    source = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(count, generator=source)
        if names is None
        else torch.randint(len(names), (count,), generator=source)
        for name, names in columns.items()
    }


def random_outputs(objective: Objective, count: int = _COUNT, seed: int = 1) -> Tensor:
    """Outputs from the standard normal distribution; the same at every call."""
    return torch.randn(count, objective.outputs, generator=torch.Generator().manual_seed(seed))


_suite: Suite[ObjectiveCase] = Suite()


@_suite.check
def targets_are_encoded_for_each_head(case: ObjectiveCase) -> None:
    """Targets are encoded for each head: float32, a row a sample, as wide as the head."""
    shapes = {head: tuple(rows.shape) for head, rows in case.encoded.items()}
    wanted = {head: (case.count, width) for head, width in case.objective.heads.items()}
    require(shapes == wanted, f"They are {shapes} and the heads want {wanted}.")
    types = {rows.dtype for rows in case.encoded.values()}
    require(types == {torch.float32}, f"They are {types}.")


@_suite.check
def a_missing_column_is_refused(case: ObjectiveCase) -> None:
    """Targets without a column that is predicted are refused as a DataError that names it."""
    for column in case.objective.predicts:
        others = {name: values for name, values in case.targets.items() if name != column}
        try:
            case.objective.check(others)
        except DataError as refusal:
            require(column in str(refusal), f"{column} was left out, and the message is: {refusal}")
        else:
            raise AssertionError(f"{column} was left out, and nobody minded.")
    case.objective.check(case.targets)


@_suite.check
def what_is_given_is_left_alone(case: ObjectiveCase) -> None:
    """Outputs and targets that are given are not written to."""
    outputs, encoded = case.outputs.clone(), case.encoded
    targets = {name: values.clone() for name, values in case.targets.items()}
    rows = {head: values.clone() for head, values in encoded.items()}
    case.objective.loss(outputs, encoded)
    case.objective.tally(outputs, encoded)
    case.objective.metrics(outputs, targets)
    for read in (case.objective.decode, case.objective.probabilities, case.objective.confidences):
        read(outputs)
    require(torch.equal(outputs, case.outputs), "The outputs changed.")
    require(_equal(targets, case.targets) and _equal(encoded, rows), "The targets changed.")


@_suite.check
def loss_has_a_way_down(case: ObjectiveCase) -> None:
    """The loss is a finite number for each sample, with a finite gradient along which it falls."""
    outputs = case.outputs.clone().requires_grad_()
    losses = case.losses(outputs)
    require(losses.shape == (case.count,), f"For {case.count} samples its shape is {tuple(losses.shape)}.")
    require(losses.isfinite().all(), "Some are not finite.")
    (gradient,) = torch.autograd.grad(losses.sum(), outputs)
    require(gradient.isfinite().all(), "Some of the gradient is not finite.")
    require((gradient.abs().sum(1) > 0).all(), "Some samples have no gradient.")
    stepped = case.losses(outputs.detach() - 1e-3 * gradient)
    require(stepped.mean() < losses.mean(), "A small step against the gradient did not lower it.")


@_suite.check
def loss_of_a_sample_is_its_own(case: ObjectiveCase) -> None:
    """The loss of a sample does not depend on the others of its batch."""
    encoded = {head: rows[:1] for head, rows in case.encoded.items()}
    alone, among = case.losses(case.outputs[:1], encoded)[0], case.losses()[0]
    require(_close(alone, among), f"By itself it is {alone:g}, in the batch {among:g}.")


@_suite.check
def gradient_is_that_of_the_loss(case: ObjectiveCase) -> None:
    """The gradient is that of finite differences."""
    if case.objective.outputs >= _MOST_DIFFERENTIATED:
        return
    encoded = {head: rows[:3].double() for head, rows in case.encoded.items()}
    outputs = case.outputs[:3].double().requires_grad_()
    is_right = torch.autograd.gradcheck(
        lambda rows: case.objective.loss(rows, encoded), (outputs,), raise_exception=False
    )
    require(is_right, "It is another.")


@_suite.check
def lower_loss_is_better_score(case: ObjectiveCase) -> None:
    """Outputs of a lower loss score better, by every metric in its own direction."""
    before = case.objective.metrics(case.outputs, case.targets)
    after = case.objective.metrics(_descended(case), case.targets)
    for name in case.objective.measured:
        sign = 1 if case.objective.better(name) == "higher" else -1
        told = f"{name} went from {before[name]:g} to {after[name]:g}, and {case.objective.better(name)} is better."
        require(sign * after[name] >= sign * before[name], f"As the loss fell, {told}")
    select = case.objective.select
    require(before[select] != after[select], f"As the loss fell, {select}, which chooses the best epoch, stayed.")


@_suite.check
def metrics_are_those_announced(case: ObjectiveCase) -> None:
    """Metrics are those announced, as plain finite numbers; ``loss`` among them is the mean loss."""
    metrics = case.objective.metrics(case.outputs, case.targets)
    require(list(metrics) == list(case.objective.measured), f"{list(metrics)} is not {list(case.objective.measured)}.")
    require(
        case.objective.select in metrics, f"{case.objective.select}, which chooses the best epoch, is not measured."
    )
    for name, value in metrics.items():
        require(type(value) is float and math.isfinite(value), f"{name} is {value!r}.")
    mean = case.losses().mean().item()
    require(
        math.isclose(metrics["loss"], mean, rel_tol=1e-5), f"The mean loss is {mean:g}, and loss {metrics['loss']:g}."
    )


@_suite.check
def order_of_samples_does_not_matter(case: ObjectiveCase) -> None:
    """Metrics do not depend on the order of the samples."""
    order = torch.randperm(case.count, generator=torch.Generator().manual_seed(2))
    shuffled = {name: values[order] for name, values in case.targets.items()}
    usual, other = (
        case.objective.metrics(case.outputs, case.targets),
        case.objective.metrics(case.outputs[order], shuffled),
    )
    for name, value in usual.items():
        require(
            math.isclose(value, other[name], rel_tol=1e-6, abs_tol=1e-9), f"{name} is {value:g} or {other[name]:g}."
        )


@_suite.check
def tallies_agree_with_metrics(case: ObjectiveCase) -> None:
    """What is tallied while training is what is announced, and agrees with the metrics of those names."""
    tallies, metrics = (
        case.objective.tally(case.outputs, case.encoded),
        case.objective.metrics(case.outputs, case.targets),
    )
    require(tuple(tallies) == case.objective.tallied, f"{tuple(tallies)} is not {case.objective.tallied}.")
    for name, total in tallies.items():
        mean = total.item() / case.count
        is_same = math.isclose(mean, metrics[name], rel_tol=1e-4, abs_tol=1e-5)
        require(is_same, f"{name} is {mean:g} by the tally and {metrics[name]:g} by the metric.")


@_suite.check
def every_column_is_decoded(case: ObjectiveCase) -> None:
    """Each predicted column is decoded: int64 indices of its classes, or float32 numbers."""
    values = case.objective.decode(case.outputs)
    require(set(values) == set(case.objective.predicts), f"Of {case.objective.predicts} it decodes {tuple(values)}.")
    for column, decoded in values.items():
        names = case.columns[column]
        require(decoded.shape == (case.count,), f"{column} has the shape {tuple(decoded.shape)}.")
        wanted = torch.float32 if names is None else torch.int64
        require(decoded.dtype == wanted, f"{column} is {decoded.dtype}, not {wanted}.")
        is_there = names is None or (decoded.min() >= 0 and decoded.max() < len(names))
        require(is_there, f"{column} holds indices of classes that there are not.")
    for column, exact in case.objective.numbers(case.outputs).items():
        require(exact.dtype == torch.float64, f"The number of {column}, not rounded, is {exact.dtype}, not float64.")


@_suite.check
def probabilities_are_shares(case: ObjectiveCase) -> None:
    """Probabilities are not negative and sum to 1, with one for each class of the column that a head is for."""
    shares = case.objective.probabilities(case.outputs)
    for head, rows in shares.items():
        sums = rows.sum(1)
        require((rows >= 0).all() and torch.allclose(sums, torch.ones_like(sums)), f"Those of head {head} are not so.")
    for column, head in case.objective.class_heads.items():
        classes = len(case.columns[column] or ())
        width = shares[head].shape[1] if head in shares else 0
        require(width == classes, f"Column {column} has {classes} classes, and head {head} {width} probabilities.")


@_suite.check
def outputs_can_be_made_of_probabilities(case: ObjectiveCase) -> None:
    """Where every head has probabilities, outputs made of their logarithms have the same ones."""
    shares = case.objective.probabilities(case.outputs)
    if shares.keys() != case.objective.heads.keys():
        return
    again = case.objective.from_log_probabilities({head: rows.log() for head, rows in shares.items()})
    require(again.shape == case.outputs.shape, f"Their shape is {tuple(again.shape)}.")
    for head, rows in case.objective.probabilities(again).items():
        require(torch.allclose(rows, shares[head], atol=1e-5), f"Those of head {head} are other ones.")


@_suite.check
def confidences_are_shares(case: ObjectiveCase) -> None:
    """Confidences are from 0 to 1, for columns that are predicted."""
    sure = case.objective.confidences(case.outputs)
    require(set(sure) <= set(case.objective.predicts), f"Some are for others: {tuple(sure)}.")
    for column, values in sure.items():
        require(values.shape == (case.count,), f"Those of {column} have the shape {tuple(values.shape)}.")
        require(
            ((values >= 0) & (values <= 1)).all(), f"Those of {column} go from {values.min():g} to {values.max():g}."
        )


@_suite.check
def blended_targets_count(case: ObjectiveCase) -> None:
    """Where it says that targets may be blended, a blended target costs something else than a pure one."""
    if not case.objective.soft:
        return
    flipped = {head: rows.flip(0) for head, rows in case.encoded.items()}
    differs = torch.stack([(rows != flipped[head]).any(1) for head, rows in case.encoded.items()]).any(0)
    blended = {head: 0.7 * rows + 0.3 * flipped[head] for head, rows in case.encoded.items()}
    losses, pure = case.losses(encoded=blended), case.losses()
    require(losses.isfinite().all(), "Some losses of blended targets are not finite.")
    require((losses != pure)[differs].all(), "Blended with 30% of another, some cost as much as before.")


@_suite.check
def half_precision_is_judged_in_full(case: ObjectiveCase) -> None:
    """Outputs in bfloat16 have a loss in float32, computed in float32."""
    short = case.outputs.bfloat16()
    losses = case.losses(short)
    require(losses.dtype == torch.float32, f"It is {losses.dtype}.")
    require(_close(losses, case.losses(short.float())), "It was rounded on the way.")


@_suite.check
def smoothing_keeps_distributions(case: ObjectiveCase) -> None:
    """Label smoothing, where there is any, keeps distributions and their largest class, and leaves numbers alone."""
    if not case.objective.smooths:
        return
    labels = case.objective.labels(case.targets)
    require(labels, "It smooths labels and has no head that tells classes apart.")
    for head, rows in case.objective.smooth(case.encoded, 0.2).items():
        before = case.encoded[head]
        if head not in labels:
            require(torch.equal(rows, before), f"The numbers of head {head} changed.")
        elif rows.shape[1] > 1:
            require(_close(rows.sum(1), torch.ones(case.count)), f"Rows of head {head} no longer sum to 1.")
            require(
                torch.equal(rows.argmax(1), before.argmax(1)), f"The class of head {head} is no longer the largest."
            )
            require(not torch.equal(rows, before), f"Nothing of head {head} was smoothed.")


@_suite.check
def class_weights_count(case: ObjectiveCase) -> None:
    """Class weights act on the heads that tell classes apart: ones change nothing, larger ones cost more."""
    ones = {head: torch.ones(count) for head, (_, count) in case.objective.labels(case.targets).items()}
    weighted = case.objective.loss(case.outputs, case.encoded, ones)
    require(_close(weighted, case.losses()), "Weights of 1 change the loss.")
    if ones:
        twice = case.objective.loss(case.outputs, case.encoded, {head: 2 * rows for head, rows in ones.items()})
        require((twice > weighted).all(), "Weights of 2 cost no more than weights of 1.")


@_suite.check
def canonical_text_means_the_same(case: ObjectiveCase) -> None:
    """The canonical text, which a classifier's file keeps, means the same objective."""
    text = canonical_objective(case.spec)
    require(canonical_objective(text) == text, f"{text} reads back as {canonical_objective(text)}.")
    classes = {name: names for name, names in case.columns.items() if names is not None}
    again = restore_objective(case.objective.spec, classes)
    require(again.spec == case.objective.spec, f"{case.objective.spec} comes back as {again.spec}.")
    usual, other = (each.metrics(case.outputs, case.targets) for each in (case.objective, again))
    require(usual == other, f"{again.spec}, made anew, measured otherwise.")


def _descended(case: ObjectiveCase) -> Tensor:
    """The outputs after steps against the sign of the gradient, from large to small ones."""
    outputs, encoded = case.outputs, case.encoded
    for step in range(_FITTING_STEPS):
        outputs = outputs.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(case.objective.loss(outputs, encoded).sum(), outputs)
        outputs = outputs - _FIRST_STEP * (1 - step / _FITTING_STEPS) * gradient.sign()
    return outputs.detach()


def _close(first: Tensor, second: Tensor) -> bool:
    return torch.allclose(first, second, rtol=1e-4, atol=1e-5)


def _equal(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(rows, second[name]) for name, rows in first.items())
