"""Named architectures that are plain chains: convolutions, pools and dense layers, given as functions of knobs."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

from cnnlab.core.arguments import Count, NonNegative, Positive
from cnnlab.core.errors import SpecError
from cnnlab.core.registry import RegistryEntry
from cnnlab.core.spec import Call
from cnnlab.models.basic_layers import DropRate
from cnnlab.models.initialisers import Initialiser
from cnnlab.models.layer_defaults import Activation, LayerDefaults, Penalized, layer, widened
from cnnlab.models.networks import ArchitecturePlan, architectures
from cnnlab.models.shapes import Shape


@architectures.register("pattern")
def pattern(
    shape: Shape,
    outputs: int,
    layers: str | None = None,
    filters: tuple[Count, ...] = (32,),
    dense: tuple[Count, ...] = (128,),
    kernel: Count | tuple[Count, ...] = 3,
    padding: Literal["same", "valid"] = "same",
    width: Positive = 1.0,
    activation: Activation = "relu",
    batch_norm: bool = False,
    dense_norm: bool = False,
    norm_at: Literal["before", "after"] = "before",
    dropout: DropRate = 0.0,
    conv_dropout: DropRate = 0.0,
    input_dropout: DropRate = 0.0,
    alpha_dropout: bool = False,
    pooling: Literal["max", "avg"] = "max",
    pool: Count = 2,
    ceil: bool = False,
    global_pool: Literal["avg", "max"] | None = None,
    init: Initialiser = "default",
    bias_init: Initialiser = "default",
    l1: NonNegative = 0.0,
    l2: NonNegative = 0.0,
    penalize: Penalized = ("kernel",),
) -> ArchitecturePlan:
    """A chain written as C for a convolution, P for a pool and N for a normalisation; none pools after each C.

    ``filters`` has one number for each C, ``kernel`` one for all or one for each. ``dropout`` follows each dense
    layer, ``conv_dropout`` each pool, ``input_dropout`` the picture; ``alpha_dropout`` makes all three the kind that
    SELU wants. ``width`` scales filters and dense units.
    """
    word = "CP" * len(filters) if layers is None else layers.upper()
    kernels = kernel if isinstance(kernel, Sequence) else [kernel] * len(filters)
    _check(word, filters, kernels)
    style = LayerDefaults(activation, norm_at, init, bias_init, l1, l2, penalize, alpha_dropout)
    calls = style.dropped(input_dropout)
    remaining = iter(zip(filters, kernels, strict=True))
    for letter in word:
        if letter == "C":
            count, size = next(remaining)
            calls += style.group("conv", norm=batch_norm, filters=widened(count, width), kernel=size, padding=padding)
        elif letter == "N":
            calls.append(layer("bn"))
        else:
            calls.append(layer("pool" if pooling == "max" else "avgpool", size=pool, ceil=ceil))
            calls += style.dropped(conv_dropout)
    calls += [layer("global_pool", kind=global_pool)] if global_pool else []
    calls += dense_layers([widened(units, width) for units in dense], style, dense_norm, dropout)
    return [*calls, style.head()]


def _check(word: str, filters: Sequence[int], kernels: Sequence[int]) -> None:
    if set(word) - {"C", "P", "N"}:
        raise SpecError(f"layers={word} holds a letter other than C (convolution), P (pool), N (batch normalisation).")
    if word.count("C") != len(filters):
        count = word.count("C")
        example = ", ".join(["32"] * max(1, count))
        raise SpecError(
            f"layers={word} has {count} convolutions, and filters is [{', '.join(map(str, filters))}]: filters takes a "
            f"number for each C, as in filters=[{example}]."
        )
    if len(kernels) != len(filters):
        raise SpecError(
            f"kernel lists {len(kernels)} sizes for {len(filters)} convolutions; give one number, or one for each."
        )


def dense_layers(units: Sequence[int], style: LayerDefaults, norm: bool, dropout: float) -> list[Call]:
    """Dense layers of so many units each, with activations and dropout."""
    calls: list[Call] = []
    for count in units:
        calls += style.group("dense", norm=norm, units=count)
        calls += style.dropped(dropout)
    return calls


@architectures.register("mlp")
def mlp(
    shape: Shape,
    outputs: int,
    hidden: tuple[Count, ...] = (512, 128),
    width: Positive = 1.0,
    activation: Activation = "relu",
    batch_norm: bool = False,
    norm_at: Literal["before", "after"] = "before",
    dropout: DropRate = 0.0,
    input_dropout: DropRate = 0.0,
    alpha_dropout: bool = False,
    init: Initialiser = "default",
    bias_init: Initialiser = "default",
    l1: NonNegative = 0.0,
    l2: NonNegative = 0.0,
    penalize: Penalized = ("kernel",),
) -> ArchitecturePlan:
    """A multilayer perceptron: dense layers on the flattened picture.

    ``dropout`` follows each dense layer, ``input_dropout`` the picture; ``alpha_dropout`` makes both the kind that
    SELU wants.
    """
    style = LayerDefaults(activation, norm_at, init, bias_init, l1, l2, penalize, alpha_dropout)
    calls = style.dropped(input_dropout)
    calls += [layer("flatten"), *dense_layers([widened(n, width) for n in hidden], style, batch_norm, dropout)]
    return [*calls, style.head()]


@architectures.register("lenet5")
def lenet5(
    shape: Shape,
    outputs: int,
    activation: Activation = "tanh",
    pooling: Literal["max", "avg"] = "avg",
    width: Positive = 1.0,
    dropout: DropRate = 0.0,
    init: Initialiser = "default",
    bias_init: Initialiser = "default",
    l1: NonNegative = 0.0,
    l2: NonNegative = 0.0,
    penalize: Penalized = ("kernel",),
) -> ArchitecturePlan:
    """LeNet-5 (LeCun et al. 1998), each map of its second convolution seeing all of the first.

    Pictures under 32 pixels are padded by two on each side, as the digits of 28 were.
    """
    style = LayerDefaults(activation, "before", init, bias_init, l1, l2, penalize)
    pool = layer("pool" if pooling == "max" else "avgpool")
    edge = 2 if min(shape[1:]) < 32 else 0
    return [
        *style.group("conv", norm=False, filters=widened(6, width), kernel=5, padding=edge),
        pool,
        *style.group("conv", norm=False, filters=widened(16, width), kernel=5, padding="valid"),
        pool,
        *dense_layers([widened(120, width), widened(84, width)], style, False, dropout),
        style.head(),
    ]


def variant(name: str, about: str, *aliases: str, of: str = "pattern", **defaults: Any) -> None:
    """Registers an architecture that is another one with other defaults; every knob of that stays."""
    base = architectures.entry(Call(of))

    def make(**arguments: Any) -> ArchitecturePlan:
        return base.make(**arguments)

    make.__doc__ = about
    arguments = {
        key: dataclasses.replace(argument, default=defaults.get(key, argument.default))
        for key, argument in base.arguments.items()
    }
    architectures.add(RegistryEntry(name, make, arguments), *aliases)


variant("cnn", "A small convolutional network: a pool after each convolution, then dense layers.")
variant(
    "vgg-like",
    "Nine convolutions in the manner of VGG with batch normalisation, a pool after each group.",
    layers="CCPCCPCCPCCCP",
    filters=(32, 32, 64, 64, 128, 128, 256, 256, 256),
    dense=(512, 512),
    batch_norm=True,
)
variant(
    "convnet",
    "Four convolutions of 64 to 256 filters, pools that round up, two dense layers of 1024.",
    layers="CPCPCCP",
    filters=(64, 128, 256, 256),
    dense=(1024, 1024),
    ceil=True,
)
