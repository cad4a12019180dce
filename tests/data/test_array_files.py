"""Files of arrays: NPZ, HDF5, IDX and CIFAR as data."""

import os
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnnlab import data
from cnnlab.core.errors import DataError
from cnnlab.data.sources.arrays import assign

RANDOM = np.random.default_rng(0)
X = RANDOM.integers(0, 256, (12, 4, 5, 3), dtype=np.uint8)
Y = np.arange(12) % 3
WHOLE = {"validation": 0, "test": 0}


def npz(folder: Path, **arrays: object) -> Path:
    path = folder / "set.npz"
    np.savez_compressed(path, **arrays)
    return path


def hdf5(folder: Path, **arrays: object) -> Path:
    import h5py

    path = folder / "set.h5"
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            values = np.asarray(values)
            file[name.replace("__", "/")] = values.astype("S") if values.dtype.kind == "U" else values
    return path


@pytest.mark.parametrize("write", [npz, hdf5])
def test_splits_are_read_by_their_names(tmp_path: Path, write: Callable[..., Path]) -> None:
    path = write(tmp_path, x_train=X[:6], y_train=Y[:6], x_val=X[6:9], y_val=Y[6:9], x_test=X[9:], y_test=Y[9:])
    dataset = data.load_data(path)
    assert {name: len(part) for name, part in dataset.parts()} == {"train": 6, "validation": 3, "test": 3}
    assert torch.equal(dataset.test.pixels(), torch.from_numpy(X[9:].transpose(0, 3, 1, 2).copy()))
    assert dataset.test.targets["label"].tolist() == [0, 1, 2]
    assert dataset.classes == {"label": ("0", "1", "2")}


def test_npz_and_hdf5_and_arrays_of_the_same_content_have_one_digest(tmp_path: Path) -> None:
    arrays = {"images": X, "labels": Y}
    digests = {data.load_data(write(tmp_path, **arrays)).digest for write in (npz, hdf5)}
    assert digests == {data.from_arrays(X, Y).digest}


@pytest.mark.parametrize("write", [npz, hdf5])
def test_names_of_classes_are_read(tmp_path: Path, write: Callable[..., Path]) -> None:
    named = data.load_data(write(tmp_path, images=X, labels=Y, class_names=np.array(["a", "b", "c"])), **WHOLE)
    assert named.classes == {"label": ("a", "b", "c")}
    words = data.load_data(write(tmp_path, images=X, labels=np.array(["x", "a", "x", "b"] * 3)), **WHOLE)
    assert words.classes == {"label": ("a", "b", "x")}
    assert words.train.targets["label"].tolist() == [2, 0, 2, 1] * 3


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (["x_train", "y_train", "x_test"], ["train images", "train targets", "test images"]),
        (["train_images", "val_labels"], ["train images", "validation targets"]),
        (["train/images", "test/labels"], ["train images", "test targets"]),
        (["train_set_x", "train_set_y", "list_classes"], ["train images", "train targets", " classes"]),
        (["X", "y", "class_names"], ["train images", "train targets", " classes"]),
        (["arr_0", "arr_1"], ["train images", "train targets"]),
        (["weights", "train_x_mean"], []),
    ],
)
def test_roles_of_arrays(names: list[str], roles: list[str]) -> None:
    assert [f"{split} {kind}" for split, kind in assign(names)] == roles


def test_columns_of_a_table_of_targets_are_named(tmp_path: Path) -> None:
    times = np.stack([np.arange(12), np.arange(12) * 4 + 0.5], 1)
    path = npz(tmp_path, images=X, labels=times)
    train = data.load_data(f"npz({path}, targets=[hour, minute])", **WHOLE).train
    assert train.targets["minute"].tolist() == times[:, 1].tolist()
    with pytest.raises(DataError, match="a value of hour"):
        data.load_data(f"npz({path}, targets=[hour])")


@pytest.mark.parametrize("write", [npz, hdf5])
def test_floats_have_one_scale_for_the_whole_array(tmp_path: Path, write: Callable[..., Path]) -> None:
    # The first pictures are so dark that by themselves they would pass for pictures on the scale of 1.
    levels = np.repeat([0.0, 1.0, 255.0], 200)[:, None, None] * np.ones((1, 2, 2))
    train = data.load_data(write(tmp_path, images=levels.astype(np.float32), labels=np.zeros(600, int)), **WHOLE).train
    assert train.pixels()[:, 0, 0, 0].unique().tolist() == [0, 1, 255]


@pytest.mark.parametrize("write", [npz, hdf5])
@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": X, "labels": Y[:-1]}, "12 pictures and .* 11 values of label"),
        ({"images": X, "labels": Y - 1}, "label is -1 at picture 0"),
        ({"images": X, "labels": Y, "class_names": np.array(["a", "b"])}, "label is 2 at picture 2"),
        ({"images": X[..., 0, 0], "labels": Y}, "pictures are N×H×W"),
        ({"images": X - 300.0, "labels": Y}, "Leave the normalisation out"),
        ({"weights": X}, "none of the arrays weights"),
        ({"x_train": X, "y_train": Y, "x_test": X[:, :3], "y_test": Y}, "differ in size"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    tmp_path: Path, write: Callable[..., Path], arrays: dict, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        data.load_data(write(tmp_path, **arrays))


def test_pickled_objects_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    np.savez(path, images=np.array([{"a": 1}], dtype=object), labels=Y)
    with pytest.raises(DataError, match="could run a program"):
        data.load_data(path)


@pytest.mark.parametrize("write", [npz, hdf5])
@given(st.data())
def test_truncated_file_of_arrays_is_refused(
    tmp_path_factory: pytest.TempPathFactory, write: Callable[..., Path], draw: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    path = write(folder, images=X, labels=Y)
    content = path.read_bytes()
    path.write_bytes(content[: draw.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(DataError):
        data.load_data(path)


def test_header_that_promises_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999, 9999, 9999), }"
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    with pytest.raises(DataError, match="declares 9,998,000,000,019,999 bytes"):
        data.load_data(path)


def idx_file(path: Path, array: np.ndarray) -> None:
    head = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(head + array.astype(np.uint8).tobytes())


def npy(header: str, content: bytes = bytes(480)) -> bytes:
    """An .npy with this text for a header."""
    return b"\x93NUMPY\1\0" + struct.pack("<H", 118) + (header.ljust(117) + "\n").encode() + content


HEADER = "{'descr': '|u1', 'fortran_order': False, 'shape': %s}"


@pytest.mark.parametrize(
    "images",
    [
        npy(HEADER % "(12,10,4" + "   "),
        npy((HEADER % "(12,10,4)").replace("'|u1'", "'|u9'")),
        npy(HEADER % "(99999999999999999999,10,4)"),
        npy(HEADER % "(-12,10,4)"),
        npy(HEADER % "(12,10,4)", bytes(479)),
        npy(HEADER % "(12,10,4)", bytes(481)),
        npy((HEADER % "(12,10)").replace("'|u1'", "'<U1'"), b"\xff" * 480),
        b"junk",
        b"",
    ],
)
def test_damaged_arrays_in_an_npz_are_refused_in_a_sentence(tmp_path: Path, images: bytes) -> None:
    np.savez(tmp_path / "a.npz", y_train=Y)
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("x_train.npy", images)
    with pytest.raises(DataError):
        data.load_data(tmp_path / "a.npz")


@pytest.mark.parametrize("write", [npz, hdf5])
def test_a_single_number_for_labels_is_refused(tmp_path: Path, write: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="is a single value; there must be one for each picture"):
        data.load_data(write(tmp_path, images=X, labels=np.array(5)))


def test_numbers_that_are_declared_and_not_there_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import h5py

    for name, shape in (("images", (10**9, 8, 8)), ("labels", (10**11,))):
        path = tmp_path / f"{name}.h5"
        with h5py.File(path, "w") as file:
            for key, values in {"images": X, "labels": Y}.items():
                if key == name:
                    file.create_dataset(key, shape, "u1", chunks=True)
                else:
                    file[key] = values
        with pytest.raises(DataError, match="made to fill memory or disk"):
            data.load_data(path)
    monkeypatch.setattr("cnnlab.core.limits.free_memory", lambda: 100)
    with pytest.raises(DataError, match=r"takes .* of memory"):
        data.load_data(npz(tmp_path, images=X, labels=Y))


def test_hdf5_data_of_no_shape_is_refused(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"], file["labels"] = X, h5py.Empty("u1")
    with pytest.raises(DataError, match="has a type and no numbers"):
        data.load_data(tmp_path / "a.h5")


def test_hdf5_groups_that_hold_one_another_are_gone_through_once(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["train/images"], file["train/labels"] = X, Y
        file["train/whole"] = file["/"]
        file["train/again"] = h5py.SoftLink("/train/images")
        file["train/beside"] = h5py.ExternalLink("b.h5", "/images")
    dataset = data.load_data(tmp_path / "a.h5", validation=0, test=0)
    assert len(dataset.train) == len(X) and list(dataset.train.targets) == ["label"]


def test_hdf5_data_that_lies_in_another_file_is_not_followed(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["images"] = X
    layout = h5py.VirtualLayout(shape=X.shape, dtype="u1")
    layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "images", shape=X.shape)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_virtual_dataset("images", layout)
        file["labels"] = Y
    with pytest.raises(DataError, match="lies in another file"):
        data.load_data(tmp_path / "a.h5")


@pytest.mark.parametrize(
    "spec", ["idx(path={})", "csv(path={})", "npz(path={})", "hdf5(path={})", "cifar(path={})", "{}"]
)
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_file_is_refused_by_every_reader(tmp_path: Path, spec: str, kind: str) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(DataError):
        data.load_data(spec.format(path))


def test_idx_files_are_read_by_their_names(tmp_path: Path) -> None:
    for stem, part in (("train", slice(0, 8)), ("t10k", slice(8, 12))):
        idx_file(tmp_path / f"{stem}-images-idx3-ubyte", X[part, :, :, 0])
        idx_file(tmp_path / f"{stem}-labels-idx1-ubyte", Y[part])
    dataset = data.load_data(tmp_path, validation=0)
    assert torch.equal(dataset.test.pixels()[:, 0], torch.from_numpy(X[8:, :, :, 0].copy()))
    assert dataset.train.targets["label"].tolist() == Y[:8].tolist()
    single = data.load_data(f"idx({tmp_path}/train-images-idx3-ubyte, classes=[x, y, z])", **WHOLE)
    assert len(single.train) == 8 and single.classes == {"label": ("x", "y", "z")}


def test_idx_labels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    idx_file(tmp_path / "train-images-idx3-ubyte", X[:, :, :, 0])
    idx_file(tmp_path / "train-labels-idx1-ubyte", Y[:-2])
    with pytest.raises(DataError, match=r"12 pictures .* 10 values of label"):
        data.load_data(tmp_path)
    idx_file(tmp_path / "train-labels-idx1-ubyte", Y)
    with pytest.raises(DataError, match="label is 2 at picture 2"):
        data.load_data(f"idx({tmp_path}, classes=[a, b])")


def test_folder_without_idx_images_is_refused(tmp_path: Path) -> None:
    idx_file(tmp_path / "t10k-labels-idx1-ubyte", Y)
    with pytest.raises(DataError, match="train-images-idx3-ubyte"):
        data.load_data(f"idx({tmp_path})")


def test_cifar_binary_archive_is_data(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    pixels = RANDOM.integers(0, 256, (6, 4, 3072), dtype=np.uint8)
    for place, name in enumerate([*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]):
        records = np.concatenate([np.full((4, 1), place, np.uint8), pixels[place]], 1)
        (folder / name).write_bytes(records.tobytes())
    (folder / "batches.meta.txt").write_text("\n".join(f"kind{n}" for n in range(10)))
    with tarfile.open(tmp_path / "cifar-10-binary.tar.gz", "w:gz") as archive:
        archive.add(folder, folder.name)
    dataset = data.load_data(tmp_path / "cifar-10-binary.tar.gz", validation=0)
    assert dataset.digest == data.load_data(folder, validation=0).digest
    assert dataset.classes["label"][9] == "kind9"
    assert torch.equal(dataset.test.pixels(), torch.from_numpy(pixels[5].reshape(4, 3, 32, 32)))


def test_floats_with_named_classes_are_classes_where_they_are_whole(tmp_path: Path) -> None:
    names = np.array(["ant", "bee", "cow"])
    dataset = data.load_data(npz(tmp_path, x_train=X, y_train=Y.astype("f4"), class_names=names), **WHOLE)
    assert dataset.train.targets["label"].tolist() == Y.tolist()
    with pytest.raises(DataError, match=r"label is 1\.5 at picture 4"):
        data.load_data(
            npz(tmp_path, x_train=X, y_train=np.where(np.arange(12) == 4, 1.5, Y), class_names=names), **WHOLE
        )


def test_labels_of_one_kind_in_train_and_another_in_test_are_refused(tmp_path: Path) -> None:
    path = npz(tmp_path, x_train=X[:6], y_train=Y[:6], x_test=X[6:], y_test=Y[6:].astype("f4"))
    with pytest.raises(DataError, match="holds floats in test, and whole numbers in train"):
        data.load_data(path)
