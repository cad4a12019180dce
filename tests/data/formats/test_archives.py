"""Files in folders and archives: what is read, and what is not safe to read."""

import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from cnnlab.core.errors import DataError
from cnnlab.data.formats import archives as rooms
from cnnlab.data.formats.archives import open_members

Write = Callable[..., Path]
CONTENTS = {"b/2.png": b"two", "a/1.png": b"one", "a/deep/3.png": b"three"}
TARGETS = ["photos", "photos.zip", "photos.tar", "photos.tar.gz"]


@pytest.mark.parametrize("target", TARGETS)
def test_files_and_folders_are_listed_and_read(write: Write, target: str) -> None:
    members = open_members(write(CONTENTS, target))
    assert members.names == ("a/1.png", "a/deep/3.png", "b/2.png")
    assert members.folders == {"a", "a/deep", "b"}
    assert {name: members.read(name) for name in members.names} == CONTENTS


@pytest.mark.parametrize("target", TARGETS)
def test_what_file_managers_leave_behind_is_passed_over(write: Write, target: str) -> None:
    junk = dict.fromkeys(["a/.DS_Store", "__MACOSX/a/._1.png", "a/Thumbs.db", ".git/x.png", "desktop.ini"], b"")
    members = open_members(write({**CONTENTS, **junk}, target))
    assert members.names == ("a/1.png", "a/deep/3.png", "b/2.png")


def test_empty_folders_are_seen(tmp_path: Path) -> None:
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("cat/", b"")
    assert open_members(tmp_path / "photos").folders == {"cat"}
    assert open_members(tmp_path / "photos.zip").folders == {"cat"}


@pytest.mark.parametrize(
    "name", ["../x.png", "a/../../x.png", "/etc/x.png", "C:/x.png", "..\\x.png", "a\\..\\..\\x.png"]
)
@pytest.mark.parametrize("target", ["photos.zip", "photos.tar", "photos.tar.gz"])
def test_path_that_leads_out_of_an_archive_is_refused(write: Write, target: str, name: str) -> None:
    with pytest.raises(DataError, match="leads out of the archive"):
        open_members(write({name: b"", **CONTENTS}, target))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_link_or_device_in_a_tar_is_refused(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "photos.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("cat/1.png")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(DataError, match="link or a device"):
        open_members(path)


def test_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("cat/1.png")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="link or a device"):
        open_members(path)


@pytest.mark.parametrize("target", ["photos.zip", "photos.tar.gz"])
def test_archive_that_would_fill_the_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.setattr(rooms, "_HARMLESS", 1 << 20)
    path, zeros = tmp_path / target, bytes(4 << 20)
    if target.endswith("zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("cat/1.bmp", zeros)
    else:
        with tarfile.open(path, "w:gz") as archive:
            info = tarfile.TarInfo("cat/1.bmp")
            info.size = len(zeros)
            archive.addfile(info, io.BytesIO(zeros))
    with pytest.raises(DataError, match="made to fill the disk"):
        open_members(path)


def test_huge_member_is_not_read(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "_MOST_FILE", 3)
    for target in TARGETS:
        members = open_members(write(CONTENTS, target))
        assert members.read("a/1.png") == b"one"
        with pytest.raises(DataError, match="5 bytes"):
            members.read("a/deep/3.png")


def read_all(path: Path, names: Iterable[str]) -> None:
    members = open_members(path)
    for name in names:
        members.read(name)


@pytest.mark.parametrize("target", ["photos.zip", "photos.tar", "photos.tar.gz"])
def test_truncated_archive_is_refused(write: Write, tmp_path: Path, target: str) -> None:
    contents = {f"{label}/{n}.png": bytes([n]) * 700 for label in "ab" for n in range(3)}
    whole = write(contents, target).read_bytes()
    # What follows the last member of a tar is padding.
    end = whole.rstrip(b"\0").__len__() if target.endswith("tar") else len(whole)
    cut = tmp_path / f"cut-{target}"
    for place in range(0, end, max(1, end // 100)):
        cut.write_bytes(whole[:place])
        with pytest.raises(DataError):
            read_all(cut, contents)


def test_damaged_member_is_named_when_it_is_read(write: Write) -> None:
    path = write({"cat/1.png": b"x" * 100}, "photos.zip")
    content = bytearray(path.read_bytes())
    content[content.index(b"x" * 100) + 50] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged in the archive"):
        open_members(path).read("cat/1.png")


def test_locked_zip_is_refused(write: Write) -> None:
    path = write({"cat/1.png": b"x"}, "photos.zip")
    content = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + place] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="password"):
        open_members(path)


def test_folders_that_link_in_a_circle_are_entered_once(write: Write) -> None:
    path = write(CONTENTS)
    (path / "a" / "again").symlink_to(path, target_is_directory=True)
    assert set(open_members(path).names) == set(CONTENTS)


def test_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match="neither a folder nor"):
        open_members(tmp_path / "notes.txt")


def test_names_that_are_no_text_can_be_written_down(tmp_path: Path) -> None:
    folder = os.path.join(os.fsencode(tmp_path), b"caf\xe9")
    os.mkdir(folder)
    with open(os.path.join(folder, b"1.png"), "wb") as file:
        file.write(b"one")
    members = open_members(tmp_path)
    assert members.names == ("caf�/1.png",) and members.read("caf�/1.png") == b"one"
