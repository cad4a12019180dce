"""IDX files: a folder of them as MNIST comes, or one file of pictures with its labels beside it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from cnnlab.core.errors import DataError
from cnnlab.data.formats.idx import read_idx
from cnnlab.data.formats.labelled_arrays import LabelledArrays, content_of
from cnnlab.data.reading import Content, SearchPath, Source, reader

_NAME = re.compile(r"(?:(?P<split>train|t10k|test|val|valid|validation)[-_.])?images[-.]idx\d-ubyte(?:\.gz)?$")
_SPLITS = {"t10k": "test", "val": "validation", "valid": "validation", None: "train"}
_MNIST = "train-images-idx3-ubyte"


@reader("idx")
def idx(place: SearchPath, path: str, classes: list[str] | None = None) -> Source:
    """IDX files as MNIST has them, plain or .gz: a folder of train-images-idx3-ubyte and so on, or one such file."""
    source_path = place.find(path)
    pairs = _pairs(source_path)
    name = source_path.absolute().name if source_path.is_dir() else source_path.absolute().parent.name
    return idx_source(name, pairs, classes)


def idx_source(
    name: str, pairs: Mapping[str, tuple[Path, Path | None]], classes: Sequence[str] | None = None
) -> Source:
    """The set made of a file of pictures and one of labels, or none, for each split."""
    inputs = tuple(file for pair in pairs.values() for file in pair if file is not None)
    key = {
        "kind": "idx",
        "classes": classes and list(classes),
        "parts": [[s, p[1] is not None] for s, p in pairs.items()],
    }
    facts = {"from": str(inputs[0].absolute().parent)}
    return Source(name, lambda: _read(pairs, classes), inputs, facts, key)


def _read(pairs: Mapping[str, tuple[Path, Path | None]], classes: Sequence[str] | None) -> Content:
    _check_labels(pairs)
    splits = {}
    for split, (images, labels) in pairs.items():
        targets = {} if labels is None else {"label": read_idx(labels)}
        splits[split] = LabelledArrays(read_idx(images), targets, str(images), str(labels))
    return content_of(splits, {} if classes is None else {"label": classes})


def _check_labels(pairs: Mapping[str, tuple[Path, Path | None]]) -> None:
    images, labels = pairs["train"]
    if labels is None and any(other is not None for _, other in pairs.values()):
        raise DataError(f"the labels of train are missing: there is no {_labels_name(images)}[.gz] beside {images}.")


def _labels_name(images: Path) -> str:
    return re.sub(r"images([-.])idx\d", r"labels\1idx1", images.name, flags=re.IGNORECASE).removesuffix(".gz")


def _pairs(path: Path) -> dict[str, tuple[Path, Path | None]]:
    """The files of each split, found by their names."""
    pairs: dict[str, tuple[Path, Path | None]] = {}
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        match = _NAME.search(file.name.lower())
        if match:
            split = match["split"]
            pairs[_SPLITS.get(split, split)] = (file, _labels_of(file))
    if len(pairs) == 1:
        return {"train": next(iter(pairs.values()))}
    if "train" not in pairs:
        raise DataError(f"{path}: there is no file of pictures by the name of {_MNIST}, with or without .gz.")
    return {split: pairs[split] for split in ("train", "validation", "test") if split in pairs}


def _labels_of(images: Path) -> Path | None:
    plain = _labels_name(images)
    candidates = (images.with_name(plain), images.with_name(f"{plain}.gz"))
    return next((candidate for candidate in candidates if candidate.exists()), None)
