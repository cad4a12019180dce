"""Changes of colour and sharpness that no matrix does, as pure functions.

Pictures are N×C×H×W; those that say so take uint8 as well as float in [0, 1] and give back what they took.
Amounts are one for each picture.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def shift_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Turns the hue of every pixel around the colour circle; saturation and value (of HSV) stay.

    :param images: float in [0, 1], three channels.
    :param turns: shares of a whole turn; a third takes red to green.

    Source: A. Smith, "Color gamut transform pairs", 1978, with the way back in the closed form
    ``value - chroma · max(0, min(k, 4 - k, 1))``, k = (n + hue · 6) mod 6 and n = 5, 3, 1 for red, green, blue.
    """
    red, green, blue = images.unbind(1)
    value = torch.maximum(torch.maximum(red, green), blue)
    chroma = value - torch.minimum(torch.minimum(red, green), blue)
    scale = 1 / torch.where(chroma == 0, 1, chroma)
    is_red, is_green = value == red, value == green
    hue = torch.where(is_green, (blue - red) * scale + 2, (red - green) * scale + 4)
    hue = torch.where(is_red, (green - blue) * scale, hue) + 6 * turns[:, None, None]
    places = torch.tensor([5.0, 3.0, 1.0], device=images.device)[:, None, None]
    k = (hue[:, None] + places).remainder_(6)
    share = torch.minimum(k, 4 - k).clamp_(0, 1)
    return value[:, None] - share.mul_(chroma[:, None])


def raise_to(images: Tensor, exponents: Tensor) -> Tensor:
    """Every value to a power: below 1 the shadows get lighter, above 1 darker. Float in [0, 1]."""
    # Twice as fast as pow() with an exponent for each picture; black stays black, as 2 to minus infinity.
    return images.log2().mul_(exponents[:, None, None, None]).exp2_()


def light(images: Tensor, brightness: Tensor, contrast: Tensor) -> Tensor:
    """Lets brightness and contrast change linearly across each picture, float in [0, 1].

    :param brightness: n×2, what is added at the right and at the lower edge; the opposite edge loses as much.
    :param contrast: n×2, likewise, what the factor of contrast (about mid-grey) gains.
    """
    gain = 1 + _plane(contrast, *images.shape[-2:])
    offset = _plane(brightness, *images.shape[-2:]) + (1 - gain) / 2
    return (images * gain).add_(offset)


def blur(images: Tensor, deviations: Tensor, radius: int) -> Tensor:
    """Gaussian blur; beyond its border a picture is mirrored. Float.

    :param deviations: standard deviations in pixels; 0 leaves the picture as it is.
    :param radius: pixels on either side that count; at most one less than the picture is large.
    """
    distance = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-0.5 * (distance / deviations[:, None].clamp_min(1e-3)) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(images.shape[1], 0)
    planes = F.pad(images, (radius, radius, radius, radius), mode="reflect").flatten(0, 1)[None]
    planes = F.conv2d(planes, kernel[:, None, :, None], groups=len(kernel))
    return F.conv2d(planes, kernel[:, None, None, :], groups=len(kernel)).view_as(images)


def sharpen(images: Tensor, factors: Tensor) -> Tensor:
    """Moves every value away from a smoothed picture: 0 is the smoothed one, 1 the picture, 2 sharper. Float.

    Source: the smoothing and the untouched border are those of the Python Imaging Library's ``Sharpness``.
    """
    if min(images.shape[-2:]) < 3:
        return images.clone()
    kernel = torch.ones(1, 1, 3, 3, dtype=images.dtype, device=images.device)
    inner = images[..., 1:-1, 1:-1]
    sums = F.conv2d(images.flatten(0, 1)[:, None], kernel).view_as(inner)
    smoothed = (sums + 4 * inner) / 13
    result = images.clone()
    result[..., 1:-1, 1:-1] = smoothed + (inner - smoothed) * factors[:, None, None, None]
    return result


def posterize(images: Tensor, bits: Tensor) -> Tensor:
    """Keeps the highest bits of each value's eight and clears the rest; uint8 or float."""
    step = 2 ** (8 - bits[:, None, None, None])
    if images.dtype == torch.uint8:
        return images & (256 - step).to(torch.uint8)
    step = step.to(images.dtype)
    # Half a thousandth up, so that a byte that went through floats is not taken for the one below.
    return (images * 255 + 5e-4).div_(step).floor_().mul_(step / 255)


def solarize(images: Tensor, thresholds: Tensor) -> Tensor:
    """Inverts values from a threshold (in [0, 1]) on; uint8 or float."""
    if images.dtype == torch.uint8:
        return torch.where(images >= thresholds[:, None, None, None] * 255, 255 - images, images)
    return torch.where(images >= thresholds[:, None, None, None], 1 - images, images)


def stretch_contrast(images: Tensor) -> Tensor:
    """Stretches each channel so that its darkest value becomes 0 and its lightest 1; float."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    is_flat = high == low
    return (images - torch.where(is_flat, 0, low)) / torch.where(is_flat, 1, high - low)


def equalize(images: Tensor) -> Tensor:
    """Spreads the values of each channel so that all of the 256 are about as frequent; uint8 or float.

    Source: the rounding is that of the Python Imaging Library's ``ImageOps.equalize``.
    """
    if images.dtype != torch.uint8:
        return equalize((images * 255).round().to(torch.uint8)).to(images.dtype).div_(255)
    values = images.flatten(2).long()
    ones = torch.ones_like(values, dtype=torch.int32)
    histogram = torch.zeros(*values.shape[:2], 256, dtype=torch.int32, device=images.device)
    below = histogram.scatter_add_(2, values, ones).cumsum(2, dtype=torch.int32)
    lightest = histogram.gather(2, values.amax(2, keepdim=True))
    step = (math.prod(images.shape[-2:]) - lightest).div(255, rounding_mode="floor")
    table = (below + step // 2).div(step.clamp_min(1), rounding_mode="floor").clamp_(0, 255)
    table = F.pad(table[:, :, :-1], (1, 0)).to(torch.uint8)
    spread = torch.where(step == 0, images.flatten(2), table.gather(2, values))
    return spread.view_as(images)


def _plane(slope: Tensor, height: int, width: int) -> Tensor:
    """n×1×height×width, from minus to plus the slopes between the outer edges."""
    column = (torch.arange(width, dtype=slope.dtype, device=slope.device) * 2 + 1) / width - 1
    row = (torch.arange(height, dtype=slope.dtype, device=slope.device) * 2 + 1) / height - 1
    across, down = slope[:, :1] * column, slope[:, 1:] * row
    return (across[:, None, :] + down[:, :, None])[:, None]
