"""Packs of runs: damaged, with members that lead elsewhere or are no files, and records that say what cannot be."""

import json
import lzma
import tarfile

from cnnlab.runs import RunStore

from ..case import Case, Step, kind
from ..mutations import damaged, odd_json
from .operations import step

_ODD_NAMES = (
    "../outside/escaped", "/tmp/hostile-escaped", "runs/../../outside/escaped", "runs/base/../../../outside/escaped",
    "runs/..", "runs/base/", "runs//run.json", "runs/base/run.sh", "runs/.trash/run.json", "runs/base/.lock", "",
    "runs/\x1b[31m/run.json", "runs/base/predictions/\u202ex.safetensors", "runs/studies/run.json", ".index.sqlite",
    "runs/" + "x" * 300 + "/run.json", "papers/" + "d/" * 600 + "x", "studies/small/../../../outside/x", "zzz",
    "runs/C:\\x/run.json", "runs/last/run.json", "papers/a/b.py", "runs/base/checkpoint/state.safetensors",
    "runs/\udcff/run.json",
)  # fmt: skip
_ODD_TYPES = (
    tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, tarfile.GNUTYPE_SPARSE,
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK, tarfile.GNUTYPE_LONGNAME, tarfile.AREGTYPE, b"9",
)  # fmt: skip


def _files(case: Case) -> dict[str, bytes]:
    """What a valid pack holds, in order; the runs that it was made of lie in ``runs/`` afterwards."""
    runs = case.runs()
    options = {"weights": case.random.random() < 0.5, "predictions": case.random.random() < 0.5}
    RunStore(runs).export(case.work / "whole.tar.xz", "base", "pair", studies=["small"], **options)
    with tarfile.open(case.work / "whole.tar.xz") as archive:
        return {member.name: _content(archive, member) for member in archive}


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file is not None
    return file.read()


def _header(name: str, size: int, type: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, type, link
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _archive(files: dict[str, bytes], more: bytes = b"") -> bytes:
    members = [_header(name, len(content)) + content + bytes(-len(content) % 512) for name, content in files.items()]
    return b"".join([*members, more, bytes(1024)])


def _over_pack(case: Case, content: bytes) -> list[Step]:
    """It is taken in by an empty store, or by that of the runs that it was made of."""
    case.write("pack.tar.xz", content)
    place = case.random.choice(("taken", "taken", "runs"))
    take = ["runs", "import", "pack.tar.xz", "--runs", place, *case.random.choice(([], [], ["--replace"], ["--json"]))]
    then = case.random.choice((["runs", "list"], ["runs", "show", "base"], ["study", "show", "small"], take[:3]))
    return [step(*take), step(*then, "--runs", place)]


@kind("pack damaged")
def pack_damaged(case: Case) -> list[Step]:
    """The stream, or the archive in it."""
    files = _files(case)
    whole = (case.work / "whole.tar.xz").read_bytes()
    draw = case.random.random()
    if draw < 0.4:
        return _over_pack(case, damaged(whole, case.random))
    if draw < 0.9:
        return _over_pack(case, lzma.compress(damaged(_archive(files), case.random), preset=0))
    # Of a stream that unpacks to a thousand times its size, what comes behind the end is not read.
    bomb = _archive(files) + bytes(64 << 20)
    return _over_pack(case, lzma.compress(bomb, preset=0))


@kind("pack of odd members")
def pack_members(case: Case) -> list[Step]:
    """Names that lead elsewhere, also where ``pack.json`` announces them; links, devices; sizes that are not there."""
    files = _files(case)
    name = case.random.choice((*_ODD_NAMES, "studies/small/zzz", "runs/other/model.safetensors"))
    kind_of, _, rest = name.partition("/")
    unit, _, file = rest.partition("/")
    contents = json.loads(files["pack.json"])
    if case.random.random() < 0.6 and kind_of in ("papers", "studies"):
        contents[kind_of].setdefault(unit, []).append(file)
    elif case.random.random() < 0.6 and kind_of == "runs":
        facts = contents["runs"].setdefault(unit, {"digest": "0" * 64, "started": "", "files": []})
        facts["files"].append(file)
    files["pack.json"] = json.dumps(contents, ensure_ascii=True).encode()
    type = case.random.choice((tarfile.REGTYPE, tarfile.REGTYPE, *_ODD_TYPES))
    link = case.random.choice(("../../outside/thesis.txt", "/dev/zero", "base", ""))
    size = case.random.choice((0, 5, 5, 512 << 20, (512 << 20) + 1, 1 << 62))
    odd = _header(name, size, type, link) + b"five\n".ljust(512, b"\0")
    if case.random.random() < 0.5:
        return _over_pack(case, lzma.compress(_archive(files, odd), preset=0))
    # In its place among the others.
    files[name] = b"five\n"
    ordered = dict(sorted(files.items(), key=lambda each: each[0].split("/")))
    return _over_pack(case, lzma.compress(_archive(ordered), preset=0))


@kind("records in a pack")
def pack_records(case: Case) -> list[Step]:
    """What it says of itself, of its runs and of its study, replaced one by one."""
    files = _files(case)
    names = [name for name in files if name.endswith((".json", ".yaml"))]
    name = case.random.choice(["pack.json", "studies/small/result.json", *names])
    if name.endswith(".json") and case.random.random() < 0.8:
        files[name] = odd_json(json.loads(files[name]), case.random)
    else:
        files[name] = damaged(files[name], case.random)
    return _over_pack(case, lzma.compress(_archive(files), preset=0))
