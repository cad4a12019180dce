import pytest

from cnnlab.core.number_text import counted, deciding_digits, fixed, plain_number, with_minus


def test_a_minus_is_a_minus_and_zero_bears_no_sign() -> None:
    assert (fixed(-1.25, 1), fixed(-0.04, 1), fixed(0.04, 1, sign=True)) == ("−1.2", "0.0", "0.0")
    assert (fixed(1234.5, 1, sign=True, grouped=True), fixed(-1234.5, 0, grouped=True)) == ("+1,234.5", "−1,234")
    assert (with_minus("-1e-05"), with_minus("1e-05")) == ("−1e-05", "1e-05")


@pytest.mark.parametrize(
    ("values", "levels", "least", "digits"),
    [
        ([-0.04, 0.31], [0.0], 1, 2),
        ([0.04], [], 1, 1),
        ([0.0, 0.3], [0.0], 1, 1),
        ([89.996], [90.0], 2, 3),
        ([1e-12], [0.0], 2, 2),
        ([0.0501, 0.0499], [0.05], 3, 4),
    ],
)
def test_there_are_as_many_digits_as_show_the_side_of_a_level(values, levels, least, digits) -> None:
    assert deciding_digits(values, levels, least) == digits


def test_one_is_singular() -> None:
    assert [counted(count, "epoch") for count in (0, 1, 2, 1200)] == ["0 epochs", "1 epoch", "2 epochs", "1,200 epochs"]


def test_a_plain_number_is_written_as_it_stands() -> None:
    values = [4194304.0, 4, -3.0, 0.0152577, 0.35642857, -0.5]
    assert [plain_number(value) for value in values] == ["4,194,304", "4", "−3", "0.0152577", "0.356429", "−0.5"]
