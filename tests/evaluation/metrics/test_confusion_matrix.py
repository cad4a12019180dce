import numpy as np
import pytest

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import confusion
from cnnlab.runs import Predictions

NAMES = ("cat", "dog", "owl")
TRUE = [0, 0, 0, 1, 1, 2]
TAKEN = [0, 1, 1, 1, 2, 2]


def _predictions(**changes: object) -> Predictions:
    facts = {
        "outputs": {"label": np.eye(3, dtype=np.float32)[TAKEN]},
        "targets": {"label": np.array(TRUE)},
        "ids": [str(place) for place in range(6)],
        "objective": "classes(column=none)",
        "classes": {"label": NAMES},
        "data": "d",
        "split": "test",
    }
    return Predictions(**{**facts, **changes})  # type: ignore[arg-type]


def test_rows_are_true_classes_and_columns_predicted_ones() -> None:
    matrix = confusion(_predictions())
    assert matrix.names == NAMES
    assert matrix.counts.tolist() == [[1, 2, 0], [0, 1, 1], [0, 0, 1]]


def test_shares_are_of_the_true_class_and_an_absent_class_has_none() -> None:
    matrix = confusion(_predictions(targets={"label": np.array([0, 0, 0, 1, 1, 1])}))
    np.testing.assert_allclose(matrix.shares, [[1 / 3, 2 / 3, 0], [0, 1 / 3, 2 / 3], [0, 0, 0]])


def test_accuracy_is_the_share_on_the_diagonal() -> None:
    assert confusion(_predictions()).accuracy == 0.5


def test_mistakes_come_with_the_most_frequent_first() -> None:
    assert confusion(_predictions()).mistakes() == [("cat", "dog", 2), ("dog", "owl", 1)]
    assert confusion(_predictions()).mistakes(most=1) == [("cat", "dog", 2)]


def test_predictions_without_targets_have_no_matrix() -> None:
    with pytest.raises(UsageError, match="targets of test are not known"):
        confusion(_predictions(targets={}))


def test_a_column_that_holds_no_classes_is_refused() -> None:
    with pytest.raises(UsageError, match="Did you mean label"):
        confusion(_predictions(), "labels")


def _time(objective: str, heads: dict[str, int]) -> Predictions:
    source = np.random.default_rng(0)
    return _predictions(
        outputs={head: source.normal(size=(6, width)).astype(np.float32) for head, width in heads.items()},
        targets={"hour": np.arange(6), "minute": np.arange(6), "age": np.ones(6, np.float32)},
        objective=objective,
        classes={"hour": tuple(map(str, range(12))), "minute": tuple(map(str, range(60)))},
    )


def test_a_number_has_no_matrix() -> None:
    with pytest.raises(UsageError, match="age is predicted as a number"):
        confusion(_time("scalar(column=age, range=[0, 1])", {"age": 1}))


def test_a_column_that_is_not_predicted_has_no_matrix() -> None:
    predictions = _time("classes(column=hour)", {"hour": 12})
    assert confusion(predictions).counts.shape == (12, 12)
    with pytest.raises(UsageError, match="minute is not predicted"):
        confusion(predictions, "minute")


def test_hours_decoded_from_an_angle_can_be_taken_for_one_another() -> None:
    predictions = _time("circular(720, column=[hour, minute])", {"hour-minute": 2})
    assert confusion(predictions, "hour").counts.sum(1).tolist() == [1] * 6 + [0] * 6
    with pytest.raises(UsageError, match="name one of the columns"):
        confusion(predictions)


def test_the_matrix_as_plain_lists() -> None:
    assert confusion(_predictions()).to_dict()["counts"][0] == [1, 2, 0]
