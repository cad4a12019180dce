"""What the folders of a tree of pictures mean: splits, classes, and what does not fit.

A pure function of the names of files and folders; nothing is read.
"""

import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cnnlab.core.messages import first_few
from cnnlab.core.number_text import counted
from cnnlab.core.sinks import in_short
from cnnlab.data.formats.decode import is_image
from cnnlab.data.formats.file_names import suffix_of
from cnnlab.data.formats.folder_splits import SplitFolders, Splits, find_splits, splits_as_said
from cnnlab.data.formats.image_tree import ImageTree
from cnnlab.data.formats.unread_kinds import is_unread, said_of_unread
from cnnlab.data.split_names import splits_named
from cnnlab.data.target_columns import in_order


@dataclass(frozen=True)
class FolderLayout:
    """A tree of pictures understood.

    :param classes: the names of the class folders, in order.
    :param images: for every split the names of its pictures, those of a class together.
    :param labels: for every split the class of each picture; none for a split without class folders.
    :param problems: what makes the tree unfit, one sentence each.
    :param training_problems: what makes it unfit to train on, though not to score on.
    :param warnings: which pictures were left out or are missing that a person may miss, one sentence each.
    :param notes: how it was understood and what was passed over, one sentence each.
    """

    classes: tuple[str, ...]
    images: Mapping[str, Sequence[str]]
    labels: Mapping[str, Sequence[int] | None]
    problems: tuple[str, ...]
    training_problems: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def arrange(
    names: Iterable[str], folders: Collection[str], root: str | None = None, splits: Splits = "auto"
) -> FolderLayout:
    """Reads ``[root/][split/]class/…/picture`` off the names.

    :param folders: all folders, so that empty ones are seen.
    :param root: the folder in which the classes or splits are; found by itself where one folder holds all.
    :param splits: the folder of each split by its name; ``none`` where the folders are classes; ``auto`` to find out.
    """
    names, folders = list(names), set(folders)
    images = images_among(names)
    tree = ImageTree.of(images)
    base = _root(tree, folders) if root is None else root.strip("/")
    found = _found_splits(tree, base, folders, splits)
    parts = _parts(base, [name for name in images if not base or name.startswith(f"{base}/")], found)
    problems = [
        *found.problems,
        *(f"there are no pictures in {part.folder}." for part in parts.values() if not part.images),
    ]
    parts = {split: part for split, part in parts.items() if part.images or split == "train"}
    if found.folders and splits == "auto" and not found.below_classes:
        problems += [f"there are no pictures in {folder}." for folder in _empty_splits(tree, base, folders)]
    classes = in_order({label for part in parts.values() for label in part.classes})
    if not classes and not found.problems:
        problems = [_no_classes_in(found.folders) if found.folders else _too_few(base, classes)]
    places = {label: place for place, label in enumerate(classes)}
    ordered = {
        split: sorted((places.get(label, -1), name) for label, name in part.labelled()) for split, part in parts.items()
    }
    return FolderLayout(
        classes,
        {split: [name for _, name in items] for split, items in ordered.items()},
        {split: [label for label, _ in items] if parts[split].classes else None for split, items in ordered.items()},
        tuple(problems),
        tuple(_training_problems(base, parts["train"], classes)),
        tuple(_warnings(names, parts, classes)),
        tuple(_notes(names, images, base, folders, found, parts)),
    )


@dataclass(frozen=True)
class _Part:
    """One split: its class folders, and its pictures with the class of each ('' where there is none)."""

    folder: str
    classes: frozenset[str]
    images: Sequence[tuple[str, str]]

    @classmethod
    def of(cls, folder: str, images: Sequence[tuple[str, str]]) -> "_Part":
        return cls(folder, frozenset(label for label, _ in images if label), images)

    def labelled(self) -> Sequence[tuple[str, str]]:
        """The pictures in class folders; all of them where there are no such folders."""
        return [item for item in self.images if item[0]] if self.classes else self.images

    def missing(self, classes: Sequence[str]) -> Sequence[str]:
        """The classes that it has no pictures of."""
        return [label for label in classes if label not in self.classes]

    def loose(self) -> Sequence[str]:
        """The pictures beside its class folders."""
        return [name for label, name in self.images if not label] if self.classes else []


def _training_problems(base: str, train: _Part, classes: Sequence[str]) -> Iterator[str]:
    if len(classes) == 1:
        yield _too_few(base, classes)
    missing = train.missing(classes)
    if missing:
        yield (
            f"train ({train.folder or 'the folder itself'}) has no pictures of these classes, which the data has "
            f"otherwise: {first_few(missing)}. Add them, or remove the classes everywhere."
        )


def _warnings(names: Sequence[str], parts: Mapping[str, _Part], classes: Sequence[str]) -> Iterator[str]:
    for split, part in parts.items():
        missing, loose = part.missing(classes), part.loose()
        if missing and part.classes and split != "train":
            yield f"{split} ({part.folder}) has no pictures of these classes, which train has: {first_few(missing)}."
        if loose:
            yield f"pictures of {split} in no class folder were left out, {len(loose):,} in all: {first_few(loose)}."
    unread = [name for name in names if is_unread(name)]
    if unread:
        yield said_of_unread(unread)


def _found_splits(tree: ImageTree, base: str, folders: set[str], splits: Splits) -> SplitFolders:
    if isinstance(splits, str):
        return find_splits(tree, base) if splits == "auto" else SplitFolders({})
    return splits_as_said(splits, tree, base, folders)


def _parts(base: str, names: Sequence[str], splits: SplitFolders) -> dict[str, _Part]:
    """The splits with their pictures, or all pictures as train."""
    if not splits.folders:
        return {"train": _part(base, names)}
    if not splits.below_classes:
        return {split: _part(folder, names) for split, folder in splits.folders.items()}
    start = len(base) + 1 if base else 0
    images: dict[str, list[tuple[str, str]]] = {split: [] for split in splits.folders}
    split_of = {folder: split for split, folder in splits.folders.items()}
    for name in names:
        label, _, rest = name[start:].partition("/")
        folder, slash, _ = rest.partition("/")
        if slash:
            images[split_of[folder]].append((_label(label), name))
    return {split: _Part.of(splits.folders[split], items) for split, items in images.items()}


def _part(folder: str, names: Iterable[str]) -> _Part:
    """The pictures in a folder, each with the folder inside in which it is."""
    start = f"{folder}/" if folder else ""
    inside = [(name[len(start) :].partition("/"), name) for name in names if name.startswith(start)]
    return _Part.of(folder, [(_label(top) if slash else "", name) for (top, slash, _), name in inside])


def _label(folder: str) -> str:
    """The class that a folder stands for: composed and decomposed letters, as systems differ in, are the same."""
    return unicodedata.normalize("NFC", folder)


def _empty_splits(tree: ImageTree, base: str, folders: Collection[str]) -> list[str]:
    """Folders beside the splits that are called so and hold no pictures."""
    empty = _inside(base, folders) - set(tree.at(base).inside)
    return [f"{base}/{name}" if base else name for name in sorted(splits_named(empty))]


def _inside(folder: str, folders: Iterable[str]) -> set[str]:
    """The names of the folders in a folder."""
    start = f"{folder}/" if folder else ""
    return {name[len(start) :].partition("/")[0] for name in folders if name.startswith(start)} - {""}


def _root(tree: ImageTree, folders: Collection[str]) -> str:
    """The folder in which the splits or classes are: below a folder that holds all pictures, but perhaps for some."""
    base, node = "", tree
    while len(node.inside) == 1:
        ((name, inner),) = node.inside.items()
        siblings = _inside(base, folders) - {name}
        # A folder of pictures is a class, unless it holds several folders of pictures. One of several, the others
        # without pictures, may be a class too, but for the same; and it is a split, if one of the others is.
        are_splits = splits_named([name]) and splits_named(siblings)
        may_be_a_class = node.has_images or inner.has_images or siblings
        if are_splits or (may_be_a_class and len(inner.inside) < 2):
            break
        base, node = f"{base}/{name}" if base else name, inner
    return base


def _no_classes_in(splits: Mapping[str, str]) -> str:
    folders = [folder.rpartition("/")[2] for folder in splits.values()]
    return (
        f"there are no class folders in {first_few(folders)}, which are splits by their names. If they are classes "
        "themselves, write splits=none; otherwise put the pictures of each class in a folder of its own there, or list "
        "the pictures in a CSV file with path,label."
    )


def _too_few(base: str, classes: Sequence[str]) -> str:
    found = f"there is only one class folder with pictures, {classes[0]}" if classes else "there are no class folders"
    return (
        f"{found}{f' (looked in {in_short(base)})' if base else ''}: put the pictures of each class in a folder of its "
        "own, say with root= in which folder the classes are, or list the pictures in a CSV file with path,label."
    )


def images_among(names: Sequence[str]) -> list[str]:
    """The pictures by their suffixes; where no file has the suffix of any, the files without one."""
    images = [name for name in names if is_image(name)]
    return images or [name for name in names if not suffix_of(name)]


def _notes(
    names: Sequence[str],
    images: Sequence[str],
    base: str,
    folders: Collection[str],
    splits: SplitFolders,
    parts: Mapping[str, _Part],
) -> Iterator[str]:
    if splits.remark:
        yield splits.remark
    known = set(images)
    others = [name for name in names if name not in known and not is_unread(name)]
    if others:
        verbs = ("is no picture by its name", "was") if len(others) == 1 else ("are no pictures by their names", "were")
        yield f"{counted(len(others), 'file')} {verbs[0]} and {verbs[1]} passed over: {first_few(others)}."
    used = {name for part in parts.values() for _, name in part.images}
    outside = [name for name in images if name not in used]
    if outside and not splits.problems:
        where = "the splits" if splits.folders else base
        verb = "was" if len(outside) == 1 else "were"
        yield f"{counted(len(outside), 'picture')} outside {where} {verb} passed over: {first_few(outside)}."
    for part in parts.values():
        empty = sorted(name for name in _inside(part.folder, folders) if _label(name) not in part.classes)
        if empty and not splits.below_classes:
            where = f" of {part.folder}" if part.folder else ""
            yield f"there are no pictures in these folders{where}: {first_few(empty)}."
