"""What a picture of a network shows: its feature maps one after another, and where the way forks and joins."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal, TypeAlias

from cnnlab.models import LayerRow, NetworkSummary
from cnnlab.models.shapes import Shape, format_shape

PartKind: TypeAlias = Literal["input", "conv", "pool", "dense", "output", "join", "group"]

_TITLES: dict[str, tuple[str, PartKind]] = {
    "Conv2d": ("conv", "conv"),
    "Conv2dExtraEdge": ("conv", "conv"),
    "MaxPool2d": ("pool", "pool"),
    "MaxPool2dExtraEdge": ("pool", "pool"),
    "AvgPool2d": ("avg pool", "pool"),
    "AdaptiveAvgPool2d": ("avg pool", "pool"),
    "GlobalPool": ("global pool", "pool"),
    "Linear": ("dense", "dense"),
    "Head": ("output", "output"),
}
_JOINS = {"Add": "add", "Concatenate": "concat", "Multiply": "scale"}
_NOTES = {"BatchNorm1d": "bn", "BatchNorm2d": "bn", "Dropout2d": "dropout", "AlphaDropout": "dropout", "SiLU": "silu"}
_UNSEEN = {"Flatten", "Identity", "ActivityPenalty"}


@dataclass(frozen=True)
class FeatureMapBox:
    """One feature map or vector.

    :param name: of the layer that makes it.
    :param title: what makes it, such as ``conv 3×3``.
    :param shape: channels, height and width, or the length of a vector.
    :param notes: what else is done to it and leaves its shape, such as ``bn`` and ``relu``.
    """

    name: str
    title: str
    shape: Shape
    kind: PartKind
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> tuple[str, ...]:
        """What is written to it, line by line, without the notes."""
        return self.title, format_shape(self.shape)


@dataclass(frozen=True)
class Fork:
    """Several ways from one feature map to one.

    :param lanes: what lies on each way; a way around has its own field.
    :param around: the layers on the way around of a residual block, none of them where the input itself goes around;
        None where there is no such way.
    :param join: ``add`` or ``concat``.
    :param end: what comes out.
    """

    name: str
    lanes: tuple[tuple[FeatureMapBox, ...], ...]
    around: tuple[str, ...] | None
    join: str
    end: FeatureMapBox


Part: TypeAlias = FeatureMapBox | Fork


def network_parts(summary: NetworkSummary) -> tuple[Part, ...]:
    """The parts of a network in order, the picture that goes in first.

    Activations, normalisation and dropout are notes on the feature map before them. A block that is neither of
    cnnlab's nor a plain chain is one box.
    """
    parts: list[Part] = [FeatureMapBox("input", "input", summary.shape, "input")]
    seen = [row for row in summary.rows if row.output is not None]
    for name, group in groupby(seen, key=lambda row: row.name.partition(".")[0]):
        rows = list(group)
        places = {_place(row) for row in rows}
        if "branches" in places:
            parts.append(_branches(name, rows))
        elif {"body", "join"} <= places:
            parts.append(_residual(name, rows))
        elif len(rows) == 1 or _is_chain(rows):
            parts = _chained(parts, rows)
        else:
            parts.append(_whole(name, rows))
    return tuple(parts)


def _place(row: LayerRow, depth: int = 1) -> str:
    names = row.name.split(".")
    return names[depth] if len(names) > depth else ""


def _is_chain(rows: Sequence[LayerRow]) -> bool:
    """Whether nothing but layers acts here, one after the other: then the receptive field is known throughout."""
    is_known = all(row.receptive_field is not None for row in rows)
    is_flat = all(len(row.output or ()) == 1 for row in rows)
    return not any(row.kind in _JOINS for row in rows) and (is_known or is_flat)


def _chained(parts: Sequence[Part], rows: Iterable[LayerRow]) -> list[Part]:
    """The parts with further layers after them: a box each, or a note on the last."""
    chain = list(parts)
    for row in rows:
        if row.kind in _TITLES:
            chain.append(_box(row))
        elif row.kind not in _UNSEEN:
            chain[-1] = (
                _noted(chain[-1], _note(row))
                if chain
                else FeatureMapBox(row.name, _note(row), row.output or (), "group")
            )
    return chain


def _box(row: LayerRow) -> FeatureMapBox:
    title, kind = _TITLES[row.kind]
    sized = f"{title} {format_shape(row.kernel)}" if row.kernel else title
    return FeatureMapBox(row.name, sized, row.output or (), kind)


def _noted(part: Part, note: str) -> Part:
    if isinstance(part, Fork):
        return replace(part, end=replace(part.end, notes=(*part.end.notes, note)))
    return replace(part, notes=(*part.notes, note))


def _note(row: LayerRow) -> str:
    return _NOTES.get(row.kind, row.kind.lower())


def _boxes(rows: Sequence[LayerRow]) -> tuple[FeatureMapBox, ...]:
    return tuple(part for part in _chained((), rows) if isinstance(part, FeatureMapBox))


def _branches(name: str, rows: Sequence[LayerRow]) -> Fork:
    inside = [row for row in rows if _place(row) == "branches"]
    lanes = [_boxes(list(lane)) for _, lane in groupby(inside, key=lambda row: _place(row, 2))]
    return Fork(name, tuple(lanes), None, "concat", _joined(rows[-1]))


def _residual(name: str, rows: Sequence[LayerRow]) -> Fork:
    at = {place: [row for row in rows if _place(row) == place] for place in ("before", "body", "shortcut", "after")}
    join = next(row for row in rows if _place(row) == "join")
    around = tuple(box.title for box in _boxes(at["shortcut"]))
    # What is done before the body belongs to neither way; it is told with the first of the body's feature maps.
    body = _boxes([*at["body"]])
    before = tuple(f"{_note(row)} first" for row in at["before"] if row.kind not in _UNSEEN)
    lane = (replace(body[0], notes=(*before, *body[0].notes)), *body[1:]) if body else ()
    end = replace(_joined(join), notes=tuple(_note(row) for row in at["after"]))
    return Fork(name, (lane,), around, _JOINS[join.kind], end)


def _joined(row: LayerRow) -> FeatureMapBox:
    return FeatureMapBox(row.name, _JOINS[row.kind], row.output or (), "join")


def _whole(name: str, rows: Sequence[LayerRow]) -> FeatureMapBox:
    """A block whose insides are not shown."""
    last = next((row for row in reversed(rows) if row.output), rows[-1])
    return FeatureMapBox(name, name, last.output or (), "group", (f"{len(rows)} layers",))
