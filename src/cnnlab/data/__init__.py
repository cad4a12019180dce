"""Readers and named data sets, brought to one shape."""

from cnnlab.data.catalogue import NamedSet, named_set, named_sets
from cnnlab.data.check import CheckReport, Finding, check_data
from cnnlab.data.dataset import Dataset
from cnnlab.data.download import find
from cnnlab.data.image_files import ImageFile, ImageReader, find_images, read_images
from cnnlab.data.imageset import ImageSet, Subset, TensorImages, statistics
from cnnlab.data.in_memory import from_arrays, from_torch
from cnnlab.data.loading import canonical_data, load_data, parse_data
from cnnlab.data.memmap import EncodedImages, MappedImages
from cnnlab.data.reading import readers

__all__ = [
    "CheckReport",
    "Dataset",
    "EncodedImages",
    "Finding",
    "ImageFile",
    "ImageReader",
    "ImageSet",
    "MappedImages",
    "NamedSet",
    "Subset",
    "TensorImages",
    "canonical_data",
    "check_data",
    "find",
    "find_images",
    "from_arrays",
    "from_torch",
    "load_data",
    "named_set",
    "named_sets",
    "parse_data",
    "read_images",
    "readers",
    "statistics",
]
