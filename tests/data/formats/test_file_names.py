"""Names and paths of files, put together as text, are those that pathlib makes."""

import itertools
from pathlib import Path, PurePosixPath

import pytest

from cnnlab.data.formats.file_names import suffix_of
from cnnlab.data.formats.folders import FolderMembers


def test_suffixes_are_those_of_pathlib() -> None:
    drawn = ("/".join(parts) for parts in itertools.product(map("".join, itertools.product("a.", repeat=3)), repeat=2))
    plain = [name for name in drawn if not {".", ".."} & set(name.split("/"))]
    named = ["", "x", "x.png", ".png", "a.b/x", "a.b/x.JPG", "x.", "..png", "scan.nii.gz", "a/.hidden.tif"]
    for name in [*plain, *named]:
        assert suffix_of(name) == PurePosixPath(name).suffix, name


@pytest.mark.parametrize("root", [".", "pictures", "./pictures/", "pictures/../pictures"])
def test_paths_of_files_in_a_folder_are_those_of_pathlib(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pictures" / "of cats").mkdir(parents=True)
    names = ["1.png", "of cats/2.png", "of cats/\udcff.png"]
    for name in names:
        (tmp_path / "pictures" / name).write_bytes(b"x")
    monkeypatch.chdir(tmp_path / "pictures" if root == "." else tmp_path)
    members = FolderMembers(Path(root))
    assert sorted(members.place(name) for name in members.names) == sorted(str(Path(root) / name) for name in names)
    assert {members.file(name) for name in members.names} == {Path(root) / name for name in names}
    assert all(members.read(name) == b"x" for name in members.names)
