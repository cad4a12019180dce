"""Pictures unrolled around their middle, so that a turn becomes a shift: for dials, plants, and all that is round.

Esteves and others, Polar transformer networks (2018), unroll pictures so before convolutions; here the radius is not
logarithmic, and the middle is that of the picture.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnlab.core.arguments import Count
from cnnlab.models.basic_layers import fill
from cnnlab.models.initialisers import Initialiser
from cnnlab.models.layer_strings import Layer, LayerContext, layers
from cnnlab.models.shapes import windows


class Polar(nn.Module):
    """N×C×H×W to N×C×radii×angles: rows from the middle outwards, columns clockwise from the top."""

    def __init__(self, angles: int, radii: int) -> None:
        super().__init__()
        self.angles, self.radii = angles, radii

    def forward(self, input: Tensor) -> Tensor:
        """Bilinear; the last row lies on the circle that touches the picture's sides."""
        turn = torch.arange(self.angles, device=input.device) * (2 * math.pi / self.angles)
        radius = (torch.arange(self.radii, device=input.device) + 0.5)[:, None] / self.radii
        grid = torch.stack([radius * turn.sin(), -radius * turn.cos()], dim=-1)
        return F.grid_sample(input.float(), grid.expand(len(input), -1, -1, -1), align_corners=False)

    def extra_repr(self) -> str:
        """What torch shows of it."""
        return f"angles={self.angles}, radii={self.radii}"


class RingConv2d(nn.Conv2d):
    """A convolution over rows whose two ends meet: zeros above and below, the other end on either side."""

    def forward(self, input: Tensor) -> Tensor:
        """N×C×H×W to N×filters×H'×W'."""
        edge = self.kernel_size[1] // 2
        if edge:
            # torch's own circular padding gives up the layout of its input, for which all that follows then pays.
            input = torch.cat([input[..., -edge:], input, input[..., :edge]], dim=3)
        return super().forward(input)


class CircularCorrelation(nn.Module):
    """For each pair of channels how well the second fits the first when it is turned on by so many columns.

    The circular cross-correlation Σ a(x) b(x + d) / W for every d, by the convolution theorem.
    """

    def forward(self, input: Tensor) -> Tensor:
        """N×2P×H×W to N×P×H×W, in float32: channel i of the first half goes with channel i of the second."""
        first, second = torch.fft.rfft(input.float(), dim=-1).chunk(2, dim=1)
        width = input.shape[-1]
        fitting: Tensor = torch.fft.irfft(first.conj() * second, n=width, dim=-1)
        return fitting / width


@layers.register("polar")
def polar(place: LayerContext, angles: Count = 120, radii: Count = 24) -> Layer:
    """The picture unrolled around its middle: rows are radii, columns are angles, clockwise from the top.

    A turned picture is then the same picture shifted along the rows.
    """
    channels, _, _ = place.feature_map()
    return Layer(Polar(angles, radii), (channels, radii, angles))


@layers.register("ring_conv")
def ring_conv(
    place: LayerContext,
    filters: Count,
    kernel: tuple[Count, Count] = (3, 3),
    stride: tuple[Count, Count] = (1, 1),
    padding: Literal["same", "valid"] = "same",
    bias: bool = True,
    init: Initialiser = "default",
    bias_init: Initialiser = "default",
) -> Layer:
    """A convolution over a picture whose left and right edges meet, such as ``polar`` makes; sizes are height, width.

    ``padding`` is that above and below: zeros that keep the height at stride 1, or none.
    """
    channels, height, width = place.feature_map()
    if kernel[1] % 2 == 0 or kernel[1] // 2 >= width:
        raise place.error(f"its kernel is {kernel[1]} wide; that must be odd, and less than twice the {width} columns")
    if padding == "same" and kernel[0] % 2 == 0:
        raise place.error(f"a kernel {kernel[0]} rows high cannot keep the height; take an odd one, or padding=valid")
    edge = kernel[0] // 2 if padding == "same" else 0
    if height + 2 * edge < kernel[0]:
        raise place.error(f"a kernel {kernel[0]} rows high does not fit; take a lower one, or padding=same")
    place.afford(filters, channels, *kernel)
    rows = windows(height, kernel[0], stride[0], 2 * edge)
    columns = windows(width, kernel[1], stride[1], 2 * (kernel[1] // 2))
    module = RingConv2d(channels, filters, kernel, stride, (edge, 0), bias=bias)
    fill(place, module, init, bias_init)
    return Layer(module, (filters, rows, columns))


@layers.register("correlate")
def correlate(place: LayerContext) -> Layer:
    """How far the patterns in one half of the channels are turned against those in the other half.

    Column d of the result tells how well they agree when they are moved on by d columns: a way to measure angles
    between two things wherever both are, as between a dial's twelve and a hand.
    """
    channels, height, width = place.feature_map()
    if channels % 2:
        raise place.error(f"correlate takes channels in pairs, and there are {channels}; make their number even")
    return Layer(CircularCorrelation(), (channels // 2, height, width))
