"""Matrices of colour, as pure functions: n×(C+2)×(C+2), float64, on (channels…, mean luminance of the picture, 1).

That the mean is a coordinate lets contrast be a matrix like the rest, so that a run of them is one product, known
before any pixel is seen. Values are not clipped in between, only at the end of a run.
"""

import torch
from torch import Tensor

LUMINANCE = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in luminance: ITU-R BT.601."""


def luminance_weights(channels: int) -> Tensor:
    """The shares of the channels in luminance; even unless they are red, green and blue."""
    return torch.tensor(LUMINANCE if channels == 3 else [1 / channels] * channels, dtype=torch.float64)


def brightness(factor: Tensor, channels: int) -> Tensor:
    """Multiplies every value: 0 is black, 1 the picture."""
    result = _identity(len(factor), channels)
    result[:, : channels + 1] *= factor.double()[:, None, None]
    return result


def contrast(factor: Tensor, channels: int) -> Tensor:
    """Moves every value away from the mean luminance of the picture: 0 is flat grey, 1 the picture."""
    result, factor = _identity(len(factor), channels), factor.double()[:, None]
    result.diagonal(dim1=1, dim2=2)[:, :channels] = factor
    result[:, :channels, channels] = 1 - factor
    return result


def saturation(factor: Tensor, channels: int = 3) -> Tensor:
    """Moves every value away from the luminance of its pixel: 0 is grey, 1 the picture."""
    result, factor = _identity(len(factor), channels), factor.double()[:, None, None]
    result[:, :channels, :channels] *= factor
    result[:, :channels, :channels] += (1 - factor) * luminance_weights(channels)
    return result


def inversion(count: int, channels: int) -> Tensor:
    """Black for white and white for black."""
    result = -_identity(count, channels)
    result[:, : channels + 1, channels + 1] = 1
    result[:, channels + 1, channels + 1] = 1
    return result


def recolour_(images: Tensor, matrices: Tensor, *, blends_channels: bool, uses_mean: bool) -> Tensor:
    """The pictures through their matrices, in place where that can be; values are clipped to [0, 1].

    :param images: N×C×H×W, float in [0, 1].
    :param matrices: N×(C+2)×(C+2), float32.
    :param blends_channels: False promises that all channels are treated alike, each on its own.
    :param uses_mean: False promises that nothing depends on the mean luminance.
    """
    channels = images.shape[1]
    offset = matrices[:, :channels, channels + 1]
    if uses_mean:
        # Shares as plain numbers: a tensor of them would have to travel to the pictures first.
        means = images.mean((2, 3)).unbind(1)
        mean = sum(share * mean for share, mean in zip(luminance_weights(channels).tolist(), means, strict=True))
        offset = offset + matrices[:, :channels, channels] * mean[:, None]
    if blends_channels:
        gain = matrices[:, :channels, :channels]
        return torch.baddbmm(offset[:, :, None], gain, images.flatten(2)).view_as(images).clamp_(0, 1)
    gain = matrices[:, 0, 0, None, None, None]
    return images.mul_(gain).add_(offset[:, :, None, None]).clamp_(0, 1)


def _identity(count: int, channels: int) -> Tensor:
    return torch.eye(channels + 2, dtype=torch.float64).repeat(count, 1, 1)
