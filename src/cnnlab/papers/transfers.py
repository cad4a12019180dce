"""Entries that are transfers: classifiers on features of backbones, each a row with two axes, and claims on these."""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from cnnlab import evaluation
from cnnlab.core.errors import CnnlabError, UsageError, suggestion
from cnnlab.core.spec import read
from cnnlab.evaluation import FoldScore, Interval
from cnnlab.evaluation.units import POINTS
from cnnlab.papers.claims import OPPOSITE, RuleVerdict, put_together, rules_of
from cnnlab.papers.entry import EntryAt
from cnnlab.papers.expectations import Comparison
from cnnlab.papers.format import explained
from cnnlab.papers.numbers import NumberFile, PublishedNumber, beside, measured
from cnnlab.papers.result import EntryResult, Judgement
from cnnlab.studies.claim_grammar import (
    Amount,
    BestClaim,
    BoundClaim,
    ChosenSettings,
    ComparisonClaim,
    NoDifferenceClaim,
    SpreadClaim,
    read_claim,
)
from cnnlab.studies.study_file import PublishedTable, TableRow
from cnnlab.transfer.record import METRICS

if TYPE_CHECKING:
    from cnnlab.runs import Run
    from cnnlab.studies import StudyPlan
    from cnnlab.transfer.record import RowRecord, TransferRecord
    from cnnlab.transfer.request import TransferRequest
    from cnnlab.transfer.result import TransferResult

_AXES = ("classifier", "backbone", "layer")
_ERROR_RATE = 0.05
_POINT = 0.01
_NO_ROWS = "There are no such rows here."
_FEW = "Repeats are too few, or all agree."


class TransferEntry:
    """An entry that is a transfer, at one scale."""

    def __init__(self, at: EntryAt) -> None:
        self.at = at
        asked = at.entry.file.content["transfer"]
        if not isinstance(asked, Mapping):
            raise UsageError(f"{at.entry.path}: transfer takes keys of cnnlab transfer, such as data and backbones.")
        self.keys = {**asked, **at.keys}
        try:
            self.published = tuple(map(_table, at.entry.file.published))
            self._refuse_slips()
        except UsageError as error:
            raise UsageError(f"{at.entry.path}, {at.scale}: {error}") from error

    def _refuse_slips(self) -> None:
        """Finds before anything is computed what would end the entry after that."""
        for rule in rules_of(self.at.claims, {}):
            claim = _read(rule)
            one = claim.setting if isinstance(claim, BestClaim | BoundClaim) else None
            sides = (claim.left, claim.right) if isinstance(claim, ComparisonClaim | NoDifferenceClaim) else (one,)
            for side in (side.values or {} for side in sides if side is not None):
                _refuse_axes(side)
                self._refuse_stranger(rule, side.get("classifier"))
            _read_metric("claims", claim.metric)
        for table in self.published:
            _read_metric("published", table.metric)
            for row in table.rows:
                _refuse_axes(row.axes)

    def _refuse_stranger(self, rule: str, classifier: str | None) -> None:
        """Refuses a classifier that is not among those compared; at the scale smoke, they may be fewer."""
        if classifier is None or self.at.scale == "smoke":
            return
        if not _meant("classifier", classifier, self._classifiers):
            raise UsageError(
                f"claims: {rule!r}: there is no classifier {classifier!r}. {suggestion(classifier, self._classifiers)}"
            )

    @cached_property
    def _asked(self) -> "TransferRequest":
        """What is asked, read as it will be.

        :raises UsageError: for what cannot be meant.
        """
        from cnnlab.transfer.request import TransferRequest

        return TransferRequest.read(dict(self.keys))

    def check(self) -> None:
        """Reads what is asked, and computes nothing."""
        try:
            _ = self._asked
        except UsageError as error:
            raise UsageError(f"{self.at.entry.path}, {self.at.scale}: {error}") from error

    def plans(self, probe: bool) -> "list[StudyPlan]":
        """None: features are not timed beforehand."""
        return []

    def run(self, workers: int | None = None) -> EntryResult:
        """Makes the transfer, or finds it made."""
        from cnnlab.transfer.api import made_transfer

        place = self.at.place
        keys = {**self.keys, "name": self.at.name, **({"device": place.device} if place.device else {})}
        made = made_transfer(None, keys, runs=place.runs, data_dir=place.data_dir, offline=place.offline)
        self.__dict__["made"] = made
        return self.result()

    def comparisons(self) -> list[Comparison]:
        """Its classifiers, in the mean over backbones and layers."""
        names, scores = self._classifiers, dict[str, list[float]]()
        if self.made is not None:
            record = self.made.record
            names = list(dict.fromkeys(row.classifier for row in record.rows))
            for row in record.rows:
                scores.setdefault(row.classifier, []).extend(each.scores[record.metric] for each in row.repeats)
        means = {name: math.fsum(found) / len(found) if (found := scores.get(name)) else None for name in names}
        return [Comparison("", self._asked.metric.replace("_", " "), "share", True, means)]

    @property
    def _classifiers(self) -> list[str]:
        parts = self._asked.parts
        return [*(str(call.short) for call in parts.classifiers), *(str(grid.call) for grid in parts.grids)]

    @cached_property
    def made(self) -> "TransferResult | None":
        """The transfer that is there; None before it was made, or where something else is asked for since.

        Whether data and weights are the same is known once it is run.
        """
        from cnnlab.runs import store_at
        from cnnlab.transfer.result import TransferResult

        asked = {key: str(value) for key, value in self._asked.content.items()}
        for run in reversed(store_at(self.at.place.runs).named(self.at.name)):
            if {key: str(value) for key, value in run.recipe.items() if key not in ("data", "backbones")} == asked:
                return TransferResult(run)
        return None

    def runs(self) -> "dict[str, Run]":
        """The run of the transfer, by its name."""
        return {} if self.made is None else {self.made.run.name: self.made.run}

    def result(self) -> EntryResult:
        """What can be said now."""
        claims = self.at.claims
        if self.made is None:
            missing = (f"the transfer {self.at.name} is not made yet",)
            return self.at.outcome(claims=put_together(claims, {}, {}, self.at.scale), missing=missing)
        rows = _Rows(self.made.record)
        rules = rules_of(claims, {})
        judged = {} if self.at.scale == "smoke" else {rule: rows.judge(rule, len(rules)) for rule in rules}
        reason = "; ".join(self.at.entry.file.at(self.at.entry.file.not_comparable, self.at.scale)) or None
        share = NumberFile(of="transfer", unit="share")
        stand_ins = self.at.entry.file.stand_ins_at(self.at.scale)
        seconds = float(self.made.run.seconds or 0.0)
        return self.at.outcome(
            claims=put_together(claims, judged, {}, self.at.scale),
            numbers=tuple(
                beside(_number(row, table, stand_ins), rows.published(row, table, stand_ins), share, reason)
                for table in self.published
                for row in table.rows
            ),
            measured=tuple(measured(label, share, values) for label, values in rows.values.items()),
            seconds=seconds,
            trainings={self.made.run.name: seconds},
        )


class _Rows:
    """The rows of a transfer, found by classifier, backbone and layer."""

    def __init__(self, record: "TransferRecord") -> None:
        self.record = record
        self.values = {self._label(row): self._scores(row, record.metric) for row in record.rows}

    def _label(self, row: "RowRecord") -> str:
        column = self.record.columns[row.column]
        return f"{row.classifier} on {column.label}"

    def _scores(self, row: "RowRecord", metric: str) -> list[float]:
        return [each.scores[metric] for each in row.repeats]

    def _facts(self, row: "RowRecord") -> dict[str, str]:
        column = self.record.columns[row.column]
        return {"classifier": row.classifier, "backbone": column.network, "layer": column.layer}

    def find(self, values: Mapping[str, Any]) -> "list[RowRecord]":
        """The rows that bear these values."""
        rows = list(self.record.rows)
        known = {axis: [self._facts(row)[axis] for row in rows] for axis in values}
        wanted = {axis: _meant(axis, value, known[axis]) for axis, value in values.items()}
        return [row for row in rows if all(self._facts(row)[axis] in wanted[axis] for axis in values)]

    def published(self, row: TableRow, table: PublishedTable, stand_ins: Mapping[str, str]) -> list[float]:
        """The values that a published row stands beside; none where no row here is of that."""
        found = self.find({axis: stand_ins.get(str(value), value) for axis, value in row.axes.items()})
        metric = _read_metric("published", table.metric) or self.record.metric
        return self._scores(found[0], metric) if len(found) == 1 else []

    def judge(self, rule: str, rules: int) -> RuleVerdict:
        """Whether a claim holds, all ``rules`` of an entry together wrong in 5% at most."""
        claim = _read(rule)
        metric = _read_metric("claims", claim.metric) or self.record.metric
        if isinstance(claim, BestClaim):
            return self._best(claim, metric, rules)
        if isinstance(claim, BoundClaim):
            return self._bound(claim, metric, rules)
        pairs = self._pairs(claim.left, claim.right)
        if not pairs:
            return "undecided", _NO_ROWS
        mean, interval = self._difference(pairs, metric, 1 - _ERROR_RATE / rules)
        told = f"{_named(claim.left)} against {_named(claim.right)}: {_told(mean, interval)}."
        if interval is None:
            return "undecided", f"{told} {_FEW}"
        if isinstance(claim, NoDifferenceClaim):
            within = _amount(claim.within) if claim.within else _POINT
            is_in = -within < interval.low and interval.high < within
            is_out = interval.low > within or interval.high < -within
            return "supported" if is_in else "contradicted" if is_out else "undecided", told
        margin = _amount(claim.margin) if claim.margin else 0.0
        is_more = claim.relation in ("better", "higher")
        return _beyond([(interval.low, interval.high) if is_more else (-interval.high, -interval.low)], margin), told

    def _bound(self, claim: BoundClaim, metric: str, rules: int) -> RuleVerdict:
        """A score of the rows that are meant, in the mean over them, or of the best row."""
        rows = list(self.record.rows) if claim.setting is None else self.find(claim.setting.values or {})
        if not rows:
            return "undecided", _NO_ROWS
        groups = [[row] for row in rows] if claim.setting is None else [rows]
        level = 1 - _ERROR_RATE / rules / len(groups)
        found = [self._interval([self._scores(row, metric) for row in group], rows[0], level) for group in groups]
        place = max(range(len(found)), key=lambda each: found[each][0])
        mean, interval = found[place]
        told = f"Best is {self._label(rows[place])}" if claim.setting is None else _named(claim.setting)
        told += f": {POINTS.value(mean)}{_reach(interval, sign=False, unit='%')}."
        known = [(interval.low, interval.high) for _, interval in found if interval is not None]
        if len(known) < len(found):
            return "undecided", f"{told} {_FEW}"
        verdict = _beyond(known, _amount(claim.level))
        return verdict if claim.bound in ("at least", "above") else OPPOSITE[verdict], told

    def _best(self, claim: BestClaim, metric: str, rules: int) -> RuleVerdict:
        """Better than every other on each backbone, in the mean over backbones."""
        mine = self.find(claim.setting.values or {})
        others = {row.classifier for row in self.record.rows} - {row.classifier for row in mine}
        if not mine or not others:
            return "undecided", "There is nothing to compare it with here."
        found = {}
        for other in sorted(others):
            pairs = self._pairs(claim.setting, ChosenSettings({"classifier": other}, other))
            found[other] = self._difference(pairs, metric, 1 - _ERROR_RATE / rules / len(others))
        nearest = min(found, key=lambda name: found[name][0])
        told = f"Nearest is {nearest}: {_told(*found[nearest])}."
        intervals = [interval for _, interval in found.values()]
        if any(interval is None for interval in intervals):
            return "undecided", f"{told} {_FEW}"
        known = [interval for interval in intervals if interval is not None]
        if all(interval.low > 0 for interval in known):
            return "supported", told
        return "contradicted" if any(interval.high < 0 for interval in known) else "undecided", told

    def _pairs(self, left: ChosenSettings, right: ChosenSettings) -> "list[tuple[RowRecord, RowRecord]]":
        """Each row of the left with its counterpart on the right, which agrees in what the right does not name."""
        pairs = []
        for row in self.find(left.values or {}):
            facts = self._facts(row)
            wanted = {axis: value for axis, value in facts.items() if axis not in (right.values or {})}
            pairs += [(row, other) for other in self.find({**wanted, **(right.values or {})}) if other is not row]
        return pairs

    def _difference(
        self, pairs: "Sequence[tuple[RowRecord, RowRecord]]", metric: str, level: float
    ) -> tuple[float, Interval | None]:
        """The mean difference over pairs and repeats, with its interval."""
        apart = [
            [a - b for a, b in zip(self._scores(left, metric), self._scores(right, metric), strict=True)]
            for left, right in pairs
        ]
        return self._interval(apart, pairs[0][0], level)

    def _interval(
        self, columns: Sequence[Sequence[float]], row: "RowRecord", level: float
    ) -> tuple[float, Interval | None]:
        """The mean over columns and their repeats, with its interval corrected for pictures that repeats share.

        :param row: whose repeats say how many pictures they were fitted to and scored on.
        """
        values = [math.fsum(repeat) / len(repeat) for repeat in zip(*columns, strict=True)]
        mean = math.fsum(values) / len(values)
        if self.record.vary == "seed":
            return mean, evaluation.mean_interval(values, level)
        folds = [FoldScore(v, each.pictures, each.trained) for v, each in zip(values, row.repeats, strict=True)]
        return mean, evaluation.corrected_interval(folds, level)


def _beyond(intervals: Sequence[tuple[float, float]], level: float) -> Judgement:
    """Whether one interval at least lies above a level."""
    if any(low > level for low, _ in intervals):
        return "supported"
    return "contradicted" if all(high < level for _, high in intervals) else "undecided"


def _read(rule: str) -> ComparisonClaim | NoDifferenceClaim | BestClaim | BoundClaim:
    claim = read_claim(rule)
    if isinstance(claim, SpreadClaim) or getattr(claim, "is_of_time", False):
        raise UsageError(f"claims: {rule!r}: a transfer compares scores, and no times or spreads.")
    return claim


def _read_metric(where: str, metric: str | None) -> str | None:
    """A score of a transfer, which are those on validation.

    :raises UsageError: for one that it has not.
    """
    name = None if metric is None else metric.removeprefix("validation_")
    if name is not None and name not in METRICS:
        raise UsageError(f"{where}: a transfer has no metric {metric!r}. {suggestion(str(name), METRICS)}")
    return name


def _in_short(axis: str, value: object) -> str:
    """A value as rows bear it: without arguments of a classifier that are the defaults of it."""
    from cnnlab.transfer.classifiers import read_classifiers

    if axis != "classifier" or "(" not in str(value):
        return str(value)
    try:
        return ", ".join(str(each.short) for each in read_classifiers([str(value)]))
    except CnnlabError:
        return str(value)


def _meant(axis: str, value: object, known: Iterable[str]) -> set[str]:
    """Which of the values of an axis one means: the same spec, or all of a name where none bears it alone."""
    there = set(known)
    same = {each for each in there if _is_same(_in_short(axis, value), each)}
    # A name that is short for a spec with its defaults written out means that spec, and no other of the name.
    return same or {each for each in there if each.partition("(")[0] == str(value)}


def _is_same(asked: str, there: str) -> bool:
    """Whether two specs are the same; calls compare by value: 10 is 10.0."""
    try:
        return asked == there or read(asked) == read(there)
    except CnnlabError:
        return False


def _table(content: Mapping[str, Any]) -> PublishedTable:
    try:
        return PublishedTable.model_validate({"source": "the paper", **content})
    except ValidationError as error:
        raise UsageError(f"published: {explained(error, PublishedTable, {'rows': TableRow})}") from error


def _refuse_axes(values: Mapping[str, Any]) -> None:
    for axis in values:
        if axis not in _AXES:
            raise UsageError(f"a transfer has no axis {axis!r}. {suggestion(axis, _AXES)}")


def _number(row: TableRow, table: PublishedTable, stand_ins: Mapping[str, str]) -> PublishedNumber:
    values = [str(row.axes[axis]) for axis in _AXES if axis in row.axes]
    here = [f"here {stand_ins[value]}" for value in values if value in stand_ins]
    label = row.label or ", ".join([*values, *here])
    return PublishedNumber(number=label, value=row.value, label=label, note=row.note, tolerance=table.tolerance)


def _amount(amount: Amount) -> float:
    return amount.number / 100 if amount.unit == "points" else amount.number


def _named(setting: ChosenSettings) -> str:
    """The rows meant, as they are told: ``svc(C=10) on vgg16``."""
    return " on ".join(map(str, (setting.values or {}).values())) or "all"


def _told(mean: float, interval: Interval | None) -> str:
    return f"{POINTS.signed(mean)}{_reach(interval, sign=True, unit=' points')}"


def _reach(interval: Interval | None, *, sign: bool, unit: str) -> str:
    """An interval that holds together with those of all other rules of the entry."""
    if interval is None:
        return ""
    return f" (simultaneous 95% interval {POINTS.range(interval.low, interval.high, sign=sign)}{unit})"
