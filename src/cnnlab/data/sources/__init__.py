"""The readers, one file each; importing this registers them all."""

from cnnlab.data.sources import digits, folder

__all__ = ["digits", "folder"]
