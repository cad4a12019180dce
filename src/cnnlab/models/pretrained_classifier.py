"""Networks as they were trained elsewhere, with their own classes, as classifiers to use at once."""

from pathlib import Path
from typing import Any

import torch

from cnnlab.core import seeds
from cnnlab.core.errors import SpecError
from cnnlab.core.hooks import opener
from cnnlab.core.spec import Call
from cnnlab.models.backbone import Backbone
from cnnlab.models.classifier import Classifier
from cnnlab.models.networks import architectures, build_network, parse_model
from cnnlab.models.pretrained_weights import count_of_classes, load_into, moments_for, starting_weights
from cnnlab.models.shapes import Shape
from cnnlab.models.vision_libraries import vision_library


def pretrained(
    model: str,
    weights: str | Path = "imagenet",
    *,
    shape: Shape = (3, 224, 224),
    offline: bool = False,
    runs: Path | str | None = None,
) -> Classifier:
    """A network with the head that it was trained with, in evaluation mode.

    :param model: spec of one of the networks that take ``weights=``, such as ``squeezenet1_1`` or
        ``timm(resnet18d)``; its ``size=`` says to which side pictures are brought inside.
    :param weights: ``imagenet``, a file of safetensors, or ``run:NAME``.
    :param shape: channels, height and width of the pictures that the classifier takes.
    :raises UsageError: when the weights cannot be had or are those of another network.
    """
    bound = architectures.bind(model)
    if not {"weights", "head"} <= set(bound.arguments):
        raise SpecError(f"{bound.name} has no weights of its own; take one such as squeezenet1_1 or timm(resnet18d).")
    # SqueezeNet was trained with a convolution at its end, which is not what is put there for other tasks.
    is_other = bound.name == "squeezenet1_1" and bound.arguments["head"] in (None, "dense")
    arguments = dict(bound.arguments) | ({"head": "conv"} if is_other else {})
    start = starting_weights(Call(bound.name, (), {**arguments, "weights": str(weights)}), offline=offline, runs=runs)
    spec = Call(bound.name, (), {**arguments, "weights": None})
    with torch.device("meta"):
        blank = build_network(spec, shape, 1)
    assert isinstance(blank, Backbone) and start is not None
    outputs = count_of_classes(blank, start)
    with seeds.scope(0, "init"):
        network = build_network(spec, shape, outputs)
    assert isinstance(network, Backbone)
    load_into(network, start)
    mean, std = moments_for(network, start, shape[0])
    names = {"label": imagenet_class_names(outputs)}
    return Classifier(network, shape, mean, std, names, "classes", str(spec)).eval()


@opener("pretrained")
def _open_pretrained(spec: str, *, runs: Path | str | None = None, offline: bool = False, **unused: Any) -> Classifier:
    return pretrained(spec, parse_model(spec).weights or "imagenet", offline=offline, runs=runs)


def imagenet_class_names(count: int) -> tuple[str, ...]:
    """The 1,000 classes of ImageNet, as torchvision calls them; of another number of classes, their places."""
    if count != 1000:
        return tuple(f"class {place}" for place in range(count))
    api = vision_library("torchvision.models")
    return tuple(api.get_model_weights("alexnet").IMAGENET1K_V1.meta["categories"])
