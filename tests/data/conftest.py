"""Small trees of pictures to read."""

import io
import struct
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MakeImage = Callable[..., bytes]
MakeTree = Callable[..., Path]


def encoded(seed: int = 0, *, size: tuple[int, int] = (6, 4), mode: str = "RGB", kind: str = "PNG") -> bytes:
    """A picture of noise, width×height, as the bytes of a file."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    shape = (size[1], size[0], bands) if bands > 1 else (size[1], size[0])
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels, mode if bands > 1 else None).convert(mode).save(stream, kind)
    return stream.getvalue()


@pytest.fixture
def image() -> MakeImage:
    """Makes the bytes of a picture file."""
    return encoded


def tree_files(splits: tuple[str, ...] = ("",), classes: tuple[str, ...] = ("cat", "dog"), count: int = 6) -> dict:
    """Names and bytes of a tree of pictures, all of them different."""
    names = [f"{split}{label}/{n}.png" for split in splits for label in classes for n in range(count)]
    return {name: encoded(seed) for seed, name in enumerate(names)}


@pytest.fixture
def files() -> Callable[..., dict[str, bytes]]:
    """Makes names and bytes of a tree of pictures."""
    return tree_files


@pytest.fixture
def write(tmp_path: Path) -> MakeTree:
    """Writes names and bytes as a folder, .zip, .tar or .tar.gz, by the name of the target."""

    def make(contents: dict[str, bytes], target: str = "photos") -> Path:
        path = tmp_path / target
        if target.endswith(".zip"):
            with zipfile.ZipFile(path, "w") as archive:
                for name, content in contents.items():
                    archive.writestr(name, content)
        elif ".tar" in target:
            with tarfile.open(path, "w:gz" if target.endswith("gz") else "w") as archive:
                for name, content in contents.items():
                    info = tarfile.TarInfo(name)
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))
        else:
            for name, content in contents.items():
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                (path / name).write_bytes(content)
        return path

    return make


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


@pytest.fixture
def write_idx() -> Callable[..., Path]:
    """Writes IDX files with the labels given for each split."""
    return idx_folder
