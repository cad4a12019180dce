"""Readers and named data sets, brought to one shape."""

from cnnlab.data.dataset import Dataset
from cnnlab.data.imageset import ImageSet, Selection, TensorImages, statistics
from cnnlab.data.loading import canonical, load
from cnnlab.data.memory import from_arrays, from_torch
from cnnlab.data.reading import readers

__all__ = [
    "Dataset",
    "ImageSet",
    "Selection",
    "TensorImages",
    "canonical",
    "from_arrays",
    "from_torch",
    "load",
    "readers",
    "statistics",
]
