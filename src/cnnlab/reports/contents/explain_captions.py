"""What the figures of filters, activations, dead units and maximised pictures say under them."""

from collections.abc import Sequence

from cnnlab.core.number_text import counted
from cnnlab.explain import Activations, DeadUnits, Filters, Maximized

PERCENTILE = 99.5
"""Of the magnitudes in the maps that are shown of a picture, by which their scale ends."""


def filters_caption(shown: Filters, filters: int, inputs: int, *, as_patterns: bool) -> str:
    """Of the kernels of a convolution.

    :param filters: how many of them are shown; ``inputs`` of how many inputs.
    :param as_patterns: whether the one pattern of each is shown.
    """
    high, wide = shown.kernels.shape[2:]
    what = f"Filters of {shown.layer} of {shown.model}, {high}×{wide}{_some(filters, shown.count, 'filter')}."
    if shown.is_colour and not as_patterns:
        said = f"Weights of red, green and blue as a colour: grey is 0, the ends of each are ±{shown.limit:.3g}."
    elif as_patterns:
        said = (
            "Of each the spatial pattern that says most of it (first singular vector over its inputs, times the "
            "singular value), with the share of its sum of squares."
        )
    elif (high, wide) == (1, 1):
        said = "A row is a filter, a column an input. White is 0."
    elif shown.kernels.shape[1] > 1:
        which = (
            "" if inputs == shown.kernels.shape[1] else f", {inputs} of {shown.kernels.shape[1]}, those weighed most"
        )
        said = f"A row is a filter, a column an input{which}; under each is filter←input. White is 0."
    else:
        said = "White is 0."
    return _joined(what, said, *shown.notes)


def activations_caption(
    shown: Activations, channels: int, picture: int = 0, *, is_response: bool = False, own_scales: bool = False
) -> str:
    """Of what a layer puts out for one picture.

    :param channels: how many are shown, of which ``picture``.
    :param is_response: whether they are what filters respond, in the order of the filters.
    :param own_scales: whether each map has a scale of its own.
    """
    what = "Response of each filter" if is_response else "Activations"
    size = "×".join(map(str, shown.values.shape[2:])) if shown.has_maps else ""
    named = f"{what} of {shown.layer} of {shown.model}{f', {size} each' if size else ''}"
    order = "" if is_response else ", the most active first (by mean magnitude)"
    low, _ = shown.limits(picture, PERCENTILE, range(channels) if is_response else shown.most_active(picture, channels))
    scale = f"One scale for all, {'symmetric about 0' if low < 0 else 'from 0'}"
    scale += f", up to the {PERCENTILE:g}th percentile of the magnitudes shown."
    if not shown.has_maps:
        scale = ""
    elif own_scales:
        scale = (
            "Each map has its own scale, up to its largest magnitude, which stands behind the number of its channel."
        )
    return _joined(f"{named}{_some(channels, shown.count, 'channel')}{order}.", scale, *shown.notes)


def maximized_caption(shown: Maximized) -> str:
    """Of pictures made by activation maximisation."""
    of = f"channels of {shown.layer}" if shown.layer else "outputs"
    what = f"Pictures that the {of} of {shown.model} answer to most strongly, by gradient ascent from noise"
    return _joined(f"{what} ({shown.ascent}). Pixels from 0 (black) to 1.", *shown.notes)


def dead_units_caption(found: Sequence[DeadUnits]) -> str:
    """Of dead units and zeros by layer."""
    first = found[0]
    models = ", ".join(dict.fromkeys(each.model for each in found))
    images = counted(first.images, "picture")
    what = f"Units of each ReLU of {models} over the {first.split} split of {first.data}, {images}."
    said = (
        "Dead are units (channels, or numbers of a dense layer) that are above 0 at no place of any picture; zeros are "
        "counted as a share of all that a ReLU puts out."
    )
    return _joined(what, said, *dict.fromkeys(note for each in found for note in each.notes))


def _some(shown: int, there: int, noun: str) -> str:
    return f", {counted(there, noun)}" if shown == there else f", {shown} of {counted(there, noun)}"


def _joined(*sentences: str) -> str:
    ended = (sentence if sentence.endswith(".") else f"{sentence}." for sentence in sentences if sentence)
    return " ".join(sentence[0].upper() + sentence[1:] for sentence in ended)
