"""What is printed on a dial, its numerals and its ticks, as masks that are drawn once and used for many clocks.

A mask is a square picture of the dial seen from the front, twelve at the top, the glass touching its sides; 255 is ink.
"""

import importlib.util
import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from PIL import Image, ImageDraw, ImageFont

_Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

_FINER = 4
_ROMAN = ("XII", "I", "II", "III", "IIII", "V", "VI", "VII", "VIII", "IX", "X", "XI")
_ARABIC = ("12", *map(str, range(1, 12)))
_FONTS = {
    "sans": "DejaVuSans.ttf",
    "sans-bold": "DejaVuSans-Bold.ttf",
    "serif": "DejaVuSerif.ttf",
    "serif-bold": "DejaVuSerif-Bold.ttf",
    "antique": "STIXGeneral.ttf",
    "antique-bold": "STIXGeneralBol.ttf",
    "roman": "STIXGeneral.ttf",
    "roman-bold": "STIXGeneralBol.ttf",
}
# Height of the numerals and their greatest breadth in radii, and how far their middles are from the centre.
_TALL = {"arabic": 0.225, "roman": 0.22, "quarters": 0.30}
_BROAD = {"arabic": 0.27, "roman": 0.31, "quarters": 0.40}
_MIDDLE = 0.73


@lru_cache(maxsize=64)
def numerals(style: str, side: int) -> Image.Image:
    """The twelve numerals, or four of them, upright; Roman ones stand on the centre, as they do on clocks."""
    image = Image.new("L", (side * _FINER, side * _FINER))
    half = side * _FINER / 2
    first, _, rest = style.partition("-")
    kind = first if first in _TALL else "arabic"
    font = _font(rest if kind == "quarters" else style, _TALL[kind] * half)
    for hour in range(0, 12, 3 if kind == "quarters" else 1):
        text = (_ROMAN if kind == "roman" else _ARABIC)[hour]
        glyphs = _glyphs(text, font, _BROAD[kind] * half, turn=30 * hour if kind == "roman" else 0)
        x = half * (1 + _MIDDLE * math.sin(math.radians(30 * hour)))
        y = half * (1 - _MIDDLE * math.cos(math.radians(30 * hour)))
        image.paste(255, (round(x - glyphs.width / 2), round(y - glyphs.height / 2)), glyphs)
    return image.reduce(_FINER)


@lru_cache(maxsize=64)
def ticks(style: str, side: int) -> Image.Image:
    """The marks of the hours and minutes in one of the styles that a face may have."""
    fine = side * _FINER
    image = Image.new("L", (fine, fine))
    pen = _Pen(image)
    for draw in _TICKS[style]:
        draw(pen)
    return image.reduce(_FINER)


@lru_cache(maxsize=64)
def date(day: int, side: int) -> Image.Image:
    """The frame of a window at three with the day of the month in it."""
    fine = side * _FINER
    image = Image.new("L", (fine, fine))
    glyphs = _glyphs(str(day), _font("sans-bold", 0.13 * fine / 2), 0.22 * fine / 2, turn=0)
    x, y = fine / 2 * 1.5, fine / 2
    image.paste(255, (round(x - glyphs.width / 2), round(y - glyphs.height / 2)), glyphs)
    across, up, line = 0.14 * fine / 2, 0.10 * fine / 2, max(1, round(0.016 * fine / 2))
    ImageDraw.Draw(image).rectangle((x - across, y - up, x + across, y + up), outline=255, width=line)
    return image.reduce(_FINER)


@lru_cache(maxsize=64)
def _font(style: str, height: float) -> _Font:
    """A font whose figures are about ``height`` tall: one of those that matplotlib brings, or else Pillow's own."""
    library = importlib.util.find_spec("matplotlib")
    size = height / 0.72
    if library and library.origin:
        path = Path(library.origin).parent / "mpl-data/fonts/ttf" / _FONTS[style]
        if path.is_file():
            return ImageFont.truetype(str(path), size)
    return ImageFont.load_default(size)


def _glyphs(text: str, font: _Font, broadest: float, turn: float) -> Image.Image:
    """The text as a mask cropped to its ink, narrowed if need be, turned clockwise by ``turn`` degrees."""
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (math.ceil(right - left) + 4, math.ceil(bottom - top) + 4))
    ImageDraw.Draw(image).text((2 - left, 2 - top), text, fill=255, font=font)
    image = image.crop(image.getbbox())
    if image.width > broadest:
        image = image.resize((round(broadest), image.height), Image.Resampling.LANCZOS)
    return image.rotate(-turn, Image.Resampling.BICUBIC, expand=True) if turn else image


class _Pen:
    """Draws marks at positions of a dial, in radii of the glass."""

    def __init__(self, image: Image.Image) -> None:
        self._draw, self._half = ImageDraw.Draw(image), image.width / 2

    def bars(self, places: Iterable[int], start: float, end: float, width: float, point: float = 1.0) -> None:
        """Bars at these minutes from radius ``start`` to ``end``; ``point`` is the share of ``width`` at the start."""
        for place in places:
            corners = [(start, -width * point), (end, -width), (end, width), (start, width * point)]
            self._draw.polygon([self._at(place, radius, across / 2) for radius, across in corners], fill=255)

    def discs(self, places: Iterable[int], radius: float, size: float) -> None:
        """Discs of the radius ``size``."""
        for place in places:
            x, y = self._at(place, radius, 0)
            reach = size * self._half
            self._draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=255)

    def ring(self, radius: float, width: float) -> None:
        """A circle around the centre."""
        low, high = self._half * (1 - radius), self._half * (1 + radius)
        self._draw.ellipse((low, low, high, high), outline=255, width=max(1, round(width * self._half)))

    def twelve(self, start: float, end: float) -> None:
        """The mark that tells twelve from the other hours: two bars side by side."""
        for aside in (-0.045, 0.045):
            corners = [(start, aside - 0.026), (end, aside - 0.026), (end, aside + 0.026), (start, aside + 0.026)]
            self._draw.polygon([self._at(0, radius, across) for radius, across in corners], fill=255)

    def triangle(self, start: float, end: float) -> None:
        """Another mark for twelve: a triangle that points to the centre."""
        self._draw.polygon([self._at(0, end, -0.11), self._at(0, end, 0.11), self._at(0, start, 0)], fill=255)

    def _at(self, minute: float, radius: float, across: float) -> tuple[float, float]:
        angle = math.radians(6 * minute)
        x = radius * math.sin(angle) + across * math.cos(angle)
        y = -radius * math.cos(angle) + across * math.sin(angle)
        return self._half * (1 + x), self._half * (1 + y)


_MINUTES = [place for place in range(60) if place % 5]
_HOURS = list(range(0, 60, 5))
_QUARTERS = list(range(0, 60, 15))
_OTHER_HOURS = [place for place in _HOURS if place]
_BETWEEN = [place for place in _HOURS if place % 15]

_TICKS: dict[str, tuple[Callable[[_Pen], None], ...]] = {
    "none": (),
    "minutes": (
        lambda pen: pen.bars(_MINUTES, 0.91, 0.96, 0.014),
        lambda pen: pen.bars(_HOURS, 0.89, 0.96, 0.034),
    ),
    "hours": (lambda pen: pen.bars(_HOURS, 0.89, 0.96, 0.03),),
    "dots": (lambda pen: pen.discs(_HOURS, 0.93, 0.024),),
    "railway": (
        lambda pen: pen.ring(0.965, 0.014),
        lambda pen: pen.ring(0.895, 0.014),
        lambda pen: pen.bars(_MINUTES, 0.89, 0.96, 0.014),
        lambda pen: pen.bars(_HOURS, 0.89, 0.96, 0.04),
    ),
    "minutes-and-dots": (
        lambda pen: pen.bars(_MINUTES, 0.91, 0.955, 0.014),
        lambda pen: pen.discs(_HOURS, 0.93, 0.022),
    ),
    "bars": (
        lambda pen: pen.bars(_OTHER_HOURS, 0.76, 0.94, 0.05),
        lambda pen: pen.twelve(0.74, 0.94),
    ),
    "bars-and-minutes": (
        lambda pen: pen.bars(_MINUTES, 0.89, 0.95, 0.016),
        lambda pen: pen.bars(_OTHER_HOURS, 0.79, 0.95, 0.05),
        lambda pen: pen.twelve(0.76, 0.95),
    ),
    "long-quarters": (
        lambda pen: pen.bars(_BETWEEN, 0.84, 0.94, 0.035),
        lambda pen: pen.bars(_QUARTERS[1:], 0.70, 0.94, 0.06),
        lambda pen: pen.twelve(0.68, 0.94),
    ),
    "discs": (
        lambda pen: pen.discs(_OTHER_HOURS, 0.86, 0.045),
        lambda pen: pen.triangle(0.70, 0.93),
    ),
    "wedges": (
        lambda pen: pen.bars(_OTHER_HOURS, 0.74, 0.95, 0.075, point=0.15),
        lambda pen: pen.triangle(0.68, 0.95),
    ),
    "bars-and-dots": (
        lambda pen: pen.discs(_MINUTES, 0.93, 0.012),
        lambda pen: pen.bars(_OTHER_HOURS, 0.80, 0.955, 0.045),
        lambda pen: pen.triangle(0.72, 0.955),
    ),
}
