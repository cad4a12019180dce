"""What stands for a picture while it is changed: its pixels, or waves with decorrelated colours (Olah et al. 2017)."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

_AXES = ((0.581, 0.582, 0.570), (0.735, -0.073, -0.674), (0.350, -0.810, 0.470))
_SPREADS = (0.966, 0.228, 0.121)
"""Principal axes of the colours in 300 photographs, light to dark, red to blue and green to purple, and how far colours
spread along each."""
_START = 0.1
"""The deviation of the numbers that a picture starts from, as noise round a middle grey."""


class Parametrization(ABC):
    """Numbers that a picture in [0, 1] is made of, a row each, which a gradient changes.

    :param shape: of a picture: channels, height, width.
    """

    def __init__(self, shape: Sequence[int], device: torch.device) -> None:
        self.channels, self.height, self.width = shape
        self.device = device

    @abstractmethod
    def drawn(self, generator: torch.Generator) -> Tensor:
        """The numbers of one picture to start from."""

    @abstractmethod
    def pictures(self, numbers: Tensor) -> Tensor:
        """N×C×H×W in (0, 1)."""

    @abstractmethod
    def blurred(self, numbers: Tensor, deviation: float) -> Tensor:
        """The numbers of pictures that are blurred, before they are squeezed into (0, 1), by a Gaussian.

        :param deviation: in pixels.
        """

    def _frequencies(self) -> Tensor:
        """Of each wave of a picture, in cycles a pixel, H×(W/2 + 1)."""
        along = torch.fft.rfftfreq(self.width, device=self.device)
        return torch.hypot(torch.fft.fftfreq(self.height, device=self.device)[:, None], along)

    def _kept(self, deviation: float) -> Tensor:
        """What a blur leaves of each wave."""
        return torch.exp(-2 * (torch.pi * deviation * self._frequencies()) ** 2)


class Pixels(Parametrization):
    """Each pixel by itself, through a sigmoid."""

    def drawn(self, generator: torch.Generator) -> Tensor:
        """C×H×W."""
        return torch.randn(self.channels, self.height, self.width, generator=generator) * _START

    def pictures(self, numbers: Tensor) -> Tensor:
        """N×C×H×W in (0, 1)."""
        return numbers.sigmoid()

    def blurred(self, numbers: Tensor, deviation: float) -> Tensor:
        """N×C×H×W."""
        waves = torch.fft.rfft2(numbers) * self._kept(deviation)
        blurred: Tensor = torch.fft.irfft2(waves, s=(self.height, self.width))
        return blurred


class Waves(Parametrization):
    """The Fourier transform of the picture before the sigmoid, each wave scaled by one over its frequency.

    So a step of the gradient changes a picture as pictures differ from one another, broad waves more than fine ones. In
    pictures of three channels colours are so scaled too, along the axes in which photographs differ.
    """

    def __init__(self, shape: Sequence[int], device: torch.device) -> None:
        super().__init__(shape, device)
        frequencies = self._frequencies()
        scale = 1 / frequencies.clamp(min=1 / max(self.height, self.width))
        # So that numbers of deviation 1 make pictures of deviation 1.
        self._scale = scale / scale.square().mean().sqrt()
        mix = torch.tensor(_AXES, device=device).T * torch.tensor(_SPREADS, device=device)
        self._mix = mix / mix.square().sum(1).mean().sqrt() if self.channels == 3 else None

    def drawn(self, generator: torch.Generator) -> Tensor:
        """C×H×(W/2 + 1)×2, the real and the imaginary part of each wave."""
        return torch.randn(self.channels, *self._scale.shape, 2, generator=generator) * _START

    def pictures(self, numbers: Tensor) -> Tensor:
        """N×C×H×W in (0, 1)."""
        waves = torch.view_as_complex(numbers) * self._scale
        fields = torch.fft.irfft2(waves, s=(self.height, self.width), norm="ortho")
        if self._mix is not None:
            fields = torch.einsum("ck,nkhw->nchw", self._mix, fields)
        squeezed: Tensor = fields.sigmoid()
        return squeezed

    def blurred(self, numbers: Tensor, deviation: float) -> Tensor:
        """N×C×H×(W/2 + 1)×2."""
        return numbers * self._kept(deviation)[..., None]
