"""Each check of objectives, failing once: by an objective that breaks this promise."""

import itertools
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from broken import refusal
from torch import Tensor

from cnnlab.objectives import Classes, Columns, Objective, objectives
from cnnlab.objectives.columns import Targets, named_classes
from cnnlab.testing import check_objective, objective_checks


class DoubleTargets(Classes):
    def target(self, targets: Targets) -> Tensor:
        return super().target(targets).double()


class TakesAnything(Classes):
    def check(self, targets: Targets) -> None:
        pass


class InPlace(Classes):
    def decode(self, outputs: Tensor) -> dict[str, Tensor]:
        return super().decode(outputs.sub_(1))


class OneLossForAll(Classes):
    def losses(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        return F.cross_entropy(outputs, target, weight=weight)


class ComparesSamples(Classes):
    def losses(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        return super().losses(outputs - outputs.mean(0), target, weight)


class LosesAGradient(Classes):
    def losses(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        return super().losses(outputs, target, weight) + outputs.detach().square().sum(1)


class RewardsMistakes(Classes):
    def scores(self, outputs: Tensor, targets: Targets) -> dict[str, float]:
        return {**super().scores(outputs, targets), "accuracy": 1 - super().scores(outputs, targets)["accuracy"]}


class AnnouncesMore(Classes):
    def __init__(self, column: str, names: tuple[str, ...]) -> None:
        super().__init__(column, names)
        self.scored = (*self.scored, "kappa")


class MindsTheFirst(Classes):
    def scores(self, outputs: Tensor, targets: Targets) -> dict[str, float]:
        return {**super().scores(outputs, targets), "macro_f1": outputs[0, 0].item()}


class TalliesWrong(Classes):
    def sums(self, outputs: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {"accuracy": super().sums(outputs, target)["accuracy"] + 1}


class DecodesToFloats(Classes):
    def decode(self, outputs: Tensor) -> dict[str, Tensor]:
        return {self.column: outputs.argmax(1).float()}


class NoShares(Classes):
    def likelihoods(self, outputs: Tensor) -> Tensor:
        return torch.sigmoid(outputs)


class MadeOfHalves(Classes):
    def logits(self, logarithms):
        return logarithms / 2


class MoreThanSure(Classes):
    def sureness(self, outputs: Tensor) -> Tensor:
        return 2 * outputs.exp().max(1).values


class HardTargetsOnly(Classes):
    def losses(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        return F.cross_entropy(outputs, target.argmax(1), weight=weight, reduction="none")


class StaysShort(Classes):
    def loss(self, outputs: Tensor, encoded: Targets, weights: Targets | None = None) -> Tensor:
        return super().loss(outputs, encoded, weights).to(outputs.dtype)


class SmoothsAway(Classes):
    def softened(self, target: Tensor, amount: float) -> Tensor:
        return target * (1 - amount)


class NeverWeighs(Classes):
    def losses(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        return super().losses(outputs, target)


class EachUnlikeTheLast(Classes):
    serial = itertools.count(1)

    def __init__(self, column: str, names: tuple[str, ...]) -> None:
        super().__init__(column, names)
        self.scale = next(self.serial)

    def losses(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        return self.scale * super().losses(outputs, target, weight)


BROKEN = {
    "targets_are_encoded_for_each_head": (DoubleTargets, "They are {torch.float64}."),
    "a_missing_column_is_refused": (TakesAnything, "label was left out, and nobody minded."),
    "what_is_given_is_left_alone": (InPlace, "The outputs changed."),
    "loss_has_a_way_down": (OneLossForAll, "For 40 samples its shape is ()."),
    "loss_of_a_sample_is_its_own": (ComparesSamples, "By itself it is"),
    "gradient_is_that_of_the_loss": (LosesAGradient, "It is another."),
    "lower_loss_is_better_score": (RewardsMistakes, "As the loss fell, accuracy went from"),
    "metrics_are_those_announced": (AnnouncesMore, "'kappa']."),
    "order_of_samples_does_not_matter": (MindsTheFirst, "macro_f1 is"),
    "tallies_agree_with_metrics": (TalliesWrong, "by the tally"),
    "every_column_is_decoded": (DecodesToFloats, "label is torch.float32, not torch.int64."),
    "probabilities_are_shares": (NoShares, "Those of head label are not so."),
    "outputs_can_be_made_of_probabilities": (MadeOfHalves, "Those of head label are other ones."),
    "confidences_are_shares": (MoreThanSure, "Those of label go from"),
    "blended_targets_count": (HardTargetsOnly, "some cost as much as before."),
    "half_precision_is_judged_in_full": (StaysShort, "It is torch.bfloat16."),
    "smoothing_keeps_distributions": (SmoothsAway, "no longer sum to 1."),
    "class_weights_count": (NeverWeighs, "cost no more than weights of 1."),
    "canonical_text_means_the_same": (EachUnlikeTheLast, "made anew, measured otherwise."),
}


@pytest.fixture
def register() -> Iterator[Callable[[type[Classes]], None]]:
    """Makes an objective known as ``own``, until the end of the test."""

    def known(kind: type[Classes]) -> None:
        @objectives.register("own")
        def own(columns: Columns, column: str | None = None) -> Objective:
            return kind(*named_classes(columns, column, "own"))

    yield known
    objectives.remove("own")


def test_every_check_is_shown_failing() -> None:
    assert [check.__name__ for check in objective_checks("classes")] == list(BROKEN)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_found(name: str, register: Callable[[type[Classes]], None]) -> None:
    kind, words = BROKEN[name]
    register(kind)
    assert words in refusal(objective_checks("own"), name)


def test_an_objective_of_ones_own_is_checked_in_a_line(register: Callable[[type[Classes]], None]) -> None:
    register(Classes)
    check_objective("own")
    check_objective("own(column=side)", {"side": ("left", "right")}, {"side": torch.tensor([0, 1, 1, 0, 1])})


def test_numbers_may_be_given_as_targets() -> None:
    check_objective("scalar(range=[0, 10])", {"legs": None}, {"legs": torch.tensor([2.0, 4.0, 8.0, 6.0])})
