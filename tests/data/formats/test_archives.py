"""Files in folders and archives: what is read, and what is not safe to read."""

import io
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from cnnlab.core import limits
from cnnlab.core.errors import DataError, UsageError
from cnnlab.data.formats import members as bounds
from cnnlab.data.formats.archives import check_encoding, open_members

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
    left = ["a/.DS_Store", "__MACOSX/a/._1.png", "a/Thumbs.db", ".git/x.png", "desktop.ini", "a/._1.png"]
    left += [
        "$RECYCLE.BIN/x.png",
        "lost+found/x.png",
        "a/@eaDir/1.png/SYNOPHOTO_THUMB_M.png",
        ".Trash-1000/files/x.png",
    ]
    left += ["__pycache__/x.png", "System Volume Information/x.png", "#recycle/x.png", "a/.ipynb_checkpoints/1.png"]
    members = open_members(write({**CONTENTS, **dict.fromkeys(left, b"")}, target))
    assert members.names == ("a/1.png", "a/deep/3.png", "b/2.png")
    assert members.folders == {"a", "a/deep", "b"}


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
    monkeypatch.setattr(limits, "_HARMLESS", 1 << 20)
    path, zeros = tmp_path / target, bytes(4 << 20)
    if target.endswith("zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("cat/1.bmp", zeros)
    else:
        with tarfile.open(path, "w:gz") as archive:
            info = tarfile.TarInfo("cat/1.bmp")
            info.size = len(zeros)
            archive.addfile(info, io.BytesIO(zeros))
    with pytest.raises(DataError, match=r"made to fill memory or disk .* set CNNLAB_MOST_BYTES=1GB"):
        open_members(path)
    monkeypatch.setenv("CNNLAB_MOST_BYTES", "8MB")
    assert open_members(path).names == ("cat/1.bmp",)


def test_huge_member_is_not_read(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_BYTES", 3)
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
    (tmp_path / "notes").write_text("hello")
    with pytest.raises(DataError, match="neither a folder nor"):
        open_members(tmp_path / "notes")


def test_names_that_are_no_text_can_be_written_down(tmp_path: Path) -> None:
    folder = os.path.join(os.fsencode(tmp_path), b"caf\xe9")
    os.mkdir(folder)
    with open(os.path.join(folder, b"1.png"), "wb") as file:
        file.write(b"one")
    members = open_members(tmp_path)
    assert members.names == (r"caf\xe9/1.png",) and members.read(r"caf\xe9/1.png") == b"one"
    assert os.fsencode(members.place(r"caf\xe9/1.png")) == os.path.join(folder, b"1.png")


def zip_of(path: Path, names: list[bytes], extra: bytes = b"") -> Path:
    """A .zip whose names are these bytes, of different lengths, in an encoding that it does not say."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(names):
            info = zipfile.ZipInfo("x" * len(name))
            info.extra = extra
            archive.writestr(info, bytes([number]))
    content = path.read_bytes()
    # The longest first, since a shorter one is a part of it.
    for name in sorted(names, key=len, reverse=True):
        content = content.replace(b"x" * len(name), name)
    path.write_bytes(content)
    return path


CAFE, TEA = "caf\u00e9/1.png", "t\u00e9/1.png"


def test_names_in_a_zip_that_can_be_utf8_are_utf8_whether_marked_or_not(tmp_path: Path) -> None:
    members = open_members(zip_of(tmp_path / "a.zip", [CAFE.encode(), TEA.encode()]))
    assert members.names == (CAFE, TEA) and members.warnings == ()
    assert [members.read(name) for name in members.names] == [b"\0", b"\1"]


def test_names_in_a_zip_in_another_encoding_are_warned_of_and_read_in_the_one_that_is_said(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", [CAFE.encode("cp1252"), TEA.encode("cp1252")])
    members = open_members(path)
    assert members.names == ("caf\u0398/1.png", "t\u0398/1.png")
    assert "were read as cp437, caf\u0398/1.png for instance" in members.warnings[0]
    members = open_members(path, "cp1252")
    assert members.names == (CAFE, TEA) and members.warnings == () and members.read(CAFE) == b"\0"
    with pytest.raises(DataError, match="are not in ascii"):
        open_members(path, "ascii")
    for name in ("klingon", "base64", "rot13", "unicode_escape", "idna", "a\0b"):
        with pytest.raises(UsageError, match="there is no encoding "):
            check_encoding(name)


def test_second_name_in_a_zip_counts_where_the_first_was_not_changed(tmp_path: Path) -> None:
    raw = CAFE.encode("cp850")
    field = b"\1" + struct.pack("<I", zlib.crc32(raw)) + CAFE.encode()
    path = zip_of(tmp_path / "a.zip", [raw], struct.pack("<HH", 0x7075, len(field)) + field)
    assert open_members(path).names == (CAFE,)


def test_names_in_a_tar_in_another_encoding_stay_apart_and_are_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        for name in ("\u00e9/1.png", "\u00e8/1.png"):
            info = tarfile.TarInfo(name)
            info.size = 1
            archive.addfile(info, io.BytesIO(name[:1].encode("latin-1")))
    members = open_members(path)
    assert members.names == ("\u00e8/1.png", "\u00e9/1.png") and members.read("\u00e8/1.png") == b"\xe8"
    assert "were read as latin-1, \u00e9/1.png for instance" in members.warnings[0]
    members = open_members(path, "cp866")
    assert members.names == ("\u0449/1.png", "\u0448/1.png")[::-1] and members.warnings == ()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_files_of_one_name_in_an_archive_are_warned_of(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for content in (b"first", b"last"):
            archive.writestr("a/1.png", content)
            archive.writestr("a/", b"")
    members = open_members(tmp_path / "a.zip")
    assert members.read("a/1.png") == b"last"
    assert members.warnings == ("it holds several files of one name, of which the last counts: a/1.png.",)


def test_a_folder_is_entered_by_every_link_to_it(write: Write) -> None:
    path = write(CONTENTS)
    (path / "c").symlink_to(path / "a")
    assert open_members(path).names == ("a/1.png", "a/deep/3.png", "b/2.png", "c/1.png", "c/deep/3.png")


def test_links_that_multiply_are_refused(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}").mkdir()
        for way in "ab":
            (tmp_path / f"{number}" / way).symlink_to(tmp_path / f"{number + 1}")
    with pytest.raises(DataError, match="over 100 links lead to the folder"):
        open_members(tmp_path / "0")


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1.png")
    (tmp_path / "2.png").symlink_to("/dev/zero")
    members = open_members(tmp_path)
    for name in ("1.png", "2.png"):
        with pytest.raises(OSError, match="a pipe or a device"):
            members.read(name)
