"""What a drawn clock looks like, settled by chance before anything is painted.

A face is drawn from a seed and an index alone, and always with the same number of throws in the same order: an option
that is switched off leaves everything else about the face as it was.

Lengths on the dial are in radii of the glass; angles are in radians, clockwise from twelve.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

import numpy as np

from cnnlab.core.seeds import derive

T = TypeVar("T")
Colour: TypeAlias = tuple[float, float, float]
Numerals: TypeAlias = Literal["mixed", "arabic", "roman", "quarters", "none"]

ARABIC_STYLES = ("sans", "sans-bold", "serif", "serif-bold", "antique", "antique-bold")
ROMAN_STYLES = ("roman", "roman-bold")
# With numerals beside them ticks keep to the rim; alone they are longer, and mark twelve.
RIM_TICKS = ("none", "minutes", "hours", "dots", "railway", "minutes-and-dots")
LONE_TICKS = ("bars", "bars-and-minutes", "long-quarters", "discs", "wedges", "bars-and-dots")


@dataclass(frozen=True)
class ClockOptions:
    """What the person chose; see :func:`cnnlab.data.clocks.drawing.draw_clocks`."""

    numerals: Numerals = "mixed"
    rotate: bool = True
    tilt: float = 30.0
    glare: float = 0.6
    mirror: bool = False


@dataclass(frozen=True)
class Pose:
    """Where the dial is in the picture: shares of its side, and the camera's distance in radii."""

    x: float
    y: float
    radius: float
    turn: float
    tilt: float
    axis: float
    distance: float
    is_mirrored: bool


@dataclass(frozen=True)
class Case:
    """The rim around the glass. ``corner`` is the radius of its corners: 1 is a round clock."""

    corner: float
    width: float
    colour: Colour
    gloss: float


@dataclass(frozen=True)
class Dial:
    """The plate under the glass and what is printed on it; ``has_date`` is a window at three with the date."""

    colour: Colour
    ink: Colour
    edge: float
    numerals: str | None
    numeral_scale: float
    ticks: str
    tick_scale: float
    has_date: bool
    date: int


@dataclass(frozen=True)
class Hand:
    """One hand; ``width`` is half of its breadth at its widest."""

    style: str
    length: float
    width: float
    tail: float


@dataclass(frozen=True)
class Hands:
    """Both hands with what they share."""

    hour: Hand
    minute: Hand
    colour: Colour
    bevel: float
    hub: float
    hub_colour: Colour
    height: float
    shadow: float


@dataclass(frozen=True)
class Patch:
    """A reflection in the glass."""

    kind: str
    u: float
    v: float
    angle: float
    length: float
    width: float
    strength: float


@dataclass(frozen=True)
class Wall:
    """What the clock hangs on; ``blotches`` is a grid of numbers from -1 to 1, row by row."""

    pattern: str
    colour: Colour
    second: Colour
    angle: float
    period: float
    phase: float
    contrast: float
    blotches: tuple[float, ...]


@dataclass(frozen=True)
class Light:
    """Where the light comes from (an angle in the picture), and how the camera takes it."""

    angle: float
    slope: float
    gains: Colour
    contrast: float
    blur: float
    noise: float
    grain: int


@dataclass(frozen=True)
class Face:
    """Everything about one clock but the time it shows; ``minutes`` is that time, in minutes after twelve."""

    minutes: int
    pose: Pose
    case: Case
    dial: Dial
    hands: Hands
    glare: tuple[Patch, ...]
    wall: Wall
    light: Light


def draw_face(seed: int, index: int, options: ClockOptions) -> Face:
    """The face number ``index`` of the endless row of clocks that ``seed`` stands for."""
    dice = _Dice(derive(seed, "clock", index))
    minutes = int(dice.uniform(0, 720))
    light_angle = dice.uniform(-0.8, 0.8)
    is_dark = dice.chance(0.25)
    case = _case(dice)
    return Face(
        minutes=minutes,
        pose=_pose(dice, options, case),
        case=case,
        dial=_dial(dice, options, is_dark),
        hands=_hands(dice, is_dark),
        glare=_glare(dice, options),
        wall=_wall(dice),
        light=_light(dice, light_angle),
    )


class _Dice:
    """Throws, one after the other, of one face."""

    def __init__(self, seed: int) -> None:
        throws: list[float] = np.random.Generator(np.random.PCG64(seed)).random(256).tolist()
        self._throws = iter(throws)

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * next(self._throws)

    def chance(self, share: float) -> bool:
        return next(self._throws) < share

    def pick(self, choices: Sequence[T]) -> T:
        return choices[int(next(self._throws) * len(choices))]

    def colour(self, palette: Sequence[Colour], jitter: float) -> Colour:
        red, green, blue = self.pick(palette)
        return tuple(_within(part + self.uniform(-jitter, jitter)) for part in (red, green, blue))  # type: ignore[return-value]


def _within(value: float) -> float:
    return min(max(value, 0.0), 1.0)


_LIGHT_DIALS: tuple[Colour, ...] = (
    (0.97, 0.97, 0.96),
    (0.97, 0.97, 0.96),
    (0.95, 0.92, 0.83),
    (0.88, 0.89, 0.90),
    (0.93, 0.86, 0.70),
    (0.80, 0.90, 0.93),
    (0.84, 0.92, 0.80),
    (0.96, 0.83, 0.80),
    (0.96, 0.92, 0.62),
)
_DARK_DIALS: tuple[Colour, ...] = (
    (0.07, 0.07, 0.08),
    (0.08, 0.12, 0.26),
    (0.07, 0.22, 0.16),
    (0.32, 0.07, 0.09),
    (0.22, 0.15, 0.11),
    (0.18, 0.20, 0.23),
)
_DARK_INKS: tuple[Colour, ...] = ((0.05, 0.05, 0.06), (0.05, 0.05, 0.06), (0.10, 0.14, 0.32), (0.30, 0.10, 0.08))
_LIGHT_INKS: tuple[Colour, ...] = ((0.96, 0.96, 0.94), (0.95, 0.88, 0.66), (0.82, 0.90, 0.86))
_DARK_HANDS: tuple[Colour, ...] = ((0.04, 0.04, 0.05), (0.04, 0.04, 0.05), (0.09, 0.13, 0.36), (0.45, 0.06, 0.07))
_LIGHT_HANDS: tuple[Colour, ...] = ((0.95, 0.95, 0.93), (0.93, 0.82, 0.52), (0.78, 0.81, 0.85), (0.96, 0.62, 0.20))
_CASES: tuple[Colour, ...] = (
    (0.72, 0.73, 0.75),
    (0.72, 0.73, 0.75),
    (0.80, 0.64, 0.30),
    (0.10, 0.10, 0.11),
    (0.92, 0.92, 0.91),
    (0.42, 0.26, 0.14),
    (0.62, 0.10, 0.10),
    (0.12, 0.28, 0.48),
    (0.20, 0.42, 0.34),
)
_WALLS: tuple[Colour, ...] = (
    (0.90, 0.88, 0.84),
    (0.76, 0.77, 0.78),
    (0.62, 0.70, 0.74),
    (0.80, 0.70, 0.58),
    (0.56, 0.62, 0.50),
    (0.72, 0.50, 0.42),
    (0.44, 0.33, 0.25),
    (0.34, 0.38, 0.46),
    (0.86, 0.80, 0.60),
    (0.25, 0.25, 0.27),
)
_GLARE_KINDS = ("spot", "window", "streak", "sky")
_HAND_STYLES = ("baton", "tapered", "dauphine", "sword", "rounded", "moon")
_WALL_PATTERNS = ("plain", "plain", "stripes", "tiles", "bricks", "wood")
BLOTCHES = 6


def _case(dice: _Dice) -> Case:
    is_round = dice.chance(0.8)
    corner = dice.uniform(0.25, 0.6)
    return Case(
        corner=1.0 if is_round else corner,
        width=dice.uniform(0.05, 0.19),
        colour=dice.colour(_CASES, 0.04),
        gloss=dice.uniform(0.15, 0.7),
    )


def _pose(dice: _Dice, options: ClockOptions, case: Case) -> Pose:
    # The clock fills most of the picture and stays within it: what tilt brings nearer grows a little.
    distance = dice.uniform(4.0, 8.0)
    reach = (1 - case.corner) * math.sqrt(2) + case.corner + case.width
    room = 0.49 / (reach * (1 + 0.5 / distance))
    radius = room * dice.uniform(0.84, 1.0)
    free = 0.5 - radius * reach * (1 + 0.4 / distance)
    turn, tilt = dice.uniform(0, 2 * math.pi), math.radians(options.tilt) * math.sqrt(dice.uniform(0, 1))
    axis, is_mirrored = dice.uniform(0, 2 * math.pi), dice.chance(0.5)
    x, y = 0.5 + dice.uniform(-free, free), 0.5 + dice.uniform(-free, free)
    turn = turn if options.rotate else 0.0
    return Pose(x, y, radius, turn, tilt, axis, distance, options.mirror and is_mirrored)


def _dial(dice: _Dice, options: ClockOptions, is_dark: bool) -> Dial:
    share = dice.uniform(0, 1)
    styles = {"arabic": dice.pick(ARABIC_STYLES), "roman": dice.pick(ROMAN_STYLES)}
    styles["quarters"] = f"quarters-{dice.pick(ARABIC_STYLES)}"
    mixed = "arabic" if share < 0.4 else "roman" if share < 0.6 else "quarters" if share < 0.75 else "none"
    numerals = styles.get(mixed if options.numerals == "mixed" else options.numerals)
    lone, rim = dice.pick(LONE_TICKS), dice.pick(RIM_TICKS)
    has_rim = numerals is not None and rim != "none"
    date, has_date = 1 + int(dice.uniform(0, 31)), dice.chance(0.15)
    return Dial(
        colour=dice.colour(_DARK_DIALS if is_dark else _LIGHT_DIALS, 0.03),
        ink=dice.colour(_LIGHT_INKS if is_dark else _DARK_INKS, 0.03),
        edge=dice.uniform(0.0, 0.25),
        numerals=numerals,
        numeral_scale=dice.uniform(0.93, 1.0) if has_rim else dice.uniform(1.02, 1.14),
        ticks=lone if numerals is None else rim,
        tick_scale=dice.uniform(0.97, 1.03),
        # A mirrored dial with ticks alone would show another time just as well: the date tells which side is three.
        has_date=numerals is None and (has_date or options.mirror),
        date=date,
    )


def _hands(dice: _Dice, is_dark: bool) -> Hands:
    style = dice.pick(_HAND_STYLES)
    length, width = dice.uniform(0.76, 0.92), dice.uniform(0.024, 0.045)
    hour_length, hour_width = length * dice.uniform(0.54, 0.68), width * dice.uniform(1.2, 1.7)
    tail = dice.pick((0.0, 0.12, 0.2)) * dice.uniform(0.8, 1.2)
    colour = dice.colour(_LIGHT_HANDS if is_dark else _DARK_HANDS, 0.03)
    hub_colour = dice.colour(_CASES, 0.04)
    return Hands(
        hour=Hand(style, hour_length, hour_width, tail * 0.8),
        minute=Hand(style, length, width, tail),
        colour=colour,
        bevel=dice.uniform(0.0, 0.35),
        hub=width * dice.uniform(1.3, 2.2),
        hub_colour=hub_colour if dice.chance(0.4) else colour,
        height=dice.uniform(0.02, 0.06),
        shadow=dice.uniform(0.15, 0.5),
    )


def _glare(dice: _Dice, options: ClockOptions) -> tuple[Patch, ...]:
    wanted = 1 + int(dice.uniform(0, 2))
    patches = []
    for place in range(2):
        patch = Patch(
            kind=dice.pick(_GLARE_KINDS),
            u=dice.uniform(-0.6, 0.6),
            v=dice.uniform(-0.6, 0.6),
            angle=dice.uniform(0, math.pi),
            length=dice.uniform(0.25, 0.7),
            width=dice.uniform(0.12, 0.35),
            strength=options.glare * dice.uniform(0.25, 1.2),
        )
        if place < wanted and options.glare > 0:
            patches.append(patch)
    return tuple(patches)


def _wall(dice: _Dice) -> Wall:
    return Wall(
        pattern=dice.pick(_WALL_PATTERNS),
        colour=dice.colour(_WALLS, 0.06),
        second=dice.colour(_WALLS, 0.06),
        angle=dice.pick((0.0, 0.0, math.pi / 2)) + dice.uniform(-0.12, 0.12),
        period=dice.uniform(0.12, 0.4),
        phase=dice.uniform(0, 1),
        contrast=dice.uniform(0.02, 0.14),
        blotches=tuple(dice.uniform(-1, 1) for _ in range(BLOTCHES * BLOTCHES)),
    )


def _light(dice: _Dice, angle: float) -> Light:
    exposure, warmth = dice.uniform(0.72, 1.12), dice.uniform(-0.1, 0.1)
    return Light(
        angle=angle,
        slope=dice.uniform(0.0, 0.3),
        gains=(exposure * (1 + warmth), exposure, exposure * (1 - warmth)),
        contrast=dice.uniform(0.85, 1.1),
        blur=dice.uniform(0.0, 0.16),
        noise=dice.uniform(0.005, 0.035),
        grain=int(dice.uniform(0, 2**31)),
    )
