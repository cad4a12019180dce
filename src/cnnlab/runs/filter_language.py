"""The small language in which runs are chosen and ordered: ``model~vgg``, ``test_accuracy>=90%``.

::

    filter    := condition ("and" condition)*
    condition := key ("=" | "!=" | "~" | "<" | "<=" | ">" | ">=") value

A key is one of a recipe, dotted where it reaches into a spec (``optimizer.lr``, ``augment[0].p``); a score, as
``test_accuracy`` or ``out_of_fold_accuracy``; or a fact of the run: :data:`FACTS`. ``=`` of a spec asks for what is
written: ``model=cnn`` for any network ``cnn``, ``augment='flip|shift(0.1)'`` for these two operations with this
argument. ``~`` asks whether a text occurs in the value, in whatever case. The other signs compare numbers, and times as
``started>=2026-11-01``. A run that has no such value fits ``!=`` alone. A value in quotes may hold " and ".
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

from cnnlab.core.counterparts import hint, keys, metrics
from cnnlab.core.errors import SpecError, UsageError
from cnnlab.core.metric_names import better
from cnnlab.core.scored_splits import OUT_OF_FOLD, read_score_name
from cnnlab.core.sinks import in_short
from cnnlab.core.spec import Call, read
from cnnlab.runs.keys import MISSING, lookup
from cnnlab.runs.record import flattened
from cnnlab.runs.run_info import RunInfo

R = TypeVar("R", bound=RunInfo)
FACTS: Mapping[str, Callable[[RunInfo], Any]] = {
    "run": lambda run: run.name,
    "study": lambda run: run.study,
    "state": lambda run: run.state,
    "digest": lambda run: run.digest,
    "repeat": lambda run: run.repeat,
    "started": lambda run: run.started,
    "seconds": lambda run: run.seconds,
    "epochs_done": lambda run: run.epochs_done,
}
"""What is known of a run besides its recipe and its scores."""
_SPLITS = ("train", "validation", "test", OUT_OF_FOLD)
_CONDITION = re.compile(r"\s*([A-Za-z_][\w.\[\]-]*)\s*(!=|<=|>=|==|=~|=|~|<|>)\s*(.*)\s*", re.DOTALL)
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_FORM = "A condition is KEY=VALUE, with =, !=, ~ (contains), <, <=, > or >= between, such as model~vgg or epochs>=10"
_LONG = 40
Number: TypeAlias = int | float


@dataclass(frozen=True)
class Condition:
    """One condition that a run may fit.

    :param text: as it was given.
    """

    key: str
    sign: str
    value: str
    text: str

    def fits(self, run: RunInfo) -> bool:
        """Whether a run fits it.

        :raises UsageError: for an order that there is not between its value and the one given.
        """
        value = value_of(run, self.key)
        if self.sign == "!=":
            return not _is_equal(value, self.value)
        if value is MISSING or (value is None and self.sign not in ("=", "~")):
            return False
        if self.sign == "=":
            return _is_equal(value, self.value)
        if self.sign == "~":
            return self.value.lower() in _text(value).lower()
        return _ORDER[self.sign](*self._comparable(value))

    def _comparable(self, value: Any) -> tuple[Any, Any]:
        if self.key == "started":
            return datetime.fromisoformat(value), self._moment()
        wanted = as_number(self.value)
        if not isinstance(value, Number) or isinstance(value, bool):
            raise UsageError(
                f"{self.text}: {self.sign} compares numbers, and {self.key} is a text, such as "
                f"{in_short(_text(value), _LONG)!r}. Ask for it with {self.key}=… or {self.key}~…"
            )
        if wanted is None:
            raise UsageError(f"{self.text}: {self.key} is a number, and {self.value!r} is none.")
        return value, wanted

    def _moment(self) -> datetime:
        try:
            return datetime.fromisoformat(self.value).astimezone()
        except ValueError:
            raise UsageError(
                f"{self.text}: {self.value!r} is no time. Write a day, as 2026-11-01, or 2026-11-01T18:30."
            ) from None


def is_condition(word: str) -> bool:
    """Whether a word has the form of a condition, rather than that of a name."""
    return _CONDITION.fullmatch(word) is not None


def read_filter(words: Iterable[str]) -> tuple[Condition, ...]:
    """The conditions of some words, each of one condition or of several joined by ``and``; all have to be met.

    :raises UsageError: for what is no condition, saying what one looks like.
    """
    return tuple(_condition(part) for word in words for part in _parts(word))


def chosen(runs: Sequence[R], conditions: Sequence[Condition]) -> list[R]:
    """The runs that fit all conditions, in their order.

    :raises UsageError: for a key that none of them has.
    """
    for condition in conditions:
        check_key(condition.key, runs, condition.text)
    return [run for run in runs if all(condition.fits(run) for condition in conditions)]


def sort_runs(runs: Sequence[R], key: str, *, reverse: bool = False) -> list[R]:
    """The runs by a key: of a score the best first, of anything else the least; those without it last.

    :raises UsageError: for a key that none of them has.
    """
    check_key(key, runs, key)
    values = {id(run): value_of(run, key) for run in runs}
    known = [run for run in runs if values[id(run)] not in (MISSING, None)]
    others = [run for run in runs if values[id(run)] in (MISSING, None)]
    is_down = (_is_score(key) and better(key) == "higher") != reverse
    return [*sorted(known, key=lambda run: _rank(values[id(run)]), reverse=is_down), *others]


def value_of(run: RunInfo, key: str) -> Any:
    """What a run has under a key of this language, or :data:`~cnnlab.runs.keys.MISSING`."""
    if key in FACTS:
        return FACTS[key](run)
    if _is_score(key):
        split, metric = read_score_name(key)
        value = run.scores(split).get(metric, MISSING)
        if value is not MISSING:
            return value
    return lookup(run.recipe, key)


def check_key(key: str, runs: Sequence[RunInfo], text: str) -> None:
    """Refuses a key that none of some runs has.

    :param text: the words in which it stands.
    :raises UsageError: naming the closest that there are.
    """
    if not runs or key in FACTS or any(value_of(run, key) is not MISSING for run in runs):
        return
    recipes = {name for run in runs for name in flattened(run.recipe)}
    scores = {f"{split}_{name}" for run in runs for split in _SPLITS for name in run.scores(split)}
    meant = [
        *metrics(key, scores),
        *(path for path in _paths(key) if any(value_of(run, path) is not MISSING for run in runs)),
    ]
    raise UsageError(f"{text}: no run has {key!r}. {hint(key, {*FACTS, *recipes, *scores}, meant[:1])}")


def _paths(key: str) -> list[str]:
    """The keys of a recipe, and the arguments of its specs, that another library's argument may mean."""
    return [line.partition("=")[0] for ours in keys.of(key) for line in ours.split()]


def as_number(text: str) -> float | None:
    """A number as it is typed, ``90%`` for 0.9; None where it is none."""
    is_share = text.endswith("%")
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        return None
    return number / 100 if is_share else number


def _parts(word: str) -> list[str]:
    """What stands between the ``and``s that are in no quotes."""
    hidden = _QUOTED.sub(lambda quoted: "\0" * len(quoted[0]), word)
    starts = [0, *(joint.end() for joint in _AND.finditer(hidden))]
    ends = [*(joint.start() for joint in _AND.finditer(hidden)), len(word)]
    return [word[start:end] for start, end in zip(starts, ends, strict=True)]


def _condition(text: str) -> Condition:
    found = _CONDITION.fullmatch(text)
    if found is None:
        hint = ". In a shell, quote what holds < or >, which would name a file" if text.strip().isidentifier() else ""
        raise UsageError(f"{text.strip()!r} is no condition on runs. {_FORM}{hint}.")
    key, sign, value = found[1], found[2], found[3].strip()
    if sign in ("==", "=~"):
        raise UsageError(f"{text.strip()}: write {sign[-1]} once, as in {key}{sign[-1]}{value}.")
    if _QUOTED.fullmatch(value):
        value = value[1:-1]
    elif not value:
        hint = f" If none is meant, write {key}{sign}none." if sign in ("=", "!=") else ""
        raise UsageError(f"{text.strip()}: a value is missing after {sign}.{hint}")
    return Condition(key, sign, value, text.strip())


def _is_score(key: str) -> bool:
    split, metric = read_score_name(key)
    return split in _SPLITS and bool(metric)


def _is_equal(value: Any, wanted: str) -> bool:
    if value is MISSING:
        return False
    if value is None or isinstance(value, bool):
        return _text(value) == wanted.lower().replace("null", "none")
    if isinstance(value, Number):
        number = as_number(wanted)
        return number is not None and float(value) == number
    text = _text(value)
    return text.lower() == wanted.lower() or _is_meant(wanted, text)


def _is_meant(wanted: str, text: str) -> bool:
    """Whether a spec is one of those that another, written in short, may stand for."""
    try:
        short, full = read(wanted), read(text)
    except SpecError:
        return False
    return bool(short) and len(short) == len(full) and all(map(_is_call_meant, short, full))


def _is_call_meant(short: Call, full: Call) -> bool:
    # In canonical form every argument has its name, in the order in which they may be given by place.
    by_place = [*full.args, *full.kwargs.values()]
    return (
        short.name == full.name
        and len(short.args) <= len(by_place)
        and all(a == b for a, b in zip(short.args, by_place, strict=False))
        and all(name in full.kwargs and full.kwargs[name] == value for name, value in short.kwargs.items())
    )


def _text(value: Any) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _rank(value: Any) -> tuple[bool, float, str]:
    """Numbers before texts."""
    if isinstance(value, Number):
        return False, float(value), ""
    return True, 0.0, _text(value).lower()
