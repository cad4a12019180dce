"""What is shown of mistakes: pictures in groups with words under each, tables, and captions."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cnnlab.core.number_text import counted, fixed
from cnnlab.explain import LabelErrors, LearningOrder, MistakePage, NearDuplicates
from cnnlab.explain.mistakes.learning import learned_counts
from cnnlab.explain.picture_names import id_beside, picture_word
from cnnlab.reports.contents.tables import Table, TableColumn, text_of

_PICTURE = (TableColumn("picture", "picture"), TableColumn("id", "id"))


@dataclass(frozen=True, eq=False)
class CaptionedPicture:
    """:param pixels: uint8 C×H×W; ``lines`` the words under it, of which the first is the main one.

    :param called: what it is called after ``--images``; ``id`` that of the data, where it is another, else empty.
    """

    pixels: npt.NDArray[np.uint8]
    lines: tuple[str, ...]
    called: str = ""
    id: str = ""

    @property
    def all_lines(self) -> tuple[str, ...]:
        """Its words, and what it is called."""
        return (*self.lines, *filter(None, (self.called, self.id)))


@dataclass(frozen=True, eq=False)
class PictureGroup:
    """Pictures under one heading, which may be empty."""

    title: str
    pictures: tuple[CaptionedPicture, ...]


def sureness(share: float) -> str:
    """``99.1% sure``; what is not quite sure is never told to be."""
    return f"{_percent(share)} sure"


def mistake_groups(page: MistakePage) -> tuple[PictureGroup, ...]:
    """A group for each pair of classes, or one of all; none where the pictures cannot be had."""
    if page.pixels is None:
        return ()
    groups = []
    for group, (title, total) in enumerate(zip(page.titles, page.totals, strict=True)):
        own = np.flatnonzero(page.groups == group).tolist()
        pictures = tuple(
            CaptionedPicture(
                page.pixels[i],
                (page.names[page.true[i]], f"as {page.names[page.predicted[i]]}", sureness(page.confidence[i])),
                page.words[i],
                id_beside(int(page.places[i]), page.ids[i]),
            )
            for i in own
        )
        heading = f"{title}: {len(own)} of {total:,}" if len(page.titles) > 1 else ""
        groups.append(PictureGroup(heading, pictures))
    return tuple(groups)


def mistakes_caption(page: MistakePage) -> str:
    """How many mistakes there are, and which are shown."""
    share = page.wrong / max(1, page.count)
    text = f"{counted(page.wrong, 'mistake')} on {page.of} ({share:.2%})."
    if len(page.titles) > 1:
        return f"{text} Of the pairs of classes confused most, those that the network is surest of."
    return f"{text} Shown: {page.titles[0] if page.titles else 'none'}, {len(page)} of {sum(page.totals):,}."


def mistakes_table(page: MistakePage) -> Table:
    """A row a picture."""
    columns = (
        *(*_PICTURE, TableColumn("true", "true"), TableColumn("predicted", "predicted")),
        TableColumn("confidence", "confidence", "share"),
    )
    rows = tuple(
        (
            *(page.words[i], id_beside(int(page.places[i]), page.ids[i]) or None),
            *(page.names[page.true[i]], page.names[page.predicted[i]], float(page.confidence[i])),
        )
        for i in range(len(page))
    )
    return Table(f"mistakes {page.column}", "Mistakes", columns, rows).without_empty()


def label_error_groups(errors: LabelErrors) -> tuple[PictureGroup, ...]:
    """One group, the least believed label first."""
    if errors.pixels is None or not len(errors.pixels):
        return ()
    pictures = tuple(
        CaptionedPicture(
            pixels,
            (
                f"{errors.names[errors.given[i]]}?",
                f"rather {errors.names[errors.suggested[i]]}",
                f"{_percent(errors.given_probability[i])} to {_percent(errors.suggested_probability[i])}",
            ),
            errors.words[i],
            id_beside(int(errors.places[i]), errors.ids[i]),
        )
        for i, pixels in enumerate(errors.pixels)
    )
    return (PictureGroup("", pictures),)


def label_errors_caption(errors: LabelErrors) -> str:
    """How many labels are doubtful, by what, and what that does not say."""
    return (
        f"{counted(len(errors), 'label')} of {errors.of}, may be wrong, by confident learning (Northcutt et al. 2021): "
        f"the network is as sure of another class as it usually is of pictures of that class. By its estimate "
        f"{errors.estimated:.1%} of all labels are. Under each picture its label, the class that is more probable, and "
        "the probabilities of both. Many of these labels are right and the picture is hard: look before mending."
    )


def label_errors_table(errors: LabelErrors) -> Table:
    """A row a doubtful label."""
    columns = (
        *(*_PICTURE, TableColumn("given", "label"), TableColumn("suggested", "more probable")),
        *(TableColumn("p given", "p of label", "share"), TableColumn("p suggested", "p of the other", "share")),
    )
    rows = tuple(
        (
            *(errors.words[i], id_beside(int(errors.places[i]), errors.ids[i]) or None),
            *(errors.names[errors.given[i]], errors.names[errors.suggested[i]]),
            *(float(errors.given_probability[i]), float(errors.suggested_probability[i])),
        )
        for i in range(len(errors))
    )
    return Table(f"label errors {errors.column}", "Labels that may be wrong", columns, rows).without_empty()


def learning_groups(order: LearningOrder) -> tuple[PictureGroup, ...]:
    """Those learned last, and those forgotten."""
    groups = []
    both = (("Learned last", order.late, order.late_pixels), ("Forgotten", order.forgotten, order.forgotten_pixels))
    for title, places, pixels in both:
        if pixels is None or not len(pixels):
            continue
        pictures = []
        for place, picture in zip(places.tolist(), pixels, strict=False):
            is_late = title == "Learned last"
            told = f"from epoch {order.learned[place]}" if is_late else f"now {order.names[order.predicted[place]]}"
            path = " → ".join(f"{share:.0%}" for share in order.probability[:, place][-4:])
            called = (picture_word(order.split, place), id_beside(place, order.ids[place]))
            pictures.append(CaptionedPicture(picture, (order.names[order.labels[place]], told, path), *called))
        groups.append(PictureGroup(f"{title}: {len(pictures)} of {len(places):,}", tuple(pictures)))
    return tuple(groups)


def learning_caption(order: LearningOrder) -> str:
    """From which epochs it is known, and how many were learned by when."""
    epochs = ", ".join(map(str, order.epochs))
    counts = "; ".join(f"{count:,} {what}" for what, count in learned_counts(order))
    return (
        f"{order.of}, asked after epochs {epochs}, whose weights were kept; what happened in between is not known. "
        f"{counts}. Under each picture its class, and the probability of that after these epochs, or the "
        "last four of them."
    )


def learning_table(order: LearningOrder) -> Table:
    """By when how many pictures were learned."""
    columns = (TableColumn("when", "when"), TableColumn("count", "pictures", "count"))
    return Table("learned", "When pictures were learned", columns, learned_counts(order))


def duplicate_groups(duplicates: NearDuplicates) -> tuple[PictureGroup, ...]:
    """Pairs, each picture beside its double."""
    pictures = []
    for pair, (first, second) in zip(duplicates.pairs, duplicates.pixels, strict=False):
        near = "equal" if pair.is_exact else f"share {fixed(pair.distance, 2)}"
        told = ("mirrored" if pair.is_mirrored else "", "labels differ" if pair.labels_differ else "")
        one, other = (pair.split, pair.place, pair.id), (pair.other_split, pair.other_place, pair.other_id)
        said = ((near, *filter(None, (", ".join(filter(None, told)),))), (f"in {pair.other_split}",))
        for pixels, words, (split, place, name) in zip((first, second), said, (one, other), strict=True):
            pictures.append(CaptionedPicture(pixels, words, picture_word(split, place), id_beside(place, name)))
    return (PictureGroup("", tuple(pictures)),) if pictures else ()


def duplicates_caption(duplicates: NearDuplicates) -> str:
    """How many were found, and what counts as one."""
    compared = ", ".join(
        f"{count:,} of {split} in {other}{'' if duplicates.is_given else f' ({threshold:.2f})'}"
        for (split, other, count), threshold in zip(duplicates.compared, duplicates.thresholds, strict=True)
    )
    rule = (
        f"at most {duplicates.thresholds[0]:g} of the distance to the tenth nearest"
        if duplicates.is_given and duplicates.thresholds
        else "at most the share in brackets of that to the tenth nearest: as the nearest pictures of this data are "
        "spread, hardly one without a double would be so near by chance"
    )
    return (
        f"{counted(len(duplicates), 'picture')} of {duplicates.data} may be in two splits: {duplicates.exact:,} equal "
        f"pixel by pixel, the others so alike that one should look. Looked for: {compared}. A pair counts whose "
        f"distance is {rule}. Compared in grey, at 32×32 pixels at most, whatever brightness and contrast, moved by up "
        "to two of these and mirrored; what is turned, cut out or enlarged is not found."
    )


def duplicates_table(duplicates: NearDuplicates) -> Table:
    """A row a pair."""
    columns = (
        *(*_PICTURE, TableColumn("double", "beside it"), TableColumn("double id", "its id")),
        *(TableColumn("distance", "share of the tenth distance", "number"), TableColumn("labels", "labels")),
    )
    rows = tuple(
        (
            *(picture_word(p.split, p.place), id_beside(p.place, p.id) or None),
            *(picture_word(p.other_split, p.other_place), id_beside(p.other_place, p.other_id) or None),
            *(p.distance, "differ" if p.labels_differ else "agree"),
        )
        for p in duplicates.pairs
    )
    return Table("near duplicates", "Pictures that may be in two splits", columns, rows).without_empty()


def _percent(share: float) -> str:
    text = text_of(float(share), "share", digits=1)
    # What is nearly sure or nearly impossible is not told to be so.
    if text in ("0.0", "100.0") and 0 < share < 1:
        text = "< 0.1" if text == "0.0" else "> 99.9"
    return f"{text}%"
