"""Changes of colour and sharpness that no matrix does, as pure functions.

Pictures are N×C×H×W; those that say so take uint8 as well as float in [0, 1] and give back what they took.
Amounts are one for each picture.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.augment.pasting import as_mask, paste

_LEAST_CHROMA = 1e-12


def shift_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Turns the hue of every pixel around the colour circle; saturation and value (of HSV) stay.

    :param images: float in [0, 1], three channels.
    :param turns: shares of a whole turn, from -1 to 1; a third takes red to green.

    Source: A. Smith, "Color gamut transform pairs", 1978. With hue h from 0 to 6, the way back is: red, green and
    blue are the darkest of the three plus chroma times |h - 3| - 1, 2 - |h - 2| and 2 - |h - 4|, each within [0, 1].
    """
    red, green, blue = images.unbind(1)
    value = torch.maximum(torch.maximum(red, green), blue)
    darkest = torch.minimum(torch.minimum(red, green), blue)
    chroma = value - darkest
    scale = 1 / chroma.clamp_min(_LEAST_CHROMA)
    is_red, is_green = (value == red).to(value.dtype), (value == green).to(value.dtype)
    hue = torch.lerp((red - green).mul_(scale).add_(4), (blue - red).mul_(scale).add_(2), is_green)
    hue = hue.lerp_((green - blue).mul_(scale), is_red).add_(6 * turns[:, None, None])
    hue = hue.sub_(hue.div(6).floor_(), alpha=6)
    result = torch.empty_like(images)
    for channel, (middle, sign, peak) in enumerate(((3, 1, -1), (2, -1, 2), (4, -1, 2))):
        share = torch.sub(hue, middle).abs_().mul_(sign).add_(peak).clamp_(0, 1)
        torch.addcmul(darkest, share, chroma, out=result[:, channel])
    return result


def raise_to_(images: Tensor, exponents: Tensor) -> Tensor:
    """Every value to a power, in place: below 1 the shadows get lighter, above 1 darker. Float in [0, 1]."""
    # Twice as fast as pow() with an exponent for each picture; black stays black, as 2 to minus infinity.
    return images.log2_().mul_(exponents[:, None, None, None]).exp2_()


def light_(images: Tensor, brightness: Tensor, contrast: Tensor) -> Tensor:
    """Lets brightness and contrast change linearly across each picture, in place. Float in [0, 1].

    :param brightness: n×2, what is added at the right and at the lower edge; the opposite edge loses as much.
    :param contrast: n×2, likewise, what the factor of contrast (about mid-grey) gains.
    """
    gain = 1 + _plane(contrast, *images.shape[-2:])
    offset = _plane(brightness, *images.shape[-2:]) + (1 - gain) / 2
    return images.mul_(gain).add_(offset)


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


def sharpen_(images: Tensor, factors: Tensor) -> Tensor:
    """Moves every value away from a smoothed picture, in place: 0 is the smoothed one, 1 the picture, 2 sharper. Float.

    Source: the smoothing (a pixel counts five times, its neighbours once) and the border, which is left as it is,
    are those of the Python Imaging Library's ``Sharpness``.
    """
    if min(images.shape[-2:]) < 3:
        return images
    inner = images[..., 1:-1, 1:-1]
    rows = images[..., :-2] + images[..., 1:-1] + images[..., 2:]
    smoothed = (rows[..., :-2, :] + rows[..., 1:-1, :]).add_(rows[..., 2:, :]).add_(inner, alpha=4).div_(13)
    inner.copy_(smoothed.lerp_(inner, factors[:, None, None, None]))
    return images


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
        is_light = images >= (thresholds * 255).ceil().to(torch.uint8)[:, None, None, None]
        return paste(images, ~images, as_mask(is_light))
    return paste(images, 1 - images, as_mask(images >= thresholds[:, None, None, None]))


def stretch_contrast_(images: Tensor) -> Tensor:
    """Stretches each channel so that its darkest value becomes 0 and its lightest 1, in place. Float."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    is_flat = high == low
    return images.sub_(torch.where(is_flat, 0, low)).div_(torch.where(is_flat, 1, high - low))


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
