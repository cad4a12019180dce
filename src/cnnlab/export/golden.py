"""Pictures with the answers to them, beside an exported file: whoever runs it elsewhere sees if it does as here."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.errors import ModelFileError
from cnnlab.core.files import open_regular, replacing

COUNT = 16


@dataclass(frozen=True)
class Golden:
    """Pictures and what is answered.

    :param images: uint8, N×C×H×W.
    :param outputs: of the file, N×K float32, as it was run where it was exported.
    :param expected: what torch answered, which numbers of 8 bits only come near to.
    """

    images: NDArray[np.uint8]
    outputs: NDArray[np.float32]
    expected: NDArray[np.float32]


def golden_path(path: Path) -> Path:
    """Where the pictures of an exported file lie: ``model.golden.npz`` beside ``model.onnx``."""
    return path.with_suffix(".golden.npz")


def write_golden(path: Path, golden: Golden) -> Path:
    """Writes them beside an exported file, for numpy to read."""
    beside = golden_path(path)
    with replacing(beside) as temporary, temporary.open("wb") as file:
        np.savez(file, images=golden.images, outputs=golden.outputs, expected=golden.expected)
    return beside


def read_golden(path: str | Path) -> Golden:
    """The pictures and answers beside an exported file.

    :param path: of the exported file.
    :raises ModelFileError: where they are missing or damaged.
    """
    beside = golden_path(Path(path))
    try:
        with open_regular(beside) as file, np.load(file, allow_pickle=False) as arrays:
            golden = Golden(arrays["images"], arrays["outputs"], arrays["expected"])
    except FileNotFoundError as error:
        raise ModelFileError(f"there is no {beside}. Copy it along with {Path(path).name}, or export anew.") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ModelFileError(f"{beside} is damaged or cut short ({error}). Take a whole copy of it.") from error
    if not len(golden.images) == len(golden.outputs) == len(golden.expected):
        raise ModelFileError(f"{beside} is damaged: it has not as many answers as pictures. Take a whole copy of it.")
    return golden
