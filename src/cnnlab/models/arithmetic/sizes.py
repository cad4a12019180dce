"""What leaves a layer and what it costs, worked out with the formula written down."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from cnnlab.core.errors import UsageError
from cnnlab.core.spec import format_value
from cnnlab.models.basic_layers import Padding, Sides, margins
from cnnlab.models.shapes import HeightWidth, Shape, format_shape, pair, reach, windows


@dataclass(frozen=True)
class Answer:
    """What a layer makes of a picture.

    :param layer: what was asked, in words.
    :param input, output: height, width and channels, or the length of a vector.
    :param working: the formulas with the numbers filled in, a line each.
    :param multiply_adds: multiplications with a weight for one picture.
    """

    layer: str
    input: Shape
    output: Shape
    working: tuple[str, ...]
    weights: int = 0
    biases: int = 0
    multiply_adds: int = 0

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.weights + self.biases

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {**asdict(self), "parameters": self.parameters}

    def __str__(self) -> str:
        lines = [f"{self.layer} on {format_shape(self.input)} gives {format_shape(self.output)}"]
        return "\n".join([*lines, *(f"  {line}" for line in self.working)])


def conv(
    shape: Sequence[int],
    filters: int,
    kernel: Sides = 3,
    stride: Sides = 1,
    padding: Padding = 0,
    dilation: Sides = 1,
    bias: bool = True,
) -> Answer:
    """A convolution over a picture of height×width×channels.

    :param kernel: a number, or two for height and width; ``stride`` and ``dilation`` likewise.
    :param padding: pixels of zeros on every side, or above and below and then left and right; ``valid`` is none,
        ``same`` as many as keep the size at stride 1.
    :raises UsageError: when the kernel does not fit, or a number is too small.
    """
    height, width, channels = _image(shape)
    _at_least_one(filters=filters)
    slides = _slides("kernel", kernel, stride, padding, dilation)
    (rows, row_work), (columns, column_work) = slides[0].along("height", height), slides[1].along("width", width)
    high, wide = slides[0].kernel, slides[1].kernel
    area = "kernel · kernel" if high == wide else "height · width of the kernel"
    weights = high * wide * channels * filters
    biases = filters if bias else 0
    working = [
        *_about(slides),
        row_work,
        column_work,
        f"channels = filters = {filters}",
        f"weights = {area} · channels · filters = {high}·{wide}·{channels}·{filters} = {weights:,}",
        f"biases = {f'one a filter = {biases:,}' if bias else '0'}",
        f"multiply-adds = weights · positions = {weights:,}·{rows}·{columns} = {weights * rows * columns:,}",
    ]
    name = f"a convolution of {filters} filters {high}×{wide}×{channels}"
    output = (rows, columns, filters)
    return Answer(name, (height, width, channels), output, tuple(working), weights, biases, weights * rows * columns)


def pool(
    shape: Sequence[int],
    size: Sides = 2,
    stride: Sides | None = None,
    padding: Padding = 0,
    ceil: bool = False,
    kind: Literal["max", "avg"] = "max",
) -> Answer:
    """Maximum or average pooling of a picture of height×width×channels; the stride is the size unless given.

    :param size: a number, or two for height and width; ``stride`` and ``padding`` likewise.
    :param ceil: whether sizes round up, so that a last window may hang over the edge.
    :raises UsageError: when the window does not fit, or a number is too small.
    """
    height, width, channels = _image(shape)
    slides = _slides("window", size, size if stride is None else stride, padding, ceil=ceil)
    window = format_shape(tuple(slide.kernel for slide in slides))
    if ceil and any(slide.extra for slide in slides):
        given = format_value(size)
        raise UsageError(f"padding=same rounds up by itself where the size is even; leave ceil out with size={given}.")
    if any(slide.edge > slide.kernel // 2 for slide in slides):
        raise UsageError(f"padding={format_value(padding)} is more than half the window of {window}.")
    (rows, row_work), (columns, column_work) = slides[0].along("height", height), slides[1].along("width", width)
    working = (*_about(slides), row_work, column_work, f"channels = {channels}, each by itself", "weights = 0")
    name = f"{'maximum' if kind == 'max' else 'average'} pooling {window}"
    return Answer(name, (height, width, channels), (rows, columns, channels), working)


def dense(shape: Sequence[int], units: int, bias: bool = True) -> Answer:
    """A dense layer on a vector, or on a picture of height×width×channels, which is flattened first.

    :raises UsageError: when a number is below 1.
    """
    _at_least_one(units=units, **{f"size {place}": size for place, size in enumerate(shape, 1)})
    if not shape:
        raise UsageError("a dense layer needs the length of a vector, or a picture as height×width×channels.")
    inputs = math.prod(shape)
    flattened = [f"inputs = {'·'.join(map(str, shape))} = {inputs:,}"] if len(shape) > 1 else [f"inputs = {inputs:,}"]
    weights = inputs * units
    working = [
        *flattened,
        f"weights = inputs · units = {inputs:,}·{units:,} = {weights:,}",
        f"biases = {f'one a unit = {units:,}' if bias else '0'}",
        f"multiply-adds = weights = {weights:,}",
    ]
    name = f"a dense layer of {units} units"
    return Answer(name, tuple(shape), (units,), tuple(working), weights, units if bias else 0, weights)


@dataclass(frozen=True)
class _Slide:
    """A window slid along an axis, with the words for it."""

    what: str
    kernel: int
    stride: int
    edge: int
    extra: int
    dilation: int = 1
    ceil: bool = False

    def about(self) -> list[str]:
        span = reach(self.kernel, self.dilation)
        spans = f"reach of the kernel = dilation·(kernel - 1) + 1 = {self.dilation}·({self.kernel} - 1) + 1 = {span}"
        more = f"padding = {self.edge} before and {self.edge + 1} after, which keeps the size at stride 1"
        return [*([spans] if self.dilation > 1 else []), *([more] if self.extra else [])]

    def along(self, axis: str, size: int) -> tuple[int, str]:
        """The number of positions, and the formula filled in."""
        span, both = reach(self.kernel, self.dilation), 2 * self.edge + self.extra
        count = windows(size + self.extra, self.kernel, self.stride, 2 * self.edge, self.dilation, self.ceil)
        if count < 1:
            raise UsageError(
                f"a {self.what} that spans {span} pixels does not fit into a {axis} of {size} with padding "
                f"{self.edge}; take a smaller one, more padding or a larger picture."
            )
        name = self.what if self.dilation == 1 else "reach"
        rounded = "ceil" if self.ceil else "floor"
        padding = "padding before and after" if self.extra else "2·padding"
        filled = f"({size} + {both if self.extra else f'2·{self.edge}'} - {span}) / {self.stride}"
        quotient = f"{rounded}({size + both - span} / {self.stride}) + 1"
        steps = (size + both - span) // self.stride if not self.ceil else -(-(size + both - span) // self.stride)
        dropped = "" if steps + 1 == count else ", less one window that would lie in the padding alone"
        general = f"{rounded}(({axis} + {padding} - {name}) / stride) + 1"
        return count, f"{axis} = {general} = {rounded}({filled}) + 1 = {quotient} = {steps} + 1{dropped} = {count}"


def _slides(
    what: str, kernel: Sides, stride: Sides, padding: Padding, dilation: Sides = 1, ceil: bool = False
) -> tuple[_Slide, _Slide]:
    """The window along the height and along the width."""
    name = "size" if what == "window" else what
    sizes = _sides(name, kernel), _sides("stride", stride), _sides("dilation", dilation)
    edges, extras = _margins(padding, sizes[0], sizes[2])
    kernels, strides, dilations = sizes
    rows, columns = (
        _Slide(what, kernels[axis], strides[axis], edges[axis], extras[axis], dilations[axis], ceil) for axis in (0, 1)
    )
    return rows, columns


def _about(slides: tuple[_Slide, _Slide]) -> list[str]:
    """What there is to say of the window itself: once where it is the same along both axes."""
    along_height, along_width = (slide.about() for slide in slides)
    if along_height == along_width:
        return along_height
    return [
        *(f"along the height, {line}" for line in along_height),
        *(f"along the width, {line}" for line in along_width),
    ]


def _image(shape: Sequence[int]) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise UsageError(f"a picture is height×width×channels, such as 128x128x32; got {format_shape(tuple(shape))}.")
    height, width, channels = shape
    _at_least_one(height=height, width=width, channels=channels)
    return height, width, channels


def _margins(padding: Padding, kernel: HeightWidth, dilation: HeightWidth) -> tuple[HeightWidth, HeightWidth]:
    if padding not in ("same", "valid"):
        numbers = _both(padding)
        if numbers is None:
            raise UsageError(
                f"padding takes a number of pixels, or one for the height and one for the width, or same or valid; "
                f"got {padding}."
            )
        if min(numbers) < 0:
            raise UsageError(f"padding cannot be below 0; got {format_value(padding)}.")
    return margins(padding, kernel, dilation)


def _sides(name: str, value: Sides) -> HeightWidth:
    numbers = _both(value)
    if numbers is None or min(numbers) < 1:
        raise UsageError(
            f"{name} takes a whole number of at least 1, or one for the height and one for the width; got {value}."
        )
    return numbers


def _both(value: object) -> HeightWidth | None:
    """One whole number for each axis; None for anything else."""
    numbers = tuple(value) if isinstance(value, list | tuple) else (value, value)
    return pair(numbers) if len(numbers) == 2 and all(isinstance(number, int) for number in numbers) else None


def _at_least_one(**numbers: int) -> None:
    for name, number in numbers.items():
        if not isinstance(number, int) or number < 1:
            raise UsageError(f"{name} takes a whole number of at least 1; got {number}.")
