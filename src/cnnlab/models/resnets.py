"""Residual networks: ResNet with a stem for small or large pictures, and WideResNet."""

from typing import Annotated, Literal

from cnnlab.core.arguments import Count, Positive, Range
from cnnlab.core.errors import SpecError
from cnnlab.core.spec import Call
from cnnlab.models.basic_layers import DropRate
from cnnlab.models.initialisers import Initialiser
from cnnlab.models.layer_defaults import Activation, LayerDefaults, layer, widened
from cnnlab.models.networks import ArchitecturePlan, architectures
from cnnlab.models.plain_cnns import variant
from cnnlab.models.shapes import Shape


@architectures.register("resnet")
def resnet(
    shape: Shape,
    outputs: int,
    blocks: tuple[Count, ...] = (2, 2, 2, 2),
    filters: tuple[Count, ...] = (64, 128, 256, 512),
    kind: Literal["basic", "bottleneck"] = "basic",
    stem: Literal["small", "large"] = "small",
    width: Positive = 1.0,
    activation: Activation = "relu",
    dropout: DropRate = 0.0,
    init: Initialiser = "default",
) -> ArchitecturePlan:
    """A residual network (He et al. 2016): stages of blocks, each after the first at half the size of the one before.

    ``stem=small`` starts with one 3×3 convolution, for pictures of about 32 pixels; ``large`` is the original's, a
    7×7 convolution and a pool, both of stride 2. ``dropout`` acts on the features before the head.
    """
    if len(blocks) != len(filters):
        raise SpecError(f"blocks lists {len(blocks)} stages and filters {len(filters)}; give one number each.")
    style = LayerDefaults(activation, init=init)
    counts = [widened(count, width) for count in filters]
    start = {"kernel": 3, "padding": 1} if stem == "small" else {"kernel": 7, "padding": 3, "stride": 2}
    plan = [*style.group("conv", norm=True, filters=counts[0], **start)] if counts else []
    plan += [layer("pool", size=3, stride=2, padding=1)] if stem == "large" else []
    options = {"kind": kind, "activation": activation, "init": init}
    for stage, (depth, count) in enumerate(zip(blocks, counts, strict=True)):
        plan += _stage(count, depth, 1 if stage == 0 else 2, **options)
    return [*plan, *_ending(style, dropout)]


@architectures.register("wide-resnet")
def wide_resnet(
    shape: Shape,
    outputs: int,
    depth: Annotated[int, Range(10)] = 16,
    width: Positive = 4.0,
    activation: Activation = "relu",
    dropout: DropRate = 0.0,
    init: Initialiser = "default",
) -> ArchitecturePlan:
    """WideResNet (Zagoruyko and Komodakis 2016): preactivated blocks of 16, 32 and 64 filters times ``width``.

    ``depth`` is 6n + 4 for n blocks a stage; ``dropout`` acts between the convolutions of each block.
    """
    if depth % 6 != 4:
        raise SpecError(f"depth is 6n + 4 for n blocks a stage, such as 10, 16, 22, 28 or 40; got {depth}.")
    style = LayerDefaults(activation, init=init)
    options = {"activation": activation, "init": init, "dropout": dropout, "preactivation": True}
    plan = [style.weighted("conv", filters=16, bias=False)]
    for stage, count in enumerate((16, 32, 64)):
        plan += _stage(widened(count, width), (depth - 4) // 6, 1 if stage == 0 else 2, **options)
    return [*plan, layer("bn"), *style.activations, *_ending(style, 0.0)]


def _stage(filters: int, depth: int, stride: int, **options: object) -> list[Call]:
    """Blocks of one width, the first of which strides."""
    return [layer("residual", filters=filters, stride=stride if n == 0 else 1, **options) for n in range(depth)]


def _ending(style: LayerDefaults, dropout: float) -> list[Call]:
    drop = [layer("dropout", p=dropout)] if dropout else []
    return [layer("global_pool"), *drop, style.head()]


variant("resnet18", "ResNet-18, with a stem for small pictures unless told otherwise.", of="resnet")
variant("resnet34", "ResNet-34, with a stem for small pictures.", of="resnet", blocks=(3, 4, 6, 3))
variant("resnet50", "ResNet-50, of bottlenecks.", of="resnet", blocks=(3, 4, 6, 3), kind="bottleneck")
