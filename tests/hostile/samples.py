"""Valid files of every format that is read, small, which inputs start from."""

import csv
import gzip
import io
import json
import os
import pickle
import signal
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import safetensors.torch
import torch
from PIL import Image

CLASSES = ("cat", "dog", "owl")
SIZE = 10
PICTURE_KINDS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
TRAINING = ["model=mlp(hidden=[4])", "threads=1", "precision=float32", "batch_size=8"]
STUDY = """question: Does a wider network do better?
name: small
base: {data: "folder(path=photos)", model: "mlp(hidden=[4])", epochs: 1, threads: 1, precision: float32}
vary:
  model: ["mlp(hidden=[4])", "mlp(hidden=[8])"]
repeats: 2
claims: ["model='mlp(hidden=[8])' is better than model='mlp(hidden=[4])'"]
published: {source: "A paper, 2020", metric: test_accuracy, rows: [{model: "mlp(hidden=[4])", value: 0.7}]}
"""


@dataclass(frozen=True)
class Samples:
    """Where the valid files lie.

    :param photos: a folder of pictures in classes.
    :param runs: finished runs ``base`` and ``other``, ``stopped``, which is not, ``pair``, the ensemble of the first
        two, and the study ``small``.
    :param transfer: a run of classifiers on features of a backbone, whose weights are those of the file ``weights``.
    :param kernels: what was compiled, for all inputs to share.
    :param files: content of data, by the name of a file.
    """

    photos: Path
    runs: Path
    transfer: Path
    weights: Path
    kernels: Path
    files: Mapping[str, bytes]

    def run(self, name: str) -> Path:
        """The folder of a run."""
        return self.runs / name


def pixels(seed: int, size: int = SIZE) -> np.ndarray:
    """A picture of noise."""
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def picture(seed: int, kind: str = "PNG", size: int = SIZE) -> bytes:
    """The same in a file of some kind."""
    stream = io.BytesIO()
    Image.fromarray(pixels(seed, size)).save(stream, kind)
    return stream.getvalue()


def tree(count: int = 8) -> dict[str, bytes]:
    """Names and content of pictures in folders of classes."""
    names = [f"{label}/{number}.png" for label in CLASSES for number in range(count)]
    return {name: picture(seed) for seed, name in enumerate(names)}


def arrays(count: int = 24) -> dict[str, np.ndarray]:
    """Pictures and labels as the usual files of arrays name them."""
    images = np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)
    made = {"x_train": images, "y_train": np.arange(count) % 3, "x_test": images[:6] // 2, "y_test": np.arange(6) % 3}
    return made | {"class_names": np.array(CLASSES, "S3")}


def npz(content: Mapping[str, np.ndarray], *, packed: bool = True) -> bytes:
    """Arrays as a file of numpy."""
    stream = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(stream, **content)
    return stream.getvalue()


def hdf5(content: Mapping[str, np.ndarray], **options: object) -> bytes:
    """Arrays as an HDF5 file."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name, value in content.items():
            file.create_dataset(name, data=value, **options)
    return stream.getvalue()


def idx(values: np.ndarray, code: int = 8) -> bytes:
    """An array as an IDX file."""
    sizes = b"".join(int(size).to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, code, values.ndim]) + sizes + values.astype(np.uint8).tobytes()


def idx_files() -> dict[str, bytes]:
    """The four files of a set like MNIST."""
    made, files = arrays(), {}
    for split, name in (("train", "train"), ("test", "t10k")):
        files[f"{name}-images-idx3-ubyte"] = idx(made[f"x_{split}"][..., 0])
        files[f"{name}-labels-idx1-ubyte"] = idx(made[f"y_{split}"])
    return files


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Files in a zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tarred(files: Mapping[str, bytes], mode: str = "w:gz") -> bytes:
    """Files in a tar archive."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def cifar_files(*, binary: bool = False, protocol: int = 2) -> dict[str, bytes]:
    """The files of CIFAR-10 with a few pictures each, without their folder."""
    names = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
    words = [f"class {number}" for number in range(10)]
    files = {}
    for seed, name in enumerate(names):
        rows = np.random.default_rng(seed).integers(0, 256, (10, 3072), dtype=np.uint8)
        labels = list(range(10))
        if binary:
            files[f"{name}.bin"] = np.column_stack([np.array(labels, np.uint8), rows]).tobytes()
        else:
            files[name] = pickle.dumps({b"data": rows, b"labels": labels, b"batch_label": name}, protocol)
    if binary:
        files["batches.meta.txt"] = "\n".join(words).encode()
    else:
        files["batches.meta"] = pickle.dumps({b"label_names": [word.encode() for word in words]}, protocol)
    return files


def table(rows: int = 24) -> bytes:
    """A table that names the pictures of a folder ``photos`` beside it."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(["path", "label"])
    writer.writerows([[f"photos/{name}", name.partition("/")[0]] for name in list(tree())[:rows]])
    return stream.getvalue().encode()


def weights() -> bytes:
    """Weights of another origin than cnnlab, for a small network."""
    return safetensors.torch.save({"fc.weight": torch.zeros(3, 4), "fc.bias": torch.zeros(3)})


def torch_file() -> bytes:
    """What ``torch.save`` writes."""
    stream = io.BytesIO()
    torch.save({"fc.weight": torch.zeros(3, 4)}, stream)
    return stream.getvalue()


def data_files() -> dict[str, bytes]:
    """One file of every format that is read as data."""
    made = arrays()
    return {
        "data.npz": npz(made),
        "stored.npz": npz(made, packed=False),
        "data.h5": hdf5(made),
        "packed.h5": hdf5(made, chunks=True, compression="gzip"),
        "photos.zip": zipped(tree(4)),
        "photos.tar": tarred(tree(4), "w"),
        "photos.tar.gz": tarred(tree(4)),
        "cifar-10-python.tar.gz": tarred({f"cifar-10-batches-py/{name}": x for name, x in cifar_files().items()}),
        "train-images-idx3-ubyte.gz": gzip.compress(idx_files()["train-images-idx3-ubyte"]),
        "table.csv": table(),
    }


def make_samples(home: Path, kernels: Path, run: Callable[[list[str], Path, int | None], None]) -> Samples:
    """Trains the runs and writes the rest.

    :param kernels: where kernels are kept that are compiled on the way.
    :param run: runs a command line in a folder, and stops it in the step of the given number.
    """
    photos = home / "photos"
    for name, content in tree().items():
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(content)
    (home / "study.yaml").write_text(STUDY)
    train = ["train", "-q", "data=folder(path=photos)", *TRAINING]
    run([*train, "epochs=2", "--name", "base"], home, None)
    run([*train, "epochs=2", "seed=1", "--name", "other"], home, None)
    run([*train, "epochs=4", "checkpoint_seconds=0.001", "--name", "stopped"], home, 7)
    run(["study", "run", "study.yaml", "--workers", "1", "-q"], home, None)
    for name in ("base", "other", "stopped"):
        folder = next((home / "runs").glob(f"{name}-*")).rename(home / "runs" / name)
        status = json.loads((folder / "run.json").read_text())["status"]
        assert status == ("unfinished" if name == "stopped" else "finished"), (name, status)
    run(["ensemble", "base", "other", "method=weights", "--name", "pair", "-q"], home, None)
    next((home / "runs").glob("pair-*")).rename(home / "runs" / "pair")
    transfer, backbone = _transfer(home, run)
    return Samples(photos, home / "runs", transfer, backbone, kernels, data_files())


def _transfer(home: Path, run: Callable[[list[str], Path, int | None], None]) -> tuple[Path, Path]:
    """Two classifiers on features of chance, in a folder of runs of its own, and the weights of the backbone."""
    from torchvision.models import squeezenet1_1

    torch.manual_seed(0)
    path = home / "squeeze.safetensors"
    safetensors.torch.save_file(squeezenet1_1().state_dict(), path)
    words = ["data=folder(path=photos, size=32)", f"backbones=squeezenet1_1(weights={path})", "classifiers=knn, svc"]
    run(["transfer", *words, "--name", "features", "--runs", "transfers", "-q"], home, None)
    return next((home / "transfers").glob("features-*")).rename(home / "transfers" / "features"), path


def interrupt_in_step(number: int) -> None:
    """Has this process send itself SIGINT in the given step of training."""
    from cnnlab.training.step import Stepper

    take, taken = Stepper.take, 0

    def take_and_signal(self: Stepper, *given: object) -> object:
        nonlocal taken
        taken += 1
        if taken == number:
            os.kill(os.getpid(), signal.SIGINT)
        return take(self, *given)

    Stepper.take = take_and_signal
