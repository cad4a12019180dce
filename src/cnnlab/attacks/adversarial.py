"""What an attack comes to: each picture as changed, what the model said before and after, and how far that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.attacks import checks
from cnnlab.attacks.attack import Attack
from cnnlab.attacks.checks import Check
from cnnlab.attacks.norms import AnyNorm, length
from cnnlab.attacks.problem import ClassProblem
from cnnlab.attacks.rounding import rounded_within
from cnnlab.evaluation import Interval, wilson

NORMS: tuple[AnyNorm, ...] = ("linf", "l2", "l1", "l0")
Row = NDArray[np.int64]
BY_ROW = ("places", "origin", "pixels", "labels", "forwards", "backwards", "flat", "by")
ANSWERS = ("before", "after", "kept")
"""Fields that are arrays of M rows, and those that are answers to M rows."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What the model said of pictures, N.

    :param predicted: the class of each; ``sure`` its probability.
    """

    predicted: Row
    sure: NDArray[np.float32]

    @classmethod
    def of(cls, logits: Tensor) -> "Answers":
        """By logits N×K."""
        sure, predicted = logits.float().softmax(1).max(1)
        return cls(predicted.cpu().numpy(), sure.cpu().numpy())

    def take(self, rows: NDArray[np.bool_]) -> "Answers":
        """Those of some of the pictures."""
        return Answers(self.predicted[rows], self.sure[rows])


@dataclass(frozen=True)
class Source:
    """Which pictures were attacked, and in what.

    :param model: what it is called.
    :param data: name of the data set; ``split`` that of its part, which has ``size`` pictures.
    :param seed: by which pictures were chosen, and what attacks draw is drawn.
    :param places: of each picture its place in the split; ``ids`` its name there.
    :param column: of the targets, the one of the head that was attacked.
    :param name: by which files of the attack are known.
    """

    model: str
    data: str
    split: str
    size: int
    seed: int
    places: tuple[int, ...]
    ids: tuple[str, ...]
    column: str
    name: str = ""

    @property
    def of(self) -> str:
        """Which they are, in words: ``1,000 of 10,000 test pictures of fashion-mnist, drawn by seed 0``."""
        some = f"{len(self.places):,} of " if len(self.places) < self.size else ""
        drawn = f", drawn by seed {self.seed}" if some else ""
        noun = "picture" if self.size == 1 else "pictures"
        split = "" if self.split == "all" else f"{self.split} "
        return f"{some}{self.size:,} {split}{noun} of {self.data}{drawn}"


@dataclass(frozen=True, eq=False)
class Adversarial:
    """Pictures as an attack left them, one row for each, or for each and each target.

    Of M rows: those of pictures that were wrong to begin with are as they were. What a row comes to is told twice, as
    computed and after rounding to the 8 bits that files have; the second is what counts outside the laboratory.

    :param attack: its canonical spec.
    :param classes: names of the classes of the head that was attacked.
    :param places: of each row its picture among those given.
    :param origin, pixels: before and after, float32 M×C×H×W in [0, 1].
    :param labels: the right classes; ``targets`` those wanted, None for any that is wrong.
    :param before, after, kept: what the model said of the pictures as they were, as changed, and rounded.
    :param forwards, backwards: how often the model was asked for each, and for its gradient; ``flat`` how often that
        was nearly 0.
    :param by: which of an ensemble's attacks fooled each, M, −1 for none; ``members`` what they are called.
    :param facts: further numbers of each row that the attack tells, M, NaN where it tells none.
    :param norm, eps: the budget; without ``eps``, what was kept small.
    :param source: which pictures these are, where they were taken from a data set.
    :param doubts: what the model's answers alone cast doubt on, in sentences.
    :param checks: what :func:`cnnlab.attacks.check_attack` looked for besides, where it did.
    """

    attack: str
    classes: tuple[str, ...]
    places: Row
    origin: NDArray[np.float32]
    pixels: NDArray[np.float32]
    labels: Row
    targets: Row | None
    before: Answers
    after: Answers
    kept: Answers
    forwards: Row
    backwards: Row
    flat: Row
    by: Row
    facts: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    norm: AnyNorm | None = None
    eps: float | None = None
    source: Source | None = None
    members: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def rounded(self) -> NDArray[np.uint8]:
        """The pictures as files keep them; a fixed budget is not left (:mod:`cnnlab.attacks.rounding`)."""
        bytes_: NDArray[np.uint8] = (self._kept() * 255).round().byte().numpy()
        return bytes_

    def _kept(self) -> Tensor:
        return rounded_within(torch.from_numpy(self.pixels), torch.from_numpy(self.origin), self.norm, self.eps)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which rows were predicted rightly as they were, and so were attacked."""
        right: NDArray[np.bool_] = self.before.predicted == self.labels
        return right

    @property
    def fooled(self) -> NDArray[np.bool_]:
        """Which attacked rows do what was wanted, rounded; ``fooled_unrounded`` as computed."""
        return self._is_fooled(self.kept)

    @property
    def fooled_unrounded(self) -> NDArray[np.bool_]:
        """Which attacked rows do what was wanted, as computed."""
        return self._is_fooled(self.after)

    def _is_fooled(self, answers: Answers) -> NDArray[np.bool_]:
        goal = answers.predicted != self.labels if self.targets is None else answers.predicted == self.targets
        fooled: NDArray[np.bool_] = self.right & goal
        return fooled

    @property
    def success(self) -> float:
        """The share of attacked rows that do what was wanted, rounded."""
        return float(self.fooled.sum() / self.right.sum())

    @property
    def clean_accuracy(self) -> float:
        """The share of pictures that were right as they were."""
        return self._share(self.right)

    @property
    def robust_accuracy(self) -> float:
        """The share of pictures that stay right, whatever the target, rounded."""
        return self._share(self.right & (self.kept.predicted == self.labels))

    @property
    def robust_accuracy_unrounded(self) -> float:
        """Likewise as computed."""
        return self._share(self.right & (self.after.predicted == self.labels))

    def _share(self, rows: NDArray[np.bool_]) -> float:
        """Of pictures all of whose rows are so."""
        pictures, counts = np.unique(self.places, return_counts=True)
        kept = np.bincount(np.searchsorted(pictures, self.places), weights=rows)
        return float((kept == counts).mean())

    @property
    def interval(self) -> Interval | None:
        """Of the robust accuracy, over pictures: Wilson's, 95%."""
        count = len(np.unique(self.places))
        return wilson(round(self.robust_accuracy * count), count)

    @property
    def stages(self) -> dict[str, float]:
        """Of an ensemble, the robust accuracy after each of its attacks, which see what those before left."""
        left = self.right & (self.kept.predicted == self.labels)
        return {name: self._share(left | (self.by > place)) for place, name in enumerate(self.members)}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What casts doubt on the attack, in sentences; :func:`cnnlab.attacks.check_attack` looks for more."""
        found = list(self.doubts)
        left = self.right & ~self.fooled
        flat = left & (2 * self.flat > self.backwards)
        found += checks.of_gradients(int(flat.sum()), int(left.sum()), int(self.right.sum()))
        if "square" in self.members:
            by_squares = self.right & (self.by == self.members.index("square"))
            found += checks.of_squares(int(by_squares.sum()), int(self.right.sum()))
        return (*found, *(each.finding for each in self.checks if each.is_warning))

    def lengths(self, norm: AnyNorm, *, is_rounded: bool = True) -> NDArray[np.float32]:
        """How far each row is from the picture, M, in units of [0, 1]; ``l0`` counts pixels."""
        changed = self._kept() if is_rounded else torch.from_numpy(self.pixels)
        return length(changed - torch.from_numpy(self.origin), norm).numpy()

    def median_length(self, norm: AnyNorm, *, is_rounded: bool = True) -> float | None:
        """The median over the rows that do what was wanted; None where there are none."""
        done = self.fooled if is_rounded else self.fooled_unrounded
        return float(np.median(self.lengths(norm, is_rounded=is_rounded)[done])) if done.any() else None

    def mean_length(self, norm: AnyNorm) -> float | None:
        """The mean over the rows that do what was wanted, rounded; None where there are none."""
        return float(np.mean(self.lengths(norm)[self.fooled], dtype=np.float64)) if self.fooled.any() else None

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain JSON."""
        interval, source = self.interval, self.source
        taken = {} if source is None else {name: getattr(source, name) for name in ("model", "data", "split", "seed")}
        return {
            "attack": self.attack,
            **taken,
            "pictures": len(np.unique(self.places)),
            "attacked": int(self.right.sum()),
            "clean_accuracy": self.clean_accuracy,
            "robust_accuracy": self.robust_accuracy,
            "robust_accuracy_interval": None if interval is None else interval.to_dict(),
            "robust_accuracy_unrounded": self.robust_accuracy_unrounded,
            "success": self.success,
            "success_unrounded": float(self.fooled_unrounded.sum() / self.right.sum()),
            "median_change": {norm: self.median_length(norm) for norm in NORMS},
            "median_change_unrounded": {norm: self.median_length(norm, is_rounded=False) for norm in NORMS},
            "mean_change": {norm: self.mean_length(norm) for norm in NORMS},
            "forward_passes": float(self.forwards[self.right].mean()),
            "backward_passes": float(self.backwards[self.right].mean()),
            **({"stages": self.stages} if self.members else {}),
            "checks": [each.to_dict() for each in self.checks],
            "warnings": list(self.warnings),
            "median_facts": {name: _median(each[self.fooled]) for name, each in self.facts.items()},
        }

    def __repr__(self) -> str:
        aim = "any wrong class" if self.targets is None else "targets"
        return (
            f"Adversarial({self.attack}: {len(self)} rows, {aim}; accuracy {self.clean_accuracy:.4f} before, "
            f"{self.robust_accuracy:.4f} after)"
        )

    def first(self, count: int) -> "Adversarial":
        """The rows of the first pictures alone, so many of them; what was checked was checked of all."""
        found, source = self.take(self.places < count), self.source
        if source is not None:
            source = replace(source, places=source.places[:count], ids=source.ids[:count])
        return replace(found, source=source, checks=())

    def take(self, rows: NDArray[np.bool_]) -> "Adversarial":
        """Some of the rows."""
        parts: dict[str, Any] = {name: getattr(self, name)[rows] for name in BY_ROW}
        parts |= {name: getattr(self, name).take(rows) for name in ANSWERS}
        parts["facts"] = {name: numbers[rows] for name, numbers in self.facts.items()}
        return replace(self, **parts, targets=None if self.targets is None else self.targets[rows])

    @classmethod
    def of_batch(
        cls,
        places: Tensor,
        problem: ClassProblem,
        pixels: Tensor,
        logits: Sequence[Tensor],
    ) -> "Adversarial":
        """Of tensors on any device; what holds for all is given to :meth:`joined`."""
        before, after, kept = (Answers.of(each) for each in logits)
        targets = problem.targets
        return cls(
            attack="",
            classes=(),
            places=places.cpu().numpy(),
            origin=_floats(problem.pixels),
            pixels=_floats(pixels),
            labels=problem.labels.cpu().numpy(),
            targets=None if targets is None else targets.cpu().numpy(),
            before=before,
            after=after,
            kept=kept,
            forwards=problem.forwards.numpy(),
            backwards=problem.backwards.numpy(),
            flat=problem.flat.numpy(),
            by=problem.by.numpy(),
            facts={name: each.numpy() for name, each in problem.facts.items()},
        )

    @classmethod
    def joined(
        cls, parts: Sequence["Adversarial"], spec: str, attack: Attack, classes: tuple[str, ...]
    ) -> "Adversarial":
        """Batches as one."""
        whole = replace(cls.together(parts), attack=spec, classes=classes, norm=attack.norm, eps=attack.eps)
        return replace(whole, members=attack.members)

    @classmethod
    def together(cls, parts: Sequence["Adversarial"]) -> "Adversarial":
        """The rows of several parts one after another; whatever holds for all is that of the first, but for doubts."""
        rows: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in BY_ROW}
        rows |= {name: _joined([getattr(part, name) for part in parts]) for name in ANSWERS}
        targets = [part.targets for part in parts if part.targets is not None]
        facts = {name: _facts(parts, name) for name in sorted({name for part in parts for name in part.facts})}
        sources = [part.source for part in parts if part.source is not None]
        source = None
        if sources:
            places = tuple(place for each in sources for place in each.places)
            source = replace(sources[0], places=places, ids=tuple(name for each in sources for name in each.ids))
        wanted = np.concatenate(targets) if targets else None
        doubts = tuple(dict.fromkeys(doubt for part in parts for doubt in part.doubts))
        return replace(parts[0], **rows, targets=wanted, facts=facts, source=source, doubts=doubts, checks=())


def _median(numbers: NDArray[np.float32]) -> float | None:
    known = numbers[~np.isnan(numbers)]
    return float(np.median(known)) if len(known) else None


def _facts(parts: Sequence[Adversarial], name: str) -> NDArray[np.float32]:
    """A fact of all rows: a batch in which nothing was attacked tells none."""
    unknown = np.float32(np.nan)
    return np.concatenate([part.facts.get(name, np.full(len(part), unknown)) for part in parts])


def _joined(answers: Sequence[Answers]) -> Answers:
    return Answers(np.concatenate([a.predicted for a in answers]), np.concatenate([a.sure for a in answers]))


def _floats(pixels: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(pixels.detach().float().cpu().numpy())
