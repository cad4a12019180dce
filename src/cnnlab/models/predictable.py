"""What tools are pointed at: anything that is predicted with, explained or attacked."""

from typing import Literal, TypeAlias

from torch import nn

ResizeMode: TypeAlias = Literal["squash", "crop", "pad"]


class Predictable(nn.Module):
    """Pixels to the outputs of an objective: a classifier, an ensemble of several, or a pipeline over features.

    It takes pixels N×C×H×W, float in [0, 1] or uint8, and gives N×K, float32. Whatever it needs besides, such as the
    normalisation, is inside.

    :param shape: channels, height and width of the pictures.
    :param resize: how pictures of another size are brought to ``shape``.
    :param classes: class names of each target column that holds classes.
    :param objective: canonical spec of the objective, which says what the outputs mean.
    :param has_gradient: whether the outputs can be differentiated by the pixels; those of a vote cannot.
    """

    shape: tuple[int, int, int]
    resize: ResizeMode
    classes: dict[str, tuple[str, ...]]
    objective: str
    has_gradient: bool = True
