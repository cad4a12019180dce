"""What is shown of guided backpropagation of channels: pictures, each with a map for every channel, and the caption."""

import math
from collections.abc import Sequence

from cnnlab.explain import Attribution
from cnnlab.explain.chosen_pictures import ChosenPictures
from cnnlab.models import to_float
from cnnlab.reports.contents.explain_attributions import (
    PERCENTILE,
    AttributionSheet,
    MapColumn,
    ended,
    number_text,
    picture_labels,
)
from cnnlab.reports.contents.tables import Table, TableColumn

_BESIDE = 6
"""Maps that stand beside a picture at most."""


def channel_sheet(pictures: ChosenPictures, channels: Sequence[Attribution]) -> AttributionSheet:
    """A map of each channel beside each picture, with the channel's largest activation under it."""
    columns = tuple(
        MapColumn(
            title=each.target_names[0],
            maps=each.scaled(PERCENTILE),
            scale=each.scale,
            words=tuple((number_text(score),) for score in each.scores.tolist()),
            method=each.method,
        )
        for each in channels
    )
    bands = math.ceil(len(columns) / _BESIDE)
    pixels = to_float(pictures.pixels).numpy()
    return AttributionSheet(pixels, picture_labels(pictures), columns, together=math.ceil(len(columns) / bands))


def channels_caption(pictures: ChosenPictures, channels: Sequence[Attribution], model: str, *, is_chosen: bool) -> str:
    """Which channels of what, how they are read, and what is to be known of them.

    :param is_chosen: whether channels were named, and are not those that are most active.
    """
    first = channels[0]
    which = f"{len(channels)} channels" if len(channels) > 1 else first.target_names[0]
    strongest = "" if is_chosen else ", the most active"
    sentences = [
        f"{first.method}, {which}{strongest}, of {model}, on {pictures.of}",
        "each map goes back from the one place at which the channel is most active; under it the activation there",
        "from 0 (dark) to the largest magnitude (light), whatever its sign; each map by itself, ending at the "
        f"{PERCENTILE:g}th percentile",
    ]
    notes = [
        f"{each.target_names[0]}: {note}" if len(channels) > 1 and note not in first.notes else note
        for each in channels
        for note in each.notes
    ]
    return " ".join(ended(sentence) for sentence in (*sentences, *dict.fromkeys(notes)))


def channels_table(pictures: ChosenPictures, channels: Sequence[Attribution]) -> Table:
    """A row for each picture and channel: its largest activation."""
    columns = (
        *(TableColumn("picture", "picture"), TableColumn("channel", "channel", "count")),
        TableColumn("activation", "largest activation", "number"),
    )
    rows = tuple(
        (name, int(each.targets[place]), float(each.scores[place]))
        for place, name in enumerate(pictures.names)
        for each in channels
    )
    return Table("channels", "How active the channels are", columns, rows)
