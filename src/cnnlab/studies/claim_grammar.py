"""Claims: what a study is expected to show, read by a small grammar before anything trains.

::

    claim     := setting "is" ["significantly"] relation "than" setting
                     ["on" metric] ["by at least" amount]      (these two in either order)
               | setting "is no different from" setting ["on" metric] ["within" amount]      (likewise)
               | setting "is the" ("best" | "fastest") ["on" metric]
               | setting "scatters" ("less" | "more") "than" setting ["on" metric]
               | ["the"] "best" metric "is" bound amount
               | metric ("of" | "with") setting "is" bound amount
    relation  := "better" | "worse" | "higher" | "lower" | "faster" | "slower"
    setting   := axis "=" value (("and" | ",") axis "=" value)* | "the baseline"
    bound     := "at least" | "at most" | "above" | "below"
    amount    := number ["points" | "%" | "s" | "seconds" | "minutes" | "epochs"]
    metric    := test_accuracy, gap, recall of 'cat', epochs to 90% validation_accuracy, seconds, …

A value is quoted, or runs to the next space or comma outside parentheses. It names whatever means the same:
``optimizer='sgd(0.1)'`` is the setting that the file calls ``sgd(lr=0.1)``. A setting that names only some axes stands
for all settings that fit, each compared with its counterpart. Of shares such as accuracies, a point is 0.01.
Without ``on``, a claim is about the metric the study is judged by, and one of faster, slower or fastest about the
training time. Times are compared only where each run was timed alone on one machine. How much a setting scatters is the
standard deviation over repeats, set against that of the other by the test of Pitman and Morgan. A full stop may end it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from cnnlab.core.errors import SpecError, UsageError
from cnnlab.core.measurements import name_pattern

Relation = Literal["better", "worse", "higher", "lower", "faster", "slower"]
BoundWord = Literal["at least", "at most", "above", "below"]
Scatter = Literal["less", "more"]
W = TypeVar("W", bound=str)
_RELATIONS: tuple[Relation, ...] = ("better", "worse", "higher", "lower", "faster", "slower")
_SCATTERS: tuple[Scatter, ...] = ("less", "more")
_BOUNDS: tuple[BoundWord, ...] = ("at least", "at most", "above", "below")
_UNITS = {
    "percentage points": "points",
    "points": "points",
    "point": "points",
    "%": "points",
    "seconds": "seconds",
    "second": "seconds",
    "s": "seconds",
    "minutes": "minutes",
    "minute": "minutes",
    "min": "minutes",
    "epochs": "epochs",
    "epoch": "epochs",
}
_KEY = re.compile(r"([A-Za-z_][\w.\[\]-]*)\s*=\s*")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_FULL_STOP = re.compile(r"(?<=[^\s=./])\s*\.$")
_SETTING = "a setting is expected here, such as augment='flip', or the baseline"
_FORMS = (
    "A claim is one of: SETTING is better than SETTING [on METRIC] [by at least AMOUNT], or worse, higher, lower, "
    "faster or slower; SETTING is no different from SETTING [on METRIC] [within AMOUNT]; SETTING is the best (or the "
    "fastest) [on METRIC]; SETTING scatters less than SETTING [on METRIC]; the best METRIC is at least AMOUNT; METRIC "
    "of SETTING is above AMOUNT. A setting is written augment='flip', or the baseline."
)


@dataclass(frozen=True)
class Amount:
    """A number with its unit, where it has one."""

    number: float
    unit: str = ""


@dataclass(frozen=True)
class ChosenSettings:
    """The settings meant: values by axis; None for the baseline."""

    values: Mapping[str, str] | None
    text: str


@dataclass(frozen=True)
class ComparisonClaim:
    """One setting is better, worse, higher, lower, faster or slower than another."""

    text: str
    left: ChosenSettings
    relation: Relation
    right: ChosenSettings
    metric: str | None
    margin: Amount | None = None

    @property
    def is_of_time(self) -> bool:
        """Whether it is about how long something takes."""
        return self.relation in ("faster", "slower")


@dataclass(frozen=True)
class NoDifferenceClaim:
    """Two settings do not differ by more than a margin."""

    text: str
    left: ChosenSettings
    right: ChosenSettings
    metric: str | None
    within: Amount | None = None


@dataclass(frozen=True)
class BestClaim:
    """One setting is better than every other, or faster."""

    text: str
    setting: ChosenSettings
    metric: str | None
    is_of_time: bool = False


@dataclass(frozen=True)
class BoundClaim:
    """A metric of a setting, or of the best one where that is None, is on one side of a level."""

    text: str
    setting: ChosenSettings | None
    metric: str
    bound: BoundWord
    level: Amount


@dataclass(frozen=True)
class SpreadClaim:
    """One setting scatters less or more than another over the repeats that both have."""

    text: str
    left: ChosenSettings
    scatters: Scatter
    right: ChosenSettings
    metric: str | None


ClaimRead = ComparisonClaim | NoDifferenceClaim | BestClaim | BoundClaim | SpreadClaim


def read_claim(text: str) -> ClaimRead:
    """What a claim says.

    :raises UsageError: with the place, where it does not follow the grammar.
    """
    reader = _Reader(text)
    try:
        claim = reader.about_metric() if reader.starts_with_metric() else reader.about_settings()
        reader.end()
    except SpecError as error:
        raise UsageError(f"the claim cannot be read: {error}. {_FORMS}") from error
    return claim


class _Reader:
    """Recursive descent over one claim; ``at`` is the next unread character.

    ``tried`` are the words looked for in vain at ``tried_at``, which is what may stand there.
    """

    def __init__(self, text: str) -> None:
        self.said, self.at = " ".join(text.split()), 0
        self.text = _FULL_STOP.sub("", self.said)
        self.tried_at = 0
        self.tried: dict[str, None] = {}

    def about_settings(self) -> ClaimRead:
        left = self.setting()
        if self.take("scatters"):
            scatters = self.one_of(_SCATTERS)
            self.expect("than")
            return SpreadClaim(self.said, left, scatters, self.setting(), self.on())
        self.expect("is")
        if self.take("no different from") or self.take("not different from"):
            return NoDifferenceClaim(self.said, left, self.setting(), *self.terms("within"))
        if self.take("the best"):
            return BestClaim(self.said, left, self.on())
        if self.take("the fastest"):
            return BestClaim(self.said, left, self.on(), is_of_time=True)
        self.take("significantly")
        relation = self.one_of(_RELATIONS)
        self.expect("than")
        return ComparisonClaim(self.said, left, relation, self.setting(), *self.terms("by at least"))

    def about_metric(self) -> ClaimRead:
        setting: ChosenSettings | None = None
        is_best = self.take("the best") or self.take("best")
        metric = self.metric()
        if not is_best:
            self.refuse_bare_value()
            if not (self.take("of") or self.take("with")):
                raise self.fail("'of' and a setting are expected here, such as of augment='flip'")
            setting = self.setting()
        self.expect("is")
        bound = self.one_of(_BOUNDS)
        return BoundClaim(self.said, setting, metric, bound, self.amount())

    def refuse_bare_value(self) -> None:
        """What is compared and bears no axis was taken for a metric: ``flip is better than none``."""
        here = self.at
        if self.take("is") and not any(self.take(bound) for bound in _BOUNDS):
            self.at = 0
            raise self.fail(_SETTING)
        self.at = here

    def starts_with_metric(self) -> bool:
        """Whether it does not begin with a setting."""
        return not self.text.lower().startswith("the baseline") and _KEY.match(self.text) is None

    def setting(self) -> ChosenSettings:
        start = self.at
        if self.take("the baseline"):
            return ChosenSettings(None, "the baseline")
        values: dict[str, str] = {}
        while True:
            key = _KEY.match(self.text, self.at)
            if key is None:
                raise self.fail(_SETTING)
            if key.group(1) in values:
                raise self.fail(f"{key.group(1)} is given twice")
            self.at = key.end()
            values[key.group(1)] = self.value()
            end = self.at
            if not (self.take("and") or self.take(",")):
                return ChosenSettings(values, self.text[start:end].strip())

    def value(self) -> str:
        quoted = _QUOTED.match(self.text, self.at)
        if quoted is not None:
            self.at = quoted.end()
            self.skip()
            return quoted.group(1) if quoted.group(1) is not None else quoted.group(2)
        start, depth = self.at, 0
        while self.at < len(self.text):
            sign = self.text[self.at]
            if depth == 0 and sign in " ,":
                break
            depth += (sign in "([") - (sign in ")]")
            self.at += 1
        if start == self.at:
            raise self.fail("a value is expected here")
        words = self.text[start : self.at]
        self.skip()
        return words

    def on(self) -> str | None:
        return self.metric() if self.take("on") else None

    def terms(self, words: str) -> tuple[str | None, Amount | None]:
        """On which metric and by how much, said in either order."""
        amount = self.margin(words)
        metric = self.on()
        return metric, amount if amount is not None else self.margin(words)

    def metric(self) -> str:
        match = re.compile(name_pattern()).match(self.text, self.at)
        if match is None:
            raise self.fail("a metric is expected here, such as test_accuracy")
        self.at = match.end()
        self.skip()
        return match.group().strip()

    def margin(self, words: str) -> Amount | None:
        return self.amount() if self.take(words) else None

    def amount(self) -> Amount:
        match = _NUMBER.match(self.text, self.at)
        if match is None:
            raise self.fail("a number is expected here")
        self.at = match.end()
        self.skip()
        unit = next((unit for word, unit in _UNITS.items() if self.take(word, shown=unit)), "")
        return Amount(float(match.group()), unit)

    def one_of(self, words: tuple[W, ...]) -> W:
        before = self.possible()
        for word in words:
            if self.take(word):
                return word
        raise self.fail(f"one of {', '.join((*words, *before))} is expected here")

    def take(self, words: str, shown: str | None = None) -> bool:
        end = self.at + len(words)
        is_there = self.text[self.at : end].lower() == words
        is_cut = words[-1].isalnum() and end < len(self.text) and (self.text[end].isalnum() or self.text[end] == "_")
        if not is_there or is_cut:
            self.note(shown or words)
            return False
        self.at = end
        self.skip()
        return True

    def note(self, words: str) -> None:
        if self.tried_at != self.at:
            self.tried_at, self.tried = self.at, {}
        self.tried[words] = None

    def possible(self) -> list[str]:
        """What else may stand at this place."""
        return list(self.tried) if self.tried_at == self.at else []

    def expect(self, words: str) -> None:
        before = self.possible()
        if not self.take(words):
            also = f", or {_either(before)}" if before else ""
            raise self.fail(f"{words!r} is expected here{also}")

    def end(self) -> None:
        if self.at < len(self.text):
            before = self.possible()
            also = f", unless it is {_either(before)}" if before else ""
            raise self.fail(f"nothing more is expected here{also}")

    def skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at] == " ":
            self.at += 1

    def fail(self, message: str) -> SpecError:
        return SpecError(message, self.text, self.at)


def _either(words: list[str]) -> str:
    quoted = [f"{word!r}" for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
