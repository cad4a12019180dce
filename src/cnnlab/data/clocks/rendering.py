"""Painting a clock: from a face and a time to the pixels of a photograph of it.

Every pixel looks back through the camera onto the plane of the dial; wall, shadow, case, dial, hands and glass are laid
over one another there, each with edges softened over the breadth of a pixel. Colours are from 0 to 1.

One picture is painted at a time and by one thread, so that its pixels cannot depend on what is painted beside it.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnnlab.data.clocks import dial_markings as prints
from cnnlab.data.clocks.faces import BLOTCHES, Colour, Dial, Face, Hand, Hands, Light, Patch, Pose, Wall

# float32 throughout: numpy keeps it beside numbers of Python.
Plane: TypeAlias = npt.NDArray[np.floating[Any]]

# A smaller picture is painted finer and then reduced: thin hands need some pixels to be thin in.
_FINEST = 128
_PRINT_SIDES = (64, 96, 128, 160, 192, 256, 320, 384, 512, 768, 1024)


def paint(face: Face, size: int) -> npt.NDArray[np.uint8]:
    """The picture of the clock at the time it shows, uint8, 3×size×size."""
    finer = max(1, math.ceil(_FINEST / size))
    view = _View(face, size * finer)
    canvas = _wall(face.wall, view)
    _case(canvas, view)
    _print(canvas, view)
    _hands(canvas, view)
    _glass(canvas, view)
    return _photograph(canvas, face.light, finer)


@lru_cache(maxsize=8)
def _pixels(side: int) -> tuple[Plane, Plane]:
    """The x (one row) and the y (one column) of the middles of the pixels."""
    middles = np.arange(side, dtype=np.float32) + 0.5
    return middles[None, :], middles[:, None]


class _View:
    """How the dial is seen: for every pixel the point (u, v) of the dial's plane, in radii, u right and v down."""

    def __init__(self, face: Face, side: int) -> None:
        self.face, self.side = face, side
        self.forward = _projection(face.pose, side)
        self.back = _inverse(self.forward)
        self.pixel = 1 / (face.pose.radius * side)
        x, y = _pixels(side)
        (a, b, c), (d, e, f), (g, h, i) = self.back
        depth = 1 / (g * x + (h * y + i))
        self.u: Plane = (a * x + (b * y + c)) * depth
        self.v: Plane = (d * x + (e * y + f)) * depth

    @cached_property
    def light(self) -> tuple[float, float]:
        """Towards the light, in the coordinates of the dial."""
        pose, angle = self.face.pose, self.face.light.angle
        x, y = math.sin(angle), -math.cos(angle)
        u = x * math.cos(pose.turn) + y * math.sin(pose.turn)
        v = -x * math.sin(pose.turn) + y * math.cos(pose.turn)
        return (-u if pose.is_mirrored else u), v

    @cached_property
    def edge(self) -> "_Edge":
        """Distances from the edge of the glass."""
        return _edge(self.u, self.v, self.face.case.corner)

    @cached_property
    def glass(self) -> Plane:
        """Which pixels show the glass and what is behind it."""
        return _cover(self.edge.distance, self.pixel)

    def coefficients(self, scale: float, texture: int) -> list[float]:
        """For Pillow: where in a print of the dial, so many pixels wide and drawn ``scale`` times as large, to look."""
        half, to_print = texture / 2, 1 / scale
        u, v, depth = self.back
        rows = [[half * (to_print * part + whole) for part, whole in zip(row, depth, strict=True)] for row in (u, v)]
        flat = [*rows[0], *rows[1], *depth]
        return [value / flat[8] for value in flat[:8]]

    def window(self, hand: Hand, angle: float, aside: float) -> tuple[slice, slice]:
        """The part of the picture that a hand at this angle can touch, itself and its shadow."""
        across = hand.width * 2 + aside + 2 * self.pixel
        along = (-hand.tail - across, hand.length + across)
        corners = [self.seen(*_turned(a, b, angle)) for a in along for b in (-across, across)]
        columns, rows = zip(*corners, strict=True)
        return _span(rows, self.side), _span(columns, self.side)

    def seen(self, u: float, v: float) -> tuple[float, float]:
        """Where in the picture a point of the dial is, in pixels."""
        x, y, depth = (row[0] * u + row[1] * v + row[2] for row in self.forward)
        return x / depth, y / depth


Matrix = tuple[tuple[float, float, float], ...]


def _projection(pose: Pose, side: int) -> Matrix:
    """From the dial's plane to the picture: mirrored, turned, tilted about an axis in the plane, seen by a camera."""
    flip = -1.0 if pose.is_mirrored else 1.0
    columns = []
    for u, v in ((flip, 0.0), (0.0, 1.0)):
        x = u * math.cos(pose.turn) - v * math.sin(pose.turn)
        y = u * math.sin(pose.turn) + v * math.cos(pose.turn)
        along = (x * math.cos(pose.axis) + y * math.sin(pose.axis)) * (1 - math.cos(pose.tilt))
        tilted_x = x * math.cos(pose.tilt) + math.cos(pose.axis) * along
        tilted_y = y * math.cos(pose.tilt) + math.sin(pose.axis) * along
        columns.append((tilted_x, tilted_y, (math.cos(pose.axis) * y - math.sin(pose.axis) * x) * math.sin(pose.tilt)))
    (ux, uy, uz), (vx, vy, vz) = columns
    scale, cx, cy = pose.radius * side * pose.distance, pose.x * side, pose.y * side
    return (
        (scale * ux + cx * uz, scale * vx + cx * vz, cx * pose.distance),
        (scale * uy + cy * uz, scale * vy + cy * vz, cy * pose.distance),
        (uz, vz, pose.distance),
    )


def _inverse(matrix: Matrix) -> Matrix:
    (a, b, c), (d, e, f), (g, h, i) = matrix
    over = 1 / (a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g))
    return (
        ((e * i - f * h) * over, (c * h - b * i) * over, (b * f - c * e) * over),
        ((f * g - d * i) * over, (a * i - c * g) * over, (c * d - a * f) * over),
        ((d * h - e * g) * over, (b * g - a * h) * over, (a * e - b * d) * over),
    )


def _turned(along: float, across: float, angle: float) -> tuple[float, float]:
    """The point of the dial so far along a hand at this angle, and so far to its right."""
    return (
        along * math.sin(angle) + across * math.cos(angle),
        -along * math.cos(angle) + across * math.sin(angle),
    )


def _span(places: tuple[float, ...], side: int) -> slice:
    return slice(max(0, math.floor(min(places)) - 1), min(side, math.ceil(max(places)) + 1))


@dataclass(frozen=True)
class _Edge:
    """Distance to a closed line, negative within it, and the unit vector that leads away from it."""

    distance: Plane
    u: Plane
    v: Plane


def _edge(u: Plane, v: Plane, corner: float) -> _Edge:
    """From a square of half-width 1 with rounded corners; with ``corner`` 1 it is the unit circle."""
    straight = 1 - corner
    over_u, over_v = np.abs(u) - straight, np.abs(v) - straight
    inner = np.minimum(np.maximum(over_u, over_v), 0)
    over_u, over_v = np.maximum(over_u, 0), np.maximum(over_v, 0)
    length = np.sqrt(over_u * over_u + over_v * over_v)
    scale = 1 / np.maximum(length, 1e-6)
    return _Edge(length + inner - corner, np.copysign(over_u * scale, u), np.copysign(over_v * scale, v))


def _cover(distance: Plane, softness: float) -> Plane:
    """Share of each pixel that lies within the line: 1 inside, 0 outside, a ramp of this breadth between."""
    return _share(0.5 - distance * (1 / softness))


def _share(value: Plane) -> Plane:
    """The value within 0 and 1."""
    within: Plane = np.minimum(np.maximum(value, 0), 1)
    return within


def _lay(canvas: Plane, alpha: Plane | float, colour: Plane | Colour) -> None:
    """Paints over the canvas, in place."""
    if isinstance(colour, tuple):
        colour = _paint_of(colour)
    canvas += (colour - canvas) * alpha


def _paint_of(colour: Colour) -> Plane:
    return np.array(colour, np.float32).reshape(3, 1, 1)


def _wall(wall: Wall, view: _View) -> Plane:
    """The wall with its pattern and stains."""
    side = view.side
    canvas = np.empty((3, side, side), np.float32)
    canvas[:] = _paint_of(wall.colour)
    x, y = _pixels(side)
    cos, sin = math.cos(wall.angle) / (wall.period * side), math.sin(wall.angle) / (wall.period * side)
    across, along = cos * x + (sin * y + wall.phase), -sin * x + (cos * y + wall.phase)
    softness = 1.5 / (wall.period * side)
    if wall.pattern == "stripes":
        _lay(canvas, 0.6 * _band(across, 0.25, softness), wall.second)
    elif wall.pattern == "wood":
        _lay(canvas, 0.5 * _band(across, 0.49, softness), (0.1, 0.07, 0.05))
        canvas *= 1 + wall.contrast * _stains(wall.blotches, side, stretched=True)
    elif wall.pattern in ("tiles", "bricks"):
        rows = np.floor(along * 2)
        shift = 0.5 * (rows - 2 * np.floor(rows * 0.5)) if wall.pattern == "bricks" else 0
        high = along * 2 if wall.pattern == "bricks" else along
        joints = np.maximum(_band(across + shift, 0.47, softness), _band(high, 0.46, softness))
        _lay(canvas, 0.45 * joints, wall.second)
    canvas *= 1 + wall.contrast * _stains(wall.blotches, side, stretched=False)
    return canvas


def _band(across: Plane, start: float, softness: float) -> Plane:
    """Stripes one unit apart: 1 further than ``start`` from their middles, and at most a half."""
    return _cover(start - np.abs(across - np.floor(across) - 0.5), softness)


def _stains(blotches: tuple[float, ...], side: int, *, stretched: bool) -> Plane:
    grid = np.array(blotches, np.float32)
    grid = grid.reshape(2, -1) if stretched else grid.reshape(BLOTCHES, BLOTCHES)
    return np.asarray(Image.fromarray(grid).resize((side, side), Image.Resampling.BICUBIC))


def _case(canvas: Plane, view: _View) -> None:
    """The case with its shadow on the wall, and the dial in it, still without print."""
    case, dial, edge = view.face.case, view.face.dial, view.edge
    light_u, light_v = view.light
    width = case.width
    fallen = _edge(view.u + (0.12 * light_u), view.v + (0.12 * light_v), case.corner).distance
    shadow = _share(1 - (fallen - width) * (1 / 0.22))
    canvas *= 1 - 0.55 * shadow * shadow

    # The rim is a roll: its outer half looks outwards, its inner half to the centre.
    slope = (edge.u * light_u + edge.v * light_v) * (edge.distance * (2 / width) - 1)
    shine = slope * slope
    shade = 1 + case.gloss * (slope * 0.6 + shine * shine * 0.5)
    _lay(canvas, _cover(edge.distance - width, view.pixel), shade * _paint_of(case.colour))
    _lay(canvas, view.glass, _plate(dial, view))


def _plate(dial: Dial, view: _View) -> Plane:
    """The dial's plate: a little darker at its edge, and in the shade of the rim on the side of the light."""
    light_u, light_v = view.light
    towards = view.u * light_u + view.v * light_v
    shade = 1 - dial.edge * (view.u * view.u + view.v * view.v) + 0.06 * towards
    # How near to the rim a point is, seen from the light.
    near = view.edge.distance + 0.09 * (view.edge.u * light_u + view.edge.v * light_v)
    shade *= 1 - 0.45 * _share((near + 0.04) * 10)
    return shade * _paint_of(dial.colour)


def _print(canvas: Plane, view: _View) -> None:
    """Ticks, numerals and date."""
    dial, side = view.face.dial, view.side
    wanted = 2.6 * view.face.pose.radius * side
    fine = next((step for step in _PRINT_SIDES if step >= wanted), _PRINT_SIDES[-1])
    layers = [(prints.ticks(dial.ticks, fine), dial.tick_scale)] if dial.ticks != "none" else []
    if dial.numerals is not None:
        layers.append((prints.numerals(dial.numerals, fine), dial.numeral_scale))
    if dial.has_date:
        layers.append((prints.date(dial.date, fine), 1.0))
    ink = np.zeros((side, side), np.float32)
    for mask, scale in layers:
        seen = mask.transform(
            (side, side),
            Image.Transform.PERSPECTIVE,
            view.coefficients(scale, mask.width),
            Image.Resampling.BILINEAR,
        )
        ink = np.maximum(ink, np.asarray(seen, np.float32))
    _lay(canvas, ink * (0.94 / 255), dial.ink)


def _hands(canvas: Plane, view: _View) -> None:
    """Hour hand, minute hand and hub, each with its shadow; the hour hand creeps on with the minutes."""
    hands, minutes = view.face.hands, view.face.minutes
    for hand, angle in ((hands.hour, minutes * math.pi / 360), (hands.minute, minutes % 60 * math.pi / 30)):
        place = view.window(hand, angle, hands.height + 0.04)
        part, u, v = canvas[:, *place], view.u[place], view.v[place]
        aside_u, aside_v = hands.height * view.light[0], hands.height * view.light[1]
        shadow, _ = _shape(hand, u + aside_u, v + aside_v, angle)
        part *= 1 - hands.shadow * _cover(shadow, 0.05)
        body, across = _shape(hand, u, v, angle)
        _lay(part, _cover(body, view.pixel), _facets(hands, across, view))
    radius = np.sqrt(view.u * view.u + view.v * view.v)
    _lay(canvas, _cover(radius - hands.hub, view.pixel), hands.hub_colour)


def _shape(hand: Hand, u: Plane, v: Plane, angle: float) -> tuple[Plane, Plane]:
    """Distance to the outline of a hand at this angle, negative within, and the distance from its middle line."""
    sin, cos = (math.sin(angle)), (math.cos(angle))
    along, across = u * sin - v * cos, u * cos + v * sin
    beside = np.abs(across)
    length, width, tail = hand.length, hand.width, hand.tail
    if hand.style == "rounded":
        past = np.maximum(np.maximum(along - (length - width), -tail - along), 0)
        return np.sqrt(beside * beside + past * past) - width, across
    ends = np.maximum(along - length, -tail - along)
    if hand.style == "moon":
        # Breguet's: a thin bar that carries a ring.
        ring = np.sqrt(beside * beside + (along - (0.74 * length)) ** 2) - (1.5 * width)
        bar = np.maximum(beside - 0.6 * width, ends)
        return np.minimum(bar, np.abs(ring) - 0.45 * width), across
    half = _half_width(hand, along)
    return np.maximum(beside - half, ends), across


def _half_width(hand: Hand, along: Plane) -> Plane | float:
    """Half of the breadth of a hand at each place along it."""
    length, width = hand.length, hand.width
    if hand.style == "tapered":
        return width * (1.15 - along * (0.75 / length))
    if hand.style == "dauphine":
        widest = 0.22 * length
        rising = 0.45 + along * (0.55 / widest)
        # Its point is cut off a little, as a point would be lost in a small picture.
        return 1.3 * width * _least(rising, (1.15 * length - along) * (1 / (1.15 * length - widest)))
    if hand.style == "sword":
        widest = 0.78 * length
        rising = 0.5 + along * (0.5 / widest)
        return 1.2 * width * _least(rising, (length - along) * (1 / (length - widest)))
    return width * 0.9


def _least(first: Plane, second: Plane) -> Plane:
    least: Plane = np.minimum(first, second)
    return least


def _facets(hands: Hands, across: Plane, view: _View) -> Plane:
    """The colour of a hand, one side of its ridge lighter than the other."""
    side = np.clip(across * (1 / view.pixel), -1, 1)
    return _share((1 + hands.bevel * side) * _paint_of(hands.colour))


def _glass(canvas: Plane, view: _View) -> None:
    """Reflections."""
    for patch in view.face.glare:
        alpha = patch.strength * _reflection(patch, view.u, view.v)
        _lay(canvas, alpha * view.glass, (1.0, 1.0, 0.98))


def _reflection(patch: Patch, u: Plane, v: Plane) -> Plane:
    sin, cos = math.sin(patch.angle), math.cos(patch.angle)
    u, v = u - patch.u, v - patch.v
    along = (u * cos + v * sin) * (1 / patch.length)
    across = (v * cos - u * sin) * (1 / patch.width)
    if patch.kind == "spot":
        inside = np.maximum(1 - along * along - across * across, 0)
        return inside * inside
    if patch.kind == "window":
        # Four panes: a cross of bars stays dark.
        beside, above = np.abs(across), np.abs(along)
        frame = np.maximum(np.maximum(beside, above) - 1, 0.08 - np.minimum(beside, above))
        return 0.6 * _cover(frame, 0.12)
    if patch.kind == "streak":
        return 0.6 * _cover(np.abs(across) - 0.7, 0.5)
    return 0.55 * _share(across * 0.35)


def _photograph(canvas: Plane, light: Light, finer: int) -> npt.NDArray[np.uint8]:
    """What the camera makes of the scene: light that falls off, exposure, a little blur and grain."""
    if finer > 1:
        canvas = _reduced(canvas, finer)
    side = canvas.shape[-1]
    x, y = _pixels(side)
    slope = light.slope / side
    fall = (math.sin(light.angle) * slope) * (x - side / 2) - (math.cos(light.angle) * slope) * (y - side / 2)
    # Reduced pictures are sharp enough as they are.
    canvas = _blurred(canvas, light.blur / finer)
    canvas *= (light.contrast * _paint_of(light.gains)) * (1 + fall)
    canvas += 0.5 * (1 - light.contrast)
    grain = np.random.Generator(np.random.PCG64(light.grain)).bytes(2 * canvas.size)
    first, second = np.frombuffer(grain, np.uint8).reshape(2, *canvas.shape)
    # The difference of two even throws is a triangle, near enough to a bell.
    canvas *= 255
    canvas += (first.astype(np.float32) - second) * light.noise
    np.rint(canvas, out=canvas)
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _reduced(canvas: Plane, finer: int) -> Plane:
    steps = [canvas[:, row::finer, column::finer] for row in range(finer) for column in range(finer)]
    total = steps[0].copy()
    for step in steps[1:]:
        total += step
    total *= 1 / finer**2
    return total


def _blurred(canvas: Plane, share: float) -> Plane:
    """Each pixel gives this share of itself to each of its neighbours."""
    share, rest = share, (1 - 2 * share)
    across = canvas * rest
    across[:, :, 1:-1] += share * (canvas[:, :, :-2] + canvas[:, :, 2:])
    across[:, :, 0] += share * (canvas[:, :, 0] + canvas[:, :, 1])
    across[:, :, -1] += share * (canvas[:, :, -1] + canvas[:, :, -2])
    result = across * rest
    result[:, 1:-1] += share * (across[:, :-2] + across[:, 2:])
    result[:, 0] += share * (across[:, 0] + across[:, 1])
    result[:, -1] += share * (across[:, -1] + across[:, -2])
    return result
