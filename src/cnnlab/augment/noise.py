"""Operations that add noise. Each pixel has a draw of its own, made where the pictures are."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Generator, Tensor

from cnnlab.augment.catalogue import augmentations
from cnnlab.augment.operation import Info, Parameters, PixelOperation
from cnnlab.augment.pasting import as_mask, paste
from cnnlab.augment.sampling import noise_bytes, noise_generator, noise_seed
from cnnlab.core.arguments import Fraction, Range


@augmentations.register("salt_and_pepper")
@dataclass(frozen=True)
class SaltAndPepper(PixelOperation):
    """Makes a share ``amount`` of the pixels black or white, each as likely; all channels of a pixel together.

    Source: R. Gonzalez and R. Woods, "Digital image processing", section 5.2 (impulse noise). Probabilities are
    multiples of 1/32768.
    """

    amount: Fraction = 0.02

    keeps_bytes = True

    def draw(self, generator: Generator, info: Info) -> Parameters:
        """Draws the seed of the noise."""
        return {"noise": noise_seed(generator)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Sixteen random bits for a pixel: whether it is hit, and, by the last of them, of what kind."""
        count, _, height, width = images.shape
        drawn = noise_bytes(parameters["noise"], (count, 1, height, width * 2), images.device).view(torch.int16).int()
        is_hit = as_mask(drawn < 2 * round(self.amount * 2**15) - 2**15)
        is_white = (drawn & 1).to(images.dtype)
        return paste(images, -is_white if images.dtype == torch.uint8 else is_white, is_hit)


@augmentations.register("gaussian_noise")
@dataclass(frozen=True)
class GaussianNoise(PixelOperation):
    """Adds to each value of each pixel a normal number of standard deviation ``sigma`` (of the range 0 to 1).

    Source: C. Bishop, "Training with noise is equivalent to Tikhonov regularization", 1995.
    """

    sigma: Annotated[float, Range(0, 1)] = 0.05

    def draw(self, generator: Generator, info: Info) -> Parameters:
        """Draws the seed of the noise."""
        return {"noise": noise_seed(generator)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Adds it."""
        generator = noise_generator(parameters["noise"], images.device)
        noise = torch.randn(images.shape, generator=generator, device=images.device)
        return images.add_(noise, alpha=self.sigma)
