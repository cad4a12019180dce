"""Operations on brightness, colour and sharpness. Each is drawn for each picture on its own."""

import math
from dataclasses import dataclass, field
from typing import Annotated, TypeAlias

import torch
from torch import Generator, Tensor

from cnnlab.augment import colours, effects
from cnnlab.augment.catalogue import augmentations
from cnnlab.augment.operation import ColourOperation, Info, Parameters, PixelOperation, Shape
from cnnlab.augment.sampling import Spread, factors, integers, symmetric, uniform
from cnnlab.core.arguments import Fraction, Range

Bits: TypeAlias = Annotated[int, Range(1, 8)]
Deviation: TypeAlias = Annotated[float, Range(0, 20, open_low=True)]


@augmentations.register("brightness")
@dataclass(frozen=True)
class Brightness(ColourOperation):
    """Makes the picture darker or lighter: every value times one factor, evenly from ``amount``.

    An amount of 0.2 is factors from 0.8 to 1.2; a list gives the factors, [0.5, 2].

    Source: P. Haeberli and D. Voorhies, "Image processing by linear interpolation and extrapolation", 1994.
    """

    amount: Spread = 0.2

    def matrix(self, generator: Generator, info: Info) -> Tensor:
        """Draws one factor."""
        return colours.brightness(factors(generator, self.amount, info.count), info.shape[0])


@augmentations.register("contrast")
@dataclass(frozen=True)
class Contrast(ColourOperation):
    """Makes differences from the picture's mean luminance smaller or larger, by one factor evenly from ``amount``.

    An amount of 0.2 is factors from 0.8 to 1.2; a list gives the factors, [0.5, 2].

    Source: P. Haeberli and D. Voorhies, 1994.
    """

    amount: Spread = 0.2

    uses_mean = True

    def matrix(self, generator: Generator, info: Info) -> Tensor:
        """Draws one factor."""
        return colours.contrast(factors(generator, self.amount, info.count), info.shape[0])


@augmentations.register("saturation")
@dataclass(frozen=True)
class Saturation(ColourOperation):
    """Makes colours paler or stronger, by one factor evenly from ``amount``.

    An amount of 0.2 is factors from 0.8 to 1.2; a list gives the factors, [0.5, 2].

    Source: P. Haeberli and D. Voorhies, 1994.
    """

    amount: Spread = 0.2

    needs_colour = True
    blends_channels = True

    def matrix(self, generator: Generator, info: Info) -> Tensor:
        """Draws one factor."""
        return colours.saturation(factors(generator, self.amount, info.count))


@augmentations.register("grayscale")
@dataclass(frozen=True)
class Grayscale(ColourOperation):
    """Takes all colour away and leaves the luminance in every channel.

    Source: T. Chen, S. Kornblith, M. Norouzi and G. Hinton, "A simple framework for contrastive learning of visual
    representations", 2020, appendix A.
    """

    p: Fraction = field(default=0.2, kw_only=True)

    needs_colour = True
    blends_channels = True

    def matrix(self, generator: Generator, info: Info) -> Tensor:
        """Draws nothing but who is chosen."""
        return colours.saturation(torch.zeros(info.count))


@augmentations.register("invert")
@dataclass(frozen=True)
class Invert(ColourOperation):
    """Turns the picture into its negative.

    Source: E. Cubuk et al., "AutoAugment: learning augmentation strategies from data", 2019, table 6.
    """

    p: Fraction = field(default=0.5, kw_only=True)

    def matrix(self, generator: Generator, info: Info) -> Tensor:
        """Draws nothing but who is chosen."""
        return colours.inversion(info.count, info.shape[0])


@augmentations.register("hue")
@dataclass(frozen=True)
class Hue(PixelOperation):
    """Turns all hues around the colour circle by up to a share ``amount`` of it either way, evenly.

    Source: A. Howard, "Some improvements on deep convolutional neural network based image classification", 2014,
    for colour distortion; A. Smith, "Color gamut transform pairs", 1978, for the circle.
    """

    amount: Annotated[float, Range(0, 0.5)] = 0.05

    needs_colour = True

    def draw(self, generator: Generator, info: Info) -> Parameters:
        """Draws the turn."""
        return {"turns": symmetric(generator, self.amount, info.count)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Turns the hues."""
        return effects.shift_hue(images, parameters["turns"])


@augmentations.register("gamma")
@dataclass(frozen=True)
class Gamma(PixelOperation):
    """Raises every value to one power, evenly from ``amount``: shadows get lighter or darker, black and white stay.

    An amount of 0.2 is exponents from 0.8 to 1.2; a list gives the exponents, [0.5, 2].

    Source: C. Poynton, "Digital video and HD", 2012, chapter 27.
    """

    amount: Spread = 0.2

    def draw(self, generator: Generator, info: Info) -> Parameters:
        """Draws the exponent."""
        return {"exponents": factors(generator, self.amount, info.count)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Raises the values."""
        return effects.raise_to_(images, parameters["exponents"])


@augmentations.register("lighting")
@dataclass(frozen=True)
class Lighting(PixelOperation):
    """Lets brightness and contrast change linearly across the picture, as with a lamp at one side.

    Each has a direction of its own, any as likely, and a strength, evenly from 0 to its argument: what is added to
    the values (for contrast, to the factor by which they differ from mid-grey) between the middle and the edge.

    Source: kornia's RandomLinearIllumination for brightness; contrast is treated alike.
    """

    brightness: Fraction = 0.2
    contrast: Fraction = 0.2

    def draw(self, generator: Generator, info: Info) -> Parameters:
        """Draws the directions and strengths."""
        angle = uniform(generator, 0, 2 * math.pi, 2, info.count)
        strength = uniform(generator, 0, 1, 2, info.count)
        slopes = torch.stack([angle.cos() * strength, angle.sin() * strength], 2)
        return {"brightness": slopes[0] * self.brightness, "contrast": slopes[1] * self.contrast}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Lights the pictures."""
        return effects.light_(images, parameters["brightness"], parameters["contrast"])


@augmentations.register("blur")
@dataclass(frozen=True)
class Blur(PixelOperation):
    """Blurs the picture by a Gaussian whose standard deviation is evenly from 0 to ``sigma`` pixels.

    Source: T. Chen, S. Kornblith, M. Norouzi and G. Hinton, 2020, appendix A.
    """

    sigma: Deviation = 1.0

    @property
    def radius(self) -> int:
        """Pixels on either side that count: three standard deviations."""
        return math.ceil(3 * self.sigma)

    def refusal(self, shape: Shape) -> str | None:
        """The blur must not be wider than the picture."""
        most = (min(shape[1:]) - 1) / 3
        if self.radius < min(shape[1:]):
            return None
        return f"blur takes a sigma of at most {most:.3g} on pictures of {shape[1]}×{shape[2]}; got {self.sigma:g}"

    def draw(self, generator: Generator, info: Info) -> Parameters:
        """Draws the standard deviation."""
        return {"deviations": uniform(generator, 0, self.sigma, info.count)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Blurs the pictures."""
        return effects.blur(images, parameters["deviations"], self.radius)


@augmentations.register("sharpen")
@dataclass(frozen=True)
class Sharpen(PixelOperation):
    """Makes differences from a smoothed picture larger, by a factor evenly from 1 to 1 + ``amount``.

    Source: E. Cubuk et al., "AutoAugment", 2019, table 6 (Sharpness), the upper half of its range.
    """

    amount: Annotated[float, Range(0, 10, open_low=True)] = 1.0

    def draw(self, generator: Generator, info: Info) -> Parameters:
        """Draws the factor."""
        return {"factors": uniform(generator, 1, 1 + self.amount, info.count)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Sharpens the pictures."""
        return effects.sharpen_(images, parameters["factors"])


@augmentations.register("posterize")
@dataclass(frozen=True)
class Posterize(PixelOperation):
    """Keeps only the highest bits of each value, from ``bits`` to 8 of them, each number as likely.

    Source: E. Cubuk et al., "AutoAugment", 2019, table 6.
    """

    bits: Bits = 4

    keeps_bytes = True

    def draw(self, generator: Generator, info: Info) -> Parameters:
        """Draws how many."""
        return {"bits": integers(generator, self.bits, 8, info.count)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Clears the others."""
        return effects.posterize(images, parameters["bits"])


@augmentations.register("solarize")
@dataclass(frozen=True)
class Solarize(PixelOperation):
    """Inverts the light values: those from a threshold on, evenly from ``threshold`` to 1.

    Source: E. Cubuk et al., "AutoAugment", 2019, table 6.
    """

    threshold: Fraction = 0.5

    keeps_bytes = True

    def draw(self, generator: Generator, info: Info) -> Parameters:
        """Draws the threshold."""
        return {"thresholds": uniform(generator, self.threshold, 1, info.count)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Inverts."""
        return effects.solarize(images, parameters["thresholds"])


@augmentations.register("autocontrast")
@dataclass(frozen=True)
class Autocontrast(PixelOperation):
    """Stretches each channel over the whole range from black to white.

    Source: E. Cubuk et al., "AutoAugment", 2019, table 6.
    """

    p: Fraction = field(default=0.5, kw_only=True)

    def draw(self, generator: Generator, info: Info) -> Parameters:
        """Draws nothing but who is chosen."""
        return {}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Stretches."""
        return effects.stretch_contrast_(images)


@augmentations.register("equalize")
@dataclass(frozen=True)
class Equalize(PixelOperation):
    """Makes all values of each channel about as frequent.

    Source: E. Cubuk et al., "AutoAugment", 2019, table 6.
    """

    p: Fraction = field(default=0.5, kw_only=True)

    keeps_bytes = True

    def draw(self, generator: Generator, info: Info) -> Parameters:
        """Draws nothing but who is chosen."""
        return {}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Equalises."""
        return effects.equalize(images)
