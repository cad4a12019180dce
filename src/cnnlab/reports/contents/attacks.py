"""What is shown of attacks: pictures before and after, what classes become, how far, and where pixels changed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnlab.attacks import ATTACKS, Adversarial, Fooled, Universal
from cnnlab.attacks.norms import WORDS, AnyNorm, Norm
from cnnlab.core.number_text import counted, fixed
from cnnlab.reports.contents.tables import Table, TableColumn, ends_of, listed

Pictures = NDArray[np.float32]
MOST_EXAMPLES = 6
_FACTORS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
_MOST_CLASSES = 40
_SPARSE = 0.2
"""Of the pixels: where no more are changed, it is worth seeing which."""


@dataclass(frozen=True, eq=False)
class ExampleColumn:
    """Pictures under one heading.

    :param pictures: float32 in [0, 1], N×C×H×W; ``words`` the lines under each.
    """

    title: str
    pictures: Pictures
    words: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class ExampleSheet:
    """Pictures that belong together side by side, a row each.

    :param factor: by which a change is magnified, about a middle grey.
    """

    columns: tuple[ExampleColumn, ...]
    factor: float = 1.0

    def __len__(self) -> int:
        return len(self.columns[0].pictures)


@dataclass(frozen=True, eq=False)
class ClassShares:
    """For each class, shares by class: K×K, nan where no picture was tried.

    :param counts: of how many rows each share is, K×K.
    """

    names: tuple[str, ...]
    shares: NDArray[np.float64]
    counts: NDArray[np.int64]


def examples_of(found: Adversarial, count: int = MOST_EXAMPLES) -> NDArray[np.int64]:
    """The rows that are shown: the first that do what was wanted, one of each class first; else the first tried."""
    order = np.flatnonzero(found.fooled if found.fooled.any() else found.right)
    labels = found.labels[order]
    _, firsts = np.unique(labels, return_index=True)
    firsts = np.sort(firsts)
    rest = np.setdiff1d(np.arange(len(order)), firsts)
    return np.sort(order[np.concatenate([firsts, rest])[:count]])


def example_sheet(found: Adversarial, count: int = MOST_EXAMPLES) -> ExampleSheet:
    """Original, change and result of some pictures, with class and confidence of each."""
    rows = examples_of(found, count)
    changed: Pictures = found.rounded[rows].astype(np.float32) / np.float32(255)
    change = changed - found.origin[rows]
    factor = factor_of(change)
    lengths = [[found.lengths(norm)[rows] for norm in ("linf", "l2", "l0")]]
    names = found.classes
    before = tuple((names[found.labels[row]], _percent(found.before.sure[row])) for row in rows)
    after = tuple((names[found.kept.predicted[row]], _percent(found.kept.sure[row])) for row in rows)
    far = tuple(
        (f"L∞ {linf * 255:.0f}/255", f"L2 {l2:.2g}", counted(round(l0), "pixel"))
        for linf, l2, l0 in zip(*lengths[0], strict=True)
    )
    return ExampleSheet(
        (
            ExampleColumn("as it is", found.origin[rows], before),
            ExampleColumn(f"change × {factor:g}", magnified(change, factor), far),
            ExampleColumn("as changed", changed, after),
        ),
        factor,
    )


def examples_caption(found: Adversarial, attack: str, sheet: ExampleSheet) -> str:
    """What the examples are, and how they are read."""
    model = "the model" if found.source is None else found.source.model
    many = counted(int(found.right.sum()), "picture" if found.targets is None else "row")
    if found.fooled.any():
        which = f"{len(sheet)} of {int(found.fooled.sum()):,} that fool it, the first of each class first"
    else:
        which = f"None of {many} fools it; shown are the first that were tried"
    of = "" if found.source is None else f" Attacked were {many} predicted rightly, of {found.source.of}."
    return (
        f"{attack} against {model}. {which}. Left the picture and its class, right what files of 8 bits keep of it and "
        f"what the model says of that; between them the change, × {sheet.factor:g} about a middle grey, with its "
        f"size.{of}"
    )


def fooled_sheet(fooled: Fooled) -> ExampleSheet:
    """Pictures driven to a class, beside what they began as."""
    names = fooled.classes
    after = tuple(
        (names[said], _percent(sure)) for said, sure in zip(fooled.after.predicted, fooled.after.sure, strict=True)
    )
    became = ExampleColumn("what it became", fooled.pixels, after)
    if fooled.start is None or fooled.before is None:
        return ExampleSheet((ExampleColumn("", fooled.pixels, after),))
    before = tuple(
        (names[said], _percent(sure)) for said, sure in zip(fooled.before.predicted, fooled.before.sure, strict=True)
    )
    if fooled.way == "noise":
        return ExampleSheet((ExampleColumn("noise", fooled.start, before), became))
    change = fooled.pixels - fooled.start
    factor = factor_of(change)
    far = tuple(
        (f"L∞ {np.abs(each).max() * 255:.0f}/255", f"L2 {np.sqrt(np.square(each).sum()):.2g}") for each in change
    )
    column = ExampleColumn(f"change × {factor:g}", magnified(change, factor), far)
    return ExampleSheet((ExampleColumn("as it is", fooled.start, before), column, became), factor)


def fooled_caption(fooled: Fooled, name: str) -> str:
    """What they are, how sure the model was to be, and how many it is sure of."""
    wanted = list(dict.fromkeys(fooled.classes[target] for target in fooled.targets))
    to = listed(wanted, "or") if len(wanted) <= 3 else f"each of {len(wanted)} classes"
    reached = f"{int(fooled.reached.sum())} of {len(fooled)} at a confidence of {fooled.confidence * 100:.4g}% or more"
    how = {
        "noise": f"Noise driven along the gradient to {to}",
        "picture": f"{name} driven to {to} with the least change found",
        "pattern": f"Patterns bred for {to}: pictures that small random networks draw, of each class the one of which "
        "the model is surest",
    }[fooled.way]
    return f"{how}; {fooled.model}, seed {fooled.seed}. {reached}. Under each what the model says, rounded to 8 bits."


def universal_sheet(found: Universal, count: int = MOST_EXAMPLES) -> ExampleSheet:
    """The perturbation on pictures that it was not made on, those that it fools first."""
    fooled = found.before.predicted != found.after.predicted
    rows = np.argsort(~fooled, kind="stable")[:count]
    factor = factor_of(found.perturbation[None])
    shown = magnified(found.perturbation[None], factor)
    names = found.classes

    def words(answers_predicted: NDArray[np.int64], sure: NDArray[np.float32]) -> tuple[tuple[str, ...], ...]:
        return tuple((names[answers_predicted[row]], _percent(sure[row])) for row in rows)

    return ExampleSheet(
        (
            ExampleColumn("as it is", found.origin[rows], words(found.before.predicted, found.before.sure)),
            ExampleColumn(f"the same, × {factor:g}", np.repeat(shown, len(rows), 0), ((),) * len(rows)),
            ExampleColumn("as changed", found.pixels[rows], words(found.after.predicted, found.after.sure)),
        ),
        factor,
    )


def universal_caption(found: Universal) -> str:
    """What it was made on, and how often it fools."""
    sure = f" (95% interval {found.interval.low:.1%} to {found.interval.high:.1%})" if found.interval else ""
    return (
        f"One perturbation of {budget_text(found.norm, found.eps)}, made on {found.made_on:,} pictures of "
        f"{found.source.data}, against {found.source.model}; seed {found.source.seed}. Of {len(found.labels):,} "
        f"others {found.fooling_rate:.1%}{sure} are taken for another class with it; accuracy on them is "
        f"{found.clean_accuracy:.1%} without it and {found.robust_accuracy:.1%} with it. Those that it fools are shown "
        "first."
    )


def factor_of(change: Pictures) -> float:
    """The largest round number by which changes can be multiplied and still lie between black and white."""
    largest = float(np.abs(change).max(initial=0))
    return max((factor for factor in _FACTORS if factor * largest <= 0.5 + 1e-6), default=_FACTORS[0])


def magnified(change: Pictures, factor: float) -> Pictures:
    """Changes about a middle grey."""
    return np.asarray((0.5 + factor * change).clip(0, 1), dtype=np.float32)


def class_shares(found: Adversarial) -> ClassShares | None:
    """Of the attacked pictures of each class, the share that is taken for each class afterwards, rounded.

    With a target, of those that were to be taken for a class the share that is. None for hundreds of classes.
    """
    count = len(found.classes)
    if count > _MOST_CLASSES:
        return None
    rows = found.right
    ends = found.kept.predicted if found.targets is None else found.targets
    done = np.ones(rows.sum()) if found.targets is None else found.fooled[rows].astype(float)
    places = found.labels[rows] * count + ends[rows]
    hits = np.bincount(places, weights=done, minlength=count**2).reshape(count, count)
    tried = np.bincount(places, minlength=count**2).reshape(count, count)
    of = tried.sum(1, keepdims=True).repeat(count, 1) if found.targets is None else tried
    shares: NDArray[np.float64] = np.where(of > 0, hits / of.clip(min=1), np.nan)
    return ClassShares(found.classes, shares, of)


def class_shares_caption(found: Adversarial, attack: str) -> str:
    """How the matrix is read."""
    of = "" if found.source is None else f", {found.source.of}"
    if found.targets is None:
        read = "percent of the attacked pictures of each class by what they are taken for; on the diagonal what holds"
    else:
        read = "percent of the attacked pictures of each class, that were to be taken for another, that are"
    return f"{attack}: {read}, rounded to 8 bits{of}. Grey, with a dash: no picture was tried."


def least_lengths(found: Adversarial) -> tuple[AnyNorm, NDArray[np.float32]]:
    """How far pictures had to be changed, of those that fool the model, in what the attack keeps small."""
    norm: AnyNorm = found.norm or "l2"
    return norm, found.lengths(norm)[found.fooled]


def changed_pixels(found: Adversarial) -> tuple[Pictures, tuple[str, ...]] | None:
    """Of the pictures that fool the model, all and by class, in which share each pixel is changed: N×H×W and what of.

    None where most pixels are changed in every picture, so that there is nothing to see.
    """
    rows = np.flatnonzero(found.fooled)
    if not len(rows):
        return None
    changed = (found.rounded[rows] != np.round(found.origin[rows] * 255).astype(np.uint8)).any(1)
    if np.median(changed.mean((1, 2))) > _SPARSE:
        return None
    maps, words = [changed.mean(0)], [f"all {len(rows):,}"]
    if len(found.classes) <= 12:
        for number, name in enumerate(found.classes):
            own = found.labels[rows] == number
            if own.any():
                maps.append(changed[own].mean(0))
                words.append(f"{name}: {int(own.sum())}")
    return np.stack(maps).astype(np.float32), tuple(words)


def changed_pixels_caption(found: Adversarial, attack: str) -> str:
    """How the maps are read."""
    share = float(found.lengths("l0")[found.fooled].mean() / np.prod(found.pixels.shape[2:]))
    of = "" if found.source is None else f" Of {found.source.model}, {found.source.of}."
    return (
        f"{attack}: in which share of the pictures that fool the model each pixel is changed, all together and by "
        f"their true class, with how many they are. On average {share:.2%} of the pixels of a picture are changed."
        f"{of}"
    )


def attack_table(attacks: Sequence[Adversarial], names: Sequence[str]) -> Table:
    """A row an attack: accuracies, success, how far pictures were changed."""
    columns = (
        TableColumn("attack", "attack"),
        TableColumn("pictures", "pictures", "count"),
        TableColumn("clean", "accuracy without it", "share"),
        TableColumn("robust", "with it", "share"),
        TableColumn("interval", "95% interval", "share"),
        TableColumn("unrounded", "unrounded", "share"),
        TableColumn("success", "success", "share"),
        *(TableColumn(norm, f"median {WORDS[norm]}", "number") for norm in ("linf", "l2", "l0")),
    )
    rows = tuple(
        (
            *(name, len(np.unique(each.places)), each.clean_accuracy, each.robust_accuracy, ends_of(each.interval)),
            *(each.robust_accuracy_unrounded, each.success if each.right.any() else None),
            *(each.median_length(norm) for norm in ("linf", "l2", "l0")),
        )
        for name, each in zip(names, attacks, strict=True)
    )
    note = (
        "Accuracy on the pictures attacked, after what is found is rounded to 8 bits, which counts; medians are over "
        "the pictures that do what was wanted, in units of pixels from 0 to 1, L0 in pixels."
    )
    return Table("attacks", "Attacks", columns, rows, note=note)


def attack_words(spec: str) -> str:
    """An attack as a person would write it: ``pgd(eps=8/255)``, which says the same again.

    :raises CnnlabError: for one that there is not, or no longer.
    """
    short = str(ATTACKS.bind(spec).short)
    return re.sub(r"(?<=eps=|tep=)\d+\.\d+(?=[,)])", _in_grey_levels, short)


def _in_grey_levels(number: re.Match[str]) -> str:
    levels = 255 * float(number[0])
    # What has few digits was written so.
    is_whole = levels > 0.5 and abs(levels - round(levels)) < 1e-9 and len(number[0]) > 8
    return f"{round(levels)}/255" if is_whole else number[0]


def doubts_table(attacks: Sequence[Adversarial], names: Sequence[str]) -> Table | None:
    """A row a reason not to trust an attack; None where there is none."""
    rows = tuple((name, doubt) for name, each in zip(names, attacks, strict=True) for doubt in each.warnings)
    if not rows:
        return None
    columns = (TableColumn("attack", "attack"), TableColumn("doubt", "what casts doubt on it"))
    return Table("attacks-doubtful", "Attacks that are doubtful", columns, rows)


def budget_text(norm: Norm, eps: float) -> str:
    """A budget as people write it: ``L∞ 8/255``, ``L2 0.5``."""
    steps = eps * 255
    is_whole = norm == "linf" and abs(steps - round(steps)) < 1e-6 and steps >= 0.5
    return f"{WORDS[norm]} {round(steps)}/255" if is_whole else f"{WORDS[norm]} {eps:.4g}"


def _percent(share: float) -> str:
    return ">99%" if 0.995 <= share < 1 else f"{fixed(100 * float(share), 0)}%"
