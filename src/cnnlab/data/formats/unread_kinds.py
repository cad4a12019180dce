"""Files that are pictures by their names, of kinds that are not read here: said, and with what they can be read."""

from collections.abc import Sequence

from cnnlab.core.messages import first_few
from cnnlab.data.formats.file_names import suffix_of

_PACKAGES = {
    "pillow-heif": ".heic .heif .hif",
    "rawpy": ".dng .nef .nrw .cr2 .cr3 .arw .sr2 .orf .raf .rw2 .pef .srw .raw",
    "pillow-jxl-plugin": ".jxl",
    "cairosvg": ".svg .svgz",
    "psd-tools": ".psd .psb",
    "OpenEXR": ".exr",
    "imageio": ".hdr .dds .pcx .sgi .xbm .xpm .icns",
    "pydicom": ".dcm .dicom .ima",
    "nibabel": ".nii .mgz",
    "tifffile": ".svs .lsm .ndpi .stk .btf",
    "pymupdf": ".pdf .eps .ps .ai",
}
_READ_BY = {suffix: package for package, suffixes in _PACKAGES.items() for suffix in suffixes.split(" ")}


def is_unread(name: str) -> bool:
    """Whether a file is a picture by its suffix, and of a kind that is not read."""
    return _suffix(name) in _READ_BY


def said_of_unread(names: Sequence[str]) -> str:
    """What there is to say of such files: how many, of which kinds, and the packages that read them."""
    suffixes = sorted({_suffix(name) for name in names})
    kinds = ", ".join(suffix[1:].upper() for suffix in suffixes)
    packages = first_few(list(dict.fromkeys(_READ_BY[suffix] for suffix in suffixes)))
    return (
        f"pictures of a kind that is not read ({kinds}) were left out, {len(names):,} in all: {first_few(names)}. "
        f"Convert them to PNG or JPEG first, which may be done in Python with {packages}."
    )


def why_unread(name: str) -> str:
    """The reason why a file of such a kind cannot be read; '' for any other."""
    package = _READ_BY.get(_suffix(name))
    kind = _suffix(name)[1:].upper()
    return f"{kind} is not read; convert it to PNG or JPEG first, in Python with {package}" if package else ""


def _suffix(name: str) -> str:
    # Of a packed scan the kind stands before the .gz.
    lower = name.lower()
    suffix = suffix_of(lower)
    return suffix_of(lower.removesuffix(suffix)) if suffix == ".gz" else suffix
