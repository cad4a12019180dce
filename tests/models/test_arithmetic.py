"""The arithmetic of layers: a report's own answers, torch as an oracle, and what is said on the way."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from cnnlab import arithmetic
from cnnlab.core.errors import UsageError

RED, GREEN, BLUE = [[1] * 4] * 4, [[2] * 4] * 4, [[row] * 4 for row in (1, 2, 3, 4)]
PICTURE = [RED, GREEN, BLUE]
"""The picture of the theoretical questions of Wattanasirichaigoon."""
KERNEL = [[[1] * 3] * 3] * 3


@pytest.mark.parametrize(
    ("asked", "output"),
    [
        ({"shape": (128, 128, 32), "filters": 16}, (126, 126, 16)),
        ({"shape": (128, 128, 32), "filters": 16, "stride": 2}, (63, 63, 16)),
        ({"shape": (64, 64, 32), "filters": 16, "kernel": 1}, (64, 64, 16)),
    ],
)
def test_sizes_are_the_answers_of_the_report(asked, output):
    assert arithmetic.conv(**asked).output == output


def test_formula_is_filled_in():
    answer = arithmetic.conv((128, 100, 32), 16, 3, stride=2)
    assert "floor((128 + 2·0 - 3) / 2) + 1 = floor(125 / 2) + 1 = 62 + 1 = 63" in answer.working[0]
    assert "floor((100 + 2·0 - 3) / 2) + 1 = floor(97 / 2) + 1 = 48 + 1 = 49" in answer.working[1]
    assert (answer.weights, answer.biases) == (3 * 3 * 32 * 16, 16)
    assert answer.multiply_adds == 3 * 3 * 32 * 16 * 63 * 49
    assert str(answer).splitlines()[0] == "a convolution of 16 filters 3×3×32 on 128×100×32 gives 63×49×16"


def test_dilated_kernel_reaches_further():
    answer = arithmetic.conv((10, 10, 1), 1, 3, dilation=3)
    assert answer.output == (4, 4, 1) and "3·(3 - 1) + 1 = 7" in answer.working[0]


def test_pool_rounds_down_or_up():
    assert arithmetic.pool((7, 7, 256)).output == (3, 3, 256)
    assert arithmetic.pool((7, 7, 256), ceil=True).output == (4, 4, 256)
    dropped = arithmetic.pool((3, 3, 1), 2, stride=3, padding=1, ceil=True)
    assert dropped.output == (2, 2, 1)
    assert "in the padding alone" in str(arithmetic.pool((2, 2, 1), 2, stride=3, padding=1, ceil=True))


def test_dense_layer_on_a_picture_and_on_a_vector():
    assert arithmetic.dense((4, 4, 256), 1024).weights == 4_194_304
    answer = arithmetic.dense((1024,), 10)
    assert (answer.output, answer.weights, answer.biases, answer.parameters) == ((10,), 10_240, 10, 10_250)
    assert arithmetic.dense((1024,), 10, bias=False).biases == 0


@given(
    *(st.integers(1, 24), st.integers(1, 24), st.integers(1, 6), st.integers(1, 4)),
    *(st.one_of(st.integers(0, 4), st.sampled_from(["same", "valid"])), st.integers(1, 3)),
)
def test_size_of_a_convolution_is_that_of_torch(height, width, kernel, stride, padding, dilation):
    total = dilation * (kernel - 1) if padding == "same" else 0 if padding == "valid" else 2 * padding
    before = total // 2
    padded = F.pad(torch.zeros(1, 2, height, width), (before, total - before, before, total - before))
    try:
        answer = arithmetic.conv((height, width, 2), 3, kernel, stride, padding, dilation)
    except UsageError:
        with pytest.raises(RuntimeError):
            F.conv2d(padded, torch.zeros(3, 2, kernel, kernel), stride=stride, dilation=dilation)
        return
    made = F.conv2d(padded, torch.zeros(3, 2, kernel, kernel), stride=stride, dilation=dilation)
    rows, columns, filters = answer.output
    assert made.shape[1:] == (filters, rows, columns)


def test_convolution_of_the_report_without_and_with_padding_and_dilated():
    assert arithmetic.convolve(PICTURE, KERNEL).result.tolist() == [[45, 45], [54, 54]]
    assert arithmetic.convolve(PICTURE, KERNEL, padding=1).result.tolist() == [
        *([18, 27, 27, 18], [30, 45, 45, 30], [36, 54, 54, 36], [26, 39, 39, 26])
    ]
    assert arithmetic.convolve(PICTURE, KERNEL, padding="same", dilation=2).result.tolist() == [
        *([20] * 4, [24] * 4, [20] * 4, [24] * 4)
    ]


def test_sum_of_each_channel_is_told_as_in_the_report():
    first = arithmetic.convolve(PICTURE, KERNEL).steps[0]
    assert first.sums == (9, 18, 18) and first.value == 45
    assert "sum = 9 + 18 + 18 = 45" in str(arithmetic.convolve(PICTURE, KERNEL))


def test_max_pooling_of_the_report():
    assert arithmetic.max_pool(PICTURE).result.tolist() == [[[1, 1], [1, 1]], [[2, 2], [2, 2]], [[2, 2], [4, 4]]]


def test_steps_hold_window_product_sum_and_position():
    slide = arithmetic.convolve([[1, 2, 3], [4, 5, 6]], [[1, 0], [0, -1]], padding=1, stride=2)
    step = slide.steps[1]
    assert (step.position, step.corner) == ((0, 1), (-1, 1))
    assert step.window.tolist() == [[0, 0], [2, 3]]
    assert step.product.tolist() == [[0, 0], [0, -3]]
    assert step.sums == (-3,) and step.value == -3
    assert str(slide).split("\n\n")[1] == (
        "step 2: row 0, column 1; the window starts at row -1, column 1\n"
        "  0 0      1  0      0  0\n"
        "  2 3  ×   0 -1  =   0 -3  sum = (-3)"
    )


def test_pool_marks_what_lies_outside_the_picture():
    slide = arithmetic.average_pool([[1, 2, 6]], 2, padding=1, ceil=True)
    assert slide.result.tolist() == [[1, 4]]
    assert str(slide).split("\n\n")[0].splitlines()[1:] == ["  · ·", "  · 1  mean = 1"]
    assert json.loads(json.dumps(slide.to_dict()))["steps"][0]["window"] == [[None, None], [None, 1.0]]


numbers = st.integers(-9, 9)


@st.composite
def matrices(draw):
    count, rows, columns = draw(st.sampled_from([None, 1, 3])), draw(st.integers(1, 7)), draw(st.integers(1, 7))
    shape = (rows, columns) if count is None else (count, rows, columns)
    size = math.prod(shape)
    values = draw(st.lists(numbers, min_size=size, max_size=size))
    return np.array(values, dtype=float).reshape(shape)


def batched(matrix: np.ndarray) -> torch.Tensor:
    return torch.tensor(matrix).reshape(1, -1, *matrix.shape[-2:])


@given(matrices(), st.integers(1, 3), st.integers(0, 2), st.integers(1, 3), st.integers(1, 2), st.randoms())
def test_convolution_is_that_of_torch(picture, side, padding, stride, dilation, random):
    kernel = np.array([random.randint(-9, 9) for _ in range(picture[..., 0, 0].size * side * side)], dtype=float)
    kernel = kernel.reshape(*picture.shape[:-2], side, side)
    try:
        slide = arithmetic.convolve(picture, kernel, padding=padding, stride=stride, dilation=dilation)
    except UsageError:
        assert min(picture.shape[-2:]) + 2 * padding < dilation * (side - 1) + 1
        return
    expected = F.conv2d(batched(picture), batched(kernel), stride=stride, padding=padding, dilation=dilation)[0, 0]
    assert torch.equal(torch.tensor(slide.result), expected)
    assert [step.value for step in slide.steps] == expected.flatten().tolist()
    assert all(step.value == pytest.approx((step.window * kernel).sum()) for step in slide.steps)


@given(matrices(), st.integers(1, 4), st.sampled_from([None, 1, 2, 3]), st.integers(0, 2), st.booleans())
def test_pooling_is_that_of_torch(picture, size, stride, padding, ceil):
    options = {"stride": stride, "padding": padding}
    try:
        highest = arithmetic.max_pool(picture, size, **options, ceil=ceil)
        mean = arithmetic.average_pool(picture, size, **options, ceil=ceil)
    except UsageError:
        assert padding > size // 2 or min(picture.shape[-2:]) + 2 * padding < size
        return
    pictures = batched(picture)
    expected = F.max_pool2d(pictures, size, **options, ceil_mode=ceil)
    assert torch.equal(torch.tensor(highest.result).reshape(expected.shape), expected)
    expected = F.avg_pool2d(pictures, size, **options, ceil_mode=ceil, count_include_pad=False)
    assert torch.allclose(torch.tensor(mean.result).reshape(expected.shape), expected)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: arithmetic.conv((4, 4), 3), "height×width×channels"),
        (lambda: arithmetic.conv((4, 4, 1), 3, 5), "a kernel that spans 5 pixels does not fit into a height of 4"),
        (lambda: arithmetic.conv((4, 4, 1), 0), "filters"),
        (lambda: arithmetic.conv((4, 4, 1), 3, padding="some"), "same or valid"),
        (lambda: arithmetic.conv((4, 4, 1), 3, padding=-1), "below 0"),
        (lambda: arithmetic.pool((4, 4, 1), 2, padding=2), "half the window"),
        (lambda: arithmetic.pool((4, 4, 1), 2, padding="same", ceil=True), "leave ceil out"),
        (lambda: arithmetic.dense((), 3), "vector"),
        (lambda: arithmetic.convolve([[1, 2], [3]], [[1]]), "one length"),
        (lambda: arithmetic.convolve([1, 2], [[1]]), "rows×columns"),
        (lambda: arithmetic.convolve(PICTURE, [[1]]), "same number of channels"),
        (lambda: arithmetic.convolve([[1, 2]], [[1, 2]]), "as high as wide"),
        (lambda: arithmetic.max_pool([["a"]]), "rows of numbers"),
    ],
)
def test_what_cannot_be_worked_out_is_said(wrong, words):
    with pytest.raises(UsageError, match=words):
        wrong()
