import pytest

from cnnlab.training.early_stopping import EarlyStopping


def stops_after(patience: int | None, epochs: list[bool]) -> int | None:
    """The first epoch after which the patience is out; None where it never is."""
    stopping = EarlyStopping(patience)
    for epoch, is_best in enumerate(epochs, start=1):
        stopping.after_epoch(is_best)
        if stopping.is_over:
            return epoch
    return None


@pytest.mark.parametrize(
    ("patience", "epochs", "expected"),
    [
        (1, [True, False, True], 2),
        (2, [True, False, True, False, False], 5),
        (3, [True, False, False], None),
        (None, [True] + [False] * 50, None),
        # A metric that is never a number.
        (2, [False, False, False], 2),
        (3, [False, False, True, False, False, False], 6),
    ],
)
def test_it_stops_after_so_many_epochs_without_a_better_one(
    patience: int | None, epochs: list[bool], expected: int | None
) -> None:
    assert stops_after(patience, epochs) == expected
