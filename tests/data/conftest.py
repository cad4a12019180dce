"""Small trees of pictures to read."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from small_files import encoded, idx_folder, tree_files

MakeImage = Callable[..., bytes]
MakeTree = Callable[..., Path]


@pytest.fixture
def image() -> MakeImage:
    """Makes the bytes of a picture file."""
    return encoded


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


@pytest.fixture
def write_idx() -> Callable[..., Path]:
    """Writes IDX files with the labels given for each split."""
    return idx_folder
