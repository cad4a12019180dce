"""Networks so small that what a tool must answer can be worked out on paper; each says so in its docstring.

All take grey images of 2×2 pixels, and answers are for :func:`tiny_image`, x = [[1/4, 1/2], [3/4, 1]]. Nothing is
normalised: a network sees the pixels. Numbers are exact in binary, so answers can be compared with ``==``.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from cnnlab.models import Classifier, build_network, canonical_model
from cnnlab.objectives import restore_objective

_SHAPE = (1, 2, 2)
_CAT_OR_DOG = {"label": ("cat", "dog")}


def tiny_image() -> Tensor:
    """[[1/4, 1/2], [3/4, 1]] as a batch of one grey image, 1×1×2×2."""
    return torch.tensor([[[[0.25, 0.5], [0.75, 1.0]]]])


def linear_classifier() -> Classifier:
    """One dense layer: three classes, whose boundaries are planes.

    ====== ============== ==== ======
    class  weights        bias logit
    ====== ============== ==== ======
    cat    (1, -1, 0, 4)  0    3.75
    dog    (1, -1, 3, 0)  0    2.00
    owl    (-1, 1, 2, 2)  -1   2.75
    ====== ============== ==== ======

    - The gradient of a logit is its row of weights, everywhere. So is the Jacobian, all rows together.
    - From cat to owl the weights change by (-2, 2, 2, -2), of length 4, and 1.00 is to be made up: the boundary is
      1/4 away; to dog they change by (0, 0, 3, -4), of length 5, and 1.75 is to be made up: it is 7/20 away.
    - DeepFool therefore goes towards owl, by (-1, 1, 1, -1)/8, in one step, and comes to [[1/8, 5/8], [7/8, 7/8]],
      where the logits are (3.000, 2.125, 3.000).
    - The loss for cat has a gradient of the signs (-, +, +, -), so one fast gradient step of 1/8 comes to the same
      place; a smaller one leaves the class, a larger one changes it to owl, for 1/8 is the least that does.
    """
    classifier = _classifier("flatten", {"label": ("cat", "dog", "owl")}, "classes")
    _set(classifier, "head.weight", [[1, -1, 0, 4], [1, -1, 3, 0], [-1, 1, 2, 2]])
    _set(classifier, "head.bias", [0, 0, -1])
    return classifier


def conv_classifier() -> Classifier:
    """A 3×3 convolution that gives what it sees, ReLU, the mean over all positions, and two classes made of it.

    - The feature map after ``relu1`` is x itself, and its mean, the one feature, is 5/8.
    - The logits are cat 8·5/8 = 5 and dog 5 - 4·5/8 = 5/2.
    - The gradient of cat is 8/4 = 2 at each pixel and at each place of the feature map, that of dog -1.
    - Grad-CAM at ``relu1`` weighs the map by the mean gradient and cuts off what is below 0: for cat it is 2·x =
      [[1/2, 1], [3/2, 2]], for dog 0 everywhere. Scaled to a largest value of 1, that for cat is x.
    - Guided backpropagation gives 2 at each pixel for cat, and 0 for dog, whose gradient is negative.
    - Covering a pixel by black takes 2 times its value from cat, and adds its value to dog.
    """
    classifier = _classifier("conv(1, 3)|relu|global_pool", _CAT_OR_DOG, "classes")
    _set(classifier, "conv1.weight", [[[[0, 0, 0], [0, 1, 0], [0, 0, 0]]]])
    _set(classifier, "conv1.bias", [0])
    _set(classifier, "head.weight", [[8], [-4]])
    _set(classifier, "head.bias", [0, 5])
    return classifier


def batch_norm_classifier() -> Classifier:
    """Batch normalisation with a mean of 1/2, a variance of 1/4, scale 2 and offset 1; cat is the sum over all pixels.

    - In evaluation it makes 2·(x - 1/2)/(1/2) + 1 = 4·x - 1 of the image, [[0, 1], [2, 3]]: the logits are cat 6 and
      dog 0, and the gradient of cat is 4 at each pixel.
    - In training it takes the mean and the variance of the batch, after which scale times the sum is 0 and the offsets
      are left: cat is 4, for this image alone in a batch and for any other.
    - A tool that says 4 has forgotten evaluation mode; one after which ``running_mean`` is no longer 1/2 has run a
      batch in training mode: of this image it makes 1/2 + (5/8 - 1/2)·momentum.
    """
    classifier = _classifier("bn|flatten", _CAT_OR_DOG, "classes")
    norm = next(module for module in classifier.modules() if isinstance(module, nn.BatchNorm2d))
    _set(classifier, "bn1.running_mean", [0.5])
    _set(classifier, "bn1.running_var", [0.25 - norm.eps])
    _set(classifier, "bn1.weight", [2])
    _set(classifier, "bn1.bias", [1])
    _set(classifier, "head.weight", [[1, 1, 1, 1], [0, 0, 0, 0]])
    _set(classifier, "head.bias", [0, 0])
    return classifier


def two_head_classifier() -> Classifier:
    """Two heads on the pixels: ``side`` tells left from right, ``size`` is a number from 0 to 10.

    - The outputs are left 4·1/4 = 1, right 2·1 = 2, and, for the size, 1/4 - 1/2 + 3/4 - 1 = -1/2.
    - Decoded, the side is right, with a probability of e/(1 + e), and the size 5 + 5·(-1/2) = 2.5: numbers are learnt
      in the scale of -1 to 1.
    - The gradient of left is (4, 0, 0, 0), that of right (0, 0, 0, 2), that of the size in its scale (1, -1, 1, -1).
    """
    objective = "multi-head(side=classes, size=scalar(range=[0, 10], column=size))"
    classifier = _classifier("flatten", {"side": ("left", "right")}, objective)
    _set(classifier, "head.weight", [[4, 0, 0, 0], [0, 0, 0, 2], [1, -1, 1, -1]])
    _set(classifier, "head.bias", [0, 0, 0])
    return classifier


def _classifier(layers: str, classes: Mapping[str, Sequence[str]], objective: str) -> Classifier:
    """The layers and a head in evaluation mode, with weights still to be set."""
    settled = restore_objective(objective, {column: tuple(names) for column, names in classes.items()})
    network = build_network(layers, _SHAPE, settled.outputs)
    return Classifier(network, _SHAPE, [0.0], [1.0], classes, settled.spec, canonical_model(layers)).eval()


def _set(classifier: Classifier, name: str, values: object) -> None:
    tensor = classifier.network.state_dict()[name]
    tensor.copy_(torch.tensor(values, dtype=tensor.dtype))
