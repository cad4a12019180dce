"""What is shown of maps of pictures: where thumbnails go, the numbers beside, and the captions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.number_text import fixed
from cnnlab.explain import DataSetComparison, Embedding, EmbeddingOverEpochs, MapQuality
from cnnlab.explain.embedding.epochs import ALIGNMENT
from cnnlab.reports.contents.tables import IntervalEnds, Table, TableColumn, ends_of

_LIMITS = "Neighbours on the map mean something; the size of clusters, the gaps between them and the axes do not."
_MANY = 50
_OF_PCA = "Axes are those of largest variance, in units of the codes."


def spread_places(positions: NDArray[np.float64], count: int, apart: float = 0.0) -> NDArray[np.int64]:
    """Up to ``count`` points spread over a map: each the farthest from those before it (Gonzalez 1985).

    The first is the one nearest to the middle. Of many points a fifth, those that stand most alone, are passed over:
    the farthest would be of them.

    :param apart: points nearer than this to one that is taken are left out.
    """
    if len(positions) >= _MANY:
        from scipy.spatial import KDTree

        alone = KDTree(positions).query(positions, k=10)[0][:, -1]
        own = np.flatnonzero(alone <= np.quantile(alone, 0.8))
        return own[_farthest(positions[own], count, apart)]
    return _farthest(positions, count, apart)


def _farthest(positions: NDArray[np.float64], count: int, apart: float) -> NDArray[np.int64]:
    if not len(positions):
        return np.empty(0, np.int64)
    chosen = [int(np.square(positions - positions.mean(0)).sum(1).argmin())]
    distances = np.full(len(positions), np.inf)
    while len(chosen) < min(count, len(positions)):
        distances = np.minimum(distances, np.sqrt(np.square(positions - positions[chosen[-1]]).sum(1)))
        farthest = int(distances.argmax())
        if distances[farthest] <= apart:
            break
        chosen.append(farthest)
    return np.array(chosen)


def class_places(embedding: Embedding) -> dict[int, tuple[float, float]]:
    """Where the name of each class is written: at its point that has the median of its own class nearest."""
    if embedding.labels is None:
        return {}
    places = {}
    for label in np.unique(embedding.labels).tolist():
        own = embedding.positions[embedding.labels == label]
        middle = own[np.square(own - np.median(own, axis=0)).sum(1).argmin()]
        places[label] = (float(middle[0]), float(middle[1]))
    return places


def embedding_title(embedding: Embedding) -> str:
    """What the map is of."""
    whose = f" of {embedding.model}" if embedding.model else ""
    when = "" if embedding.epoch is None else f" after epoch {embedding.epoch}"
    return f"{_method(embedding)} of {embedding.space}{whose}{when}: {embedding.of}"


def embedding_caption(embedding: Embedding) -> str:
    """How it is read, and what it keeps."""
    kept = (
        f" Made from the first 50 principal components, which hold {embedding.kept:.0%} of the variance."
        if embedding.kept < 1 and not embedding.method.startswith("pca")
        else ""
    )
    limits = _OF_PCA if embedding.method.startswith("pca") else _LIMITS
    colours = "A point a picture, coloured by its class. " if embedding.labels is not None else "A point a picture. "
    return f"{colours}{limits}{kept} {quality_sentence(embedding.quality)}"


def quality_sentence(quality: MapQuality) -> str:
    """Trustworthiness, and how well classes are apart before the map and on it."""
    text = f"Trustworthiness {quality.trustworthiness:.3f} for {quality.neighbours} neighbours."
    if quality.codes is None or quality.plane is None:
        return text
    return (
        f"{text} They say the class of {quality.plane.accuracy:.1%} of pictures on the map, and of "
        f"{quality.codes.accuracy:.1%} among the codes; silhouette of the classes {fixed(quality.plane.silhouette, 2)} "
        f"on the map, {fixed(quality.codes.silhouette, 2)} among the codes."
    )


def quality_table(embeddings: Sequence[Embedding], headings: Sequence[str], what: str) -> Table:
    """A row a map: what it keeps, with intervals over pictures.

    :param headings: of the rows; ``what`` they are, as in ``epoch``.
    """
    columns = (
        TableColumn("map", what),
        TableColumn("pictures", "pictures", "count"),
        TableColumn("trustworthiness", "trustworthiness", "number"),
        TableColumn("codes accuracy", "neighbours right, codes", "share"),
        TableColumn("codes interval", "95% interval", "share"),
        TableColumn("map accuracy", "neighbours right, map", "share"),
        TableColumn("map interval", "95% interval", "share"),
        TableColumn("codes silhouette", "silhouette, codes", "number"),
        TableColumn("map silhouette", "silhouette, map", "number"),
    )
    rows = tuple((name, len(one), *_numbers(one.quality)) for name, one in zip(headings, embeddings, strict=True))
    k = embeddings[0].quality.neighbours
    note = (
        f"{k} nearest neighbours, each picture told by the others (leave-one-out). Silhouettes are of the classes, "
        "from −1 to 1. Intervals are over pictures (Wilson)."
    )
    return Table("maps", "What the maps keep", columns, rows, note=note).without_empty()


def silhouette_table(embedding: Embedding) -> Table | None:
    """A row a class: how well it is apart from the next one; None where classes are not known."""
    codes, plane = embedding.quality.codes, embedding.quality.plane
    if codes is None or plane is None or embedding.labels is None:
        return None
    columns = (
        TableColumn("class", "class"),
        TableColumn("pictures", "pictures", "count"),
        TableColumn("codes", "silhouette, codes", "number"),
        TableColumn("map", "silhouette, map", "number"),
    )
    count = len(embedding.names)
    counts = np.bincount(embedding.labels, minlength=count).tolist()
    both = zip(codes.by_class(count).tolist(), plane.by_class(count).tolist(), strict=True)
    rows = tuple((name, n, *values) for name, n, values in zip(embedding.names, counts, both, strict=True))
    return Table("silhouettes", "How well classes are apart", columns, rows)


def epochs_caption(over: EmbeddingOverEpochs) -> str:
    """How maps over epochs are read."""
    moved = over.movements
    text = f"{ALIGNMENT} {_LIMITS}"
    if not moved:
        return text
    text += " Over each map the share of pictures whose neighbours on it say their class."
    ways = ", ".join(f"{fixed(way, 2)} to epoch {epoch}" for way, epoch in zip(moved, over.epochs[1:], strict=True))
    return f"{text} From map to map the centres of classes move by {ways}, in units of the spread of the map."


def data_sets_caption(comparison: DataSetComparison) -> str:
    """The numbers that decide, and that the maps do not."""
    trust = " and ".join(fixed(one.quality.trustworthiness, 3) for one in comparison.maps)
    return (
        f"{comparison.sentence} Trustworthiness of the maps is {trust}. How far apart classes look on a map does not "
        "decide it."
    )


def _method(embedding: Embedding) -> str:
    name = embedding.method.partition("(")[0]
    return {"tsne": "t-SNE", "pca": "PCA", "umap": "UMAP"}.get(name, name)


def _numbers(quality: MapQuality) -> tuple[float | IntervalEnds | None, ...]:
    codes, plane = quality.codes, quality.plane
    if codes is None or plane is None:
        return (quality.trustworthiness, None, None, None, None, None, None)
    return (
        *(quality.trustworthiness, codes.accuracy, ends_of(codes.interval)),
        *(plane.accuracy, ends_of(plane.interval), codes.silhouette, plane.silhouette),
    )
