"""Files of a few small images, in the forms that readers read."""

import io
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def encoded(seed: int = 0, *, size: tuple[int, int] = (6, 4), mode: str = "RGB", kind: str = "PNG") -> bytes:
    """A picture of noise, width×height, as the bytes of a file."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    shape = (size[1], size[0], bands) if bands > 1 else (size[1], size[0])
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels, mode if bands > 1 else None).convert(mode).save(stream, kind)
    return stream.getvalue()


def tree_files(splits: tuple[str, ...] = ("",), classes: tuple[str, ...] = ("cat", "dog"), count: int = 6) -> dict:
    """Names and bytes of a tree of pictures, all of them different."""
    names = [f"{split}{label}/{n}.png" for split in splits for label in classes for n in range(count)]
    return {name: encoded(seed) for seed, name in enumerate(names)}


def idx_folder(folder: Path, labels: dict[str, Sequence[int]], code: int = 0x08) -> Path:
    """A folder of IDX files with so many pictures as there are labels in each split."""
    pixels = np.random.default_rng(0).integers(0, 256, (99, 4, 4), dtype=np.uint8)
    start = 0
    for split, values in labels.items():
        mine = pixels[start : start + len(values)]
        start += len(values)
        kind = {0x08: ">u1", 0x09: ">i1"}[code]
        (folder / f"{split}-images-idx3-ubyte").write_bytes(
            bytes([0, 0, 8, 3]) + struct.pack(">3I", *mine.shape) + mine.tobytes()
        )
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(
            bytes([0, 0, code, 1]) + struct.pack(">I", len(values)) + np.array(values, kind).tobytes()
        )
    return folder
