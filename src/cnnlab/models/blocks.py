"""Layers that hold layers: residual blocks, inception blocks, and several heads."""

from typing import Literal

from cnnlab.core.arguments import Count
from cnnlab.core.spec import Call, read
from cnnlab.models.basic_layers import DropRate
from cnnlab.models.initialisers import Initialiser
from cnnlab.models.layer_defaults import Activation, LayerDefaults, layer, widened
from cnnlab.models.layer_strings import Layer, LayerContext, layers, stack
from cnnlab.models.modules import Add, Branches, Concatenate, Heads, Residual

BOTTLENECK = 4
"""How many times wider a bottleneck block ends than its inner convolutions are (He et al. 2016)."""


@layers.register("residual")
def residual(
    place: LayerContext,
    filters: Count,
    stride: Count = 1,
    kernel: Count = 3,
    kind: Literal["basic", "bottleneck"] = "basic",
    preactivation: bool = False,
    join: Literal["add", "concat"] = "add",
    batch_norm: bool = True,
    activation: Activation = "relu",
    dropout: DropRate = 0.0,
    init: Initialiser = "default",
) -> Layer:
    """Convolutions and a way around them, whose results are added (He et al. 2016) or concatenated.

    ``basic`` is two convolutions, ``bottleneck`` one between two of 1×1, the last four times as wide;
    ``preactivation`` normalises and activates before each in place of after. Where sizes differ, a 1×1 convolution
    stands on the way around. With ``join=concat`` one at the body's end brings it back to as many channels as came
    in, and both go on side by side. ``dropout`` acts between the convolutions.
    """
    channels, _, _ = place.feature_map()
    if join == "concat" and stride != 1:
        raise place.error("join=concat keeps the size; take stride=1 and pool afterwards", "stride")
    style = LayerDefaults(activation, init=init)
    norms = [layer("bn")] if batch_norm else []
    ready = [*norms, *style.activations]
    convolutions = _convolutions(style, filters, stride, kernel, kind, bias=not batch_norm)
    if join == "concat":
        convolutions.append(style.weighted("conv", filters=channels, kernel=1, bias=not batch_norm))
    between = [*ready, layer("dropout", p=dropout)] if dropout else ready
    inside = [call for convolution in convolutions for call in (*between, convolution)][len(between) :]

    parts = {"before": place.inner("before", ready)} if preactivation else {}
    start = parts["before"].shape if preactivation else place.shape
    body = place.inner("body", inside if preactivation else [*inside, *norms], start)
    if join == "add" and body.shape != place.shape:
        projection = style.weighted("conv", filters=body.shape[0], kernel=1, stride=stride, bias=not batch_norm)
        parts["shortcut"] = place.inner("shortcut", [projection] if preactivation else [projection, *norms], start)
    shape = (body.shape[0] + channels * (join == "concat"), *body.shape[1:])
    if not preactivation:
        parts["after"] = place.inner("after", style.activations, shape)
    meeting = Add() if join == "add" else Concatenate()
    return Layer(Residual(body.module, meeting, **{name: part.module for name, part in parts.items()}), shape)


def _convolutions(style: LayerDefaults, filters: int, stride: int, kernel: int, kind: str, bias: bool) -> list[Call]:
    middle = style.weighted("conv", filters=filters, kernel=kernel, stride=stride, bias=bias)
    if kind == "bottleneck":
        first = style.weighted("conv", filters=filters, kernel=1, bias=bias)
        return [first, middle, style.weighted("conv", filters=BOTTLENECK * filters, kernel=1, bias=bias)]
    return [middle, style.weighted("conv", filters=filters, kernel=kernel, bias=bias)]


@layers.register("heads")
def heads(place: LayerContext, widths: tuple[Count, ...], before: tuple[str, ...]) -> Layer:
    """Heads that share what came so far and each have dense layers of their own; stands last, in place of ``head``.

    ``widths`` are those of the objective's heads, in its order, and ``before`` the layers before each of them, such as
    ``["dense(64)|relu", "dense(64)|relu|dense(32)|relu"]``; an empty text is none.
    """
    if place.outputs is None:
        raise place.error("heads can stand only once, at the end of the network")
    if sum(widths) != place.outputs:
        total = " + ".join(map(str, widths))
        raise place.error(f"its heads are {total} = {sum(widths)} wide and the objective asks for {place.outputs}")
    if len(before) != len(widths):
        raise place.error(f"before lists layers for {len(before)} heads, and there are {len(widths)}", "before")
    parts = {
        f"head{number}": stack(
            [*read(text), layer("head")], place.shape, path=f"{place.name}.branches.head{number}.", outputs=width
        )
        for number, (width, text) in enumerate(zip(widths, before, strict=True), start=1)
    }
    return Layer(Heads({name: part.module for name, part in parts.items()}, place.outputs), (place.outputs,))


@layers.register("inception")
def inception(
    place: LayerContext,
    filters: Count,
    kind: Literal["simple", "googlenet"] = "simple",
    batch_norm: bool = False,
    activation: Activation = "relu",
    init: Initialiser = "default",
) -> Layer:
    """Branches of convolutions and a pool, side by side.

    ``simple`` is three, each of ``filters`` channels: a 3×3 convolution; two of them; one and a maximum over 3×3
    (Wattanasirichaigoon). ``googlenet`` is the classical four (Szegedy et al. 2015), in the proportions of its
    first block: ``filters`` for the 1×1 branch, twice that for 3×3, half for 5×5 and half for the pool, which makes
    four times ``filters`` together.
    """
    place.feature_map()
    style = LayerDefaults(activation, init=init)

    def convolution(share: float, kernel: int) -> list[Call]:
        return list(style.group("conv", norm=batch_norm, filters=widened(filters, share), kernel=kernel))

    pool = layer("pool", size=3, stride=1, padding=1)
    if kind == "simple":
        plans = {
            "conv3x3": convolution(1, 3),
            "conv3x3twice": [*convolution(1, 3), *convolution(1, 3)],
            "pooled": [*convolution(1, 3), pool],
        }
    else:
        plans = {
            "conv1x1": convolution(1, 1),
            "conv3x3": [*convolution(1.5, 1), *convolution(2, 3)],
            "conv5x5": [*convolution(0.25, 1), *convolution(0.5, 5)],
            "pooled": [pool, *convolution(0.5, 1)],
        }
    parts = {name: place.inner(f"branches.{name}", plan) for name, plan in plans.items()}
    widths = sum(part.shape[0] for part in parts.values())
    return Layer(Branches({name: part.module for name, part in parts.items()}), (widths, *place.shape[1:]))
