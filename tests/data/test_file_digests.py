"""Whether files hold what they held: noticed however they were changed, and not read again where nothing was."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnlab.core import file_systems
from cnnlab.data import file_digests
from cnnlab.data.file_digests import digest_files

LONG_AGO = (1_700_000_000, 1_700_000_000)


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of one size and one time, as an archive leaves them, that count as settled at once."""
    monkeypatch.setattr(file_digests, "_SETTLED_NS", -(10**18))
    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(3):
            path = tmp_path / "photos" / label / f"{number}.bmp"
            path.write_bytes(f"{label}{number}".encode())
            os.utime(path, LONG_AGO)
    return tmp_path / "photos"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read, in order."""
    read: list[Path] = []
    whole = file_digests.file_digest

    def noted(path: Path) -> str:
        read.append(path)
        return whole(path)

    monkeypatch.setattr(file_digests, "file_digest", noted)
    return read


def swap(photos: Path) -> None:
    first, second = photos / "cat/1.bmp", photos / "dog/1.bmp"
    first.rename(photos / "x")
    second.rename(first)
    (photos / "x").rename(second)


def overwrite(photos: Path) -> None:
    with (photos / "cat/1.bmp").open("r+b") as file:
        file.write(b"CAT1")
    os.utime(photos / "cat/1.bmp", LONG_AGO)


def rename(photos: Path) -> None:
    (photos / "cat/1.bmp").rename(photos / "cat/7.bmp")


@pytest.mark.parametrize("change", [swap, overwrite, rename])
def test_every_change_is_noticed_though_sizes_and_times_stay(photos: Path, change: Callable[[Path], None]) -> None:
    before = digest_files([photos])
    change(photos)
    assert digest_files([photos]) != before


def test_what_was_not_changed_is_not_read_again(photos: Path, reads: list[Path]) -> None:
    first = digest_files([photos])
    assert digest_files([photos]) == first and len(reads) == 6


def test_an_archive_is_read_each_time(photos: Path, reads: list[Path]) -> None:
    for _ in range(2):
        digest_files([photos / "cat/1.bmp"])
    assert len(reads) == 2


def test_on_a_share_of_the_network_files_are_read_each_time(
    photos: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_systems, "mounts", lambda: {"/": "ext4", str(photos / "dog"): "nfs4"})
    assert digest_files([photos / "cat"] * 2) and len(reads) == 6
    digest_files([photos / "cat"] * 2)
    assert len(reads) == 6
    for number in (1, 2):
        digest_files([photos])
        assert len(reads) == 6 + 6 * number


def test_mount_points_are_read_with_their_escapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
        r"30 27 0:44 / /media/my\040disk rw - cifs //server/my\040share rw" + "\n"
    )
    monkeypatch.setattr(file_systems, "_MOUNTS", table)
    assert file_systems.mounts() == {"/": "ext4", "/media/my disk": "cifs"}
    assert file_systems.all_trusted([Path("/home/me")])
    assert not file_systems.all_trusted([Path("/home/me"), Path("/media/my disk/photos")])
    monkeypatch.setattr(file_systems, "_MOUNTS", tmp_path / "missing")
    assert file_systems.all_trusted([Path("/media/my disk/photos")])
