"""Numbers that commands tell, over repeats: where they stand in what a command printed, rules, published ones."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from cnnlab import evaluation
from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.number_text import plain_number, plain_or_percent
from cnnlab.evaluation.units import NUMBER, POINTS, SECONDS, Unit
from cnnlab.papers.claims import RuleVerdict
from cnnlab.papers.result import ComparedNumber, Measured
from cnnlab.studies.result import Word

_ERROR_RATE = 0.05
_UNITS: Mapping[str, Unit] = {"number": NUMBER, "share": POINTS, "seconds": SECONDS}
_STEP = re.compile(r"\.?([^.\[\]]+)|\[([^\]=]+)(?:=([^\]]*))?\]")
NO_STEPS: Mapping[str, float] = MappingProxyType({})
_RULE = re.compile(
    r"(?P<number>\S+) is (?P<bound>at least|at most|above|below|equal to) (?P<level>.+?)(?: within (?P<within>\S+))?\.?"
)


class NumberFile(BaseModel):
    """Which number it is.

    :param of: the command, and the way into what it printed as JSON: ``attacked.norms.l2.median``,
        ``filters.layers[name=conv1].dead``, ``rows[0].value``.
    :param less: likewise, what is taken off it; ``per``, what that is divided by.
    :param counted: likewise, how many it is a share of, such as ``attacked.attacked``: repeats that all come to the
        same are then taken to vary by a part of one.
    :param exact: it does not depend on a training, so that one value decides.
    :param better: which way is better; ``higher`` unless it is given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    of: Annotated[str, Field(min_length=1)]
    less: Annotated[str | None, Field(min_length=1)] = None
    per: Annotated[str | None, Field(min_length=1)] = None
    counted: Annotated[str | None, Field(min_length=1)] = None
    label: str | None = None
    unit: Literal["number", "share", "seconds"] = "number"
    exact: bool = False
    better: Literal["higher", "lower"] = "higher"

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands that it is taken from."""
        paths = (self.of, self.less, self.per, self.counted)
        return tuple(re.split(r"[.\[]", path, maxsplit=1)[0] for path in paths if path)

    def value(self, answers: Mapping[str, Any]) -> float:
        """The number, of what commands printed.

        :raises UsageError: naming what there is where a path ends.
        """
        value = value_at(self.of, answers) - (value_at(self.less, answers) if self.less else 0.0)
        if self.per is None:
            return value
        below = value_at(self.per, answers)
        return value / below if below else math.nan

    def step(self, answers: Mapping[str, Any]) -> float:
        """In which steps it can change; 0 where it is no share of so and so many.

        :raises UsageError: naming what there is where a path ends.
        """
        if self.counted is None:
            return 0.0
        count = value_at(self.counted, answers)
        return 1 / count if count > 0 else 0.0


NumberOrPath = Annotated[NumberFile, BeforeValidator(lambda value: {"of": value} if isinstance(value, str) else value)]


def value_at(path: str, answers: Mapping[str, Any]) -> float:
    """The number that a path leads to in what commands printed; nan where that is null, which tells of nothing.

    :raises UsageError: naming what there is where the path ends.
    """
    found: Any = answers
    for match in _STEP.finditer(path):
        found = _inner(found, match, path)
    if found is None:
        return math.nan
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise UsageError(f"numbers: {path} leads to {_kind(found)}, and no number.")
    return float(found)


def _inner(found: Any, match: re.Match[str], path: str) -> Any:
    key, place, value = match.groups()
    if key is not None and isinstance(found, Mapping):
        if key not in found:
            raise UsageError(f"numbers: {path}: there is no {key!r}. {suggestion(key, map(str, found))}")
        return found[key]
    if key is not None and isinstance(found, list) and _is_place(key, found):
        return found[int(key)]
    if place is not None and isinstance(found, Sequence) and not isinstance(found, str):
        if value is None and _is_place(place, found):
            return found[int(place)]
        chosen = [row for row in found if isinstance(row, Mapping) and str(row.get(place)) == value]
        if len(chosen) == 1:
            return chosen[0]
        raise UsageError(
            f"numbers: {path}: [{match[0].strip('[]')}] chooses {len(chosen)} of {len(found)}; it is to choose one."
        )
    raise UsageError(f"numbers: {path}: before {match[0]!r} stands {_kind(found)}.")


def _is_place(text: str, found: Sequence[Any]) -> bool:
    """Whether it says a place of a list; a negative one counts from its end."""
    return text.lstrip("-").isdigit() and -len(found) <= int(text) < len(found)


def _kind(found: Any) -> str:
    if isinstance(found, Mapping):
        return f"a mapping with {', '.join(map(str, found))}"
    return f"a list of {len(found)}" if isinstance(found, list) else repr(found)


def measured(name: str, number: NumberFile, values: Sequence[float], step: float = 0.0) -> Measured:
    """A number over its repeats, with the 95% interval of its mean.

    :param step: in which it can change.
    """
    finite = [value for value in values if math.isfinite(value)]
    interval = None if number.exact else evaluation.mean_interval(finite, within=_within(number), step=step)
    return Measured(
        name,
        number.label or name,
        number.unit,
        tuple(values),
        sum(finite) / len(finite) if finite else None,
        None if interval is None else interval.low,
        None if interval is None else interval.high,
    )


def _within(number: NumberFile) -> tuple[float, float] | None:
    return (0.0, 1.0) if number.unit == "share" else None


@dataclass(frozen=True)
class Rule:
    """A number on one side of a level or of another number, or equal to it.

    :param level: a value, or the name of a number.
    :param within: how far off still counts as equal.
    """

    text: str
    number: str
    bound: str
    level: float | str
    within: float = 0.0

    def is_exact(self, numbers: Mapping[str, "NumberFile"]) -> bool:
        """Whether it is of numbers that depend on no training."""
        return all(numbers[name].exact for name in map(str, (self.number, self.level)) if name in numbers)


def read_rule(text: str, numbers: Mapping[str, NumberFile]) -> Rule:
    """A rule from its sentence.

    :raises UsageError: with what a rule looks like, or the numbers there are.
    """
    match = _RULE.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"claims: {text!r} is no rule. Write NUMBER is at least 90%, or at most, above, below, equal to."
        )
    level: float | str = match["level"]
    for name in (match["number"], level):
        if name not in numbers and (name is not level or plain_or_percent(str(level)) is None):
            raise UsageError(f"claims: {text!r}: there is no number {name!r}. {suggestion(str(name), numbers)}")
    level = level if level in numbers else plain_or_percent(str(level)) or 0.0
    if match["within"] and match["bound"] != "equal to":
        raise UsageError(f"claims: {text!r}: only what is equal is so within something.")
    within = plain_or_percent(match["within"] or "0")
    if within is None or within < 0:
        raise UsageError(f"claims: {text!r}: {match['within']!r} is no margin. Write a number such as 0.01 or 1%.")
    return Rule(text, match["number"], match["bound"], level, within)


def _published(value: Any) -> float:
    found = None if isinstance(value, bool) else plain_or_percent(str(value))
    if found is None:
        raise UsageError(f"published: {value!r} is no number. Write one such as 0.72 or 72%.")
    return found


class PublishedNumber(BaseModel):
    """A number of the paper, and which of ours it is.

    :param tolerance: a difference up to this counts as reproduced.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    number: str
    value: Annotated[float, BeforeValidator(_published)]
    label: str | None = None
    note: str | None = None
    tolerance: Annotated[float | None, Field(gt=0)] = None


def judge(
    rule: Rule,
    values: Mapping[str, Sequence[float]],
    numbers: Mapping[str, NumberFile],
    rules: int,
    steps: Mapping[str, float] = NO_STEPS,
) -> RuleVerdict:
    """Whether a rule holds, judged by the interval over repeats; all ``rules`` of an entry err in 5% together at most.

    :param values: of each number, by repeat.
    :param steps: in which a number can change, of those that do in steps.
    """
    number, unit = numbers[rule.number], _UNITS[numbers[rule.number].unit]
    other = numbers.get(rule.level) if isinstance(rule.level, str) else None
    ours, theirs = values[rule.number], values[rule.level] if isinstance(rule.level, str) else None
    sizes = list(ours) if theirs is None else [a - b for a, b in zip(ours, theirs, strict=True)]
    sizes = [size for size in sizes if math.isfinite(size)]
    level = 0.0 if isinstance(rule.level, str) else rule.level
    if not sizes:
        return "undecided", "It is not measured."
    name = number.label or rule.number
    if number.exact and (other is None or other.exact):
        beside = "" if other is None or theirs is None else f"; {other.label or rule.level}: {_value(theirs[0], unit)}"
        return _side(rule, sizes[0], sizes[0], level), f"{name}: {_value(ours[0], unit)}{beside}."
    mean = sum(sizes) / len(sizes)
    said = f"{name}: {_value(mean, unit)}"
    if other is not None:
        said = f"{name} minus {other.label or rule.level}: {unit.signed(mean)}"
    # Two that change in steps of their own differ by what both may be off.
    step = math.hypot(*(steps.get(str(name), 0.0) for name in (rule.number, rule.level)))
    within = _within(number) if other is None else None
    interval = evaluation.mean_interval(sizes, 1 - _ERROR_RATE / rules, within=within, step=step)
    if interval is None:
        few = (
            "one training tells nothing of how trainings differ"
            if len(sizes) == 1
            else "repeats that all agree tell nothing of the spread"
        )
        return "undecided", f"{said}; {few}."
    words = unit.range(interval.low, interval.high, sign=other is not None)
    kind = "simultaneous 95% interval" if rules > 1 else "95% interval"
    return _side(rule, interval.low, interval.high, level), f"{said} ({kind} {words} over {len(sizes)} repeats)."


def _value(value: float, unit: Unit) -> str:
    """A number as it is told: a count without digits after the point."""
    return plain_number(value) if unit is NUMBER and value == int(value) else unit.value(value)


def _side(rule: Rule, low: float, high: float, level: float) -> str:
    """Whether the whole interval lies on the side claimed, or on the other."""
    if rule.bound == "equal to":
        is_in = level - rule.within <= low and high <= level + rule.within
        is_out = high < level - rule.within or low > level + rule.within
        return "supported" if is_in else "contradicted" if is_out else "undecided"
    is_open = rule.bound in ("above", "below")
    if rule.bound in ("at most", "below"):
        low, high, level = -high, -low, -level
    if low > level or (low == level and not is_open):
        return "supported"
    return "contradicted" if high < level or (high == level and is_open) else "undecided"


def beside(
    row: PublishedNumber, values: Sequence[float], number: NumberFile, reason: str | None, step: float = 0.0
) -> ComparedNumber:
    """A published number beside the measured one.

    :param reason: why the two are not comparable.
    :param step: in which ours can change.
    """
    values = [each for each in values if math.isfinite(each)]
    value, label, note = row.value, row.label or number.label or row.number, row.note
    if not values:
        return ComparedNumber(label, number.unit, value, None, None, None, None, "not measured", note)
    if number.exact:
        return _beside_exact(label, value, values[0], number, reason, note)
    found = evaluation.compare_to_number(
        values,
        value,
        higher_is_better=number.better == "higher",
        unit=_UNITS[number.unit],
        tolerance=row.tolerance,
        within=_within(number),
        step=step,
    )
    word: Word = "undecided" if found.verdict == "untested" else found.verdict
    said = reason or (found.why if found.verdict == "untested" else None)
    interval = found.interval if len(values) > 1 else None
    return ComparedNumber(
        label,
        number.unit,
        value,
        found.mean,
        found.difference,
        None if interval is None else interval.low,
        None if interval is None else interval.high,
        "not comparable" if reason else word,
        "; ".join(filter(None, (said, note))) or None,
    )


def _beside_exact(
    label: str, published: float, ours: float, number: NumberFile, reason: str | None, note: str | None
) -> ComparedNumber:
    """Where one value decides: it is the same number or it is not."""
    word: Word = "better" if (ours > published) == (number.better == "higher") else "worse"
    word = "not comparable" if reason else "reproduced" if ours == published else word
    return ComparedNumber(label, number.unit, published, ours, ours - published, None, None, word, reason or note)
