"""One picture from the bytes of its file to uint8 pixels of the wanted form.

Alpha is composited on white, the orientation that a camera noted is applied, more than 8 bits are scaled to 8,
palettes and CMYK become RGB. Formats that call other programs (EPS, PDF) are not read.
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from cnnlab.core.errors import DataError
from cnnlab.core.limits import allowed, most_bytes
from cnnlab.data.formats.file_names import suffix_of
from cnnlab.data.options import Resampling, ResizeMode
from cnnlab.data.white import MOST_WHITE, NONE_MET, UNKNOWN_WHITE, Largest, White, as_bytes

_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000", "TGA", "ICO", "AVIF")
_SUFFIXES = ".jpg .jpeg .jpe .jfif .png .bmp .gif .tif .tiff .webp .ppm .pgm .pbm .pnm .jp2 .mpo .tga .ico .avif"
SUFFIXES = frozenset(_SUFFIXES.split(" "))
MOST_PIXELS = 89_478_485
"""Pillow's own limit, above which it warns, and at twice of which it refuses."""
_BYTES_OF_A_PIXEL = 4
_opening = Lock()
_ORIENTATION = 0x0112
_EXIF_HOLDERS = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif")
_DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_RESAMPLINGS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
_GREY = ("1", "L", "LA", "La", *_DEEP)


class WhiteUnknownError(Exception):
    """A picture of more than 8 bits, and nobody said which value is white."""


class BadImageError(DataError):
    """A file that cannot be read as a picture; the message is the reason, without the name of the file."""


@dataclass(frozen=True)
class Form:
    """What every picture is brought to.

    :param size: height and width; None keeps those of the file.
    :param channels: 1 or 3; None is 1 where the file is grey and else 3.
    :param white: the values of white in files of more than 8 bits, as far as they are known.
    """

    size: tuple[int, int] | None = None
    resize: ResizeMode = "squash"
    channels: int | None = None
    white: White = UNKNOWN_WHITE
    resampling: Resampling = "bilinear"


@dataclass(frozen=True)
class DecodedImage:
    """One decoded picture.

    :param pixels: uint8, C×H×W.
    :param mode: Pillow's word for the kind of pixels in the file, such as ``RGBA``.
    :param size: width and height in the file.
    """

    pixels: NDArray[np.uint8]
    mode: str
    size: tuple[int, int]


def decode(content: bytes, form: Form) -> DecodedImage:
    """The picture in an encoded file, at its first frame.

    :raises BadImageError: when it is no picture, is cut off, or has more pixels than are allowed, usually 89 million.
    :raises WhiteUnknownError: when it has more than 8 bits and the form does not say which value is white.
    """
    try:
        with _opened(content) as image:
            mode, size = image.mode, image.size
            _check_pixels(size)
            pixels = to_form(_upright(image, form), form)
    except (BadImageError, WhiteUnknownError):
        raise
    except Exception as error:
        # A decoder that meets damaged input may raise anything.
        raise BadImageError(_reason(content, error)) from error
    return DecodedImage(pixels, mode, size)


def header_size(content: bytes) -> tuple[int, int]:
    """The width and height that the header of an encoded file declares; nothing is decoded.

    :raises BadImageError: when it is no picture.
    """
    try:
        with _opened(content) as image:
            return image.size
    except Exception as error:
        raise BadImageError(_reason(content, error)) from error


def largest_value(content: bytes) -> Largest:
    """The largest value in a picture of more than 8 bits; none for any other, and for what cannot be read."""
    with suppress(Exception), _opened(content) as image:
        _check_pixels(image.size)
        return largest_in(image)
    return NONE_MET


def largest_in(image: Image.Image) -> Largest:
    """The same of an opened picture."""
    return Largest.of(np.asarray(image)) if is_deep(image.mode) else NONE_MET


def to_form(image: Image.Image, form: Form) -> NDArray[np.uint8]:
    """An opened picture as uint8 C×H×W of the wanted channels and size."""
    if 0 in image.size:
        raise BadImageError("it has no pixels")
    wanted = form.channels or (1 if is_grey(image.mode) else 3)
    plain = _plain(image, form.white).convert("L" if wanted == 1 else "RGB")
    pixels = np.asarray(resized(plain, form.size, form.resize, form.resampling))
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def resized(
    image: Image.Image, size: tuple[int, int] | None, how: ResizeMode, resampling: Resampling = "bilinear"
) -> Image.Image:
    """The picture at height and width ``size``: squashed, or its middle, or the whole of it padded with black.

    Where it shrinks, Pillow's filters are widened, so that nothing is aliased.
    """
    if size is None or image.size == size[::-1]:
        return image
    wide, method = size[::-1], _RESAMPLINGS[resampling]
    if how == "squash":
        return image.resize(wide, method)
    if how == "crop":
        return ImageOps.fit(image, wide, method)
    return ImageOps.pad(image, wide, method, color=0)


def is_image(name: str) -> bool:
    """Whether a file is taken to be an image, by its suffix."""
    return suffix_of(name).lower() in SUFFIXES


def is_deep(mode: str) -> bool:
    """Whether pictures of this mode have floats, or whole numbers of more than 8 bits."""
    return mode in _DEEP


def is_grey(mode: str) -> bool:
    """Whether pictures of this mode have no colour."""
    return mode in _GREY


@cache
def _formats() -> tuple[str, ...]:
    """The formats of ours that this Pillow can read."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _upright(image: Image.Image, form: Form) -> Image.Image:
    """The picture as it was meant to be seen; a large JPEG is decoded at a part of its size, but twice the wanted."""
    has_exif = any(holder in image.info for holder in _EXIF_HOLDERS)
    is_turned = has_exif and image.getexif().get(_ORIENTATION, 1) != 1
    if form.size is not None and image.format == "JPEG":
        side = 2 * max(form.size)
        image.draft(None, (side, side))
    return ImageOps.exif_transpose(image) if is_turned else image


def _plain(image: Image.Image, white: White) -> Image.Image:
    """The picture with 8 bits a channel and nothing to see through."""
    if is_deep(image.mode):
        return _eight_bits(image, white)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        seen = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
    return image


def _eight_bits(image: Image.Image, white: White) -> Image.Image:
    values = np.asarray(image)
    value = white.of(values.dtype)
    if value is None:
        raise WhiteUnknownError
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= MOST_WHITE):
        raise BadImageError(
            f"its pixels are numbers from {low:,.10g} to {high:,.10g}, and black is 0 and white at most {MOST_WHITE:,}"
        )
    return Image.fromarray(as_bytes(values, value))


def _opened(content: bytes) -> Image.Image:
    """A picture of which the header alone is read, however large; Pillow's own limit is one for the whole process."""
    with _opening:
        usual, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(BytesIO(content), formats=_formats())
        finally:
            Image.MAX_IMAGE_PIXELS = usual


def _check_pixels(size: tuple[int, int]) -> None:
    needed = size[0] * size[1] * _BYTES_OF_A_PIXEL
    if needed > most_bytes(MOST_PIXELS * _BYTES_OF_A_PIXEL):
        raise BadImageError(
            f"it has {size[0]:,}×{size[1]:,} pixels, and more than {MOST_PIXELS // 1_000_000} million are not decoded. "
            f"{allowed(needed).rstrip('.')}"
        )


def _reason(content: bytes, error: Exception) -> str:
    if not content:
        return "the file is empty"
    if isinstance(error, UnidentifiedImageError):
        return "it is not a picture, or of a format that is not read"
    if "truncated" in str(error).lower():
        return "it is cut off before its end"
    return f"it is damaged ({str(error).strip() or type(error).__name__})"
