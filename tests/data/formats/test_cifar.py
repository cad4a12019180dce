"""CIFAR in both versions and both packings, and what is refused."""

import io
import os
import pickle
import struct
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnlab.core.errors import DataError
from cnnlab.data.formats import cifar
from cnnlab.data.formats.cifar import read_cifar
from cnnlab.data.formats.safe_pickle import RefusedPickleError, load_pickle

NAMES = [f"class {number}" for number in range(10)]
FINE = [f"fine {number}" for number in range(100)]
COARSE = [f"coarse {number}" for number in range(20)]


def images(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)


# Six files of three pictures each: five of train, one of test.
TENS = [(images(3, seed), [seed, 9 - seed, (7 * seed) % 10]) for seed in range(6)]
HUNDREDS = [(images(count, 10 + count), [0, 99, 57, 3, 12][:count], [19, 0, 4, 2, 11][:count]) for count in (5, 2)]


def binary_ten() -> dict[str, bytes]:
    files = {}
    for place, (images, labels) in enumerate(TENS):
        records = b"".join(
            bytes([label]) + image.tobytes() for image, label in zip(images.reshape(3, -1), labels, strict=True)
        )
        files["test_batch.bin" if place == 5 else f"data_batch_{place + 1}.bin"] = records
    files["batches.meta.txt"] = ("\n".join(NAMES) + "\n\n").encode()
    files["readme.html"] = b"<html>"
    return {f"cifar-10-batches-bin/{name}": content for name, content in files.items()}


def binary_hundred() -> dict[str, bytes]:
    files = {}
    for name, (images, fine, coarse) in zip(("train.bin", "test.bin"), HUNDREDS, strict=True):
        rows = images.reshape(len(images), -1)
        files[name] = b"".join(bytes([c, f]) + row.tobytes() for row, f, c in zip(rows, fine, coarse, strict=True))
    files["fine_label_names.txt"] = "\n".join(FINE).encode()
    files["coarse_label_names.txt"] = "\n".join(COARSE).encode()
    return {f"cifar-100-binary/{name}": content for name, content in files.items()}


def python2(value: object) -> bytes:
    """A pickle as Python 2 writes it, which is how the original files are written; opcode by opcode."""
    return b"\x80\x02" + python2_part(value) + b"."


def python2_part(value: object) -> bytes:
    if isinstance(value, dict):
        pairs = b"".join(python2_part(key) + python2_part(item) for key, item in value.items())
        return b"}(" + pairs + b"u"
    if isinstance(value, list):
        return b"](" + b"".join(map(python2_part, value)) + b"e"
    if isinstance(value, int):
        return b"K" + bytes([value])
    if isinstance(value, str):
        return b"U" + bytes([len(value)]) + value.encode()
    assert isinstance(value, np.ndarray)
    kind = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    shape = b"".join(b"M" + struct.pack("<H", side) for side in value.shape)
    content = b"T" + struct.pack("<I", value.size) + value.tobytes()
    start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
    return start + b"(K\x01(" + shape + b"t" + kind + b"\x89" + content + b"tb"


def writer(protocol: int) -> Callable[[object], bytes]:
    return lambda value: pickle.dumps(value, protocol)


def python_ten(dump: Callable[[object], bytes]) -> dict[str, bytes]:
    files = {}
    for place, (images, labels) in enumerate(TENS):
        content = {"batch_label": "a batch", "labels": labels, "data": images.reshape(3, -1), "filenames": ["a.png"]}
        files["test_batch" if place == 5 else f"data_batch_{place + 1}"] = dump(content)
    files["batches.meta"] = dump({"num_cases_per_batch": 3, "label_names": NAMES, "num_vis": 12})
    return {f"cifar-10-batches-py/{name}": content for name, content in files.items()}


def python_hundred(dump: Callable[[object], bytes]) -> dict[str, bytes]:
    files = {"meta": dump({"fine_label_names": FINE, "coarse_label_names": COARSE})}
    for name, (images, fine, coarse) in zip(("train", "test"), HUNDREDS, strict=True):
        rows = images.reshape(len(images), -1)
        files[name] = dump({"fine_labels": fine, "coarse_labels": coarse, "data": rows, "filenames": []})
    return {f"cifar-100-python/{name}": content for name, content in files.items()}


def pack(path: Path, files: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def unpack(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def packed_in(way: str, folder: Path, files: dict[str, bytes]) -> Path:
    if way == "folder":
        return unpack(folder / "set", files) / next(iter(files)).partition("/")[0]
    if way == "folder above":
        return unpack(folder / "set", files)
    return pack(folder / f"set.{way}", files, "w:gz" if way == "tar.gz" else "w:")


WAYS = ["tar.gz", "tar", "folder", "folder above"]
VERSIONS: dict[str, Callable[[], tuple[dict[str, bytes], dict[str, bytes]]]] = {
    "binary": lambda: (binary_ten(), binary_hundred()),
    "python 2": lambda: (python_ten(python2), python_hundred(python2)),
    "python 3 protocol 2": lambda: (python_ten(writer(2)), python_hundred(writer(2))),
    "python 3 protocol 5": lambda: (python_ten(writer(5)), python_hundred(writer(5))),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("version", VERSIONS)
def test_cifar10_is_read_from_every_version_and_packing(tmp_path: Path, way: str, version: str) -> None:
    content = read_cifar(packed_in(way, tmp_path, VERSIONS[version]()[0]))
    assert content.name == "CIFAR-10"
    assert content.classes == {"label": tuple(NAMES)}
    np.testing.assert_array_equal(content.train.images, np.concatenate([images for images, _ in TENS[:5]]))
    assert content.train.targets["label"].tolist() == [label for _, labels in TENS[:5] for label in labels]
    np.testing.assert_array_equal(content.test.images, TENS[5][0])
    assert content.test.targets["label"].tolist() == TENS[5][1]
    assert content.train.images.dtype == np.uint8 and content.train.targets["label"].dtype == np.int64
    assert content.train.images.flags.writeable and content.train.images.flags.c_contiguous


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("version", VERSIONS)
def test_cifar100_is_read_from_every_version_and_packing(tmp_path: Path, way: str, version: str) -> None:
    content = read_cifar(packed_in(way, tmp_path, VERSIONS[version]()[1]))
    assert content.name == "CIFAR-100"
    assert content.classes == {"label": tuple(FINE), "superclass": tuple(COARSE)}
    for split, (images, fine, coarse) in zip((content.train, content.test), HUNDREDS, strict=True):
        np.testing.assert_array_equal(split.images, images)
        assert split.targets["label"].tolist() == fine
        assert split.targets["superclass"].tolist() == coarse


def test_an_array_in_column_order_is_read_in_the_right_order(tmp_path: Path) -> None:
    files = python_hundred(writer(2))
    images, fine, coarse = HUNDREDS[0]
    data = np.asfortranarray(images.reshape(len(images), -1))
    files["cifar-100-python/train"] = pickle.dumps({"fine_labels": fine, "coarse_labels": coarse, "data": data}, 2)
    content = read_cifar(pack(tmp_path / "set.tar.gz", files))
    np.testing.assert_array_equal(content.train.images, images)


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.call = (function, args)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


def harmful(marker: Path) -> dict[str, bytes]:
    content = f"open({str(marker)!r}, 'w').close()"
    return {
        "os.system": pickle.dumps(Call(os.system, f"touch '{marker}'")),
        "builtins.eval": pickle.dumps({"data": Call(eval, content)}),
        "old style": f"(S'touch {marker}'\nios\nsystem\n.".encode(),
        "os through numpy": f"cnumpy\nos.system\n(S'touch {marker}'\ntR.".encode(),
        "stack global": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
        "numpy.load": pickle.dumps(Call(np.load, str(marker), None, True)),
        "numpy.fromfile": pickle.dumps(Call(np.fromfile, str(marker))),
        "getattr": pickle.dumps(Call(getattr, np.ndarray, "tofile")),
        "import": pickle.dumps(Call(__import__, "os")),
    }


@pytest.mark.parametrize("name", harmful(Path("x")))
@pytest.mark.parametrize("way", ["tar.gz", "folder"])
def test_a_pickle_that_calls_anything_is_refused_and_calls_nothing(tmp_path: Path, name: str, way: str) -> None:
    marker = tmp_path / "it was called"
    files = python_ten(python2)
    files["cifar-10-batches-py/data_batch_3"] = harmful(marker)[name]
    with pytest.raises(DataError, match=r"data_batch_3 was not read, because it asks for .*may be made to do harm"):
        read_cifar(packed_in(way, tmp_path, files))
    assert not marker.exists()


def test_an_ordinary_reader_would_have_called_it(tmp_path: Path) -> None:
    # The harm is real: the test above would see it done.
    marker = tmp_path / "it was called"
    pickle.loads(harmful(marker)["builtins.eval"])
    assert marker.exists()


def test_what_may_be_called_cannot_be_changed() -> None:
    # BUILD with a pair would set the attributes of a function, such as its defaults.
    changed = b"\x80\x02c_codecs\nencode\nN}U\x0c__defaults__Ns\x86b."
    with pytest.raises(ValueError, match="changes what it may only call"):
        load_pickle(io.BytesIO(changed))


def test_arrays_of_objects_and_other_numbers_are_refused() -> None:
    for array in (np.array([print], dtype=object), np.zeros(3, np.float64)):
        with pytest.raises(RefusedPickleError):
            load_pickle(io.BytesIO(pickle.dumps({"data": array}, 2)))


def test_persistent_objects_are_refused() -> None:
    with pytest.raises(RefusedPickleError, match="kept elsewhere"):
        load_pickle(io.BytesIO(b"\x80\x02K\x01Q."))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_truncated_archive_is_refused(tmp_path: Path, version: str) -> None:
    path = pack(tmp_path / "set.tar.gz", VERSIONS[version]()[0])
    whole = path.read_bytes()
    for offset in np.linspace(0, len(whole) - 1, 40).astype(int):
        path.write_bytes(whole[:offset])
        with pytest.raises(DataError, match=r"set\.tar\.gz"):
            read_cifar(path)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_truncated_file_of_a_folder_is_refused(tmp_path: Path, version: str) -> None:
    files = VERSIONS[version]()[1]
    name = next(name for name in files if "/train" in name)
    path = unpack(tmp_path, files) / name
    whole = path.read_bytes()
    for offset in np.linspace(0, len(whole) - 1, 40).astype(int):
        path.write_bytes(whole[:offset])
        with pytest.raises(DataError, match="train"):
            read_cifar(tmp_path)


def test_flipped_bits_in_a_pickle_never_end_in_a_traceback(tmp_path: Path) -> None:
    files = python_hundred(python2)
    whole = files["cifar-100-python/test"]
    path = unpack(tmp_path, files) / "cifar-100-python/test"
    random = np.random.default_rng(2)
    heads = [place for place in range(len(whole)) if place < 150 or place > len(whole) - 60]
    for place in random.choice(heads, 120):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << random.integers(8)
        path.write_bytes(damaged)
        with suppress(DataError):
            read_cifar(tmp_path)


@pytest.mark.parametrize("missing", ["data_batch_4.bin", "test_batch.bin", "batches.meta.txt"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    files = binary_ten()
    del files[f"cifar-10-batches-bin/{missing}"]
    for way in ("tar.gz", "folder"):
        with pytest.raises(DataError, match=rf"lacks {missing} of CIFAR-10"):
            read_cifar(packed_in(way, tmp_path, files))


def test_a_label_without_class_is_named(tmp_path: Path) -> None:
    files = binary_ten()
    files["cifar-10-batches-bin/data_batch_2.bin"] = bytes([10]) + files["cifar-10-batches-bin/data_batch_2.bin"][1:]
    with pytest.raises(DataError, match=r"data_batch_2\.bin gives picture 0 the label 10, and there are 10 \(1 such"):
        read_cifar(pack(tmp_path / "set.tar.gz", files))
    files = python_hundred(writer(2))
    rows = HUNDREDS[1][0].reshape(2, -1)
    for label in (100, -1, 1 << 80):
        content = {"fine_labels": [4, label], "coarse_labels": [0, 1], "data": rows}
        files["cifar-100-python/test"] = pickle.dumps(content, 2)
        with pytest.raises(DataError, match="test gives picture 1 the label"):
            read_cifar(pack(tmp_path / "set.tar.gz", files))


def test_counts_that_do_not_fit_are_named(tmp_path: Path) -> None:
    files = python_hundred(writer(2))
    content = {"fine_labels": [4], "coarse_labels": [0, 1], "data": HUNDREDS[1][0].reshape(2, -1)}
    files["cifar-100-python/test"] = pickle.dumps(content, 2)
    with pytest.raises(DataError, match="holds 2 pictures and 1 fine_labels"):
        read_cifar(pack(tmp_path / "set.tar.gz", files))


def test_what_is_no_cifar_set_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no CIFAR set: none of the files cifar-10-batches-bin/data_batch_1"):
        read_cifar(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff" * 500)
    with pytest.raises(DataError, match=r"photo\.jpg is no archive of CIFAR, or a damaged one"):
        read_cifar(tmp_path / "photo.jpg")
    with pytest.raises(DataError, match="nowhere is missing"):
        read_cifar(tmp_path / "nowhere")
    files = binary_hundred()
    twice = pack(tmp_path / "twice.tar", {**files, "other/train.bin": files["cifar-100-binary/train.bin"]})
    with pytest.raises(DataError, match=r"twice\.tar holds train\.bin twice"):
        read_cifar(twice)


def test_an_archive_never_writes_outside_and_is_read_by_names_alone(tmp_path: Path) -> None:
    files = {f"../../{name}": content for name, content in binary_ten().items()}
    assert len(read_cifar(pack(tmp_path / "set.tar.gz", files)).train.images) == 15
    assert [path.name for path in tmp_path.iterdir()] == ["set.tar.gz"]


def test_a_bomb_is_refused_before_it_fills_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar, "_LARGEST", 1 << 20)
    path = pack(tmp_path / "bomb.tar.gz", {**binary_ten(), "zeros": bytes(5 << 20)})
    with pytest.raises(DataError, match=r"bomb\.tar\.gz is no archive of CIFAR.*more than 1 MiB"):
        read_cifar(path)
