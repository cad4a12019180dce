"""The readers, one file each; importing this registers them all."""

from cnnlab.data.sources import cifar, clocks, digits, folder, hdf5, idx, manifest, named, npz

__all__ = ["cifar", "clocks", "digits", "folder", "hdf5", "idx", "manifest", "named", "npz"]
