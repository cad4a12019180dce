"""Names of files, folders, classes and runs that are long, strange, or would be obeyed where they are written."""

import os

from ..case import Case, Step, kind
from ..samples import CLASSES, TRAINING, picture, table
from .operations import flags, over_data, over_pictures, over_runs, step

_NAMES: tuple[bytes, ...] = (
    b"\x1b[31mred", b"\x1b]0;title\x07", b"bell\x07", b"a\rb", b"a\nb", b"\x7f", b"\xff\xfe", b"caf\xe9",
    b"\xed\xa0\x80", "\u202efdp".encode(), "\x9b2J".encode(), b"=cmd|'calc'!A0", b"+1+1", b"-1", b"-rf",
    b"--help", b"@SUM(A1)", b"[9pt]x", b"*x", b"<script>alert(1)", b"50% #1_{}$~^\\", b"' OR 1=1 --",
    b"x" * 250, "é".encode() * 120, b" ", b"  lead", b"trail ", b"a=b", b"a,b", b'a"b', b"a;b|c", b"(a)",
    b"folder(path=x)", b"none", b"NaN", b"true", b"1", b"..x", b"...", "日本".encode(), "cafe\u0301".encode(),
    "\u200b".encode(), "\U0001f600".encode(), b"con", b"aux.png", b"$HOME", b"~", b"%s%n", b"{0}", b"[bold]x",
    b"train", b"test", b"val", b".hidden", b"last", b"runs",
)  # fmt: skip


@kind("names of classes")
def class_names(case: Case) -> list[Step]:
    """From the folder to the report."""
    photos = case.photos()
    used = list(CLASSES)
    for place in case.random.sample(range(3), case.random.choice((1, 2, 3))):
        name = os.fsdecode(case.random.choice(_NAMES))
        if name not in used and not (photos / name).exists():
            (photos / used[place]).rename(photos / name)
            used[place] = name
    draw = case.random.random()
    if draw < 0.5:
        return over_data(case, "photos")
    train = step("train", "data=photos", "epochs=1", "--name", "new", *TRAINING, *flags(case))
    more = case.random.choice(
        (
            ["report", "new"],
            ["predict", "new", "photos", "--out", "out.csv"],
            ["runs", "show", "new"],
            ["evaluate", "new"],
        )
    )
    return [train, step(*more)]


@kind("names of pictures")
def picture_names(case: Case) -> list[Step]:
    photos = case.photos()
    for name in case.random.sample(_NAMES, case.random.choice((1, 3))):
        content = case.random.choice((picture(60), picture(61), b"no picture", b""))
        (photos / "cat" / os.fsdecode(name[:250] + case.random.choice((b".png", b".png", b"")))).write_bytes(content)
    if case.random.random() < 0.5:
        return over_data(case, case.random.choice(("photos", "photos(on_bad=skip)")))
    return over_pictures(case, "photos")


@kind("names of runs")
def run_names(case: Case) -> list[Step]:
    case.photos()
    case.runs("base")
    name = os.fsdecode(case.random.choice((*_NAMES, b"../up", b"/abs", b"a/b", b"", b".", b"..", b"x" * 5000)))
    train = step("train", "data=photos", "epochs=1", f"--name={name}", *TRAINING, *flags(case))
    more = case.random.choice(
        (["runs", "list"], ["runs", "show", "last"], ["report", "last", "base"], ["resume", "--", name])
    )
    return [train, step(*more)]


@kind("names of run folders")
def run_folder_names(case: Case) -> list[Step]:
    """Folders of runs that somebody renamed."""
    case.photos()
    runs = case.runs("base", "other")
    name = os.fsdecode(case.random.choice(_NAMES))
    (runs / "base").rename(runs / name)
    return over_runs(case, (name, f"runs/{name}", "last", "other"))


@kind("names of data")
def data_names(case: Case) -> list[Step]:
    """A folder, a table or an archive by such a name."""
    name = case.random.choice(_NAMES)[:200]
    case.photos()
    suffix = case.random.choice((b"", b".zip", b".csv", b".npz", b".png"))
    text = os.fsdecode(name + suffix)
    if not suffix:
        if (case.work / text).exists():
            return [step("data", "check", text)]
        (case.work / "photos").rename(case.work / text)
    elif suffix == b".png":
        case.write(name + suffix, picture(1))
        return over_pictures(case, text)
    else:
        key = {b".zip": "photos.zip", b".npz": "data.npz"}.get(suffix)
        case.write(name + suffix, case.samples.files[key] if key else table())
    return over_data(case, case.random.choice((text, f"./{text}", str(case.work / text))))


@kind("paths")
def paths(case: Case) -> list[Step]:
    """Paths that are none, in every place that takes one."""
    case.runs("base")
    case.photos()
    odd = ("", " ", ".", "..", "~", "~nosuchuser/x", "/nonexistent/x", "photos/cat/0.png/x", "x" * 300, "d/" * 3000,
           "/dev", "file:///etc/passwd", "http://x.invalid/a.zip", "\x01", "photos/../photos", "\\\\server\\share",
           "C:\\x", "$HOME/x", "*", "photos/*", "\udcff", "-")  # fmt: skip
    path = case.random.choice(odd)
    lines = (
        ["data", "check", path],
        ["predict", "base", "--", path],
        ["predict", path, "photos"],
        ["predict", "base", "photos", "--out", path or " "],
        ["evaluate", "base", f"data={path}"],
        ["train", f"data={path}", "epochs=1", "-q"],
        ["train", path or "x.yaml", "-q"],
        ["train", "data=photos", "epochs=1", "-q", "--runs", path],
        ["runs", "list", "--runs", path],
        ["runs", "show", "--", path],
        ["report", "--", path],
        ["report", "base", "--out", path or " "],
        ["study", "show", "--", path],
        ["resume", "--", path],
    )
    chosen = case.random.choice(lines)
    writes = "--out" in chosen or "train" in chosen
    # What a person names to be written to is theirs to name; only within the folder is it tried here.
    if writes and path.startswith(("/", "~", "..", "$")):
        chosen = ["data", "check", path]
    return [step(*chosen)]
