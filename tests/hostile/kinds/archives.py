"""Archives: damaged, and whole ones whose members are damaged, strange or meant to land elsewhere."""

import gzip
import io
import tarfile
import warnings
import zipfile

from ..case import Case, Step, kind
from ..mutations import damaged
from ..samples import CLASSES, cifar_files, picture, tarred, tree, zipped
from .operations import over_data

_ODD_MEMBERS = (
    "../outside/escaped.png", "../../outside/escaped.png", "/tmp/hostile-escaped.png", "cat/../../outside/escaped.png",
    "cat\\..\\..\\outside\\escaped.png", "C:\\escaped.png", "cat/\x1b[31m.png", "cat/\x07\r.png", "cat//double.png",
    "./cat/dot.png", "", "/", ".", "..", "cat/" + "x" * 300 + ".png", "cat/" + "d/" * 500 + "deep.png",
    "cat/nul\x00.png", "CON/x.png", "cat/=cmd|x.png", "cat/café.png", "cat/cafe\u0301.png", "\u202ecat/x.png", "cat",
)  # fmt: skip


@kind("zip damaged")
def zip_damaged(case: Case) -> list[Step]:
    case.write("photos.zip", damaged(case.samples.files["photos.zip"], case.random))
    return over_data(case, "photos.zip")


@kind("tar damaged")
def tar_damaged(case: Case) -> list[Step]:
    case.write("photos.tar", damaged(case.samples.files["photos.tar"], case.random))
    return over_data(case, "photos.tar")


@kind("tar.gz damaged")
def tar_gz_damaged(case: Case) -> list[Step]:
    content = case.samples.files["photos.tar.gz"]
    if case.random.random() < 0.5:
        content = damaged(content, case.random)
    else:
        content = gzip.compress(damaged(gzip.decompress(content), case.random))
    case.write("photos.tar.gz", content)
    return over_data(case, "photos.tar.gz")


@kind("zip of odd names")
def zip_names(case: Case) -> list[Step]:
    files = tree(3)
    for name in case.random.sample(_ODD_MEMBERS, case.random.choice((1, 2, 4))):
        files[name] = picture(case.random.randrange(99))
    content = zipped({name or "empty.png": value for name, value in files.items()})
    if case.random.random() < 0.3:
        # Names that are no text in any encoding that is said.
        content = content.replace(b"cat/0.png", case.random.choice((b"cat/\xff.png", b"ca\x81/0.png", b"\x00at/0.png")))
    case.write("photos.zip", content)
    return over_data(case, case.random.choice(("photos.zip", "photos.zip", "photos.zip(encoding=cp437)")))


@kind("zip of odd members")
def zip_members(case: Case) -> list[Step]:
    """Members that are encrypted, packed by odd methods, links, twice there, or damaged pictures."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in tree(3).items():
            archive.writestr(name, content)
        odd = zipfile.ZipInfo(case.random.choice(("cat/odd.png", "cat/0.png", "odd.png", "a/b/c/odd.png")))
        odd.external_attr = case.random.choice((0, 0o120777 << 16, 0o010644 << 16, 0o020644 << 16))
        odd.compress_type = case.random.choice((0, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
        content = case.random.choice((b"../../outside/thesis.txt", b"", damaged(picture(1), case.random)))
        with warnings.catch_warnings():
            # Of names that are there twice, as some shall be.
            warnings.simplefilter("ignore")
            archive.writestr(odd, content)
    content = stream.getvalue()
    if case.random.random() < 0.5:
        # A bit of the flags (encryption), or the method, of some member, in both places that say it.
        place, change = case.random.choice(((6, 8), (8, 10))), case.random.choice((1, 8, 12, 14, 99, 0xFF))
        changed = bytearray(content)
        for start, offset in ((b"PK\x03\x04", place[0]), (b"PK\x01\x02", place[1])):
            found = content.find(start)
            changed[found + offset] = change
        content = bytes(changed)
    case.write("photos.zip", content)
    return over_data(case, "photos.zip")


@kind("tar of odd members")
def tar_members(case: Case) -> list[Step]:
    """Links, devices and pipes as members, and names that lead elsewhere."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in tree(3).items():
            _add(archive, name, content)
        for _ in range(case.random.choice((1, 2, 5))):
            _add_odd(archive, case)
    case.write("photos.tar", stream.getvalue())
    return over_data(case, "photos.tar")


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _add_odd(archive: tarfile.TarFile, case: Case) -> None:
    kinds = (
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.FIFOTYPE,
        tarfile.DIRTYPE,
        tarfile.GNUTYPE_SPARSE,
    )
    name = case.random.choice((*_ODD_MEMBERS[2:], f"{case.random.choice(CLASSES)}/odd.png"))
    member = tarfile.TarInfo(name.replace("\x00", ""))
    if case.random.random() < 0.3:
        _add(archive, member.name, picture(7))
        return
    member.type = case.random.choice(kinds)
    member.linkname = case.random.choice(
        ("../outside/thesis.txt", "cat/0.png", "cat/odd.png", "/dev/zero", "", "x" * 300)
    )
    member.devmajor, member.devminor = 1, 5
    archive.addfile(member)


@kind("cifar damaged")
def cifar_damaged(case: Case) -> list[Step]:
    """CIFAR's pickles or binary files, damaged, in an archive or a folder."""
    is_binary = case.random.random() < 0.3
    files = cifar_files(binary=is_binary, protocol=case.random.randrange(6))
    name = case.random.choice(list(files))
    files[name] = damaged(files[name], case.random)
    if case.random.random() < 0.1:
        del files[name]
    return over_cifar(case, files, is_binary=is_binary)


def over_cifar(case: Case, files: dict[str, bytes], *, is_binary: bool = False) -> list[Step]:
    """Something that reads these files of CIFAR-10, from a folder or an archive."""
    folder = "cifar-10-batches-bin" if is_binary else "cifar-10-batches-py"
    if case.random.random() < 0.5:
        for name, content in files.items():
            case.write(f"{folder}/{name}", content)
        return over_data(case, folder)
    name = "cifar-10-binary.tar.gz" if is_binary else "cifar-10-python.tar.gz"
    case.write(name, tarred({f"{folder}/{name}": content for name, content in files.items()}))
    return over_data(case, name)
