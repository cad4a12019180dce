"""Readers and named data sets, brought to one shape.

The names below are imported when they are first used: what is remembered of data and trainings is read without torch.
"""

from typing import TYPE_CHECKING

from cnnlab.core.lazy_imports import lazy_names

if TYPE_CHECKING:
    from cnnlab.data.catalogue import NamedSet as NamedSet
    from cnnlab.data.catalogue import named_set as named_set
    from cnnlab.data.catalogue import named_sets as named_sets
    from cnnlab.data.check import CheckReport as CheckReport
    from cnnlab.data.check import Finding as Finding
    from cnnlab.data.check import check_data as check_data
    from cnnlab.data.dataset import Dataset as Dataset
    from cnnlab.data.division import is_drawn as is_drawn
    from cnnlab.data.download import find as find
    from cnnlab.data.folds import Fold as Fold
    from cnnlab.data.folds import fold_numbers as fold_numbers
    from cnnlab.data.folds import take_fold as take_fold
    from cnnlab.data.image_files import ImageFile as ImageFile
    from cnnlab.data.image_files import ImageReader as ImageReader
    from cnnlab.data.image_files import find_images as find_images
    from cnnlab.data.image_files import read_images as read_images
    from cnnlab.data.imageset import ImageSet as ImageSet
    from cnnlab.data.imageset import Subset as Subset
    from cnnlab.data.imageset import TensorImages as TensorImages
    from cnnlab.data.imageset import statistics as statistics
    from cnnlab.data.in_memory import from_arrays as from_arrays
    from cnnlab.data.in_memory import from_torch as from_torch
    from cnnlab.data.loading import canonical_data as canonical_data
    from cnnlab.data.loading import is_given_in_python as is_given_in_python
    from cnnlab.data.loading import leaves_size_open as leaves_size_open
    from cnnlab.data.loading import load_data as load_data
    from cnnlab.data.loading import parse_data as parse_data
    from cnnlab.data.loading import readers as readers
    from cnnlab.data.loading import sized_data as sized_data
    from cnnlab.data.memmap import EncodedImages as EncodedImages
    from cnnlab.data.memmap import MappedImages as MappedImages

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "catalogue": ("NamedSet", "named_set", "named_sets"),
        "check": ("CheckReport", "Finding", "check_data"),
        "dataset": ("Dataset",),
        "division": ("is_drawn",),
        "download": ("find",),
        "folds": ("Fold", "fold_numbers", "take_fold"),
        "image_files": ("ImageFile", "ImageReader", "find_images", "read_images"),
        "imageset": ("ImageSet", "Subset", "TensorImages", "statistics"),
        "in_memory": ("from_arrays", "from_torch"),
        "loading": (
            "canonical_data",
            "is_given_in_python",
            "leaves_size_open",
            "load_data",
            "parse_data",
            "readers",
            "sized_data",
        ),
        "memmap": ("EncodedImages", "MappedImages"),
    },
)
