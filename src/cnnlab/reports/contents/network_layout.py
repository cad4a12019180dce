"""Where everything stands in a picture of a network: boxes, labels, arrows, in inches from the lower left."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from cnnlab.models.shapes import Shape
from cnnlab.reports.contents.network_parts import FeatureMapBox, Fork, Part

Point: TypeAlias = tuple[float, float]

POINTS, SMALL = 7.0, 6.0
"""Sizes of the letters of labels and of notes."""
SLANT = (0.34, 0.30)
"""How far right and up a box's depth goes, for each inch of it."""
_LETTER = 0.0092
"""The width of a letter in inches for each point of its size, a little more than it is on average."""
_LINE = 0.0175
"""The height of a line likewise."""
_GAP, _AIR, _MARGIN = 0.24, 0.07, 0.25
_NOTE_LETTERS = 11
_NODE = 0.11
_WIDEST = 12.0
"""A row of more inches than that goes on below."""
_ENTRY = 0.18
_FEW = 16
"""Where no feature map has as many channels, they are still drawn as few."""


@dataclass(frozen=True)
class Solid:
    """A box in the picture: its front face's lower left corner, its size there, and its depth, which goes back."""

    box: FeatureMapBox
    x: float
    y: float
    width: float
    height: float
    depth: float

    @property
    def right(self) -> Point:
        """Where what comes out of it leaves: the middle of its right side."""
        return self.x + self.width + self.depth * SLANT[0] / 2, self.y + self.height / 2 + self.depth * SLANT[1] / 2


@dataclass(frozen=True)
class Label:
    """Lines of text under one another, centred at ``x`` below ``y``."""

    lines: tuple[str, ...]
    notes: tuple[str, ...]
    x: float
    y: float

    @property
    def size(self) -> tuple[float, float]:
        """About how wide and high it is."""
        widths = [len(line) * POINTS * _LETTER for line in self.lines]
        widths += [len(line) * SMALL * _LETTER for line in self.notes]
        return max(widths, default=0), (len(self.lines) * POINTS + len(self.notes) * SMALL) * _LINE


@dataclass(frozen=True)
class Line:
    """A way that numbers go, point to point; ``text`` stands on its second part, ``tip`` is an arrow at its end."""

    points: tuple[Point, ...]
    text: str = ""
    tip: bool = True


@dataclass
class NetworkLayout:
    """Everything in the picture, and how large that is."""

    width: float = 0.0
    height: float = 0.0
    solids: list[Solid] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    nodes: list[tuple[Point, str]] = field(default_factory=list)
    """Small circles where ways meet, with their signs."""


def lay_out_network(parts: Sequence[Part], widest: float = _WIDEST) -> NetworkLayout:
    """A place for every part, from left to right in as many rows as are needed.

    Feature maps are as high as their height, as deep as their width and as wide as their channels, all three by the
    root, so that 1 and 512 fit into one picture; vectors are bars as high as they are long, likewise.
    """
    pieces = [_Piece(part, _Scale.of(parts)) for part in parts]
    rows = _evenly(pieces, widest)
    heights = [(max(p.above for p in row), max(p.below for p in row)) for row in rows]
    layout = NetworkLayout(height=2 * _MARGIN + sum(map(sum, heights)) + _GAP * (len(rows) - 1))
    top = layout.height - _MARGIN
    for number, (row, (above, below)) in enumerate(zip(rows, heights, strict=True)):
        _place_row(layout, row, top - above, is_first=number == 0, is_last=number == len(rows) - 1)
        top -= above + below + _GAP
    layout.width += _MARGIN
    return layout


def _evenly(pieces: "Sequence[_Piece]", widest: float) -> "list[list[_Piece]]":
    """As few rows as can be, and among those the ones that are most alike in width."""
    rows = _filled(pieces, widest)
    while True:
        narrower = _filled(pieces, max(sum(piece.width for piece in row) for row in rows) - 0.01)
        if len(narrower) > len(rows) or narrower == rows:
            return rows
        rows = narrower


def _filled(pieces: "Sequence[_Piece]", widest: float) -> "list[list[_Piece]]":
    rows: list[list[_Piece]] = [[]]
    for piece in pieces:
        if rows[-1] and sum(other.width for other in rows[-1]) + piece.width > widest:
            rows.append([])
        rows[-1].append(piece)
    return rows


def _place_row(layout: NetworkLayout, row: "Sequence[_Piece]", middle: float, *, is_first: bool, is_last: bool) -> None:
    x, way_in = _MARGIN, None if is_first else (_MARGIN, middle)
    x += 0 if is_first else _ENTRY
    for piece in row:
        way_in = piece.place(layout, x, middle, way_in)
        x += piece.width
    if not is_last and way_in is not None:
        layout.lines.append(Line((way_in, (x + _ENTRY, way_in[1]))))
        x += _ENTRY
    layout.width = max(layout.width, x)


@dataclass(frozen=True)
class _Scale:
    """How large things are drawn, so that the largest of each kind is as large in every picture."""

    side: float
    channels: float
    length: float

    @classmethod
    def of(cls, parts: Sequence[Part]) -> "_Scale":
        shapes = [box.shape for part in parts for box in _boxes(part)]
        maps = [shape for shape in shapes if len(shape) == 3]
        return cls(
            side=max((max(shape[1:]) for shape in maps), default=1),
            channels=max([_FEW, *(shape[0] for shape in maps)]),
            length=max((shape[0] for shape in shapes if len(shape) == 1), default=1),
        )

    def size(self, shape: Shape) -> tuple[float, float, float]:
        """Width, height and depth of the box, in inches."""
        if len(shape) != 3:
            length = 1 if not shape else shape[0]
            return 0.1, 0.25 + 1.15 * (length / self.length) ** 0.5, 0.12
        channels, height, width = shape
        return (
            0.05 + 0.4 * (channels / self.channels) ** 0.5,
            0.08 + 1.32 * (height / self.side) ** 0.5,
            0.08 + 1.32 * (width / self.side) ** 0.5,
        )


def _boxes(part: Part) -> list[FeatureMapBox]:
    return [part] if isinstance(part, FeatureMapBox) else [*(box for lane in part.lanes for box in lane), part.end]


class _Piece:
    """A part with the room that it takes: ``above`` and ``below`` the middle of its row, and ``width``."""

    def __init__(self, part: Part, scale: _Scale) -> None:
        self.part, self.scale = part, scale
        if isinstance(part, FeatureMapBox):
            self.width, self.above, self.below = self._room(part)
            return
        lanes = [self._lane_room(lane) for lane in part.lanes]
        ends = self._end_room(part)
        arch = 0.0 if part.around is None else _GAP + 0.12
        self.width = _GAP + max((lane[0] for lane in lanes), default=0) + ends[0]
        total = sum(lane[1] + lane[2] for lane in lanes) + _AIR * (len(lanes) - 1)
        half = total / 2 if len(lanes) > 1 else 0
        self.above = max(half or (lanes[0][1] if lanes else 0), ends[1]) + arch
        self.below = max(half or (lanes[0][2] if lanes else 0), ends[2])

    def place(self, layout: NetworkLayout, x: float, middle: float, way_in: Point | None) -> Point:
        """Puts the part into the layout; from ``way_in`` comes what goes in, and the result is where it comes out."""
        if isinstance(self.part, FeatureMapBox):
            return self._put(layout, self.part, x, middle, way_in)
        return self._put_fork(layout, self.part, x, middle, way_in or (x, middle))

    def _room(self, box: FeatureMapBox) -> tuple[float, float, float]:
        width, height, depth = self.scale.size(box.shape)
        label = _label(box, 0, 0).size
        solid = width + depth * SLANT[0]
        return max(solid, label[0]) + _GAP, height / 2 + depth * SLANT[1], height / 2 + _AIR + label[1]

    def _lane_room(self, lane: Sequence[FeatureMapBox]) -> tuple[float, float, float]:
        rooms = [self._room(box) for box in lane]
        return sum(room[0] for room in rooms), max(room[1] for room in rooms), max(room[2] for room in rooms)

    def _end_room(self, fork: Fork) -> tuple[float, float, float]:
        if fork.join == "concat":
            return self._room(fork.end)
        label = Label((), _notes(fork.end), 0, 0).size
        return max(2 * _NODE, label[0]) + _GAP, _NODE, _NODE + _AIR + label[1]

    def _put(self, layout: NetworkLayout, box: FeatureMapBox, x: float, middle: float, way_in: Point | None) -> Point:
        width, height, depth = self.scale.size(box.shape)
        room = self._room(box)[0] - _GAP
        left = x + (room - width - depth * SLANT[0]) / 2
        solid = Solid(box, left, middle - height / 2, width, height, depth)
        layout.solids.append(solid)
        layout.labels.append(_label(box, x + room / 2, middle - height / 2 - _AIR))
        if way_in is not None:
            layout.lines.append(Line(_bent(way_in, (left, middle))))
        return left + width + depth * SLANT[0] / 2, middle

    def _put_fork(self, layout: NetworkLayout, fork: Fork, x: float, middle: float, way_in: Point) -> Point:
        fork_at = (x, middle)
        layout.lines.append(Line((way_in, fork_at), tip=False))
        rooms = [self._lane_room(lane) for lane in fork.lanes]
        several = len(rooms) > 1
        top = middle + sum(room[1] + room[2] for room in rooms) / 2 + _AIR * (len(rooms) - 1) / 2
        end_at = x + _GAP + max((room[0] for room in rooms), default=0)
        ways = []
        for lane, room in zip(fork.lanes, rooms, strict=True):
            level = top - room[1] if several else middle
            ways.append(self._put_lane(layout, lane, x + _GAP, level, fork_at))
            top -= room[1] + room[2] + _AIR
        if fork.around is not None:
            self._put_around(layout, fork, fork_at, end_at, middle)
        return self._put_end(layout, fork, end_at, middle, ways or [fork_at])

    def _put_lane(
        self, layout: NetworkLayout, lane: Sequence[FeatureMapBox], x: float, level: float, start: Point
    ) -> Point:
        way = start
        for box in lane:
            way = self._put(layout, box, x, level, way)
            x += self._room(box)[0]
        return way

    def _put_around(self, layout: NetworkLayout, fork: Fork, start: Point, end_at: float, middle: float) -> None:
        over = middle + self.above - 0.12
        target = self._meeting(fork, end_at, middle)
        points = (start, (start[0], over), (target[0], over), target)
        layout.lines.append(Line(points, ", ".join(fork.around or ())))

    def _meeting(self, fork: Fork, end_at: float, middle: float) -> Point:
        """Where the way around comes down: on the node, or on the far edge of the box's top."""
        if fork.join != "concat":
            room = self._end_room(fork)[0] - _GAP
            return end_at + room / 2, middle + _NODE
        width, height, depth = self.scale.size(fork.end.shape)
        room = self._room(fork.end)[0] - _GAP
        left = end_at + (room - width - depth * SLANT[0]) / 2
        return left + width / 2 + depth * SLANT[0], middle + height / 2 + depth * SLANT[1]

    def _put_end(self, layout: NetworkLayout, fork: Fork, x: float, middle: float, ways: Sequence[Point]) -> Point:
        if fork.join == "concat":
            way_out = self._put(layout, fork.end, x, middle, None)
            solid = layout.solids[-1]
            layout.lines += [Line(_bent(way, (solid.x, middle), late=True)) for way in ways]
            return way_out
        room = self._end_room(fork)[0] - _GAP
        centre = (x + room / 2, middle)
        layout.nodes.append((centre, {"add": "+"}.get(fork.join, "×")))
        layout.labels.append(Label((), _notes(fork.end), centre[0], middle - _NODE - _AIR))
        layout.lines += [Line((way, (centre[0] - _NODE, middle))) for way in ways]
        return centre[0] + _NODE, middle


def _bent(start: Point, end: Point, *, late: bool = False) -> tuple[Point, ...]:
    """A way of right angles; it changes its level at once, or shortly before its end."""
    if abs(start[1] - end[1]) < 1e-9:
        return start, end
    turn = end[0] - _GAP / 2 if late else start[0]
    middle = ((turn, start[1]), (turn, end[1])) if late else ((start[0], end[1]),)
    return (start, *middle, end)


def _label(box: FeatureMapBox, x: float, y: float) -> Label:
    return Label(box.label, _notes(box), x, y)


def _notes(box: FeatureMapBox) -> tuple[str, ...]:
    """What is done besides, in short lines."""
    return tuple(textwrap.wrap(", ".join(box.notes), _NOTE_LETTERS, break_long_words=False))
