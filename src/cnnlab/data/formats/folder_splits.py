"""Which folders of a tree of pictures are splits, and which are classes.

Told by what the folders are called and by what they hold::

    train/{cat,dog}         test/{cat,dog}              splits by their names, with whatever around the word
    cat/{train,test}        dog/{train,test}            splits below the classes
    one/{cat,dog}           two/{cat,dog}               either may be meant: a person must say
    bus/1.png  car/1.png    train/1.png                 classes, one of which happens to be called train
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, TypeAlias

from cnnlab.core.messages import first_few
from cnnlab.core.spec import format_value
from cnnlab.data.formats.image_tree import ImageTree, joined
from cnnlab.data.split_names import SPLIT_NAMES, splits_hinted, splits_named

Splits: TypeAlias = Literal["auto", "none"] | dict[str, str]
"""What a person may say of the folders: to be found, that they are classes, or the folder of each split."""
ORDER = ("train", "validation", "test")


@dataclass(frozen=True)
class SplitFolders:
    """The splits of a tree; none at all where its folders are classes.

    :param folders: the path of each split; where they stand ``below_classes``, their name in every class folder.
    :param problems: what makes the tree unfit, one sentence each.
    :param remark: how the folders were understood, where that is not plain; else empty.
    """

    folders: Mapping[str, str]
    below_classes: bool = False
    problems: tuple[str, ...] = ()
    remark: str = ""


def find_splits(tree: ImageTree, base: str) -> SplitFolders:
    """The splits among the folders at ``base``, the folder that holds them or the classes."""
    top = tree.at(base).inside
    named, hinted = splits_named(top), splits_hinted(top)
    are_all = len(hinted) == len(top) > 0
    are_all = are_all and (len(set(hinted.values())) > 1 or any(_class_folders(folder) for folder in top.values()))
    if are_all and "train" in hinted.values():
        return _named(top, base, hinted)
    if are_all and len(named) == len(top):
        return SplitFolders({}, problems=(_no_train(sorted(top)),))
    if any(split == "train" and _class_folders(top[name]) > 1 for name, split in named.items()):
        return _named(top, base, named)
    below = _below_classes(top)
    if below is not None:
        return below
    inside = [set(folder.inside) for folder in top.values()]
    if len(top) > 1 and len(inside[0]) > 1 and all(folders == inside[0] for folders in inside):
        return SplitFolders({}, problems=(_ambiguous(sorted(top), sorted(inside[0])),))
    return SplitFolders({})


def splits_as_said(splits: Mapping[str, str], tree: ImageTree, base: str, folders: Collection[str]) -> SplitFolders:
    """The splits in the folders that a person named, from ``base`` or from the top."""
    found: dict[str, str] = {}
    problems = []
    for word, named in splits.items():
        split, plain = SPLIT_NAMES.get(word.lower()), named.strip("/").removeprefix("./")
        path = _path_of(plain, base, folders)
        if split is None or split in found:
            problems.append(f"splits= says {word}; it takes train, validation and test, each once.")
        elif path is None:
            known = first_few(sorted(folders)) or "none"
            problems.append(f"splits= says {word}: {named}, and there is no such folder; there are {known}.")
        else:
            found[split] = _unwrapped(path, tree.at(path))
    if "train" not in found and not problems:
        problems.append("splits= must say where train is, as in splits={train: a, test: b}.")
    return SplitFolders(_in_order(found) if not problems else {}, problems=tuple(problems))


def _path_of(named: str, base: str, folders: Collection[str]) -> str | None:
    """The folder meant: in ``base``, from the top, or the only one of that name anywhere."""
    anywhere = [folder for folder in folders if folder.endswith(f"/{named}")]
    candidates = (joined(base, named), named, *(anywhere if len(anywhere) == 1 else ()))
    return next((path for path in candidates if path in folders), None)


def _named(top: Mapping[str, ImageTree], base: str, splits: Mapping[str, str]) -> SplitFolders:
    """The folders as the splits that their names say, train among them."""
    names: dict[str, str] = {}
    problems = []
    for name in sorted(splits):
        split = splits[name]
        if split in names:
            problems.append(
                f"{joined(base, names[split])} and {joined(base, name)} both are {split} by their names. Leave one, or "
                f"say which is it, as in {_said(names | {split: name})}."
            )
        names.setdefault(split, name)
    beside = [joined(base, name) for name in sorted(set(top) - set(splits))]
    if beside:
        problems.append(
            f"{first_few(beside)} {'stands' if len(beside) == 1 else 'stand'} beside {joined(base, names['train'])} "
            f"and {'is no split by its name' if len(beside) == 1 else 'are no splits by their names'}. Move it into "
            f"one, or away; or say what is meant: {_said(names)} to take these alone, splits=none if all are classes."
        )
    classes = set(top[names["train"]].at(_unwrapped("", top[names["train"]])).inside)
    paths = {split: joined(base, _unwrapped(name, top[name], classes)) for split, name in names.items()}
    is_plain = all(SPLIT_NAMES.get(name.lower()) == split for split, name in names.items())
    told = ", ".join(f"{name} as {split}" for split, name in _in_order(names).items())
    remark = "" if is_plain else f"the folders are taken for splits: {told}. If they are classes, say splits=none."
    return SplitFolders(_in_order(paths), problems=tuple(problems), remark=remark)


def _below_classes(top: Mapping[str, ImageTree]) -> SplitFolders | None:
    """The splits where every class folder holds them; None where that is not so."""
    inside = set(chain.from_iterable(folder.inside for folder in top.values()))
    splits = splits_named(inside)
    is_none_loose = not any(folder.has_images for folder in top.values())
    if (
        not is_none_loose
        or len(splits) < len(inside)
        or len(set(splits.values())) < 2
        or "train" not in splits.values()
    ):
        return None
    folders: dict[str, str] = {}
    problems = []
    for name, split in splits.items():
        if split in folders:
            problems.append(f"{folders[split]} and {name} in the class folders both are {split}; leave one.")
        folders[split] = name
    told = first_few(list(_in_order(folders).values()))
    remark = f"the folders {told} in those of the classes are taken for splits. If they are not, say splits=none."
    return SplitFolders(_in_order(folders), below_classes=True, problems=tuple(problems), remark=remark)


def _unwrapped(path: str, tree: ImageTree, classes: Collection[str] = ()) -> str:
    """The folder below which the classes of a split are, as in ``seg_train/seg_train/cat``.

    :param classes: those that are known: a folder by such a name is one.
    """
    while len(tree.inside) == 1 and not tree.has_images:
        ((name, only),) = tree.inside.items()
        if name in classes or (only.has_images and name != path.rpartition("/")[2]):
            break
        path, tree = joined(path, name), only
    return path


def _class_folders(tree: ImageTree) -> int:
    return len(tree.at(_unwrapped("", tree)).inside)


def _in_order(folders: Mapping[str, str]) -> dict[str, str]:
    return {split: folders[split] for split in ORDER if split in folders}


def _said(folders: Mapping[str, str]) -> str:
    """How a person says that these are the splits."""
    return f"splits={format_value(_in_order(folders))}"


def _no_train(names: Sequence[str]) -> str:
    return (
        f"{first_few(names)} are splits by their names, and none of them is train. Say which is, as in "
        f"{_said({'train': names[0], 'test': names[-1]})}; or that they are classes, with splits=none."
    )


def _ambiguous(names: Sequence[str], inside: Sequence[str]) -> str:
    return (
        f"{first_few(names)} all hold the same folders, {first_few(inside)}, so that either may be the classes. If "
        f"{names[0]} and the others are splits, say which, as in {_said({'train': names[0], 'test': names[-1]})}; if "
        "they are the classes, say splits=none."
    )
