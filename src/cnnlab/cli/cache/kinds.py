"""The parts of the user's cache, each a folder in it."""

from pathlib import Path

KINDS = {
    "features": "what networks made of pictures, for cnnlab transfer and for phases with frozen parts",
    "decoded": "pictures of data sets, decoded and brought to a size",
    "data": "downloaded data sets",
    "weights": "weights put there by hand",
    "kernels": "compiled kernels",
    "precision": "number formats that were tried out",
    "commands": "answers to commands asked before",
    "predictions": "which files of predictions are whole",
    "fingerprints": "digests of files that have not changed",
    "verified": "checksums that were compared",
}
"""By the name of the folder, what it holds."""
CLEARED = ("features", "decoded")
"""Those that are made again by themselves, without a network, and may grow large."""


def size_of(folder: Path) -> tuple[int, int]:
    """How many files lie in a folder, at any depth, and their bytes."""
    count = total = 0
    for path in folder.rglob("*"):
        try:
            is_file, size = path.is_file(), path.lstat().st_size
        except OSError:
            # It was removed meanwhile.
            continue
        if is_file:
            count, total = count + 1, total + size
    return count, total
