"""The layers of a layer string, such as ``conv(32)|bn|relu|pool|flatten|dense(512)|relu``."""

import math
from typing import Annotated, Literal, TypeAlias

from torch import nn

from cnnlab.core.arguments import Count, NonNegative, Positive, Range
from cnnlab.core.errors import SpecError
from cnnlab.core.spec import format_value
from cnnlab.models.cpu_kernels import Conv2d
from cnnlab.models.initialisers import Initialiser, initialise, mark_head
from cnnlab.models.layer_strings import Layer, LayerContext, activations, layers
from cnnlab.models.modules import (
    ChannelGate,
    Conv2dExtraEdge,
    Dropout,
    Exponential,
    GlobalPool,
    Head,
    MaxPool2dExtraEdge,
)
from cnnlab.models.penalties import ActivityPenalty, Penalty, mark
from cnnlab.models.shapes import HeightWidth, Shape, format_shape, pair, reach, windows

Sides: TypeAlias = Count | tuple[Count, Count]
"""A number for height and width alike, or one for each."""
_Edge: TypeAlias = Annotated[int, Range(0)]
Padding: TypeAlias = _Edge | Literal["same", "valid"] | tuple[_Edge, _Edge]
"""Pixels on every side, or above and below and then left and right; ``valid`` is none, ``same`` keeps the size."""
DropRate: TypeAlias = Annotated[float, Range(0, 1, open_high=True)]
"""A probability of dropping, below 1."""


PenalizedWeights: TypeAlias = tuple[Literal["kernel", "bias"], ...]
"""What the penalties ``l1`` and ``l2`` act on."""


def margins(padding: Padding, kernel: Sides, dilation: Sides = 1) -> tuple[HeightWidth, HeightWidth]:
    """Padding on either side along each axis, and how many rows and columns, 0 or 1, follow after the picture."""
    if padding == "same":
        high, wide = (reach(k, d) - 1 for k, d in zip(pair(kernel), pair(dilation), strict=True))
        return (high // 2, wide // 2), (high % 2, wide % 2)
    return pair(0 if padding == "valid" else padding), (0, 0)


def fill(place: LayerContext, module: nn.Conv2d | nn.Linear, init: Initialiser, bias_init: Initialiser) -> None:
    """Draws the starting weights of a layer that stands here."""
    try:
        initialise(module.weight, module.bias, init, bias_init, place.following)
    except SpecError as error:
        raise place.error(error.reason) from error


@layers.register("conv")
def conv(
    place: LayerContext,
    filters: Count,
    kernel: Sides = 3,
    stride: Sides = 1,
    padding: Padding = "same",
    dilation: Sides = 1,
    groups: Count = 1,
    bias: bool = True,
    init: Initialiser = "default",
    bias_init: Initialiser = "default",
    l1: NonNegative = 0.0,
    l2: NonNegative = 0.0,
    penalize: PenalizedWeights = ("kernel",),
) -> Layer:
    """A convolution; ``padding=same`` keeps the size at stride 1.

    A list of two numbers, for ``kernel``, ``stride``, ``padding`` or ``dilation``, is height and width.
    ``l1`` and ``l2`` are the strengths of penalties on what ``penalize`` lists.
    """
    channels, height, width = place.feature_map()
    if channels % groups or filters % groups:
        raise place.error(f"groups={groups} must divide both its {channels} channels and its {filters} filters")
    kernels, strides, dilations = pair(kernel), pair(stride), pair(dilation)
    place.afford(filters, channels // groups, *kernels)
    edges, extras = margins(padding, kernel, dilation)
    around = [2 * edge + extra for edge, extra in zip(edges, extras, strict=True)]
    sizes = list(map(windows, (height, width), kernels, strides, around, dilations))
    if min(sizes) < 1:
        span = format_shape(tuple(map(reach, kernels, dilations)))
        raise place.error(
            f"a kernel that spans {span} pixels does not fit; take a smaller kernel or dilation, padding=same, "
            f"or larger pictures"
        )
    kind = Conv2dExtraEdge if any(extras) else Conv2d
    module = kind(channels, filters, kernels, strides, edges, dilations, groups, bias)
    fill(place, module, init, bias_init)
    mark(module, Penalty(l1, l2), penalize)
    return Layer(module, (filters, *sizes))


@layers.register("dense")
def dense(
    place: LayerContext,
    units: Count,
    bias: bool = True,
    init: Initialiser = "default",
    bias_init: Initialiser = "default",
    l1: NonNegative = 0.0,
    l2: NonNegative = 0.0,
    penalize: PenalizedWeights = ("kernel",),
) -> Layer:
    """A fully connected layer; a feature map is flattened before it."""
    (inputs,) = place.shape
    place.afford(units, inputs)
    module = nn.Linear(inputs, units, bias)
    fill(place, module, init, bias_init)
    mark(module, Penalty(l1, l2), penalize)
    return Layer(module, (units,))


@layers.register("head")
def head(
    place: LayerContext,
    bias: bool = True,
    init: Initialiser = "default",
    bias_init: Initialiser = "default",
    l1: NonNegative = 0.0,
    l2: NonNegative = 0.0,
    penalize: PenalizedWeights = ("kernel",),
) -> Layer:
    """The last dense layer, as wide as the objective asks; it follows by itself where it is not written.

    Drawn by default, it is made small before a training, which then begins at the loss of a constant guess.
    """
    if place.outputs is None:
        raise place.error("the head can stand only once, at the end of the network")
    (inputs,) = place.shape
    place.afford(place.outputs, inputs)
    module = Head(inputs, place.outputs, bias)
    fill(place, module, init, bias_init)
    mark_head(module, init, bias_init)
    mark(module, Penalty(l1, l2), penalize)
    return Layer(module, (place.outputs,))


@layers.register("bn", "batch_norm")
def batch_norm(place: LayerContext, momentum: Annotated[float, Range(0, 1)] = 0.1, eps: Positive = 1e-5) -> Layer:
    """Batch normalisation; ``momentum`` is the share of the newest batch in the running statistics."""
    kind = nn.BatchNorm2d if len(place.shape) == 3 else nn.BatchNorm1d
    return Layer(kind(place.shape[0], eps, momentum), place.shape)


@layers.register("pool", "maxpool")
def max_pool(
    place: LayerContext, size: Sides = 2, stride: Sides | None = None, padding: Padding = "valid", ceil: bool = False
) -> Layer:
    """Maximum pooling; the stride is the size unless given, and sizes round down unless ``ceil``.

    A list of two numbers, for ``size``, ``stride`` or ``padding``, is height and width.
    """
    edges, extras = margins(padding, size)
    if ceil and any(extras):
        # A last window could lie in the extra row alone, where there is no maximum.
        given = format_value(size)
        raise place.error(f"padding=same rounds up by itself with an even size such as {given}; leave ceil out", "ceil")
    shape = _pooled(place, size, stride or size, padding, ceil)
    kind = MaxPool2dExtraEdge if any(extras) else nn.MaxPool2d
    return Layer(kind(size, stride or size, edges, ceil_mode=ceil), shape)


@layers.register("avgpool")
def average_pool(
    place: LayerContext, size: Sides = 2, stride: Sides | None = None, padding: Padding = "valid", ceil: bool = False
) -> Layer:
    """Average pooling over what lies inside the picture; arguments as those of ``pool``."""
    edges, extras = margins(padding, size)
    if any(extras):
        raise place.error(f"average pooling with padding=same takes an odd size, not {format_value(size)}", "padding")
    shape = _pooled(place, size, stride or size, padding, ceil)
    return Layer(nn.AvgPool2d(size, stride or size, edges, ceil, count_include_pad=False), shape)


def _pooled(place: LayerContext, size: Sides, stride: Sides, padding: Padding, ceil: bool) -> Shape:
    channels, height, width = place.feature_map()
    window, strides, (edges, extras) = pair(size), pair(stride), margins(padding, size)
    if any(edge > side // 2 for edge, side in zip(edges, window, strict=True)):
        reason = f"padding={format_value(padding)} is more than half the window of {format_shape(window)}"
        raise place.error(reason, "padding")
    sizes = [
        windows(length + extra, side, step, 2 * edge, ceil=ceil)
        for length, extra, side, step, edge in zip((height, width), extras, window, strides, edges, strict=True)
    ]
    if min(sizes) < 1:
        raise place.error(
            f"a window of {format_shape(window)} does not fit; pool less often before it, or take ceil=true or larger "
            f"pictures"
        )
    return (channels, *sizes)


@layers.register("global_pool")
def global_pool(place: LayerContext, kind: Literal["avg", "max"] = "avg") -> Layer:
    """The mean or the maximum of each channel over the whole feature map; what leaves it is flat."""
    channels, _, _ = place.feature_map()
    return Layer(GlobalPool(kind), (channels,))


@layers.register("flatten")
def flatten(place: LayerContext) -> Layer:
    """A feature map as one vector."""
    return Layer(nn.Flatten(), (math.prod(place.shape),))


@layers.register("dropout")
def dropout(place: LayerContext, p: DropRate = 0.5, by: Literal["element", "channel"] = "element") -> Layer:
    """Drops numbers, or whole channels, with probability ``p`` while training and scales the rest up."""
    if by == "channel":
        place.feature_map()
        return Layer(nn.Dropout2d(p), place.shape)
    return Layer(Dropout(p), place.shape)


@layers.register("alpha_dropout")
def alpha_dropout(place: LayerContext, p: DropRate = 0.5) -> Layer:
    """Dropout that keeps the mean and variance which SELU strives for (Klambauer et al. 2017)."""
    return Layer(nn.AlphaDropout(p), place.shape)


@layers.register("activity")
def activity(place: LayerContext, l1: NonNegative = 0.0, l2: NonNegative = 0.0) -> Layer:
    """Adds a penalty on what passes here to the loss, per picture; passes it on unchanged."""
    return Layer(ActivityPenalty(Penalty(l1, l2)), place.shape)


@layers.register("se")
def squeeze_and_excitation(place: LayerContext, ratio: Count = 16) -> Layer:
    """Scales each channel by a gate worked out from the means of all channels (Hu et al. 2018)."""
    channels, _, _ = place.feature_map()
    module = ChannelGate(channels, max(1, channels // ratio))
    initialise(module.reduce.weight, module.reduce.bias, "default", "default", "relu")
    initialise(module.expand.weight, module.expand.bias, "default", "default", "sigmoid")
    return Layer(module, place.shape)


@layers.register("leaky")
def leaky(place: LayerContext, slope: Annotated[float, Range(0)] = 0.01) -> Layer:
    """ReLU with a slope below zero."""
    return Layer(nn.LeakyReLU(slope), place.shape)


@layers.register("elu")
def elu(place: LayerContext, alpha: Positive = 1.0) -> Layer:
    """x above zero, alpha (exp(x) - 1) below."""
    return Layer(nn.ELU(alpha), place.shape)


def _plain(name: str, kind: type[nn.Module], about: str) -> None:
    """Registers an activation without arguments."""

    def make(place: LayerContext) -> Layer:
        return Layer(kind(), place.shape)

    make.__doc__ = about
    layers.register(name)(make)


_PLAIN: dict[str, tuple[type[nn.Module], str]] = {
    "relu": (nn.ReLU, "max(x, 0)"),
    "selu": (nn.SELU, "The self-normalising unit (Klambauer et al. 2017)."),
    "gelu": (nn.GELU, "x times the normal distribution function of x."),
    "silu": (nn.SiLU, "x times the logistic function of x."),
    "tanh": (nn.Tanh, "The hyperbolic tangent."),
    "sigmoid": (nn.Sigmoid, "The logistic function."),
    "softplus": (nn.Softplus, "log(1 + exp(x))."),
    "exponential": (Exponential, "exp(x)."),
}
for _name, (_kind, _about) in _PLAIN.items():
    _plain(_name, _kind, _about)
activations.update(_PLAIN, ("leaky", "elu"))
