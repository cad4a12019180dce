"""Data sets as they go into the object store of a Ray cluster."""

from cnnlab.core.clusters.packing import Packed, pack
from cnnlab.data import Dataset, TensorImages


def pack_dataset(dataset: Dataset) -> Packed | None:
    """A data set that lies in memory; None for one that lies on the disk, or of which a part is held out.

    That is read by each machine itself: it may be larger than memory.
    """
    if dataset.held_out is not None or any(type(part) is not TensorImages for _, part in dataset.parts()):
        return None
    return pack(dataset)
