"""What is shown of attributions: which maps stand beside a picture, how they are scaled, and what is said of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.number_text import with_minus
from cnnlab.explain import ATTRIBUTIONS, Attribution
from cnnlab.explain.chosen_pictures import ChosenPictures
from cnnlab.models import to_float
from cnnlab.reports.contents.tables import Table, TableColumn, listed

PERCENTILE = 99.0
"""Of the magnitudes of pixel by pixel maps, by which their scale ends: single pixels would darken all others."""

MapScale: TypeAlias = Literal["signed", "positive", "magnitude", "range", "raw"]

_NUMBERED = re.compile(r"\b(pictures?) (\d+(?:, \d+)*)(?![\d×])")
_SEEN = "where a map is 0 the picture is seen, in grey"
_CUT = "what is below 0 is cut off, as its equation has it"
_OVER: dict[MapScale, str] = {
    "signed": f"red speaks for what is explained and blue against it; {_SEEN}",
    "positive": f"from purple by orange to yellow the more a place speaks for what is explained; {_SEEN}; {_CUT}",
    "magnitude": f"from purple by orange to yellow the larger, whatever the sign; {_SEEN}",
    "range": "from the least value, where the picture is seen, in grey, by purple and orange to the largest, in yellow",
}
"""How maps that lie over their picture are read."""
_ALONE: dict[MapScale, str] = {
    "signed": "red speaks for what is explained, blue against it, and white is 0",
    "positive": f"from 0 (black) upwards (yellow); {_CUT}",
    "magnitude": "from 0 (black) upwards (yellow), whatever the sign",
    "range": "from the least value (black) upwards (yellow)",
}


@dataclass(frozen=True, eq=False)
class MapColumn:
    """Maps of one method and target, one for each picture.

    :param title: what stands above; ``words`` the lines under each; ``method`` what its colours are said to be of, the
        title up to a colon unless given.
    :param maps: N×H×W as they are shown: from -1 to 1 where the scale is ``signed`` or ``raw``, else from 0 to 1.
    :param is_overlay: whether a map lies over the picture, for its places are no finer than that of a layer.
    :param is_cut: whether the scale ends at a percentile of the magnitudes, and not at the largest value.
    """

    title: str
    maps: NDArray[np.float32]
    scale: MapScale
    words: tuple[tuple[str, ...], ...]
    is_overlay: bool = False
    method: str = ""
    is_cut: bool = False


@dataclass(frozen=True, eq=False)
class AttributionSheet:
    """Pictures, each with maps beside it.

    :param pictures: float32 in [0, 1], N×C×H×W; ``labels`` the lines under each.
    :param together: how many columns belong together, such as those of one class.
    """

    pictures: NDArray[np.float32]
    labels: tuple[tuple[str, ...], ...]
    columns: tuple[MapColumn, ...]
    together: int = 0

    def bands(self, most: int) -> list[tuple[MapColumn, ...]]:
        """The columns in bands that stand one below the other, of at most so many, an even number."""
        together = self.together or len(self.columns)
        if len(self.columns) <= most:
            return [self.columns]
        groups = [self.columns[at : at + together] for at in range(0, len(self.columns), together)]
        return [group[at : at + most] for group in groups for at in range(0, len(group), most)]


def attribution_sheet(
    pictures: ChosenPictures, attributions: Sequence[Attribution], *, targets: Sequence[str] = (), raw: bool = False
) -> AttributionSheet:
    """The sheet of some attributions of the same pictures.

    :param targets: of each attribution, what its class is called above its maps; nothing where it differs by picture.
    :param raw: whether beside each map its raw values are shown, signed, with their ends under them.
    """
    columns = []
    for place, attribution in enumerate(attributions):
        target = targets[place] if place < len(targets) else ""
        title = f"{short_method(attribution.method)}: {target}" if target else short_method(attribution.method)
        columns.append(_column(title, attribution))
        if raw:
            columns.append(_raw_column("its raw values", attribution))
    each = len(columns) // max(1, len(set(targets)))
    return AttributionSheet(to_float(pictures.pixels).numpy(), picture_labels(pictures), tuple(columns), together=each)


def picture_labels(pictures: ChosenPictures) -> tuple[tuple[str, ...], ...]:
    """The lines under each picture: of which class it is, as what it is predicted, how surely, and its name."""
    each_of = (pictures.names, pictures.true, pictures.predicted, pictures.sure, pictures.ids or pictures.names)
    return tuple(
        (true, f"as {said}", ", ".join(filter(None, (sure, name))), *([of] if of and of != name else []))
        if true
        else (name, said, sure)
        for name, true, said, sure, of in zip(*each_of, strict=True)
    )


def short_method(spec: str) -> str:
    """A method by its name alone; arguments stand in the caption."""
    return spec.partition("(")[0]


def attribution_caption(
    pictures: ChosenPictures,
    attributions: Sequence[Attribution],
    model: str,
    *,
    target: str = "",
    predicted_by: str = "it",
    column: str = "",
    raw: bool = False,
    pixel_order: str = "",
) -> str:
    """What the maps are of, how they are read, and what each method has to say of them.

    :param target: what was asked for; what the model predicts of each picture unless given.
    :param predicted_by: which of several models predicts it.
    :param column: of the targets, that was asked for.
    :param pixel_order: a sentence on the order in which pictures are shown, where the network has another.
    """
    methods = listed(list(dict.fromkeys(map(_method_and_layer, attributions))))
    of_column = f" of {column}" if column else ""
    what = f"for {target}" if target else f"for the class{of_column} that {predicted_by} predicts of each picture"
    sentences = [f"{methods} of {model}, {what}, on {pictures.of}."]
    sentences.append("Under each map the class explained, and its raw output.")
    ways = [(each.scale, _is_by_pixel(each)) for each in attributions]
    for scale, is_by_pixel in dict.fromkeys(ways):
        own = [each for each, way in zip(attributions, ways, strict=True) if way == (scale, is_by_pixel)]
        of = "" if len(set(ways)) == 1 else f"{', '.join(dict.fromkeys(short_method(each.method) for each in own))}: "
        sentences.append(f"{of}{(_ALONE if is_by_pixel else _OVER)[scale]}.")
    sentences.append(_ends({is_by_pixel for _, is_by_pixel in ways}))
    if raw:
        sentences.append(
            "Beside each: values as the method gives them, signed, 0 in white, with least and largest value under it."
        )
    sentences += [pixel_order] if pixel_order else []
    noted = [
        note
        if len(attributions) == 1 or note.startswith(short_method(each.method))
        else f"{_told_apart(each, target)}: {note}"
        for each in attributions
        for note in each.notes
    ]
    named = [_NUMBERED.sub(lambda found: _called(found, pictures), note) for note in noted]
    return " ".join(ended(sentence) for sentence in (*sentences, *dict.fromkeys(named)))


def _called(found: re.Match[str], pictures: ChosenPictures) -> str:
    """Pictures by what they are called, where a note has their places in the batch."""
    places = [int(place) for place in found[2].split(", ")]
    if max(places) >= len(pictures):
        return found[0]
    return f"{found[1]} {', '.join(pictures.names[place] for place in places)}"


def _ends(by_pixel: set[bool]) -> str:
    """Where the scales end."""
    largest, cut = "to its largest magnitude", f"to the {PERCENTILE:g}th percentile of its magnitudes"
    if by_pixel == {False}:
        return f"Each map by itself, {largest}."
    said = f"{cut}, and what is larger has the colour of that"
    if by_pixel == {True}:
        return f"Each map by itself, {said}."
    return f"Each map by itself: over its picture {largest}, by pixel {said}."


def attribution_table(pictures: ChosenPictures, attributions: Sequence[Attribution]) -> Table:
    """A row for each picture and attribution: what was explained, and the ends of the raw map."""
    columns = (
        *(TableColumn("picture", "picture"), TableColumn("true", "true"), TableColumn("predicted", "predicted")),
        *(TableColumn("method", "method"), TableColumn("explained", "explained")),
        *(TableColumn("score", "raw output", "number"), TableColumn("low", "least", "number")),
        TableColumn("high", "largest", "number"),
    )
    rows = tuple(
        (
            *(pictures.names[place], pictures.true[place], pictures.predicted[place]),
            *(each.method, each.target_names[place], float(each.scores[place])),
            *(float(each.low[place]), float(each.high[place])),
        )
        for place in range(len(pictures))
        for each in attributions
    )
    return Table("attributions", "What was explained", columns, rows).without_empty()


def attribution_numbers(pictures: ChosenPictures, attributions: Sequence[Attribution]) -> list[dict[str, Any]]:
    """The same as plain values, with the facts that a method adds."""
    return [
        {
            "method": each.method,
            "layer": each.layer,
            "notes": list(each.notes),
            "pictures": [
                {
                    "picture": pictures.names[place],
                    "true": pictures.true[place] or None,
                    "predicted": pictures.predicted[place],
                    "sure": pictures.sure[place] or None,
                    "explained": each.target_names[place],
                    "score": float(each.scores[place]),
                    "low": float(each.low[place]),
                    "high": float(each.high[place]),
                    **{name: float(values[place]) for name, values in each.facts.items()},
                }
                for place in range(len(pictures))
            ],
        }
        for each in attributions
    ]


def _column(title: str, attribution: Attribution) -> MapColumn:
    is_by_pixel = _is_by_pixel(attribution)
    maps = attribution.scaled(PERCENTILE if is_by_pixel else 100.0)
    words = tuple(
        (name, number_text(score))
        for name, score in zip(attribution.target_names, attribution.scores.tolist(), strict=True)
    )
    return MapColumn(title, maps, attribution.scale, words, is_overlay=not is_by_pixel, is_cut=is_by_pixel)


def _is_by_pixel(attribution: Attribution) -> bool:
    return attribution.values.ndim == 4


def _raw_column(title: str, attribution: Attribution) -> MapColumn:
    values = np.nan_to_num(attribution.values, nan=0.0, posinf=0.0, neginf=0.0)
    maps = _signed(values, attribution)
    largest = np.percentile(np.abs(maps), PERCENTILE if values.ndim == 4 else 100, axis=(1, 2), keepdims=True)
    largest = np.where(largest > 0, largest, np.abs(maps).max((1, 2), keepdims=True))
    shown = np.divide(maps, largest, out=np.zeros_like(maps), where=largest > 0, casting="unsafe").clip(-1, 1)
    words = tuple(
        (f"{number_text(low, 2)} to {number_text(high, 2)}",)
        for low, high in zip(maps.min((1, 2)).tolist(), maps.max((1, 2)).tolist(), strict=True)
    )
    return MapColumn(title, shown, "raw", words, is_cut=_is_by_pixel(attribution))


def _signed(values: NDArray[np.float32], attribution: Attribution) -> NDArray[np.float32]:
    """One value for each pixel: of gradients by channel, of which maps have the magnitude, that with its sign."""
    if values.ndim == 3 or attribution.scale != "magnitude":
        return values if values.ndim == 3 else values.sum(1)
    largest = np.abs(values).argmax(1)[:, None]
    return np.asarray(np.take_along_axis(values, largest, 1)[:, 0])


def number_text(value: float, digits: int = 3) -> str:
    """A number in so many digits."""
    return with_minus(f"{value:.{digits}g}")


def _told_apart(attribution: Attribution, target: str) -> str:
    """By what one of several is known."""
    name = short_method(attribution.method)
    return f"{name} for {attribution.target_names[0]}" if target else name


def _method_and_layer(attribution: Attribution) -> str:
    """The method as a person would write it, with the layer that it is of."""
    spec = attribution.method
    spec = str(ATTRIBUTIONS.bind(spec).short) if short_method(spec) in _methods() else spec
    return f"{spec} at layer {attribution.layer}" if attribution.layer else spec


@cache
def _methods() -> frozenset[str]:
    """The names of all methods, those too whose modules were not needed yet."""
    ATTRIBUTIONS.complete()
    return frozenset(entry.name for entry in ATTRIBUTIONS)


def ended(sentence: str) -> str:
    """A sentence of a caption, with a capital letter and a full stop."""
    whole = sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
    first = sentence.partition(" ")[0].rstrip(":,;")
    # A name keeps its small letter, and its arguments.
    is_name = "-" in first or first.partition("(")[0] in _methods()
    return whole if is_name else f"{whole[:1].upper()}{whole[1:]}"
