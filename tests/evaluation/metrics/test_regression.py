import numpy as np
import pytest

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import NumberPredictions, number_predictions
from cnnlab.runs import Predictions


def stored(objective: str, outputs: dict[str, list], targets: dict[str, list], **classes: tuple[str, ...]):
    columns = {
        name: np.array(values, dtype=np.int64 if name in classes else np.float32) for name, values in targets.items()
    }
    count = len(next(iter(columns.values()))) if columns else len(next(iter(outputs.values())))
    return Predictions(
        outputs={head: np.array(rows, dtype=np.float32) for head, rows in outputs.items()},
        targets=columns,
        ids=[str(place) for place in range(count)],
        objective=objective,
        classes=classes,
        data="d",
        split="test",
    )


def test_a_number_is_put_beside_the_true_one() -> None:
    # A scalar's output counts from the middle of the range, in halves of it.
    (predictions,) = number_predictions(
        stored("scalar(column=age, range=[0, 100])", {"age": [[0.0], [0.5]]}, {"age": [40.0, 80.0]})
    )
    assert (predictions.name, predictions.period, predictions.unit, len(predictions)) == ("age", None, "number", 2)
    np.testing.assert_allclose(predictions.predicted, [50, 75])
    np.testing.assert_allclose(predictions.errors, [10, -5])
    np.testing.assert_allclose(predictions.distances, [10, 5])


def test_around_a_circle_errors_go_the_shorter_way() -> None:
    predictions = NumberPredictions("angle", np.array([350.0, 10.0, 0.0]), np.array([10.0, 350.0, 90.0]), 360.0)
    np.testing.assert_allclose(predictions.errors, [20, -20, 90])
    np.testing.assert_allclose(predictions.distances, [20, 20, 90])


def test_of_a_clock_it_is_the_time() -> None:
    hours, minutes = tuple(map(str, range(12))), tuple(map(str, range(60)))
    logits = np.full((2, 72), -9.0)
    # Said are 11:55 and 6:30; true are 0:05 and 6:31.
    for row, (hour, minute) in enumerate([(11, 55), (6, 30)]):
        logits[row, [hour, 12 + minute]] = 9.0
    objective = "multi-head(hour=classes(column=hour), minute=classes(column=minute))"
    outputs = {"hour": logits[:, :12].tolist(), "minute": logits[:, 12:].tolist()}
    targets = {"hour": [0, 6], "minute": [5, 31]}
    (predictions,) = number_predictions(stored(objective, outputs, targets, hour=hours, minute=minutes))
    assert (predictions.name, predictions.period, predictions.unit) == ("time", 720.0, "minutes")
    np.testing.assert_allclose(predictions.truth, [5, 391])
    np.testing.assert_allclose(predictions.errors, [-10, -1])


def test_several_heads_each_give_their_number_and_classes_give_none() -> None:
    objective = "multi-head(label=classes(column=label), age=scalar(column=age, range=[0, 100]))"
    outputs = {"label": [[1.0, 0.0]], "age": [[0.0]]}
    predictions = number_predictions(stored(objective, outputs, {"label": [0], "age": [50.0]}, label=("a", "b")))
    assert [number.name for number in predictions] == ["age"]
    only = stored("classes(column=label)", {"label": [[1.0, 0.0]]}, {"label": [0]}, label=("a", "b"))
    assert number_predictions(only) == ()


def test_the_best_constant_guess_is_the_median_on_a_line_and_searched_on_a_circle() -> None:
    line = NumberPredictions("x", np.array([0.0, 1.0, 10.0]), np.zeros(3))
    # From 1: (1 + 0 + 9) / 3.
    assert line.guess == pytest.approx(10 / 3)
    circle = NumberPredictions("x", np.array([350.0, 0.0, 10.0]), np.zeros(3), 360.0)
    assert circle.guess == pytest.approx(20 / 3)
    every = NumberPredictions("x", np.arange(720.0), np.zeros(720), 720.0)
    assert every.guess == pytest.approx(180)


def test_without_targets_or_with_nan_it_says_so() -> None:
    objective = "scalar(column=age, range=[0, 100])"
    with pytest.raises(UsageError, match="targets of test are not known"):
        number_predictions(stored(objective, {"age": [[0.0]]}, {}))
    with pytest.raises(UsageError, match="not finite"):
        number_predictions(stored(objective, {"age": [[float("nan")]]}, {"age": [1.0]}))
