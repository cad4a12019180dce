"""Files of kinds that are not read as data: each refused in a sentence that says what to make of it."""

import gzip
import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from PIL import Image

from cnnlab import data
from cnnlab.core.errors import DataError


def _office() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/media/image1.png", b"\x89PNG")
    return stream.getvalue()


def _saved(save: Callable[[io.BytesIO], object]) -> bytes:
    stream = io.BytesIO()
    save(stream)
    return stream.getvalue()


ARRAYS = {"x_train": np.zeros((4, 8, 8), np.uint8), "y_train": np.arange(4) % 2}
FILES: dict[str, tuple[bytes, str]] = {
    "set.mat": (_saved(lambda file: scipy.io.savemat(file, ARRAYS)), r"a file of MATLAB.*scipy\.io\.loadmat.*\.npz"),
    "v73.mat": (b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF", "a file of MATLAB.*h5py.*7.3"),
    "x.npy": (_saved(lambda file: np.save(file, ARRAYS["x_train"])), r"a single array.*numpy\.load.*numpy\.savez"),
    "labels.jsonl": (b'{"path": "a.png", "label": "cat"}\n', "lines of JSON.*CSV file.*path,label"),
    "instances.json": (b'{"images": [], "annotations": []}', "in the manner of COCO.*CSV file.*path,label"),
    "d.parquet": (b"PAR1\0\0PAR1", r"a table of columns.*pandas\.read_parquet"),
    "photos.7z": (b"7z\xbc\xaf\x27\x1c\0\0", r"an archive of a kind that is not read.*unpack it.*\.zip or \.tar\.gz"),
    "photos.rar": (b"Rar!\x1a\x07\x01\0", "an archive of a kind that is not read.*unpack it"),
    "photos.tar.zst": (b"\x28\xb5\x2f\xfd\0\0", "an archive of a kind that is not read.*unpack it"),
    "scan.pdf": (b"%PDF-1.7\n", "a document.*PNG or JPEG files"),
    "thesis.docx": (_office(), "a document.*PNG or JPEG files"),
    "thesis.doc": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "a document.*PNG or JPEG files"),
    "labels.xlsx": (_office(), "a spreadsheet.*as CSV with the columns path,label"),
    "film.mp4": (b"\0\0\0\x18ftypmp42", "a video.*take pictures out of it"),
    "train.tfrecord": (b"\x10\0\0\0", "a file of records"),
    "set.pkl": (pickle.dumps(ARRAYS), "pickles are not read because they could run a program"),
    "set.pt": (_saved(lambda file: torch.save(torch.zeros(2), file)), "pickles are not read"),
    "brain.nii.gz": (gzip.compress(bytes(400)), "nibabel"),
    "one.png": (_saved(lambda file: Image.new("L", (4, 4)).save(file, "PNG")), "a single picture.*folder"),
    "notes.txt": (b"hello\n", "a file of text.*CSV file"),
    "photos.zip": (b"", "is empty. Copy or download it again"),
    "anything": (b"%PDF-1.7\n", "a document"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_kind_is_named_with_what_to_make_of_it(name: str, tmp_path: Path) -> None:
    content, message = FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        data.load_data(tmp_path / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_a_spreadsheet_given_as_a_table_is_told_too(tmp_path: Path) -> None:
    (tmp_path / "labels.xlsx").write_bytes(_office())
    with pytest.raises(DataError, match=r"a spreadsheet\. To use what is in it, save it as CSV"):
        data.load_data(f"csv({tmp_path / 'labels.xlsx'})")


@pytest.mark.parametrize("name", ["photos.bin", "photos.gz", "photos.iso"])
def test_an_archive_is_told_by_its_content_whatever_it_is_called(
    name: str, write: Callable[..., Path], files: Callable[..., dict[str, bytes]], tmp_path: Path
) -> None:
    packed = write(files(), "photos.tar.gz").rename(tmp_path / name)
    assert len(data.load_data(packed, validation=0, test=0).train) == len(files())
