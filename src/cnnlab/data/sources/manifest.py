"""A table that names pictures and their targets: ``path,label[,split]``, Kaggle's ``id,label``, or several targets."""

import csv
import io
import os
import posixpath
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cnnlab.core.errors import DataError, suggestion
from cnnlab.core.files import open_regular
from cnnlab.core.limits import check_memory, check_size
from cnnlab.core.messages import first_few
from cnnlab.core.sinks import in_short
from cnnlab.data.formats.archives import open_members
from cnnlab.data.formats.decode import SUFFIXES
from cnnlab.data.formats.folders import read_file
from cnnlab.data.formats.other_kinds import is_packed_otherwise, what_it_is
from cnnlab.data.given_images import PATH_COLUMNS
from cnnlab.data.raw_images import RawImageFiles
from cnnlab.data.reading import Content, SearchPath, Source, SourceSplit, reader
from cnnlab.data.split_names import SPLIT_NAMES
from cnnlab.data.target_columns import LABEL, from_text

_LABELS = ("label", "class", "target", "category", "labels", "y")
_SPLITS = ("split", "set", "subset", "usage")
_USUAL_FOLDERS = ("", "train", "images", "pictures", "img", "imgs", "data", "train.zip", "images.zip", "pictures.zip")
_TRIED = 20
_SEPARATOR = re.compile(r'"?sep=(.)"?\r?\n?', re.IGNORECASE)
_MOST_BYTES = 1 << 30
# Rows of short cells take so many times the memory of their text.
_ROW_SHARE = 25


@reader("csv", "manifest")
def manifest(
    place: SearchPath,
    path: str,
    images: str | None = None,
    targets: str | list[str] | None = None,
    image: str | None = None,
    split: str | None = None,
) -> Source:
    """A CSV file path,label[,split], or id,label and a folder or archive of pictures; targets= names other columns."""
    file = place.find(path)
    table = read_table(file)
    place_of_images = place.find(images) if images else None
    _check_header(file, table, _bases(file, place_of_images))
    columns = _choose(file, table, image, split, [targets] if isinstance(targets, str) else targets)
    files = _Files.under(file, table.column(columns.image), place_of_images)
    _check_labels(file, table, columns)
    key = {"kind": "csv", "columns": [columns.image, columns.split, list(columns.targets)]}
    facts = {"from": str(file.absolute())}
    return Source(file.stem, lambda: _read(file, table, columns, files), (file, *files.inputs), facts, key)


@dataclass(frozen=True)
class ManifestTable:
    """A CSV file: its header, and rows of as many cells."""

    path: Path
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def column(self, name: str) -> list[str]:
        """The cells of a column."""
        place = self.header.index(name)
        return [row[place].strip() for row in self.rows]


@dataclass(frozen=True)
class _Columns:
    """Which column is what; ``targets`` maps the column of the file to the target's name."""

    image: str
    split: str | None
    targets: Mapping[str, str]
    is_label: bool


def read_table(path: Path) -> ManifestTable:
    """A file of comma, semicolon or tab-separated values with a header, in UTF-8.

    :raises DataError: naming the line that does not fit, or what else is wrong.
    """
    size = path.stat().st_size
    check_size(size, _MOST_BYTES, str(path))
    check_memory(_ROW_SHARE * size, str(path))
    try:
        with io.TextIOWrapper(open_regular(path), encoding="utf-8-sig", newline="") as file:
            start, first = 0, file.readline()
            # Excel's way to say what separates the cells.
            said = _SEPARATOR.fullmatch(first)
            if said:
                start, first = file.tell(), file.readline()
            file.seek(start)
            delimiter = said[1] if said else max(",;\t", key=first.count)
            rows = enumerate(csv.reader(file, delimiter=delimiter), 2 if said else 1)
            lines = [(number, row) for number, row in rows if any(cell.strip() for cell in row)]
    except UnicodeError as error:
        raise DataError(
            what_it_is(path)
            if is_packed_otherwise(path)
            else f"{path} is not in UTF-8, as a CSV file is to be. Save it so: Excel calls it CSV UTF-8, and elsewhere "
            "iconv -f latin1 -t utf-8 makes it of one in Latin-1."
        ) from error
    except (OSError, ValueError, csv.Error) as error:
        other = what_it_is(path) if is_packed_otherwise(path) else ""
        raise DataError(
            other or f"{path} cannot be read as a CSV file in UTF-8: {getattr(error, 'strerror', None) or error}."
        ) from error
    if len(lines) < 2:
        raise DataError(f"{path} holds no rows below its header; it should say path,label and then name pictures.")
    header = [cell.strip() for cell in lines[0][1]]
    for number, row in lines[1:]:
        if len(row) != len(header):
            raise DataError(f"{path}, row {number}: {len(row)} cells where the header has {len(header)}.")
    return ManifestTable(path, header, [row for _, row in lines[1:]])


def _choose(
    path: Path, table: ManifestTable, image: str | None, split: str | None, targets: Sequence[str] | None
) -> _Columns:
    lower = {name.lower(): name for name in table.header}
    image = _named(path, table, image) or _first(lower, PATH_COLUMNS) or table.header[0]
    split = _named(path, table, split) or _first(lower, _SPLITS)
    if targets is not None:
        return _Columns(image, split, {str(_named(path, table, name)): name for name in targets}, False)
    rest = [name for name in table.header if name not in (image, split)]
    label = _first({name.lower(): name for name in rest}, _LABELS) or (rest[0] if len(rest) == 1 else None)
    if label is None:
        raise DataError(
            f"{path}: which of the columns {first_few(rest) or '(none beside the picture)'} is the target? Say it with "
            "targets=, as in targets=label or targets=[hour, minute]."
        )
    return _Columns(image, split, {label: LABEL}, True)


def _without_header(path: Path) -> DataError:
    return DataError(f"{path} begins with a picture; its first line must name the columns, as in path,label.")


def _named(path: Path, table: ManifestTable, name: str | None) -> str | None:
    if name is not None and name not in table.header:
        raise DataError(f"{path} has no column {name!r}. {suggestion(name, table.header)}")
    return name


def _first(lower: Mapping[str, str], wanted: Sequence[str]) -> str | None:
    return next((lower[name] for name in wanted if name in lower), None)


def _refuse_special(table: Path, bases: Sequence[Path], names: Sequence[str]) -> None:
    """Refuses a table that names what is there and holds no picture: a folder, a pipe, a device."""
    there = (base / name for base in bases for name in names if (base / name).exists())
    special = next((path for path in there if not path.is_file()), None)
    if special is not None:
        what = "a folder" if special.is_dir() else "no ordinary file (a pipe, a socket or a device)"
        raise DataError(
            f"{table} names {in_short(special.name)}, which is {what}, and pictures are files. Name a file in each row."
        )


def located_images(path: Path) -> tuple[Path, list[str]]:
    """The pictures that a table names, in the order of its rows, for prediction.

    :return: the folder or archive that they are in, and the path of each; in an archive its name there.
    :raises DataError: when a row names none, or the file is no such table.
    """
    table = read_table(path)
    _check_header(path, table, _bases(path, None))
    names = table.column(_first({name.lower(): name for name in table.header}, PATH_COLUMNS) or table.header[0])
    base = _usual_base(path, names, "Put it beside them.")
    places = list(map(_finder(base), names))
    missing = [name or "(empty)" for name, place in zip(names, places, strict=True) if place is None]
    if missing:
        raise DataError(f"{path} names pictures that are not in {base}: {first_few(missing)}.")
    return base, [place for place in places if place is not None]


def _usual_base(table: Path, names: Sequence[str], remedy: str) -> Path:
    """The usual folder or archive beside a table that has some of its pictures."""
    bases = _bases(table, None)
    base = next((base for base in bases if any(_finder(base)(name) for name in names[:_TRIED])), bases[0])
    if not any(map(_finder(base), names)):
        _refuse_special(table, bases, names[:_TRIED])
        raise DataError(
            f"{table} names pictures such as {in_short(names[0])}, and none of them is beside it, nor in a folder "
            f"there called {first_few(_USUAL_FOLDERS[1:7])}. {remedy}"
        )
    return base


@dataclass(frozen=True)
class _Files:
    """Where the pictures of a table are.

    :param inputs: what their content depends on.
    :param find: where a picture is, by its name in the table; None where there is none.
    :param read: the bytes of a picture by its name in the table.
    """

    inputs: tuple[Path, ...]
    find: Callable[[str], str | None]
    read: Callable[[str], bytes]
    warnings: tuple[str, ...] = ()

    @classmethod
    def under(cls, table: Path, names: Sequence[str], images: Path | None) -> "_Files":
        """The pictures under the folder or archive given, or the usual one beside the table that has some of them."""
        if images is None:
            images = _usual_base(
                table, names, f"Say where they are with images=, as in 'csv(path={table}, images=photos/)'."
            )
        if images.is_dir():
            find = _finder(images)
            places = {name: find(name) for name in names}
            inputs = tuple(Path(place) for place in dict.fromkeys(places.values()) if place)
            return cls(inputs, find, lambda name: read_file(Path(places[name] or images / name)))
        members, locate = open_members(images), _finder(images)

        def read(name: str) -> bytes:
            member = locate(name)
            if member is None:
                raise DataError(f"there is no such file in {images}")
            return members.read(member)

        return cls((images,), locate, read, members.warnings)


def _check_header(path: Path, table: ManifestTable, bases: Sequence[Path]) -> None:
    """Refuses a first line that is a row like the others: one of its cells names a picture, or a number among numbers.

    :raises DataError: then, and where two columns have one name.
    """
    is_usual = any(cell.lower() in PATH_COLUMNS for cell in table.header)
    finders = [] if is_usual else [_finder(base) for base in bases]
    for place, cell in enumerate(table.header):
        is_picture = Path(cell).suffix.lower() in SUFFIXES or any(cell and find(cell) for find in finders)
        numbers = not is_usual and all(_is_number(text) for text in (cell, *(row[place] for row in table.rows)))
        if is_picture or numbers:
            raise _without_header(path)
    if len(set(table.header)) < len(table.header):
        raise DataError(f"{path}: two columns have the same name in {first_few(table.header)}.")


def _check_labels(path: Path, table: ManifestTable, columns: _Columns) -> None:
    """Refuses a first line whose label is one of the labels, though no usual heading is in it."""
    if columns.image.lower() not in PATH_COLUMNS and any(name in table.column(name) for name in columns.targets):
        raise _without_header(path)


def _is_number(text: str) -> bool:
    with suppress(ValueError):
        float(text)
        return True
    return False


def _bases(table: Path, images: Path | None) -> list[Path]:
    """Where the pictures of a table may be: the folder or archive given, or the usual ones beside it."""
    usual = [table.absolute().parent / folder for folder in _USUAL_FOLDERS]
    return [base for base in usual if base.exists()] if images is None else [images]


def _finder(base: Path) -> Callable[[str], str | None]:
    """What finds a name under a folder or in an archive, also without its suffix."""
    if base.is_dir():
        return lambda name: next((str(base / n) for n in _spellings(name) if n and os.path.isfile(base / n)), None)
    known = set(open_members(base).names)
    return lambda name: next((spelling for spelling in _spellings(name) if spelling in known), None)


def _spellings(name: str) -> list[str]:
    """What a name in a table may be on the disk: with other slashes, a suffix, composed or decomposed letters."""
    plain = posixpath.normpath(name.replace("\\", "/")) if name else ""
    names = dict.fromkeys([name, plain, *(unicodedata.normalize(form, plain) for form in ("NFC", "NFD"))])
    suffixes = ("",) if Path(name).suffix.lower() in SUFFIXES else ("", ".jpg", ".png", ".jpeg", *sorted(SUFFIXES))
    return [f"{spelling}{suffix}" for spelling in names for suffix in suffixes]


def _read(path: Path, table: ManifestTable, columns: _Columns, files: _Files) -> Content:
    images = table.column(columns.image)
    rows = _rows_of_splits(path, table, columns)
    cells = {name: table.column(column) for column, name in columns.targets.items()}
    unlabelled = {split for split, places in rows.items() if split != "train" and _all_empty(cells, places)}
    labelled = [place for split, places in rows.items() if split not in unlabelled for place in places]
    targets: dict[str, Tensor] = {}
    classes: dict[str, tuple[str, ...]] = {}
    for name, values in cells.items():
        column, names = from_text(name, [values[place] for place in labelled], is_label=columns.is_label)
        targets[name] = torch.zeros(len(images), dtype=column.dtype)
        targets[name][labelled] = column
        if names is not None:
            classes[name] = names
    if columns.is_label:
        _check_beyond_train(path, images, rows, cells[LABEL])
    parts = {
        split: SourceSplit(
            RawImageFiles([images[place] for place in places], files.read),
            {} if split in unlabelled else {name: column[places] for name, column in targets.items()},
        )
        for split, places in rows.items()
    }
    return Content(parts, classes, warnings=files.warnings)


def _check_beyond_train(
    path: Path, images: Sequence[str], rows: Mapping[str, Sequence[int]], labels: Sequence[str]
) -> None:
    """Refuses a numbered label that is higher than any of train, for which a classifier could learn nothing."""
    mine = [labels[place] for place in rows["train"]]
    if not all(word.isascii() and word.isdigit() for word in mine):
        return
    highest = max(map(int, mine))
    for split, places in rows.items():
        for place in places:
            label = labels[place]
            if label.isascii() and label.isdigit() and int(label) > highest:
                raise DataError(
                    f"{path}: the label of {in_short(images[place])} in {split} is {in_short(label)}, and the highest "
                    f"in train is {highest}. Correct it, or put pictures of it into train."
                )


def _rows_of_splits(path: Path, table: ManifestTable, columns: _Columns) -> dict[str, list[int]]:
    if columns.split is None:
        return {"train": list(range(len(table.rows)))}
    rows: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    unknown: dict[str, None] = {}
    for place, word in enumerate(table.column(columns.split)):
        split = SPLIT_NAMES.get(word.lower())
        if split is None:
            unknown[word or "(empty)"] = None
        else:
            rows[split].append(place)
    if unknown:
        raise DataError(
            f"{path}: the column {columns.split} says {first_few(list(unknown))}; it may say train, validation or test."
        )
    if not rows["train"]:
        raise DataError(f"{path}: no row says train in the column {columns.split}.")
    return {split: places for split, places in rows.items() if places}


def _all_empty(cells: Mapping[str, Sequence[str]], places: Sequence[int]) -> bool:
    return not any(values[place] for values in cells.values() for place in places)
