"""The handwritten digits that come with scikit-learn."""

import importlib.util
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cnnlab.core.lazy_imports import require
from cnnlab.data.raw_images import RawImageArrays
from cnnlab.data.reading import Content, SearchPath, Source, SourceSplit, reader

_FACTS = {
    "title": "Optical recognition of handwritten digits",
    "from": "bundled with scikit-learn (the test set of the UCI data set of this name)",
    "homepage": "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
    "licence": "CC BY 4.0",
    "citation": "Alpaydin, E., & Kaynak, C. (1998). Optical Recognition of Handwritten Digits. UCI Machine Learning "
    "Repository. https://doi.org/10.24432/C50P49",
}


@reader("digits")
def digits(place: SearchPath) -> Source:
    """1,797 handwritten digits, 8×8 and grey, bundled with scikit-learn: needs no files and no network."""
    return Source("digits", _read, facts=_FACTS, is_quick=True)


def _read() -> Content:
    table = _table()
    # Pixels are counts from 0 to 16.
    pixels = np.rint(table[:, :-1].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    part = SourceSplit(RawImageArrays(pixels, "digits", None), {"label": torch.tensor(table[:, -1], dtype=torch.int64)})
    return Content({"train": part}, {"label": tuple("0123456789")})


def _table() -> NDArray[np.uint8]:
    """64 pixels and the class in each row."""
    # Importing scikit-learn takes seconds, reading the file that it would read does not.
    package = importlib.util.find_spec("sklearn")
    for folder in package.submodule_search_locations or [] if package else []:
        path = Path(folder, "datasets", "data", "digits.csv.gz")
        if path.exists():
            # As fractions they would take ten times as long to read.
            return np.loadtxt(path, dtype=np.uint8, delimiter=",")
    bunch = require("sklearn.datasets", "the data set digits", "scikit-learn").load_digits()
    return np.column_stack([bunch.data, bunch.target]).astype(np.uint8)
