"""From the bytes of a file to pixels: modes, alpha, orientation, 16 bits, sizes, and what is no picture."""

import io
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cnnlab.data.formats.decode import MOST_PIXELS, BadImageError, Form, decode
from cnnlab.data.white import White

Make = Callable[..., bytes]


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def flat(colour: object, mode: str, size: tuple[int, int] = (3, 2)) -> Image.Image:
    return Image.new(mode, size, colour)


def test_colour_is_channels_first() -> None:
    image = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(2, 4, 3))
    result = decode(saved(image), Form())
    assert np.array_equal(result.pixels, np.arange(24).reshape(2, 4, 3).transpose(2, 0, 1))
    assert (result.mode, result.size) == ("RGB", (4, 2))


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("1", 1), ("LA", 1), ("RGB", 3), ("P", 3), ("RGBA", 3)])
def test_channels_follow_the_mode_of_the_file(mode: str, channels: int) -> None:
    assert decode(saved(flat(0, mode)), Form()).pixels.shape == (channels, 2, 3)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM"])
def test_usual_formats_are_read(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels = decode(saved(flat((200, 200, 200), "RGB"), kind, **options), Form(channels=1)).pixels
    assert (pixels == 200).all()


def test_alpha_is_composited_on_white() -> None:
    # Half-transparent black on white: 255 (1 - 128 / 255) = 127.
    assert decode(saved(flat((0, 0, 0, 128), "RGBA")), Form()).pixels.tolist() == np.full((3, 2, 3), 127).tolist()
    assert decode(saved(flat((0, 0), "LA")), Form()).pixels.tolist() == np.full((1, 2, 3), 255).tolist()


def test_transparent_colour_of_a_palette_is_white() -> None:
    image = flat(0, "P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((0, 0), 1)
    pixels = decode(saved(image, transparency=0), Form()).pixels
    assert pixels[:, 0, 0].tolist() == [40, 50, 60]
    assert (pixels[:, 1] == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_the_camera_is_applied(orientation: int) -> None:
    upright = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    # What the sensor saw, for each way of holding the camera (EXIF 2.3, tag 0x0112).
    seen = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(Image.fromarray(np.ascontiguousarray(seen)), exif=exif)
    assert np.array_equal(decode(content, Form()).pixels[0], upright)


def test_sixteen_bits_are_scaled_to_eight() -> None:
    values = np.array([[0, 128, 129, 257, 32768, 65535]], dtype=np.uint16)
    pixels = decode(saved(Image.fromarray(values)), Form(white=White.said(65535))).pixels
    assert pixels.tolist() == [[np.rint(values[0] / 257).astype(int).tolist()]]


def test_cmyk_becomes_rgb() -> None:
    pixels = decode(saved(flat((0, 0, 0, 0), "CMYK"), "JPEG"), Form()).pixels
    assert pixels.shape == (3, 2, 3) and (pixels > 250).all()


def test_squash_crop_and_pad() -> None:
    # A wide picture: dark left third, bright middle, dark right third.
    wide = Image.fromarray(np.repeat(np.array([[0, 255, 0]], np.uint8), 30, 0).repeat(30, 1))
    content = saved(wide)
    squashed = decode(content, Form((9, 9), "squash")).pixels[0]
    assert squashed.shape == (9, 9) and squashed[:, 0].max() == 0 and squashed[:, 4].min() == 255
    assert (decode(content, Form((9, 9), "crop")).pixels[0] > 200).all()
    padded = decode(content, Form((9, 9), "pad")).pixels[0]
    assert padded[:3].max() == 0 and padded[6:].max() == 0 and padded[4, 4] == 255


def test_large_jpeg_is_reduced_to_what_it_shows() -> None:
    ramp = Image.fromarray(np.tile(np.linspace(0, 255, 800).astype(np.uint8), (800, 1)))
    pixels = decode(saved(ramp, "JPEG", quality=95), Form((8, 8))).pixels[0].astype(int)
    expected = np.array(ramp).reshape(8, 100, 8, 100).mean((1, 3))
    assert abs(pixels - expected).max() <= 6


@given(st.integers(0, 3), st.data())
def test_truncated_file_is_refused_or_whole(kind: int, data: st.DataObject) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8))
    name = ("PNG", "JPEG", "GIF", "BMP")[kind]
    content = saved(image, name)
    whole = decode(content, Form()).pixels
    cut = content[: data.draw(st.integers(0, len(content) - 1))]
    # Only what stands after the pixels may be missing.
    with suppress(BadImageError):
        assert np.array_equal(decode(cut, Form()).pixels, whole)


@given(st.binary(max_size=400))
def test_bytes_of_no_image_are_refused(content: bytes) -> None:
    with pytest.raises(BadImageError):
        decode(content, Form())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"path,label\na,b\n", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n", "not a picture"),
    ],
)
def test_reason_is_told(content: bytes, reason: str) -> None:
    with pytest.raises(BadImageError, match=reason):
        decode(content, Form())


@pytest.mark.parametrize(("side", "enough"), [(9_600, 1), (14_000, 2), (40_000, 12)])
def test_image_of_too_many_pixels_is_refused_before_it_is_decoded(
    side: int, enough: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert side * side > MOST_PIXELS
    header, before = f"P5 {side} {side} 255\n".encode(), Image.MAX_IMAGE_PIXELS
    with pytest.raises(BadImageError, match=f"more than 89 million are not decoded. .* CNNLAB_MOST_BYTES={enough}GB"):
        decode(header, Form())
    monkeypatch.setenv("CNNLAB_MOST_BYTES", f"{enough}GB")
    with pytest.raises(BadImageError, match=r"cut off|damaged"):
        decode(header, Form())
    assert before == Image.MAX_IMAGE_PIXELS
