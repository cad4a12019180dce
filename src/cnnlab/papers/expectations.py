"""What somebody expects of an entry before it is run: an order of the settings, and how far they lie apart."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.files import make_folder, write_text
from cnnlab.core.number_text import plain_or_percent

EXPECTED = "expected.json"
_POINTS = re.compile(r"(?<=[\d.])\s*(percentage )?points?\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Expectation:
    """An order of settings, the best first, and the difference between the first and the last.

    :param part: of an entry of several studies, which one.
    :param spread: expected between the best and the worst, in the unit of the metric; None where nothing was said.
    :param when: the moment it was noted, ISO 8601 in UTC.
    :param seen: whether there were results already.
    """

    part: str
    order: tuple[str, ...]
    spread: float | None
    when: str
    seen: bool


def expected(folder: Path) -> Mapping[str, Any] | None:
    """What was noted in a folder of results; None where nothing was."""
    try:
        content = json.loads((folder / EXPECTED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def note_expected(folder: Path, expectations: Sequence[Expectation]) -> Path:
    """Keeps what was expected; what was noted before results were there is never replaced.

    :raises UsageError: where something was noted already.
    """
    if expected(folder) is not None:
        raise UsageError(f"{folder / EXPECTED} holds what was expected before; it stays as it is.")
    path = make_folder(folder) / EXPECTED
    content = {"expectations": [asdict(one) for one in expectations]}
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return path


@dataclass(frozen=True)
class Comparison:
    """What an entry compares.

    :param part: of an entry of several studies, which one.
    :param metric: by which, as people call it; ``unit`` is that of its values.
    :param means: of the settings by label, in the order of the file; None of those that there are not yet.
    """

    part: str
    metric: str
    unit: str
    is_higher_better: bool
    means: Mapping[str, float | None]


@dataclass(frozen=True)
class Question:
    """What can be expected of a comparison of an entry.

    :param settings: labels of its settings, in the order of the file.
    :param seen: whether there are results already.
    """

    title: str
    part: str
    metric: str
    settings: tuple[str, ...]
    seen: bool

    def answered(self, order: Sequence[str], spread: float | None) -> Expectation:
        """The answer, with the moment in which it is given."""
        return Expectation(self.part, tuple(order), spread, datetime.now(UTC).isoformat(timespec="seconds"), self.seen)


def read_spread(text: str) -> float | None:
    """How far the first is ahead of the last, as a person writes it: ``2%``, ``2 points``, ``0.02``; None for nothing.

    :raises UsageError: for anything else, and for what is below 0.
    """
    if not text.strip():
        return None
    # Points are of a share, as per cents are.
    spread = plain_or_percent(_POINTS.sub("%", text))
    if spread is None or spread < 0:
        raise UsageError(f"{text!r} is no difference; write a number from 0 on, such as 2%, 2 points or 0.02.")
    return spread


def read_order(text: str, labels: Sequence[str]) -> tuple[str, ...]:
    """Settings in the order in which a person wrote them: ``adam > rmsprop > sgd``, or places in the list shown.

    :raises UsageError: for a word that is no setting, or one that is there twice.
    """
    words = [word.strip() for word in text.replace(",", ">").split(">") if word.strip()]
    order = []
    for word in words:
        is_place = word.isdigit() and word not in labels and 1 <= int(word) <= len(labels)
        label = labels[int(word) - 1] if is_place else word
        if label not in labels:
            raise UsageError(f"{word!r} is no setting here. {suggestion(word, labels)}")
        order.append(label)
    if not order or len(set(order)) < len(order):
        raise UsageError("name each setting once, the best first: adam > rmsprop > sgd.")
    return tuple(order)


def agreement(order: Sequence[str], means: Mapping[str, float], is_higher_better: bool) -> tuple[int, int]:
    """Of the pairs of settings that were ordered: how many came out in that order, and how many there are."""
    sign = 1 if is_higher_better else -1
    pairs = [(a, b) for a, b in combinations(order, 2) if a in means and b in means]
    return sum(sign * means[a] > sign * means[b] for a, b in pairs), len(pairs)
