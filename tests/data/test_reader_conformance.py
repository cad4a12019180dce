"""Every reader against the conformance suite, each on a small example of its files."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small_files import encoded, idx_folder, tree_files

from cnnlab.data import readers
from cnnlab.data.catalogue import named_sets
from cnnlab.testing import reader_checks


def photos(folder: Path) -> Path:
    for name, content in tree_files(("train/", "test/"), count=4).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def archive(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder / "photos"), "zip", photos(folder / "photos")))


def table(folder: Path) -> Path:
    for name in "abcdef":
        (folder / f"{name}.png").write_bytes(encoded(ord(name)))
    path = folder / "labels.csv"
    path.write_text("path,label\n" + "".join(f"{name}.png,{'dog' if name > 'c' else 'cat'}\n" for name in "bafcde"))
    return path


def arrays() -> dict[str, np.ndarray]:
    images = np.random.default_rng(0).integers(0, 256, (12, 5, 6, 3), dtype=np.uint8)
    labels = np.arange(12) % 3
    return {"x_train": images[:8], "y_train": labels[:8], "x_test": images[8:], "y_test": labels[8:]}


def npz(folder: Path) -> Path:
    np.savez_compressed(folder / "set.npz", **arrays())
    return folder / "set.npz"


def hdf5(folder: Path) -> Path:
    import h5py

    with h5py.File(folder / "set.h5", "w") as file:
        for name, values in arrays().items():
            file[name] = values
    return folder / "set.h5"


def idx(folder: Path) -> Path:
    return idx_folder(folder, {"train": [0, 1, 2, 0, 1], "t10k": [2, 1, 0, 0]})


def cifar(folder: Path) -> Path:
    source = np.random.default_rng(0)
    for name in [*(f"data_batch_{place}.bin" for place in range(1, 6)), "test_batch.bin"]:
        rows = source.integers(0, 256, (4, 3073), dtype=np.uint8)
        rows[:, 0] %= 10
        (folder / name).write_bytes(rows.tobytes())
    (folder / "batches.meta.txt").write_text("\n".join(f"class {place}" for place in range(10)))
    return folder


EXAMPLES: dict[str, tuple[str, Callable[[Path], Path] | None]] = {
    "folder": ("folder({path})", photos),
    "folder in an archive": ("folder({path})", archive),
    "csv": ("csv({path})", table),
    "npz": ("npz({path})", npz),
    "hdf5": ("hdf5({path})", hdf5),
    "idx": ("idx({path})", idx),
    "cifar": ("cifar({path})", cifar),
    "clocks": ("clocks(n=12, size=16)", None),
    "digits": ("digits", None),
}


def test_every_reader_but_the_named_sets_which_read_alike_is_tried_here() -> None:
    tried = {spec.partition("(")[0] for spec, _ in EXAMPLES.values()}
    assert {entry.name for entry in readers} - {entry.name for entry in named_sets()} == tried


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_reader_keeps_what_readers_promise(example: str, tmp_path: Path) -> None:
    spec, write = EXAMPLES[example]
    checks = reader_checks(spec.format(path=write and write(tmp_path)))
    assert len(checks) > 5
    for check in checks:
        check()
