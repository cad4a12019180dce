"""Augmentation against torchvision and kornia, for the operations they share, to a thousandth of the range."""

import kornia
import numpy as np
import pytest
import torch
import torchvision.transforms.v2 as transforms
import torchvision.transforms.v2.functional as tv

from cnnlab.augment import colours, effects, matrices
from cnnlab.augment.padding import Fill
from cnnlab.augment.policies import LEVELS, RandAugment, Trivial
from cnnlab.augment.resampling import resample

CLOSE = {"atol": 1e-3, "rtol": 0}
BILINEAR = tv.InterpolationMode.BILINEAR
THEIRS = {
    "ShearX": "shear-x",
    "ShearY": "shear-y",
    "TranslateX": "translate-x",
    "TranslateY": "translate-y",
    "Rotate": "rotate",
    "Brightness": "brightness",
    "Color": "saturation",
    "Contrast": "contrast",
    "Sharpness": "sharpness",
    "Posterize": "posterize",
    "Solarize": "solarize",
}


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(11)
    smooth = torch.rand(4, 3, 9, 10, generator=generator)
    return torch.nn.functional.interpolate(smooth, (27, 30), mode="bicubic").clamp(0, 1)


@pytest.fixture(scope="module")
def byte_images(images):
    return (images * 255).round().to(torch.uint8)


def numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


def warped(images, backward, fill=None):
    return resample(images, backward[:, :2].float().expand(len(images), -1, -1), fill or Fill("constant"))


def test_rotation_is_torchvisions_and_kornias(images):
    ours = warped(images, matrices.rotation(numbers(25)))
    torch.testing.assert_close(ours, tv.rotate(images, 25, interpolation=BILINEAR), **CLOSE)
    torch.testing.assert_close(ours, kornia.geometry.rotate(images, torch.tensor([25.0])), **CLOSE)


def test_composition_is_torchvisions_affine(images):
    """Which slants, enlarges, turns (clockwise there) and moves, in this order."""
    backward = (
        matrices.shear(numbers(12), numbers(-7))
        @ matrices.scaling(numbers(1.2), numbers(1.2))
        @ matrices.rotation(numbers(-15))
        @ matrices.translation(numbers(3), numbers(-2))
    )
    theirs = tv.affine(images, 15, [3, -2], 1.2, [12, -7], interpolation=BILINEAR)
    torch.testing.assert_close(warped(images, backward), theirs, **CLOSE)


def test_shift_and_stretch_are_kornias(images):
    ours = warped(images, matrices.translation(numbers(2.5), numbers(-1.25)))
    theirs = kornia.geometry.translate(images, torch.tensor([[2.5, -1.25]]).expand(4, -1))
    torch.testing.assert_close(ours, theirs, **CLOSE)
    ours = warped(images, matrices.scaling(numbers(0.8), numbers(1.3)))
    theirs = kornia.geometry.scale(images, torch.tensor([[0.8, 1.3]]).expand(4, -1))
    torch.testing.assert_close(ours, theirs, **CLOSE)


def test_perspective_is_torchvisions(images):
    """Which measures places from the outer edge of the picture, not from the middle of its first pixel."""
    start, end = [[0, 0], [30, 0], [30, 27], [0, 27]], [[3, 2], [25, 4], [28, 20], [1, 24]]
    backward = matrices.onto_quadrilateral((torch.tensor(end) - torch.tensor([15, 13.5]))[None], 30, 27)
    ours = resample(images, backward.float().expand(4, -1, -1), Fill("constant"))
    torch.testing.assert_close(ours, tv.perspective(images, start, end, interpolation=BILINEAR), **CLOSE)


def test_perspective_is_kornias(images):
    start, end = [[0, 0], [29, 0], [29, 26], [0, 26]], [[3, 2], [25, 4], [28, 20], [1, 24]]
    backward = matrices.onto_quadrilateral((torch.tensor(end) - torch.tensor([14.5, 13]))[None], 29, 26)
    ours = resample(images, backward.float().expand(4, -1, -1), Fill("constant"))
    forward = kornia.geometry.get_perspective_transform(torch.tensor([start]).float(), torch.tensor([end]).float())
    theirs = kornia.geometry.warp_perspective(images, forward.expand(4, -1, -1), (27, 30), align_corners=True)
    torch.testing.assert_close(ours, theirs, **CLOSE)


def recoloured(images, matrix):
    matrix = matrix.float().expand(len(images), -1, -1)
    return colours.recolour_(images.clone(), matrix, blends_channels=True, uses_mean=True)


@pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 1.8])
def test_brightness_contrast_and_saturation_are_torchvisions(images, factor):
    amount = numbers(factor)
    torch.testing.assert_close(
        recoloured(images, colours.brightness(amount, 3)), tv.adjust_brightness(images, factor), **CLOSE
    )
    torch.testing.assert_close(
        recoloured(images, colours.contrast(amount, 3)), tv.adjust_contrast(images, factor), **CLOSE
    )
    torch.testing.assert_close(
        recoloured(images, colours.saturation(amount)), tv.adjust_saturation(images, factor), **CLOSE
    )


def test_contrast_of_grey_images_is_torchvisions(images):
    grey = images[:, :1]
    ours = colours.recolour_(
        grey.clone(), colours.contrast(numbers(1.5), 1).float().expand(4, -1, -1), blends_channels=False, uses_mean=True
    )
    torch.testing.assert_close(ours, tv.adjust_contrast(grey, 1.5), **CLOSE)


def test_grayscale_and_inversion_are_torchvisions(images):
    grey = recoloured(images, colours.saturation(numbers(0)))
    torch.testing.assert_close(grey, tv.rgb_to_grayscale(images, 3), **CLOSE)
    torch.testing.assert_close(recoloured(images, colours.inversion(1, 3)), tv.invert(images), **CLOSE)


@pytest.mark.parametrize("turn", [-0.5, -0.2, 0.0, 0.07, 1 / 3, 0.5])
def test_hue_is_torchvisions_and_kornias(images, turn):
    ours = effects.shift_hue(images, torch.full((4,), turn))
    torch.testing.assert_close(ours, tv.adjust_hue(images, turn), **CLOSE)
    torch.testing.assert_close(ours, kornia.enhance.adjust_hue(images, turn * 2 * torch.pi), **CLOSE)


@pytest.mark.parametrize("exponent", [0.3, 1.0, 2.5])
def test_gamma_is_torchvisions(images, exponent):
    ours = effects.raise_to_(images.clone(), torch.full((4,), exponent))
    torch.testing.assert_close(ours, tv.adjust_gamma(images, exponent), **CLOSE)
    assert effects.raise_to_(torch.zeros(1, 1, 1, 1), torch.tensor([exponent])).item() == 0


@pytest.mark.parametrize("sigma", [0.4, 1.3])
def test_blur_is_torchvisions(images, sigma):
    ours = effects.blur(images, torch.full((4,), sigma), 4)
    torch.testing.assert_close(ours, tv.gaussian_blur(images, [9, 9], [sigma, sigma]), **CLOSE)


@pytest.mark.parametrize("factor", [0.0, 0.5, 2.0])
def test_sharpness_is_torchvisions(images, factor):
    ours = effects.sharpen_(images.clone(), torch.full((4,), factor)).clamp(0, 1)
    torch.testing.assert_close(ours, tv.adjust_sharpness(images, factor), **CLOSE)


@pytest.mark.parametrize("bits", range(1, 9))
def test_posterize_is_torchvisions_on_bytes_and_the_same_on_floats(byte_images, bits):
    ours = effects.posterize(byte_images, torch.full((4,), bits))
    assert torch.equal(ours, tv.posterize(byte_images, bits))
    floats = effects.posterize(byte_images.float() / 255, torch.full((4,), bits))
    torch.testing.assert_close(floats * 255, ours.float(), atol=1e-3, rtol=0)


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
def test_solarize_is_torchvisions(images, byte_images, threshold):
    amount = torch.full((4,), threshold)
    torch.testing.assert_close(effects.solarize(images, amount), tv.solarize(images, threshold), **CLOSE)
    assert torch.equal(effects.solarize(byte_images, amount), tv.solarize(byte_images, threshold * 255))


def test_autocontrast_is_torchvisions(images):
    dull = images * 0.5 + 0.2
    torch.testing.assert_close(effects.stretch_contrast_(dull.clone()), tv.autocontrast(dull), **CLOSE)
    flat = torch.full((1, 1, 4, 4), 0.3)
    assert torch.equal(effects.stretch_contrast_(flat.clone()), flat)


def test_equalize_is_torchvisions(byte_images):
    flat = torch.full_like(byte_images, 9)
    for batch in (byte_images, flat, byte_images // 9):
        assert torch.equal(effects.equalize(batch), tv.equalize(batch))
    floats = effects.equalize(byte_images.float() / 255)
    torch.testing.assert_close(floats * 255, tv.equalize(byte_images).float(), **CLOSE)


@pytest.mark.parametrize(
    ("policy", "space"),
    [(Trivial(), transforms.TrivialAugmentWide), (RandAugment(), transforms.RandAugment)],
    ids=["trivial", "rand"],
)
def test_amounts_are_those_of_torchvision(policy, space):
    amounts = policy.amounts((3, 24, 32))
    levels = np.arange(LEVELS + 1) / LEVELS
    assert set(space._AUGMENTATION_SPACE) - set(THEIRS) == {"Identity", "AutoContrast", "Equalize"}
    for their_name, name in THEIRS.items():
        make, is_signed = space._AUGMENTATION_SPACE[their_name]
        ours = amounts[name].low + (amounts[name].high - amounts[name].low) * levels
        ours = ours.round() if name == "posterize" else ours
        np.testing.assert_allclose(ours, make(LEVELS + 1, 24, 32).numpy(), rtol=1e-5, atol=1e-6)
        assert amounts[name].is_signed == is_signed
