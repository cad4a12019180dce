"""Pipes, sockets, devices, links to them and loops of links in the place of every file that is read."""

import os
import socket
from pathlib import Path

from ..case import Case, Step, kind
from ..samples import cifar_files, idx_files, picture
from .archives import over_cifar
from .operations import over_data, over_model, over_pictures, over_runs, step

_DEVICES = ("/dev/zero", "/dev/full", "/dev/urandom", "/dev/tty", "/dev/stdin", "/dev/null", "/proc/kmsg",
            "/proc/self/mem", "/dev/random", "/proc/self/environ", "/sys/kernel/notes")  # fmt: skip


def replace(case: Case, path: Path, *, to_folders: bool = True) -> None:
    """Puts something that is no file, drawn, in the place of the path; perhaps a link to a folder elsewhere."""
    if path.is_file() or path.is_symlink():
        path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    draw = case.random.randrange(7)
    if draw == 0:
        os.mkfifo(path)
    elif draw == 1:
        _socket(path)
    elif draw == 2:
        path.symlink_to(case.random.choice(_DEVICES))
    elif draw == 3:
        os.mkfifo(case.work / "pipe")
        path.symlink_to(case.work / "pipe")
    elif draw == 4:
        path.symlink_to(path.name)
    elif draw == 5 and to_folders:
        path.symlink_to(case.random.choice(("none", "..", ".", "../..", "/dev/fd", "x" * 255)))
    else:
        path.mkdir()


def _socket(path: Path) -> None:
    """Bound by its name in its folder: whole paths of sockets are short."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


@kind("special picture")
def special_picture(case: Case) -> list[Step]:
    name = case.random.choice(("odd.png", "odd.jpg", "odd", "odd.tif"))
    if case.random.random() < 0.5:
        case.photos()
        replace(case, case.place(f"photos/{case.random.choice(('cat/', 'cat/', ''))}{name}"))
        return case.random.choice((over_data(case, "photos"), over_pictures(case, "photos")))
    replace(case, case.place(name))
    return over_pictures(case, name)


@kind("special data file")
def special_data(case: Case) -> list[Step]:
    name = case.random.choice(list(case.samples.files))
    case.photos()
    replace(case, case.place(name))
    return over_data(case, name)


@kind("special part of a set")
def special_part(case: Case) -> list[Step]:
    if case.random.random() < 0.5:
        files = idx_files()
        for name, content in files.items():
            case.write(f"set/{name}", content)
        replace(case, case.work / "set" / case.random.choice(list(files)))
        return over_data(case, "set")
    steps = over_cifar(case, cifar_files())
    folder = case.work / "cifar-10-batches-py"
    if folder.is_dir():
        replace(case, case.random.choice(sorted(folder.iterdir())))
    else:
        replace(case, case.work / "cifar-10-python.tar.gz")
    return steps


@kind("special model")
def special_model(case: Case) -> list[Step]:
    name = case.random.choice(("m.safetensors", "m.pt", "m"))
    replace(case, case.place(name))
    if case.random.random() < 0.3:
        case.photos()
        return [step("train", "data=photos", f"model=squeezenet1_1(weights={name})", "epochs=1", "-q")]
    return over_model(case, name)


@kind("special record")
def special_record(case: Case) -> list[Step]:
    """In a run, in the store, in its cache: also what is written there must not be written through a link."""
    runs = case.runs("base", "stopped")
    case.photos()
    name = case.random.choice(("base", "stopped"))
    files = [path for path in sorted((runs / name).rglob("*")) if path.is_file()]
    path = case.random.choice(
        [*files, *files, runs / ".index.sqlite", runs / name / ".lock", case.work / "cache" / "decoded"]
    )
    if case.random.random() < 0.4:
        path.unlink(missing_ok=True)
        path.symlink_to(
            case.random.choice((case.outside / "thesis.txt", case.outside / "new.txt", case.outside / "folder"))
        )
    else:
        replace(case, path, to_folders=False)
    return over_runs(case, (name, name, "last"))


@kind("special words file")
def special_words(case: Case) -> list[Step]:
    case.photos()
    case.runs("base")
    name = case.random.choice(("recipe.yaml", "study.yaml"))
    replace(case, case.place(name))
    if name == "recipe.yaml":
        return [step("train", name, "-q")]
    return [step("study", case.random.choice(("plan", "show")), name)]


@kind("special target")
def special_target(case: Case) -> list[Step]:
    """In the place of what is to be written."""
    case.runs("base")
    case.photos()
    name = case.random.choice(("out.csv", "report", "new-runs"))
    # To be written into a folder behind a link is what its owner wants.
    replace(case, case.place(name), to_folders=False)
    if name == "out.csv":
        return [step("predict", "base", "photos", "--out", name)]
    if name == "report":
        return [step("report", "base", "--out", name)]
    return [step("train", "data=photos", "epochs=1", "--runs", name, "-q"), step("runs", "list", "--runs", name)]


@kind("link loops")
def link_loops(case: Case) -> list[Step]:
    """Folders that hold themselves, in one step or several."""
    photos = case.photos()
    for _ in range(case.random.choice((1, 2, 3))):
        place = case.random.choice((photos, photos / "cat", photos / "dog")) / f"link{case.random.randrange(99)}"
        place.symlink_to(case.random.choice((photos, photos / "cat", case.work, "..", ".", place.name)))
    (photos / "cat" / "again.png").write_bytes(picture(50))
    return case.random.choice((over_data(case, "photos"), over_pictures(case, "photos")))
