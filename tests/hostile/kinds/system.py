"""Moments: signals, full disks, folders that may not be written to, and processes that meet at one run."""

import signal

from ..case import Case, Step, kind
from ..samples import TRAINING
from .operations import step

_TRAIN = ("train", "data=folder(path=photos)", "epochs=12", "checkpoint_seconds=0.01", "--name", "new", *TRAINING, "-q")
_DONE = Step(_TRAIN, must_succeed=True)


@kind("signals")
def signals(case: Case) -> list[Step]:
    """A training that is stopped or killed, once or twice, ends when it is started again."""
    case.photos()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP)
    stopped = [
        Step(_TRAIN, signal=case.random.choice(numbers), after=case.random.uniform(0, 0.5))
        for _ in range(case.random.choice((1, 2)))
    ]
    return [*stopped, case.random.choice((_DONE, Step(("resume", "new"), must_succeed=False))), _DONE]


@kind("signals while reading")
def signals_while_reading(case: Case) -> list[Step]:
    """What only reads, and what writes a page or a table, is stopped."""
    case.runs("base", "other")
    case.photos()
    lines = (
        ("report", "base", "other"),
        ("predict", "base", "photos", "--out", "out.csv"),
        ("evaluate", "base", "data=photos"),
        ("runs", "list"),
        ("runs", "delete", "base", "-y"),
        ("data", "check", "photos"),
    )
    words = case.random.choice(lines)
    number = case.random.choice((signal.SIGINT, signal.SIGTERM))
    return [Step(words, signal=number, after=case.random.uniform(0, 0.15)), Step(("runs", "list"), must_succeed=True)]


@kind("full disk")
def full_disk(case: Case) -> list[Step]:
    """Files that may grow to so many bytes, or a disk of so few; with more room the work goes on."""
    case.photos()
    case.runs("base")
    size = case.random.choice((0, 1, 100, 1000, 4096, 8192, 20_000))
    lines = (
        ("predict", "base", "photos", "--out", "out.csv"),
        ("report", "base"),
        ("runs", "list"),
        ("runs", "delete", "base", "-y"),
        ("data", "check", "photos"),
        ("extend", "base", "epochs=+1"),
        ("study", "run", "study.yaml", "--workers", "1", "-q"),
    )
    case.write("study.yaml", (case.samples.photos.parent / "study.yaml").read_bytes())
    if case.random.random() < 0.4:
        return _on_small_disk(case)
    words = case.random.choice((_TRAIN, _TRAIN, _TRAIN, *lines))
    after = [_DONE] if words is _TRAIN else [Step(("runs", "list"), must_succeed=True)]
    return [Step(words, file_size=size), *after]


def _on_small_disk(case: Case) -> list[Step]:
    size = case.random.choice((4096, 16_384, 32_768, 65_536, 131_072))
    lines = (
        (*_TRAIN, "--runs", "disk"),
        ("predict", "base", "photos", "--out", "disk/out.csv"),
        ("report", "base", "--out", "disk/report"),
    )
    words = case.random.choice(lines)
    return [Step(words, disk_size=size), Step(words, disk_size=2**26, must_succeed=True)]


@kind("rights")
def rights(case: Case) -> list[Step]:
    """Somebody who may not read a file or write to a folder."""
    photos, runs = case.photos(), case.runs("base", "stopped")
    places = [photos, photos / "cat", photos / "cat" / "0.png", runs, runs / "base", runs / "stopped",
              case.work / "cache", case.work, *(path for path in sorted((runs / "base").iterdir()))]  # fmt: skip
    for path in case.work.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o777 if path.is_dir() else 0o666)
    for folder in (case.home, case.work):
        folder.chmod(0o777)
    for path in case.random.sample(places, case.random.choice((1, 1, 2))):
        path.chmod(case.random.choice((0, 0o444, 0o555, 0o111)) if path.is_dir() else case.random.choice((0, 0o444)))
    lines = (
        _TRAIN,
        ("runs", "list"),
        ("runs", "show", "base"),
        ("runs", "delete", "base", "-y"),
        ("resume", "stopped"),
        ("predict", "base", "photos", "--out", "out.csv"),
        ("report", "base"),
        ("data", "check", "photos"),
        ("evaluate", "base", "data=photos"),
    )
    return [Step(case.random.choice(lines), is_root=False)]


@kind("processes on one run")
def together(case: Case) -> list[Step]:
    """Two or three at once; then the run must be whole."""
    case.photos()
    case.runs("base")
    lines = (_TRAIN, _TRAIN, ("runs", "list"), ("runs", "delete", "new", "-y"), ("report", "new"), ("resume", "new"))
    others = [Step(case.random.choice(lines), waits=False) for _ in range(case.random.choice((1, 2)))]
    return [Step(_TRAIN), *others, _DONE, step("runs", "show", "new")]
