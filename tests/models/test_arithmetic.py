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
from cnnlab.models.shapes import pair

RED, GREEN, BLUE = [[1] * 4] * 4, [[2] * 4] * 4, [[row] * 4 for row in (1, 2, 3, 4)]
IMAGE = [RED, GREEN, BLUE]
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


def test_kernel_that_is_wider_than_high_is_worked_out_along_each_axis():
    answer = arithmetic.conv((40, 400, 2), 16, (3, 9), stride=(1, 2), padding="same")
    assert answer.output == (40, 200, 16) and answer.weights == 3 * 9 * 2 * 16
    assert "weights = height · width of the kernel · channels · filters = 3·9·2·16 = 864" in str(answer)
    assert str(answer).startswith("a convolution of 16 filters 3×9×2 on 40×400×2 gives 40×200×16\n")
    told = str(arithmetic.conv((10, 10, 1), 1, (3, 2), padding="same", dilation=(3, 1)))
    assert "along the height, reach of the kernel = dilation·(kernel - 1) + 1 = 3·(3 - 1) + 1 = 7" in told
    assert "along the width, padding = 0 before and 1 after, which keeps the size at stride 1" in told


def test_dilated_kernel_reaches_further():
    answer = arithmetic.conv((10, 10, 1), 1, 3, dilation=3)
    assert answer.output == (4, 4, 1) and "3·(3 - 1) + 1 = 7" in answer.working[0]


def test_pool_rounds_down_or_up():
    assert arithmetic.pool((7, 7, 256)).output == (3, 3, 256)
    assert arithmetic.pool((7, 7, 256), ceil=True).output == (4, 4, 256)
    dropped = arithmetic.pool((3, 3, 1), 2, stride=3, padding=1, ceil=True)
    assert dropped.output == (2, 2, 1)
    assert "in the padding alone" in str(arithmetic.pool((2, 2, 1), 2, stride=3, padding=1, ceil=True))


def test_dense_layer_on_a_image_and_on_a_vector():
    assert arithmetic.dense((4, 4, 256), 1024).weights == 4_194_304
    answer = arithmetic.dense((1024,), 10)
    assert (answer.output, answer.weights, answer.biases, answer.parameters) == ((10,), 10_240, 10, 10_250)
    assert arithmetic.dense((1024,), 10, bias=False).biases == 0


def sides(least, most):
    """A number for both axes, or one for each."""
    number = st.integers(least, most)
    return st.one_of(number, st.tuples(number, number))


def around(padding, kernel, dilation):
    """Zeros before and after along one axis."""
    total = dilation * (kernel - 1) if padding == "same" else 0 if padding == "valid" else 2 * padding
    return total // 2, total - total // 2


@given(
    *(st.integers(1, 24), st.integers(1, 24), sides(1, 6), sides(1, 4)),
    *(st.one_of(sides(0, 4), st.sampled_from(["same", "valid"])), sides(1, 3)),
)
def test_size_of_a_convolution_is_that_of_torch(height, width, kernel, stride, padding, dilation):
    kernels, dilations = pair(kernel), pair(dilation)
    paddings = (padding, padding) if isinstance(padding, str) else pair(padding)
    above, beside = (around(*axis) for axis in zip(paddings, kernels, dilations, strict=True))
    padded = F.pad(torch.zeros(1, 2, height, width), (*beside, *above))
    try:
        answer = arithmetic.conv((height, width, 2), 3, kernel, stride, padding, dilation)
    except UsageError:
        with pytest.raises(RuntimeError):
            F.conv2d(padded, torch.zeros(3, 2, *kernels), stride=stride, dilation=dilation)
        return
    made = F.conv2d(padded, torch.zeros(3, 2, *kernels), stride=stride, dilation=dilation)
    assert answer.multiply_adds == made[0].numel() * 2 * kernels[0] * kernels[1]
    rows, columns, filters = answer.output
    assert made.shape[1:] == (filters, rows, columns)


def test_convolution_of_the_report_without_and_with_padding_and_dilated():
    assert arithmetic.convolve(IMAGE, KERNEL).result.tolist() == [[45, 45], [54, 54]]
    assert arithmetic.convolve(IMAGE, KERNEL, padding=1).result.tolist() == [
        *([18, 27, 27, 18], [30, 45, 45, 30], [36, 54, 54, 36], [26, 39, 39, 26])
    ]
    assert arithmetic.convolve(IMAGE, KERNEL, padding="same", dilation=2).result.tolist() == [
        *([20] * 4, [24] * 4, [20] * 4, [24] * 4)
    ]


def test_sum_of_each_channel_is_told_as_in_the_report():
    first = arithmetic.convolve(IMAGE, KERNEL).steps[0]
    assert first.sums == (9, 18, 18) and first.value == 45
    assert "sum = 9 + 18 + 18 = 45" in str(arithmetic.convolve(IMAGE, KERNEL))


def test_max_pooling_of_the_report():
    assert arithmetic.max_pool(IMAGE).result.tolist() == [[[1, 1], [1, 1]], [[2, 2], [2, 2]], [[2, 2], [4, 4]]]


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


def test_pool_marks_what_lies_outside_the_image():
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


@given(matrices(), sides(1, 3), sides(0, 2), sides(1, 3), sides(1, 2), st.randoms())
def test_convolution_is_that_of_torch(image, side, padding, stride, dilation, random):
    high, wide = pair(side)
    kernel = np.array([random.randint(-9, 9) for _ in range(image[..., 0, 0].size * high * wide)], dtype=float)
    kernel = kernel.reshape(*image.shape[:-2], high, wide)
    try:
        slide = arithmetic.convolve(image, kernel, padding=padding, stride=stride, dilation=dilation)
    except UsageError:
        axes = zip(image.shape[-2:], pair(padding), pair(dilation), (high, wide), strict=True)
        assert any(size + 2 * edge < step * (length - 1) + 1 for size, edge, step, length in axes)
        return
    expected = F.conv2d(batched(image), batched(kernel), stride=stride, padding=padding, dilation=dilation)[0, 0]
    assert torch.equal(torch.tensor(slide.result), expected)
    assert [step.value for step in slide.steps] == expected.flatten().tolist()
    assert all(step.value == pytest.approx((step.window * kernel).sum()) for step in slide.steps)


@given(matrices(), sides(1, 4), st.one_of(st.none(), sides(1, 3)), sides(0, 2), st.booleans())
def test_pooling_is_that_of_torch(image, size, stride, padding, ceil):
    options = {"stride": stride, "padding": padding}
    try:
        highest = arithmetic.max_pool(image, size, **options, ceil=ceil)
        mean = arithmetic.average_pool(image, size, **options, ceil=ceil)
    except UsageError:
        axes = zip(image.shape[-2:], pair(padding), pair(size), strict=True)
        assert any(edge > side // 2 or length + 2 * edge < side for length, edge, side in axes)
        return
    images = batched(image)
    expected = F.max_pool2d(images, size, **options, ceil_mode=ceil)
    assert torch.equal(torch.tensor(highest.result).reshape(expected.shape), expected)
    expected = F.avg_pool2d(images, size, **options, ceil_mode=ceil, count_include_pad=False)
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
        (lambda: arithmetic.convolve(IMAGE, [[1]]), "same number of channels"),
        (lambda: arithmetic.conv((4, 4, 1), 1, (3, 3, 3)), "kernel takes a whole number of at least 1, or one for"),
        (lambda: arithmetic.conv((4, 4, 1), 1, 3, stride=(1, 0)), "stride takes a whole number"),
        (lambda: arithmetic.conv((4, 4, 1), 1, padding=(1, -1)), r"below 0; got \[1, -1\]"),
        (lambda: arithmetic.pool((4, 4, 1), (3, 2), padding=(1, 2)), "padding=.1, 2. is more than half.* 3×2"),
        (lambda: arithmetic.max_pool([["a"]]), "rows of numbers"),
    ],
)
def test_what_cannot_be_worked_out_is_said(wrong, words):
    with pytest.raises(UsageError, match=words):
        wrong()
