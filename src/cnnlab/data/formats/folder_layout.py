"""What the folders of a tree of pictures mean: splits, classes, and what does not fit.

A pure function of the names of files and folders; nothing is read.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from cnnlab.data.formats.decode import SUFFIXES
from cnnlab.data.target_columns import in_order

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
"""What people call a split, and its name here."""
_MOST_NAMED = 10


@dataclass(frozen=True)
class FolderLayout:
    """A tree of pictures understood.

    :param classes: the names of the class folders, in order.
    :param images: for every split the names of its pictures, those of a class together.
    :param labels: for every split the class of each picture; none for a split without class folders.
    :param problems: what makes the tree unfit, one sentence each.
    :param notes: what was passed over, one sentence each.
    """

    classes: tuple[str, ...]
    images: Mapping[str, Sequence[str]]
    labels: Mapping[str, Sequence[int] | None]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def arrange(names: Iterable[str], folders: Collection[str], root: str | None = None) -> FolderLayout:
    """Reads ``[root/][split/]class/…/picture`` off the names.

    :param folders: all folders, so that empty ones are seen.
    :param root: the folder in which the classes or splits are; found by itself where one folder holds all.
    """
    names, folders = list(names), set(folders)
    images = _images(names)
    base = _root(images, folders) if root is None else root.strip("/")
    inside = [name for name in images if not base or name.startswith(f"{base}/")]
    trees, problems = _splits(base, inside, folders)
    classes = in_order({label for tree in trees.values() for label in tree.classes})
    for split, tree in trees.items():
        problems += tree.problems(split, classes)
    if len(classes) < 2:
        problems = [_too_few(base, classes)]
    places = {label: place for place, label in enumerate(classes)}
    ordered = {
        split: sorted((places.get(label, -1), name) for label, name in tree.labelled()) for split, tree in trees.items()
    }
    return FolderLayout(
        classes,
        {split: [name for _, name in items] for split, items in ordered.items()},
        {split: [label for label, _ in items] if trees[split].classes else None for split, items in ordered.items()},
        tuple(problems),
        tuple(_passed_over(names, images, base, folders, trees.values())),
    )


def is_image(name: str) -> bool:
    """Whether a file is taken to be a picture, by its suffix."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def first_few(names: Sequence[str]) -> str:
    """The first of the names, and how many more there are."""
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return f"{', '.join(names[:_MOST_NAMED])}{more}"


@dataclass(frozen=True)
class _Tree:
    """One split: its class folders, and its pictures with the class of each ('' where there is none)."""

    folder: str
    classes: frozenset[str]
    images: Sequence[tuple[str, str]]

    def labelled(self) -> Sequence[tuple[str, str]]:
        """The pictures in class folders; all of them where there are no such folders."""
        return [item for item in self.images if item[0]] if self.classes else self.images

    def problems(self, split: str, classes: Sequence[str]) -> list[str]:
        if split != "train" and not self.classes:
            return []
        loose = [name for label, name in self.images if not label]
        missing = [label for label in classes if label not in self.classes]
        problems = []
        if missing:
            problems.append(
                f"{split} ({self.folder or 'the folder itself'}) has no pictures of these classes, which the data has "
                f"otherwise: {first_few(missing)}. Add them, or remove the classes everywhere."
            )
        if loose:
            problems.append(
                f"{len(loose):,} pictures of {split} lie in no class folder: {first_few(loose)}. Move them into one."
            )
        return problems


def _tree(folder: str, names: Iterable[str]) -> _Tree:
    start = len(folder) + 1 if folder else 0
    images = []
    for name in names:
        label, slash, _ = name[start:].partition("/")
        images.append((label if slash else "", name))
    used = {label for label, _ in images if label}
    return _Tree(folder, frozenset(used), images)


def _splits(base: str, names: Sequence[str], folders: set[str]) -> tuple[dict[str, _Tree], list[str]]:
    """The trees of the splits, or of all as train; and what stands beside the splits."""
    start = f"{base}/" if base else ""
    top = sorted({name[len(start) :].partition("/")[0] for name in folders if name.startswith(start)} - {""})
    named = {folder: SPLIT_NAMES.get(folder.lower()) for folder in top}
    if "train" not in named.values():
        return {"train": _tree(base, names)}, []
    trees: dict[str, _Tree] = {}
    problems = []
    for folder, split in named.items():
        mine = [name for name in names if name.startswith(f"{start}{folder}/")]
        if split in trees:
            problems.append(f"{trees[split].folder} and {start}{folder} both are {split}; leave one.")
        elif split:
            trees[split] = _tree(f"{start}{folder}", mine)
        elif mine:
            problems.append(f"{start}{folder} stands beside train and is no split: move it into one, or away.")
    ordered = {split: trees[split] for split in ("train", "validation", "test") if split in trees}
    empty = [tree.folder for tree in ordered.values() if not tree.images]
    problems += [f"there are no pictures in {folder}." for folder in empty]
    return {split: tree for split, tree in ordered.items() if tree.images}, problems


def _root(images: Sequence[str], folders: set[str]) -> str:
    """The folder in which the splits or classes are: below a folder that holds all pictures, though none directly."""
    base = ""
    while True:
        start = f"{base}/" if base else ""
        tops = {name[len(start) :].partition("/")[0] for name in images}
        inner = f"{start}{next(iter(tops), '')}"
        if len(tops) != 1 or inner not in folders or inner.rpartition("/")[2].lower() in SPLIT_NAMES:
            return base
        below = {name[len(inner) + 1 :].partition("/") for name in images}
        siblings = {name for name in folders if name.startswith(start) and "/" not in name[len(start) :]}
        # A folder of pictures is a class. One of several, the others without pictures, may be a class too, unless it
        # holds several folders of pictures itself.
        if any(not slash for _, slash, _ in below) or (siblings != {inner} and len({top for top, _, _ in below}) < 2):
            return base
        base = inner


def _too_few(base: str, classes: Sequence[str]) -> str:
    found = f"there is only one class folder with pictures, {classes[0]}" if classes else "there are no class folders"
    return (
        f"{found}{f' (looked in {base})' if base else ''}: put the pictures of each class in a folder of its own, say "
        "with root= in which folder the classes are, or list the pictures in a CSV file with path,label."
    )


def _images(names: Sequence[str]) -> list[str]:
    """The pictures by their suffixes; where no file has such a suffix, the files without any."""
    return [name for name in names if is_image(name)] or [name for name in names if not PurePosixPath(name).suffix]


def _passed_over(
    names: Sequence[str], images: Sequence[str], base: str, folders: Collection[str], trees: Iterable[_Tree]
) -> Iterator[str]:
    known = set(images)
    others = [name for name in names if name not in known]
    if others:
        yield f"{len(others):,} files are no pictures by their names and were passed over: {first_few(others)}."
    outside = [name for name in images if base and not name.startswith(f"{base}/")]
    if outside:
        yield f"{len(outside):,} pictures outside {base} were passed over: {first_few(outside)}."
    for tree in trees:
        start = f"{tree.folder}/" if tree.folder else ""
        inside = {name[len(start) :].partition("/")[0] for name in folders if name.startswith(start)} - {""}
        empty = sorted(inside - tree.classes)
        if empty:
            where = f" of {tree.folder}" if tree.folder else ""
            yield f"there are no pictures in these folders{where}: {first_few(empty)}."
