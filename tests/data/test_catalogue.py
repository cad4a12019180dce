"""The named sets: what the catalogue says, and how their files are found, checked and downloaded."""

import gzip
import hashlib
import json
import re
import struct
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from threading import Thread

import pytest
from rich.console import Console

from cnnlab.core.errors import DataError, StorageError, UsageError
from cnnlab.data import catalogue, download
from cnnlab.data.catalogue import CatalogueFile, Checksum, NamedSet, named_set, named_sets
from cnnlab.data.download import downloads_folder, find, locate


class Server:
    """Files served over HTTP on this machine; an answer is bytes, a status, or bytes that break off half-way."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes | int | tuple[bytes, str]] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                answer = outer.answers.get(self.path, 404)
                if isinstance(answer, int):
                    self.send_error(answer)
                    return
                body, broken = (answer[0], True) if isinstance(answer, tuple) else (answer, False)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if broken else body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")
    monkeypatch.setattr("time.sleep", lambda _: None)
    running = Server()
    yield running
    running.close()


@pytest.fixture(autouse=True)
def no_data(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "data_dir" not in request.fixturenames:
        monkeypatch.delenv("CNNLAB_DATA", raising=False)


CONTENT = bytes([0, 0, 8, 1]) + struct.pack(">I", 5) + b"hello"
PACKED = gzip.compress(CONTENT)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def add_set(monkeypatch: pytest.MonkeyPatch, *packings: tuple[CatalogueFile, ...], note: str | None = None) -> None:
    entry = NamedSet(
        name="tiny",
        title="A tiny set",
        kind="idx",
        packings=packings,
        shape=(1, 1, 1),
        splits={"train": 5},
        homepage="https://example.org/tiny",
        licence="CC0",
        citation="Nobody (2000).",
        note=note,
    )
    monkeypatch.setitem(catalogue._SETS, "tiny", entry)


@pytest.fixture
def tiny(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A set of two files, one known by its content and one by the file itself, each with two addresses."""
    server.answers = {"/a/one.gz": PACKED, "/b/one.gz": PACKED, "/a/two.zip": b"zipped", "/b/two.zip": b"zipped"}
    hosts = (f"{server.address}/a", f"{server.address}/b")
    one = CatalogueFile(
        "train_images",
        ("tiny/one.gz", "tiny/one"),
        Checksum(sha256(CONTENT), of_content=True),
        addresses=tuple(f"{host}/one.gz" for host in hosts),
    )
    two = CatalogueFile(
        "train_labels",
        ("tiny/two.zip",),
        Checksum(hashlib.md5(b"zipped", usedforsecurity=False).hexdigest(), "md5"),
        addresses=tuple(f"{host}/two.zip" for host in hosts),
    )
    add_set(monkeypatch, (one, two))
    return server


def files_under(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def put(folder: Path, **files: bytes) -> None:
    (folder / "tiny").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / "tiny" / name.replace("_", ".")).write_bytes(content)


def test_a_set_is_downloaded_once_and_then_found(tiny: Server) -> None:
    located = locate("tiny")
    assert located.paths == {
        "train_images": downloads_folder() / "tiny/one.gz",
        "train_labels": downloads_folder() / "tiny/two.zip",
    }
    assert located.verified
    assert located.paths["train_images"].read_bytes() == PACKED
    assert tiny.asked == ["/a/one.gz", "/a/two.zip"]
    assert files_under(downloads_folder()) == ["tiny/one.gz", "tiny/two.zip"]
    assert locate("tiny", offline=True) == located
    assert len(tiny.asked) == 2


def test_only_what_is_missing_is_downloaded(tiny: Server, tmp_path: Path) -> None:
    put(tmp_path / "mine", one=CONTENT)
    located = locate("tiny", tmp_path / "mine")
    assert located.paths["train_images"] == tmp_path / "mine/tiny/one"
    assert tiny.asked == ["/a/two.zip"]


def test_the_folder_given_comes_before_the_environment_and_the_cache(
    tiny: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locate("tiny")
    for name in ("given", "environment"):
        put(tmp_path / name, one=CONTENT, two_zip=b"zipped")
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "environment"))
    assert locate("tiny", tmp_path / "given").paths["train_images"] == tmp_path / "given/tiny/one"
    assert locate("tiny").paths["train_images"] == tmp_path / "environment/tiny/one"
    assert find("tiny") == tmp_path / "environment/tiny"
    monkeypatch.delenv("CNNLAB_DATA")
    assert find("tiny") == downloads_folder() / "tiny"
    assert len(tiny.asked) == 2


@pytest.mark.parametrize(
    "wrong",
    [b"<html>not found</html>", PACKED[:-9], gzip.compress(CONTENT[:-1] + b"0")],
    ids=["a page", "cut off", "other content"],
)
def test_a_wrong_download_is_refused_and_leaves_nothing(tiny: Server, wrong: bytes) -> None:
    tiny.answers["/a/one.gz"] = tiny.answers["/b/one.gz"] = wrong
    with pytest.raises(DataError, match=r"tiny was not found in .*/a/one\.gz: what arrived has not the right checksum"):
        locate("tiny")
    assert files_under(downloads_folder()) == []


def test_a_wrong_checksum_of_the_file_itself_is_refused(tiny: Server) -> None:
    tiny.answers["/a/two.zip"] = tiny.answers["/b/two.zip"] = b"ripped"
    with pytest.raises(DataError, match=r"two\.zip: what arrived has not the right checksum"):
        locate("tiny")
    assert files_under(downloads_folder()) == ["tiny/one.gz"]


def test_the_second_address_is_tried_where_the_first_fails(tiny: Server) -> None:
    tiny.answers["/a/one.gz"] = 404
    tiny.answers["/a/two.zip"] = (b"zipped", "broken")
    assert locate("tiny").verified
    assert tiny.asked[-1] == "/b/two.zip"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(404, "the server answered 404 Not Found"), ((PACKED, "broken"), "the connection broke off")],
    ids=["404", "interrupted"],
)
def test_a_failed_download_says_why_and_what_to_do(
    tiny: Server, answer: int | tuple[bytes, str], reason: str, tmp_path: Path
) -> None:
    tiny.answers["/a/one.gz"] = tiny.answers["/b/one.gz"] = answer
    with pytest.raises(DataError) as caught:
        locate("tiny", tmp_path)
    message = str(caught.value)
    assert reason in message and "\n" not in message
    assert f"Get one.gz, two.zip from {tiny.address}/a/ and put them into {tmp_path / 'tiny'}" in message
    assert files_under(downloads_folder()) == []


def test_no_network_is_told_in_one_paragraph(tiny: Server) -> None:
    tiny.close()
    with pytest.raises(DataError, match=r"one\.gz: no connection; .*Get one\.gz, two\.zip from"):
        locate("tiny")


def test_offline_names_files_source_and_place_and_asks_nobody(tiny: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        locate("tiny", tmp_path, offline=True)
    assert str(caught.value) == (
        f"the data set tiny was not found in {tmp_path} or {downloads_folder()}, and the network is not to be used "
        f"(offline). Get one.gz, two.zip from {tiny.address}/a/ and put them into {tmp_path / 'tiny'}, or name the "
        "folder that holds tiny/one.gz by --data-dir or CNNLAB_DATA."
    )
    assert tiny.asked == []


def test_a_wrong_file_in_the_folder_given_is_refused(tiny: Server, tmp_path: Path) -> None:
    for wrong in (CONTENT + b"!", PACKED[:-4]):
        put(tmp_path, one_gz=wrong, two_zip=b"zipped")
        with pytest.raises(DataError, match=r"tiny/one\.gz is not the file that goes by the name tiny: its SHA256"):
            locate("tiny", tmp_path)
    assert tiny.asked == []


def test_a_damaged_download_is_replaced_or_refused_when_offline(tiny: Server) -> None:
    path = locate("tiny").paths["train_images"]
    path.write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"one\.gz is not the file that goes by the name tiny"):
        locate("tiny", offline=True)
    assert locate("tiny").paths["train_images"] == path
    assert path.read_bytes() == PACKED


def test_a_download_is_shown_by_a_bar_of_its_own_that_goes_when_it_breaks_off(
    tiny: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = StringIO()
    console = Console(file=seen, force_terminal=True, color_system=None, width=100)
    monkeypatch.setattr(download, "shows_bars", lambda: True)
    monkeypatch.setattr(download, "bar_console", lambda: console)
    tiny.answers["/a/one.gz"] = (PACKED, "breaks off")
    locate("tiny")
    for name, size in (("one.gz", len(PACKED)), ("two.zip", len(b"zipped"))):
        assert re.search(rf"{name} .*{size}/{size} bytes", seen.getvalue())
    # Each of the three hid the cursor once, and showed it again when it went.
    assert seen.getvalue().count("\x1b[?25l") == seen.getvalue().count("\x1b[?25h") == 3
    assert seen.getvalue().endswith("\x1b[2K")


def test_a_file_is_not_checked_again_until_it_changes(
    tiny: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, one=CONTENT, two_zip=b"zipped")
    checked: list[str] = []
    original = download._checksum_of
    monkeypatch.setattr(
        download, "_checksum_of", lambda path, checksum: checked.append(path.name) or original(path, checksum)
    )
    locate("tiny", tmp_path)
    locate("tiny", tmp_path)
    assert checked == ["one", "two.zip"]
    (tmp_path / "tiny/two.zip").write_bytes(b"Zipped")
    with pytest.raises(DataError, match=r"two\.zip is not the file"):
        locate("tiny", tmp_path)
    assert checked[2:] == ["two.zip"]


def test_a_cache_that_cannot_be_written_does_not_hinder_finding(
    tiny: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "mine", one=CONTENT, two_zip=b"zipped")
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("CNNLAB_CACHE", str(tmp_path / "file"))
    assert locate("tiny", tmp_path / "mine").verified
    with pytest.raises(StorageError, match="could not be written"):
        locate("tiny")


def test_a_set_without_address_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    add_set(monkeypatch, (CatalogueFile("archive", ("tiny.zip",)),), note="A zip of cat/*.jpg.")
    with pytest.raises(DataError, match=r"no public address.*put it into .*that holds tiny\.zip.*cat/\*\.jpg\.$"):
        locate("tiny")
    (tmp_path / "tiny.zip").write_bytes(b"x")
    located = locate("tiny", tmp_path)
    assert located.paths == {"archive": tmp_path / "tiny.zip"} and not located.verified


def test_a_folder_counts_only_with_all_its_members(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    members = {"a": Checksum(sha256(b"A")), "b": Checksum(sha256(b"B"))}
    packed = (CatalogueFile("archive", ("tiny.tar.gz",)),)
    add_set(monkeypatch, packed, (CatalogueFile("archive", ("tiny",), members=members),))
    put(tmp_path, a=b"A")
    assert find("tiny", tmp_path) is None
    put(tmp_path, b=b"?")
    with pytest.raises(DataError, match="tiny/b is not the file"):
        locate("tiny", tmp_path)
    put(tmp_path, b=b"B")
    assert locate("tiny", tmp_path).verified


def test_names_that_are_not_there_are_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean fashion-mnist"):
        locate("fasion-mnist")
    with pytest.raises(UsageError, match="does not exist"):
        locate("mnist", "/nowhere/at/all")


def test_every_entry_is_complete_and_plain() -> None:
    for entry in named_sets():
        assert named_set(entry.name) is entry
        facts = json.loads(json.dumps(entry.to_dict()))
        assert all(facts[key] for key in ("title", "homepage", "licence", "citation", "splits", "files"))
        for packing in entry.packings:
            for part in packing:
                # What is downloaded can always be told from something else.
                assert part.checksum or not part.addresses
                checksums = [part.checksum, *part.members.values()]
                for checksum in filter(None, checksums):
                    assert len(checksum.value) == {"sha256": 64, "md5": 32}[checksum.algorithm]
                    int(checksum.value, 16)
    assert {"mnist", "fashion-mnist", "kmnist", "cifar10", "cifar100", "eurosat", "cats-vs-dogs"} <= {
        entry.name for entry in named_sets()
    }


def test_cifar_checksums_are_those_torchvision_downloads_with() -> None:
    torchvision = pytest.importorskip("torchvision")
    for name, peer in (("cifar10", torchvision.datasets.CIFAR10), ("cifar100", torchvision.datasets.CIFAR100)):
        folder = next(packing[0] for packing in named_set(name).packings if peer.base_folder in packing[0].places)
        expected = dict([*peer.train_list, *peer.test_list, (peer.meta["filename"], peer.meta["md5"])])
        assert {member: checksum.value for member, checksum in folder.members.items() if checksum} == expected


def test_real_files_are_the_ones_the_catalogue_knows(data_dir: Path) -> None:
    for name in ("mnist", "fashion-mnist", "cifar10-jpeg", "cats-vs-dogs"):
        located = locate(name, offline=True)
        assert located.verified
        assert all(path.is_relative_to(data_dir) for path in located.paths.values())
