"""What other libraries call operations: torchvision, Keras, kornia and Albumentations."""

from collections.abc import Iterable

_OURS = {
    "affine": "rotate, shift, shear or zoom",
    "coarsedropout": "erase",
    "colorjiggle": "brightness, contrast, saturation or hue",
    "colorjitter": "brightness, contrast, saturation or hue",
    "erasing": "erase",
    "gaussianblur": "blur",
    "gaussnoise": "gaussian_noise",
    "height": "stretch",
    "horizontalflip": "flip",
    "rotation": "rotate",
    "scale": "zoom",
    "sharpness": "sharpen",
    "translate": "shift",
    "translation": "shift",
    "trivialaugmentwide": "trivial",
    "verticalflip": "flip(vertical)",
    "width": "stretch",
}
"""In lower case, without underscores and without ``random`` before it."""


def ours(theirs: str, names: Iterable[str]) -> str | None:
    """What is called so elsewhere, as ``RandomHorizontalFlip`` or ``random_rotation``; None if nothing is known."""
    plain = _plain(theirs).removeprefix("random")
    return _OURS.get(plain) or next((name for name in names if _plain(name) == plain), None)


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
