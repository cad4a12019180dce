"""Maps of pictures in two dimensions, of one epoch and over epochs."""

from dataclasses import replace
from functools import partial
from typing import Any

from cnnlab.core.arguments import Count
from cnnlab.core.errors import UsageError
from cnnlab.data import find_images
from cnnlab.explain import Embedding, embed, embed_epochs
from cnnlab.explain.chosen_pictures import chosen_pictures
from cnnlab.reports.contents.explain_embedding import (
    embedding_caption,
    embedding_title,
    epochs_caption,
    quality_table,
    silhouette_table,
)
from cnnlab.reports.explanations.base import EXPLANATIONS, Explanation, Kind, figure_with_title
from cnnlab.reports.explanations.subject import ExplainSubject
from cnnlab.reports.figures.explain_embedding import draw_embedding, draw_embedding_epochs
from cnnlab.reports.writing.embedding_map import embedding_fragment

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
    takes = frozenset({"images", "layer", "column"})

    def __init__(self, method: str = "tsne", points: Count = 2000, layer: str | None = None) -> None:
        self.method, self.points, self.layer = method, points, layer

    def explain(self, subject: ExplainSubject) -> Explanation:
        """Of the test split, the one that is named, or the pictures in files."""
        layer = self.layer or (None if subject.is_all else subject.layer)
        options: dict[str, Any] = {"layer": layer, "method": self.method, "most": self.points, **subject.where}
        options.update(_pictures(subject, self.points), column=subject.column)
        found = replace(embed(subject.model, seed=subject.seed, **options), model=subject.name)
        caption = f"{embedding_caption(found)} {subject.pixel_order()}".rstrip()
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
    takes = frozenset({"images", "layer", "column"})

    def __init__(self, method: str = "tsne", points: Count = 1000, layer: str | None = None) -> None:
        self.method, self.points, self.layer = method, points, layer

    def explain(self, subject: ExplainSubject) -> Explanation:
        """Of a run that kept weights."""
        run = subject.own_run("maps over epochs are")
        layer = self.layer or (None if subject.is_all else subject.layer)
        options: dict[str, Any] = {"layer": layer, "method": self.method, "most": self.points, **subject.where}
        options["column"] = subject.column
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
