"""What tools are pointed at: anything that is predicted with, explained or attacked."""

from typing import Literal, TypeAlias

from torch import nn

from cnnlab.core.errors import UsageError

ResizeMode: TypeAlias = Literal["squash", "crop", "pad"]
Resampling: TypeAlias = Literal["bilinear", "bicubic"]


class Predictable(nn.Module):
    """Pixels to the outputs of an objective: a classifier, an ensemble of several, or a pipeline over features.

    It takes pixels N×C×H×W, float in [0, 1] or uint8, and gives N×K, float32. Whatever it needs besides, such as the
    normalisation, is inside.

    :param shape: channels, height and width of the pictures.
    :param resize: how pictures of another size are brought to ``shape``.
    :param resampling: how the pixels of such pictures are worked out.
    :param white: the value of white in whole numbers of more than 8 bits, where it was trained on such.
    :param float_white: the value of white in floats, where it was trained on such.
    :param classes: class names of each target column that holds classes.
    :param objective: canonical spec of the objective, which says what the outputs mean.
    :param has_gradient: whether the outputs can be differentiated by the pixels; those of a vote cannot.
    :param has_graph: whether its steps are the same for all pictures, and can be written down once as a graph.
    """

    shape: tuple[int, int, int]
    resize: ResizeMode
    resampling: Resampling = "bilinear"
    white: int | None = None
    float_white: float | None = None
    classes: dict[str, tuple[str, ...]]
    objective: str
    has_gradient: bool = True
    has_graph: bool = True

    @property
    def whites(self) -> tuple[int | None, float | None]:
        """The values of white in whole numbers and in floats."""
        return self.white, self.float_white


def require_gradient(model: nn.Module, reason: str) -> None:
    """Refuses a model that has no gradient, for tools that go by it.

    :param reason: what it is wanted for, as half a sentence, such as ``saliency is one``.
    :raises UsageError: naming the remedy.
    """
    if isinstance(model, Predictable) and not model.has_gradient:
        raise UsageError(
            f"{reason}, and the outputs of this {type(model).__name__.lower()} have no gradient by the pixels. Take "
            "one of the models that it is made of."
        )
