"""Numbers that can be worked out by hand, or by scikit-learn."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle
from torch import Tensor

from cnnlab import objectives
from cnnlab.objectives import Columns
from cnnlab.objectives.binary import area_under_roc

CLOCK: Columns = {"hour": tuple(map(str, range(12))), "minute": tuple(map(str, range(60)))}
SIDE: Columns = {"side": ("left", "right")}


def vectors(minutes: list[float], period: float, length: float = 1.0) -> Tensor:
    angles = torch.tensor(minutes, dtype=torch.float64) * 2 * math.pi / period
    return length * torch.stack([angles.sin(), angles.cos()], dim=1)


def time(*pairs: tuple[int, int]) -> dict[str, Tensor]:
    return {"hour": torch.tensor([h for h, _ in pairs]), "minute": torch.tensor([m for _, m in pairs])}


def test_five_to_twelve_and_five_past_are_ten_minutes_apart() -> None:
    objective = objectives.build_objective("circular(720, column=[hour, minute])", CLOCK)
    scores = objective.metrics(vectors([715, 0.5, 60, 100], 720), time((0, 5), (0, 0), (7, 0), (1, 38)))
    assert scores["clock_mean_error"] == pytest.approx((10 + 0.5 + 360 + 2) / 4)
    assert scores["clock_median_error"] == pytest.approx(6)
    assert [scores[f"clock_within_{near}"] for near in (1, 5, 10)] == [0.25, 0.5, 0.75]
    assert scores["mean_absolute_error"] == pytest.approx(scores["clock_mean_error"])


def test_a_dial_read_as_minutes_and_as_hours_has_the_same_error_in_minutes() -> None:
    truth = time((3, 30), (11, 50))
    # 3:30 read as 3:36; 11:50 as 12:02, beyond the range, which around the dial is 12 minutes and not 708.
    minutes = objectives.build_objective("scalar(column=[hour, minute], range=[0, 720])", CLOCK)
    hours = objectives.build_objective("scalar(column=[hour, minute], units=[1, 1/60], range=[0, 12])", CLOCK)
    said = torch.tensor([[216.0], [722.0]], dtype=torch.float64) / 360 - 1
    for objective, scale in ((minutes, 1.0), (hours, 1 / 60)):
        scores = objective.metrics(said, truth)
        assert scores["mean_absolute_error"] == pytest.approx(9 * scale)
        assert scores["clock_mean_error"] == pytest.approx(9)
        assert {name: column.tolist() for name, column in objective.decode(said[:1]).items()} == {
            "hour": [3],
            "minute": [36],
        }


@pytest.mark.parametrize(
    ("loss", "expected"), [("mse", [0.0025, 1.0]), ("mae", [0.05, 1.0]), ("huber", [0.00125, 0.095])]
)
def test_scalar_losses(loss: str, expected: list[float]) -> None:
    # In the scale of [-1, 1] the outputs are off by 0.05 and by 1; Huber's bends at 0.1.
    objective = objectives.build_objective(f"scalar(range=[0, 10], loss={loss})", {"size": None})
    encoded = objective.encode({"size": torch.tensor([5.0, 10.0])})
    torch.testing.assert_close(encoded["size"], torch.tensor([[0.0], [1.0]]))
    torch.testing.assert_close(objective.loss(torch.tensor([[0.05], [0.0]]), encoded), torch.tensor(expected))


def test_numbers_lie_in_the_bins_that_cover_them() -> None:
    objective = objectives.build_objective("bins(24, [0, 720], column=[hour, minute])", CLOCK)
    wanted = time((0, 0), (0, 29), (0, 30), (11, 59))
    assert objective.encode(wanted)["hour-minute"].argmax(1).tolist() == [0, 0, 1, 23]
    scores = objective.metrics(100 * torch.eye(24)[[0, 0, 2, 0]], wanted)
    # Centres 15, 15, 75, 15 for 0, 29, 30, 719.
    assert scores["accuracy"] == 0.5
    assert scores["mean_absolute_error"] == pytest.approx((15 + 14 + 45 + 704) / 4)
    assert scores["clock_mean_error"] == pytest.approx((15 + 14 + 45 + 16) / 4)
    around = objectives.build_objective("bins(24, [0, 720], column=[hour, minute], circular=true)", CLOCK)
    assert around.metrics(100 * torch.eye(24)[[0, 0, 2, 0]], wanted)["mean_absolute_error"] == pytest.approx(22.5)


def test_labels_are_spread_in_a_bell_around_the_number_and_around_the_circle() -> None:
    objective = objectives.build_objective("bins(6, [0, 6], column=size, circular=true, spread=0.5)", {"size": None})
    (row,) = objective.encode({"size": torch.tensor([5.75])})["size"].tolist()
    # Distances of the centres 0.5, 1.5, … from 5.75 around a circle of 6.
    bell = [math.exp(-0.5 * (d / 0.5) ** 2) for d in (0.75, 1.75, 2.75, 2.25, 1.25, 0.25)]
    assert row == pytest.approx([b / sum(bell) for b in bell], rel=1e-5)


def test_bins_decode_to_a_centre_to_the_mean_or_to_the_mean_nearby() -> None:
    outputs = torch.tensor([[0.5, 0.25, 0.0001, 0.0001, 0.0001, 0.2497]]).log()
    said = {
        how: objectives.build_objective(f"bins(6, [0, 6], column=size, decode={how})", {"size": None}).decode(outputs)[
            "size"
        ]
        for how in ("centre", "mean", "near")
    }
    assert said["centre"].item() == 0.5
    assert said["mean"].item() == pytest.approx(0.25 + 0.375 + 0.0001 * (2.5 + 3.5 + 4.5) + 0.2497 * 5.5)
    assert said["near"].item() == pytest.approx((0.25 + 0.375 + 0.00025) / 0.7501)
    around = objectives.build_objective("bins(6, [0, 6], column=size, circular=true, decode=mean)", {"size": None})
    # A quarter on either side of the first bin: their mean is its centre.
    assert around.decode(torch.tensor([[0.5, 0.25, 1e-9, 1e-9, 1e-9, 0.25]]).log())["size"].item() == pytest.approx(0.5)


def test_angle_and_length_of_the_vector_are_number_and_confidence() -> None:
    objective = objectives.build_objective("circular(360, column=angle)", {"angle": None})
    outputs = torch.tensor([[0.5, 0.0], [0.0, -2.0], [-0.3, 0.3]])
    assert objective.decode(outputs)["angle"].tolist() == pytest.approx([90, 180, 315])
    assert objective.confidences(outputs)["angle"].tolist() == pytest.approx([0.5, 1, 0.3 * math.sqrt(2)])


def test_minute_hand_settles_the_minute_and_the_hour_hand_the_hour() -> None:
    spec = "multi-head(hour=circular(720, column=[hour, minute]), minute=circular(60))"
    objective = objectives.build_objective(spec, CLOCK)
    # The hour hand says 2:50, 3:20 and 11:50, the minute hand 58, 40 and 2: 2:58, 3:40 (nearer than 2:40) and 12:02.
    outputs = torch.cat([vectors([170, 200.1, 710], 720, 0.9), vectors([58, 40, 2], 60, 0.95)], dim=1)
    assert {name: column.tolist() for name, column in objective.decode(outputs).items()} == {
        "hour": [2, 3, 0],
        "minute": [58, 40, 2],
    }
    scores = objective.metrics(outputs, time((2, 57), (3, 40), (0, 4)))
    assert scores["clock_mean_error"] == pytest.approx(1)
    assert scores["hour_mean_absolute_error"] == pytest.approx((7 + 19.9 + 14) / 3)
    assert scores["minute_mean_absolute_error"] == pytest.approx(1)
    assert objective.confidences(outputs)["minute"].tolist() == pytest.approx([0.95] * 3)
    assert objective.confidences(outputs)["hour"].tolist() == pytest.approx([0.9] * 3)


def test_losses_of_heads_are_weighted_and_told_apart() -> None:
    objective = objectives.build_objective("multi-head(hour=classes, minute=scalar, weights=[2, 0.5])", CLOCK)
    wanted = time((4, 10), (5, 20))
    outputs = torch.randn(2, 13, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scores = objective.metrics(outputs, wanted)
    cross_entropy = oracle.log_loss([4, 5], torch.softmax(outputs[:, :12], 1).numpy(), labels=range(12))
    square = ((outputs[:, 12] - (torch.tensor([10.0, 20.0]) - 29.5) / 29.5) ** 2).mean().item()
    assert scores["hour_loss"] == pytest.approx(cross_entropy)
    assert scores["minute_loss"] == pytest.approx(square, rel=1e-6)
    assert scores["loss"] == pytest.approx(2 * cross_entropy + 0.5 * square, rel=1e-6)
    said = outputs[:, :12].argmax(1) * 60 + 29.5 * (outputs[:, 12] + 1)
    apart = (said - torch.tensor([250.0, 320.0])).abs()
    assert scores["clock_mean_error"] == pytest.approx(torch.minimum(apart, 720 - apart).mean().item())


def test_probabilities_of_binary_are_those_of_both_classes() -> None:
    objective, logits = objectives.build_objective("binary", SIDE), torch.tensor([[0.0], [math.log(3)]])
    torch.testing.assert_close(objective.probabilities(logits)["side"], torch.tensor([[0.5, 0.5], [0.25, 0.75]]))


def test_area_under_roc_counts_ties_as_half_and_needs_both_classes() -> None:
    # Of four pairs one is in order, one tied and two the wrong way round: 1.5 of 4.
    scores = torch.tensor([1.0, 3.0, 1.0, 2.0])
    assert area_under_roc(scores, torch.tensor([0, 0, 1, 1])) == pytest.approx(1.5 / 4)
    assert math.isnan(area_under_roc(scores, torch.zeros(4).long()))


def test_class_weights_of_binary_are_those_of_its_two_classes() -> None:
    objective = objectives.build_objective("binary", SIDE)
    encoded = objective.encode({"side": torch.tensor([0, 1])})
    plain = objective.loss(torch.tensor([[0.3], [0.3]]), encoded)
    weighted = objective.loss(torch.tensor([[0.3], [0.3]]), encoded, {"side": torch.tensor([2.0, 5.0])})
    torch.testing.assert_close(weighted, plain * torch.tensor([2.0, 5.0]))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 719), st.floats(-0.49, 0.49))
def test_every_time_of_the_dial_is_decoded_to_its_minute(minutes: int, off: float) -> None:
    objective = objectives.build_objective("circular(720, column=[hour, minute])", CLOCK)
    decoded = objective.decode(vectors([minutes + off], 720))
    assert (decoded["hour"].item(), decoded["minute"].item()) == divmod(minutes, 60)
    said = objective.numbers(vectors([minutes + off], 720))
    apart = abs(60 * said["hour"].item() + said["minute"].item() - minutes - off)
    assert min(apart, 720 - apart) < 1e-6
