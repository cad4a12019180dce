"""Files that are brought as data and are of a kind that is not read: what they are, and what to make of them."""

from dataclasses import dataclass
from pathlib import Path

from cnnlab.core.files import open_regular
from cnnlab.data.formats.decode import SUFFIXES
from cnnlab.data.formats.unread_kinds import is_unread, why_unread

_ARRAYS = "save the arrays with numpy.savez as x_train, y_train, x_test and y_test, and give the .npz"
_TABLE = "make a CSV file of it with the columns path,label that names one picture a row"
_PICTURES = "write its pictures as PNG or JPEG files, with one folder for each class"
_UNPACKED = "unpack it and give the folder, or pack that as .zip or .tar.gz"


@dataclass(frozen=True)
class _Kind:
    """A kind of file.

    :param suffixes: by which it is known.
    :param starts: bytes with which its files begin, whatever they are called.
    """

    what: str
    remedy: str
    suffixes: str
    starts: tuple[bytes, ...] = ()


_KINDS = (
    _Kind(
        "a pickle by its name, and pickles are not read because they could run a program",
        _ARRAYS,
        ".pkl .pickle .pt .pth .joblib .ckpt",
    ),
    _Kind(
        "a file of MATLAB",
        f"read it with scipy.io.loadmat, or with h5py where it is of version 7.3, and {_ARRAYS}",
        ".mat",
        (b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file"),
    ),
    _Kind("a single array of NumPy's", f"load it with numpy.load, and {_ARRAYS}", ".npy", (b"\x93NUMPY",)),
    _Kind("a table in lines of JSON", _TABLE, ".jsonl .ndjson"),
    _Kind("a file of JSON, such as annotations in the manner of COCO", _TABLE, ".json .geojson"),
    _Kind(
        "a table of columns",
        f"read it with pandas.read_parquet or read_feather and {_TABLE}; where the pictures lie in it, {_PICTURES}",
        ".parquet .feather .arrow .orc",
        (b"PAR1", b"ARROW1", b"FEA1"),
    ),
    _Kind("a spreadsheet", "save it as CSV with the columns path,label", ".xls .xlsx .xlsm .ods .numbers"),
    _Kind(
        "a document",
        _PICTURES,
        ".pdf .doc .docx .odt .rtf .ppt .pptx .odp .key .pages .epub",
        (b"%PDF", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"{\\rtf"),
    ),
    _Kind(
        "an archive of a kind that is not read",
        _UNPACKED,
        ".7z .rar .zst .tzst .lz4 .lzma .gz .bz2 .xz .z .cab .iso .dmg .img .jar .apk",
        (b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"),
    ),
    _Kind(
        "a video",
        "take pictures out of it, with ffmpeg for instance, and give the folder",
        ".mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .wmv",
    ),
    _Kind(
        "a file of records that another program trains from",
        _PICTURES,
        ".tfrecord .tfrecords .lmdb .mdb .rec .beton .sqlite .db",
        (b"SQLite format 3\x00",),
    ),
    _Kind("a file of text", _TABLE, ".txt .xml .html .htm .md .yaml .yml .log"),
    _Kind("a single picture", "name the folder that holds a folder of pictures for each class", " ".join(SUFFIXES)),
)
_BY_SUFFIX = {suffix: kind for kind in _KINDS for suffix in kind.suffixes.split()}
# What may be in a .zip and is one by its content, or in a .tar, and is still no archive of pictures.
_PACKED = {".docx", ".xlsx", ".xlsm", ".pptx", ".odt", ".ods", ".odp", ".epub", ".pt", ".pth", ".ckpt", ".jar", ".apk"}
_PACKED |= {".numbers", ".pages", ".key"}


def is_packed_otherwise(path: Path) -> bool:
    """Whether a file is a .zip by its content alone."""
    return path.suffix.lower() in _PACKED


def what_it_is(path: Path) -> str:
    """A sentence on a file that is no data as it is, with what to make of it; '' where nothing tells its kind."""
    start = _start(path)
    if start == b"":
        return f"{path} is empty. Copy or download it again."
    if is_unread(path.name) and path.suffix.lower() != ".pdf":
        return f"{path} is no folder or archive of pictures: {why_unread(path.name)}."
    known = next((kind for kind in _KINDS if kind.starts and (start or b"").startswith(kind.starts)), None)
    kind = _BY_SUFFIX.get(path.suffix.lower()) or known
    return f"{path} is {kind.what}. To use what is in it, {kind.remedy}." if kind is not None else ""


def _start(path: Path) -> bytes | None:
    try:
        with open_regular(path) as file:
            return file.read(32)
    except OSError:
        return None
