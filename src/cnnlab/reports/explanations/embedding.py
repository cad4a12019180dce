"""Maps of pictures in two dimensions, of one epoch and over epochs."""

from dataclasses import replace
from functools import partial
from typing import Any

from cnnlab.core.arguments import Count
from cnnlab.core.errors import RunNotFoundError, UsageError
from cnnlab.core.sinks import in_short
from cnnlab.data import find_images
from cnnlab.explain import Embedding, embed, embed_data_sets, embed_epochs
from cnnlab.explain.chosen_pictures import chosen_pictures
from cnnlab.explain.embedding.codes import PIXELS
from cnnlab.reports.contents.explain_embedding import (
    data_sets_caption,
    embedding_caption,
    embedding_title,
    epochs_caption,
    quality_table,
    silhouette_table,
)
from cnnlab.reports.explanations.base import EXPLANATIONS, Explanation, Kind, figure_with_title
from cnnlab.reports.explanations.subject import ExplainSubject
from cnnlab.reports.figures.explain_embedding import draw_data_sets, draw_embedding, draw_embedding_epochs
from cnnlab.reports.writing.embedding_map import embedding_fragment
from cnnlab.runs import Run

_MEANING = (
    "Pictures that the network codes alike lie near each other. Neighbours on such a map mean something; sizes of "
    "clusters, the gaps between them and the axes do not, and another seed gives another map."
)


@EXPLANATIONS.register("embedding")
class EmbeddingFigures(Kind):
    """Pictures as points of a plane by what a layer makes of them, or by their pixels.

    :param method: ``tsne``, ``pca`` or ``umap``, with arguments in quotes: ``'tsne(perplexity=50)'``.
    :param points: pictures at most; of more a draw.
    :param layer: by its name, ``pixels`` or ``outputs``; what the last dense layer is given unless named.
    """

    name = "embedding"
    takes = frozenset({"images", "layer", "beside"})

    def __init__(self, method: str = "tsne", points: Count = 2000, layer: str | None = None) -> None:
        self.method, self.points, self.layer = method, points, layer

    def explain(self, subject: ExplainSubject) -> Explanation:
        """Of the test split, the one that is named, or the pictures in files; beside the data of another run, or other
        data, two maps."""
        layer = self.layer or (None if subject.is_all else subject.layer)
        options: dict[str, Any] = {"layer": layer, "method": self.method, "most": self.points, "seed": subject.seed}
        options |= subject.where
        if subject.beside and not subject.is_all:
            return _two_data_sets(subject, options)
        options.update(_pictures(subject, self.points))
        found = replace(embed(subject.model, **options), model=subject.name)
        caption = embedding_caption(found)
        title = embedding_title(found)

        silhouettes = silhouette_table(found)
        return Explanation(
            "embedding",
            "A map of the pictures",
            {"embedding": _MEANING},
            (figure_with_title("embedding", title, caption, partial(draw_embedding, found)),),
            (quality_table([found], [subject.name], "model"), *([silhouettes] if silhouettes else [])),
            fragment=embedding_fragment(found),
            numbers=_numbers(found),
        )


@EXPLANATIONS.register("embedding-epochs")
class EmbeddingOverEpochsFigures(Kind):
    """The same map after each epoch whose weights were kept, so that a class keeps its place.

    :param method: as of ``embedding``; ``points`` and ``layer``, too.
    """

    name = "embedding-epochs"
    takes = frozenset({"images", "layer"})

    def __init__(self, method: str = "tsne", points: Count = 1000, layer: str | None = None) -> None:
        self.method, self.points, self.layer = method, points, layer

    def explain(self, subject: ExplainSubject) -> Explanation:
        """Of a run that kept weights."""
        run = subject.own_run("maps over epochs are")
        layer = self.layer or (None if subject.is_all else subject.layer)
        options: dict[str, Any] = {"layer": layer, "method": self.method, "most": self.points, **subject.where}
        over = embed_epochs(run, split=subject.scored_split(run), seed=subject.seed, **options)
        first = over.maps[0]
        title = f"{embedding_title(replace(first, model=subject.name, epoch=None))}, over epochs"
        caption = epochs_caption(over)

        headings = [str(one.epoch) for one in over.maps]
        return Explanation(
            "embedding-epochs",
            "The map over epochs",
            {"embedding over epochs": _MEANING},
            (figure_with_title("embedding-epochs", title, caption, partial(draw_embedding_epochs, over)),),
            (quality_table(over.maps, headings, "epoch"),),
            numbers={"epochs": [{"epoch": one.epoch, **_numbers(one)} for one in over.maps]},
        )


def _two_data_sets(subject: ExplainSubject, options: dict[str, Any]) -> Explanation:
    """The map of a run's data beside that of another run's, each by its own network, or of other data by the same."""
    run = subject.own_run("data sets are set side by side")
    if len(subject.beside) > 1:
        raise UsageError("two data sets stand side by side: name one --beside, another run or a data set.")
    (name,) = subject.beside
    if set(subject.images) - {"train", "validation", "test"}:
        raise UsageError("two data sets are compared by a split of both: leave --images out, or name train or test.")
    other = _run_or_data(subject, name)
    is_run = isinstance(other, Run)
    names = (_data_name(run), _data_name(other) if isinstance(other, Run) else name)
    if names[0] == names[1] and isinstance(other, Run):
        names = (run.name, other.name)
    models = (run, other) if isinstance(other, Run) else (run, run)
    split = subject.scored_split(run)
    found = embed_data_sets(None, None if is_run else other, models, names=names, split=split, **options)
    caption = f"{data_sets_caption(found)}{_whose(subject, other, options['layer'])}"
    first, second = found.maps
    of = first.space.partition(" (")[0]
    title = f"{names[0]} and {names[1]}, by {of} ({len(first):,} and {len(second):,} {split} pictures)"
    draw = partial(draw_data_sets, found)
    return Explanation(
        "embedding data sets",
        "Two data sets side by side",
        {"embedding": _MEANING},
        (figure_with_title("embedding data sets", title, caption, draw),),
        (quality_table(found.maps, names, "data set"),),
        numbers={
            "data sets": [{"name": called, **_numbers(one)} for called, one in zip(names, found.maps, strict=True)],
            "difference of accuracy": found.difference.to_dict(),
            "easier": found.easier,
        },
    )


def _whose(subject: ExplainSubject, other: Run | str, layer: str | None) -> str:
    """By whose networks the codes are, as a sentence behind others; nothing of pixels."""
    if layer == PIXELS:
        return ""
    if isinstance(other, Run):
        return f" Each by its own network, {subject.name} and run {in_short(other.name)}."
    return f" Both by the network of {subject.name}."


def _run_or_data(subject: ExplainSubject, name: str) -> Run | str:
    """The run that is meant, or the text as the spec of a data set.

    :raises UsageError: for a model by itself, which has no data.
    """
    try:
        other = subject.other(name)
    except RunNotFoundError:
        return name
    if not isinstance(other, Run):
        raise UsageError(f"{name} is a model by itself, which has no data: name another run or a data set.")
    return other


def _data_name(run: Run) -> str:
    return str((run.info.get("data") or {}).get("name") or run.name)


def _pictures(subject: ExplainSubject, points: int) -> dict[str, Any]:
    """Which pictures: a split of the run, or those in files."""
    words = [word for word in subject.images if word.partition(":")[0] not in subject.splits]
    if subject.run is not None and (subject.splits or not words):
        return {"split": subject.scored_split(subject.run)}
    if not words:
        raise UsageError(f"{subject.name} has no data of its own; name a folder of pictures, as in --images photos/.")
    if len(find_images(words)) < 4:
        raise UsageError("a map needs at least 4 pictures; name a folder of them, as in --images photos/.")
    pictures = chosen_pictures(subject.model, words, count=points, seed=subject.seed, **subject.where)
    return {"images": pictures.pixels}


def _numbers(found: Embedding) -> dict[str, Any]:
    quality = found.quality
    numbers: dict[str, Any] = {
        "pictures": len(found),
        "method": found.method,
        "codes": found.space,
        "trustworthiness": quality.trustworthiness,
        "neighbours": quality.neighbours,
    }
    for name, one in (("codes", quality.codes), ("map", quality.plane)):
        if one is not None:
            numbers[f"accuracy of neighbours, {name}"] = one.accuracy
            numbers[f"silhouette, {name}"] = one.silhouette
    return numbers
