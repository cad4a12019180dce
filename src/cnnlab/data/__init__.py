"""Readers and named data sets, brought to one shape."""

from cnnlab.data.catalogue import NamedSet, named_set, named_sets
from cnnlab.data.check import CheckReport, Finding, check
from cnnlab.data.dataset import Dataset
from cnnlab.data.download import find
from cnnlab.data.image_files import read_pictures
from cnnlab.data.imageset import ImageSet, Selection, TensorImages, statistics
from cnnlab.data.in_memory import from_arrays, from_torch
from cnnlab.data.loading import canonical, load
from cnnlab.data.memmap import EncodedImages, MappedImages
from cnnlab.data.reading import readers

__all__ = [
    "CheckReport",
    "Dataset",
    "EncodedImages",
    "Finding",
    "ImageSet",
    "MappedImages",
    "NamedSet",
    "Selection",
    "TensorImages",
    "canonical",
    "check",
    "find",
    "from_arrays",
    "from_torch",
    "load",
    "named_set",
    "named_sets",
    "read_pictures",
    "readers",
    "statistics",
]
