"""Networks of published course reports, as variants of the general architectures; every knob of those stays.

Where a report leaves a number open, the one chosen here is said to be a reconstruction.
"""

from typing import Literal

from cnnlab.core.arguments import Count, NonNegative, Positive
from cnnlab.core.spec import Call
from cnnlab.models.basic_layers import DropRate
from cnnlab.models.initialisers import Initialiser
from cnnlab.models.layer_defaults import Activation, LayerDefaults, Penalized, layer, widened
from cnnlab.models.networks import ArchitecturePlan, architectures
from cnnlab.models.plain_cnns import dense_layers, variant
from cnnlab.models.shapes import Shape

_QUINN = "of table 1 of Quinn (2021); filters and dense units are reconstructions"
variant("cp", f"The baseline {_QUINN}.", layers="CP", filters=(32,), dense=(128,))
variant("cpcp", f"Basic 1 {_QUINN}.", layers="CPCP", filters=(32, 64), dense=(128,))
variant(
    "cpcpcpcpcp",
    f"Basic 2 {_QUINN}.",
    layers="CPCPCPCPCP",
    filters=(32, 64, 128, 128, 256),
    dense=(128,),
    ceil=True,
)
variant(
    "cpcpcpcpcpcp",
    f"Basic 3, six convolutions and six pools, {_QUINN}.",
    layers="CPCPCPCPCPCP",
    filters=(32, 64, 64, 128, 128, 256),
    dense=(128,),
    ceil=True,
)
variant(
    "ccpccpccp",
    "Basic 4 of table 1 of Quinn (2021), from 254 filters down to 32; those between are a reconstruction.",
    layers="CCPCCPCCP",
    filters=(254, 254, 128, 128, 64, 32),
    dense=(128,),
)
variant(
    "cpcpccpcp",
    f"Basic 5 {_QUINN}.",
    layers="CPCPCCPCP",
    filters=(32, 64, 128, 128, 256),
    dense=(128,),
)

_METHANI = "of the appendix of Methani and Ganguly (2018)"
variant("feed-forward", f"The feed-forward network {_METHANI}.", of="mlp", hidden=(512, 128))
variant("cnn-1", f"The network of one convolution {_METHANI}.", layers="CP", filters=(32,), dense=(128,))
variant("cnn-3", f"The network of three convolutions {_METHANI}.", layers="CPCPCP", filters=(32, 64, 128), dense=(128,))
variant(
    "cnn-4",
    f"The network of four convolutions {_METHANI}.",
    layers="CCCPC",
    filters=(32, 32, 64, 128),
    dense=(512, 128),
)

variant(
    "dropout-mlp",
    "The dense network behind an input dropout of Pancer, Łukaszyk and Wrona, 32-224-64-32.",
    of="mlp",
    hidden=(32, 224, 64, 32),
    input_dropout=0.5,
)

_CATS = "cats-and-dogs network of Wattanasirichaigoon"
variant("cats-dogs-1", f"The first {_CATS}.", layers="CPCPNCP", filters=(32, 64, 128), dense=(512, 64))
for _number, _letters in ((2, "CNPCPCPCP"), (3, "CNPCPCNPCP"), (4, "CNPCNPCNPCNP")):
    _about = f"{'The second' if _number == 2 else 'A reconstruction of another'} {_CATS}."
    _filters = (32, 64, 128, 128)
    variant(f"cats-dogs-{_number}", _about, layers=_letters, filters=_filters, dense=(512, 64))

_EPURE = "of Epure and Rameshchandra, after Géron (2019)"
variant("mlp-300-100", f"The multilayer perceptron {_EPURE}, chapter 10.", of="mlp", hidden=(300, 100))
variant(
    "geron-cnn",
    f"The convolutional network {_EPURE}, chapter 14.",
    layers="CPCCPCCP",
    filters=(64, 128, 128, 256, 256),
    kernel=(7, 3, 3, 3, 3),
    dense=(128, 64),
    dropout=0.5,
)


@architectures.register("cifar-net")
def cifar_net(
    shape: Shape,
    outputs: int,
    block: Literal["inception", "residual"] | None = None,
    filters: tuple[Count, Count] = (32, 64),
    dense: tuple[Count, ...] = (512,),
    kernel: Count = 3,
    padding: Literal["same", "valid"] = "same",
    width: Positive = 1.0,
    activation: Activation = "relu",
    batch_norm: bool = False,
    dense_norm: bool = False,
    norm_at: Literal["before", "after"] = "before",
    pooling: Literal["max", "avg"] = "max",
    conv_dropout: DropRate = 0.25,
    dropout: DropRate = 0.25,
    init: Initialiser = "default",
    bias_init: Initialiser = "default",
    l1: NonNegative = 0.0,
    l2: NonNegative = 0.0,
    penalize: Penalized = ("kernel",),
) -> ArchitecturePlan:
    """The CIFAR-10 network of Wattanasirichaigoon: two pairs of convolutions, then perhaps a block.

    The ``inception`` block has three branches of 64 filters; the ``residual`` one two convolutions of 128, joined to
    its input side by side, and a pool. ``kernel``, ``padding`` and the penalties are those of the two pairs.
    """
    style = LayerDefaults(activation, norm_at, init, bias_init, l1, l2, penalize)
    pool = layer("pool" if pooling == "max" else "avgpool")
    calls: list[Call] = []
    for count in filters:
        size = {"filters": widened(count, width), "kernel": kernel, "padding": padding}
        for _ in range(2):
            calls += style.group("conv", norm=batch_norm, **size)
        calls += [pool, *style.dropped(conv_dropout)]
    common = {"activation": activation, "batch_norm": batch_norm, "init": init}
    if block == "inception":
        calls.append(layer("inception", filters=widened(64, width), **common))
    elif block == "residual":
        calls += [layer("residual", filters=widened(128, width), join="concat", **common), pool]
    units = [widened(count, width) for count in dense]
    return [*calls, *dense_layers(units, style, dense_norm, dropout), style.head()]
