"""What came out of a study: plain frozen values that go to JSON and back, and all that a report needs but the runs.

Shares (accuracies, recalls) are numbers from 0 to 1; differences are in the unit of their metric.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter

from cnnlab.core.displays import html_facts, html_table
from cnnlab.core.measurements import Metric
from cnnlab.core.number_text import counted
from cnnlab.runs.record import json_value
from cnnlab.studies.search_record import Search

FORMAT = 1
"""Version of ``result.json``."""
MCNEMAR = "exact McNemar"
"""The test of one training each, picture by picture."""

TrialStatus = Literal["finished", "failed", "missing", "pruned"]
FailureKind = Literal["nan", "memory", "crash", "error", "member"]
ClaimVerdict = Literal["supported", "contradicted", "undecided"]
Word = Literal["reproduced", "compatible", "better", "worse", "undecided", "not comparable", "not measured"]
ComparisonVerdict = Literal["better", "worse", "undecided", "alike", "identical", "untested", "differ"]


@dataclass(frozen=True)
class AxisValue:
    """One value of an axis.

    :param label: as the study file has it, or the name given to it there.
    :param value: in canonical form: a spec string, a number, a word or None; a mapping where an axis is several keys.
    """

    label: str
    value: Any


@dataclass(frozen=True)
class Axis:
    """What varies.

    :param keys: the recipe's keys that it sets; one, of the axis' own name, unless the axis is several keys at once.
    :param values: in the order of the study file; of a search, those that were tried, in that order.
    :param space: the space searched, such as ``log(0.0001, 1)``; None for listed values.
    """

    name: str
    keys: tuple[str, ...]
    values: tuple[AxisValue, ...]
    space: str | None = None


@dataclass(frozen=True)
class Trial:
    """One training of one setting with one seed, or one ensemble.

    :param seed: of the repeat; a further training for ensembles is trained with :attr:`Setting.seeds_added` more.
    :param run: name of its folder under :attr:`StudyResult.runs`; None where there is none yet.
    :param digest: of its recipe and data, by which the run is found.
    :param status: ``missing`` where it was not trained, or not to its end; ``pruned`` where a search stopped it.
    :param reason: why it failed, is missing or was pruned.
    :param failure: what kind of failure it was; ``member`` of an ensemble of which a member failed.
    :param metrics: of a finished trial, by name; None where a level was never reached.
    :param seconds: of training, all its processes together; of an ensemble those of its members.
    :param attempts: how often it was begun by this study, 0 where it was there already.
    """

    seed: int
    status: TrialStatus
    run: str | None = None
    digest: str | None = None
    reason: str | None = None
    failure: FailureKind | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    seconds: float = 0.0
    epochs: int = 0
    attempts: int = 0


@dataclass(frozen=True)
class MetricSummary:
    """One metric of one setting over its repeats.

    :param values: by seed, in the order of the seeds; only of trials that have it.
    :param low: lower end of the 95% interval of the mean; None where it cannot be had. Over repeats it is about these
        recipes on these very pictures.
        Of a single training it is about its very weights, on new pictures.
    :param interval: which interval it is, such as ``t over 5 repeats`` or ``Wilson, 10000 pictures``.
    :param new_low: likewise of the 95% interval for these recipes on new pictures like these, which contains the other;
        of an accuracy, or the area under the ROC curve of two classes, over repeats of which predictions are there.
    :param std_of_images: standard error of the mean from having been tested on these pictures and no others.
    """

    metric: str
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    mean: float | None
    std: float | None
    low: float | None
    high: float | None
    interval: str
    new_low: float | None = None
    new_high: float | None = None
    std_of_images: float | None = None

    @property
    def n(self) -> int:
        """How many repeats it is over."""
        return len(self.values)


@dataclass(frozen=True)
class Setting:
    """One combination of values, with its trials.

    :param key: by which comparisons and published rows refer to it, such as ``s3``.
    :param label: short and unique within the study: ``flip``, or ``optimizer=sgd, optimizer.lr=0.1``.
    :param values: axis to label of its value (see :attr:`Axis.values` for the canonical form).
    :param recipe: as ``recipe.yaml`` has it, but for the seed; of an ensemble its method and members.
    :param parameters: weights of the network, where a trial is finished; of an ensemble those of its members together.
    :param members: of an ensemble, the keys of the settings and further trainings that it is made of.
    :param seeds_added: to the seed of each repeat, where it is trained once more for ensembles.
    """

    key: str
    label: str
    values: Mapping[str, str]
    recipe: Mapping[str, Any]
    trials: tuple[Trial, ...] = ()
    summaries: tuple[MetricSummary, ...] = ()
    parameters: int | None = None
    members: tuple[str, ...] = ()
    seeds_added: int = 0

    def summary(self, metric: str) -> MetricSummary | None:
        """The summary of a metric, where there is one."""
        return next((summary for summary in self.summaries if summary.metric == metric), None)

    @property
    def finished(self) -> tuple[Trial, ...]:
        """The trials that have metrics."""
        return tuple(trial for trial in self.trials if trial.status == "finished")

    @property
    def diverged(self) -> tuple[Trial, ...]:
        """The trials whose loss stopped being a number: no accident, but what the setting comes to."""
        return tuple(trial for trial in self.trials if trial.failure == "nan")


@dataclass(frozen=True)
class RepeatsNeeded:
    """How many repeats it takes to see a difference four times out of five.

    :param difference: its size, in the metric's unit.
    :param what: ``seen``, the one observed, or ``smallest``, the smallest that matters.
    :param more: repeats to add to every setting; None for more than a thousand.
    """

    difference: float
    what: Literal["seen", "smallest"]
    more: int | None


@dataclass(frozen=True)
class SettingComparison:
    """Two settings on one metric, corrected for all that is tested in the study.

    :param setting: key of the one compared; ``reference`` of the one it is compared with.
    :param difference: mean of ``setting`` minus mean of ``reference``, in the metric's unit.
    :param low: lower end of the simultaneous 95% interval of the difference; over repeats it is about these recipes on
        these very pictures, as are ``p`` and ``verdict``.
    :param p: adjusted, to be held against 5%; None where no test could be made.
    :param verdict: of ``setting``: ``better``, ``worse``, ``undecided`` (not enough repeats to tell), ``alike``,
        ``identical`` or ``untested``, as :class:`cnnlab.evaluation.Difference` has them; of one training each
        ``differ``: these two have other pictures right, which says nothing of their recipes.
    :param sentence: the verdict with its numbers, for a person.
    :param repeats: seeds that both have.
    :param needed: repeats, where it is undecided.
    :param smallest: the smallest difference that matters, where the study names one.
    :param details: what was counted beside the difference, in words.
    :param why: it was not tested, or its verdict is withheld.
    :param new_low: likewise of the interval for these recipes on new pictures like these, which contains the other; for
        metrics as in :class:`MetricSummary`.
    """

    metric: str
    setting: str
    reference: str
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    verdict: ComparisonVerdict
    sentence: str
    repeats: int = 0
    needed: tuple[RepeatsNeeded, ...] = ()
    test: str = ""
    smallest: float | None = None
    details: str = ""
    why: str = ""
    new_low: float | None = None
    new_high: float | None = None

    @property
    def is_for_these_images(self) -> bool:
        """Whether the verdict is about the pictures tested, and need not hold on new ones like these."""
        if self.new_low is None or self.new_high is None:
            return False
        if self.verdict == "alike":
            small = self.smallest or 0.0
            return not (-small < self.new_low and self.new_high < small)
        return self.verdict in ("better", "worse") and self.new_low <= 0 <= self.new_high

    @property
    def is_of_single_runs(self) -> bool:
        """Whether it is about two trained classifiers, and not about their recipes."""
        return self.test == MCNEMAR


@dataclass(frozen=True)
class Family:
    """All comparisons made on one metric, and how.

    :param kind: ``baseline`` (all against it) or ``pairs`` (all among each other).
    :param method: which test was used, and ``why``.
    :param cautions: what a reader should know before believing the verdicts.
    :param facts: further numbers of the test: ``pooled_std``, ``df``, ``blocked``, ``level``.
    """

    metric: str
    kind: Literal["baseline", "pairs"]
    method: str
    why: str
    comparisons: tuple[SettingComparison, ...]
    cautions: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """A claim and what became of it.

    :param text: as the study file has it.
    :param why: the verdict's reason in one sentence, with its numbers.
    :param numbers: those numbers by name.
    :param settings: keys of the settings that it is about.
    """

    text: str
    verdict: ClaimVerdict
    why: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class PublishedRow:
    """A published number beside the measured one.

    :param label: what it is of, as the study file says it.
    :param setting: key of the setting measured; None where the study has none such.
    :param difference: measured minus published; ``low`` and ``high`` its 95% interval.
    :param reason: why it is not comparable, or a remark.
    """

    label: str
    value: float
    setting: str | None
    measured: float | None
    difference: float | None
    low: float | None
    high: float | None
    word: Word
    reason: str | None = None


@dataclass(frozen=True)
class Published:
    """Published numbers on one metric."""

    source: str
    metric: str
    rows: tuple[PublishedRow, ...]


@dataclass(frozen=True)
class SpreadRatio:
    """How much an ensemble scatters from repeat to repeat, against one of its members.

    :param member: key of the member, or of the one chosen on validation.
    :param ratio: of the standard deviations, the ensemble's over the member's; below 1 it is the steadier one.
    :param low: lower end of the 95% interval of the ratio, by itself and not simultaneous with anything.
    :param p: of equal spreads, by itself.
    :param repeats: that both have.
    :param why: there is no ratio.
    """

    member: str
    ratio: float | None
    low: float | None
    high: float | None
    p: float | None
    repeats: int
    why: str = ""


@dataclass(frozen=True)
class EnsembleSummary:
    """An ensemble beside its members.

    :param setting: its key.
    :param members: the keys of its members, in order.
    :param best: in each repeat the member that was the best on validation; None where there is no validation to choose
        on, or no repeat is whole.
    :param chosen: the key of that member, for each finished trial of ``best``.
    :param chosen_by: the metric.
    :param comparison: with that member, repeat by repeat; one of the study's family.
    :param above: in how many repeats, of ``repeats`` that both have, the ensemble is the better of the two.
    :param spreads: against each member, and against the best.
    :param words: what is to be said of the spreads, in sentences.
    """

    setting: str
    members: tuple[str, ...]
    best: Setting | None = None
    chosen: tuple[str, ...] = ()
    chosen_by: str = ""
    comparison: SettingComparison | None = None
    above: int = 0
    repeats: int = 0
    spreads: tuple[SpreadRatio, ...] = ()
    words: str = ""


@dataclass(frozen=True)
class Looks:
    """How often the numbers were looked at while repeats were added.

    :param made: after how many repeats.
    :param planned: all looks of a sequential design; empty where repeats were raised without one.
    :param false_call: the chance that a comparison in which nothing differs is called at one of them.
    :param words: the same for a person.
    """

    made: tuple[int, ...]
    planned: tuple[int, ...]
    false_call: float
    words: str


@dataclass(frozen=True, repr=False)
class StudyResult:
    """A study's question, its settings with their trials, and what can be said of them.

    :param design: canonical, such as ``grid()``.
    :param seeds: of the repeats, in order.
    :param base: the recipe before anything varies, in full.
    :param metrics: those available, the one the study is judged by first.
    :param baseline: key of the setting that the others are compared with.
    :param families: the comparisons, a table for each metric compared.
    :param multiplicity: what is tested in the study, and how the chance of a false call is held, in sentences.
    :param further: settings trained further times for ensembles; they are compared with nothing.
    :param ensembles: each beside its members.
    :param looks: where repeats were added after numbers had been seen, by plan or not.
    :param data: ``{name, digest, sizes, source}`` of the first finished trial.
    :param execution: what was fixed for the study: device, precision, threads, ``trials_at_once``.
    :param machine: versions, processor, cores.
    :param runs: the folder of runs, as the study was given it.
    :param folder: the study's own.
    :param started: ISO 8601 in UTC, as is ``updated``; ``finished`` is None while trials are missing.
    :param training_seconds: of all finished trials together, wherever they were trained.
    :param untimed: why training times cannot be compared; empty where they can.
    :param wall_seconds: for which ``study run`` was at work on it.
    :param notes: what a reader should know, such as trials that were trained before with other threads.
    """

    name: str
    question: str
    design: str
    seeds: tuple[int, ...]
    base: Mapping[str, Any]
    axes: tuple[Axis, ...]
    metrics: tuple[Metric, ...]
    settings: tuple[Setting, ...]
    baseline: str | None = None
    families: tuple[Family, ...] = ()
    multiplicity: str = ""
    looks: Looks | None = None
    further: tuple[Setting, ...] = ()
    ensembles: tuple[EnsembleSummary, ...] = ()
    claims: tuple[Claim, ...] = ()
    published: tuple[Published, ...] = ()
    search: Search | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    execution: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    runs: str = "runs"
    folder: str = ""
    started: str | None = None
    updated: str | None = None
    finished: str | None = None
    training_seconds: float = 0.0
    untimed: str = ""
    wall_seconds: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def is_quick(self) -> bool:
        """Whether it is a quick trial of a study, which answers nothing."""
        return bool(self.base.get("quick"))

    @property
    def metric(self) -> Metric:
        """The metric the study is judged by."""
        return self.metrics[0]

    def setting(self, key: str) -> Setting:
        """The setting of this key, or the further training for ensembles."""
        return next(setting for setting in self.all_settings if setting.key == key)

    @property
    def all_settings(self) -> tuple[Setting, ...]:
        """The settings with the further trainings that ensembles have of them."""
        return (*self.settings, *self.further)

    @property
    def trained(self) -> tuple[Setting, ...]:
        """All but the ensembles."""
        return tuple(setting for setting in self.all_settings if not setting.members)

    @property
    def missing(self) -> tuple[tuple[Setting, Trial], ...]:
        """Every trial that has no numbers, with its setting."""
        return tuple((s, t) for s in self.all_settings for t in s.trials if t.status in ("failed", "missing"))

    @property
    def best(self) -> Setting | None:
        """The setting with the best mean of :attr:`metric`; those of which trainings diverged come last."""
        sign = 1 if self.metric.better == "higher" else -1
        means = {s.key: summary.mean for s in self.settings if (summary := s.summary(self.metric.name)) is not None}
        known = {
            key: (-len(self.setting(key).diverged), sign * mean) for key, mean in means.items() if mean is not None
        }
        return self.setting(max(known, key=known.__getitem__)) if known else None

    def __repr__(self) -> str:
        best = "" if self.best is None else f", best by {self.metric.name}: {self.best.label}"
        return f"StudyResult({self.name}: {counted(len(self.settings), 'setting')}{best})"

    def _repr_html_(self) -> str:
        facts = [("study", self.name), ("question", self.question), ("as of", self.updated)]
        return f"{html_facts(facts)}{self.html_means()}"

    def html_means(self) -> str:
        """A table for notebooks: a row a setting, its mean of :attr:`metric` and the 95% interval of that."""
        found = [(setting.label, setting.summary(self.metric.name)) for setting in self.settings]
        rows = [(label, known.n, known.mean, known.low, known.high) for label, known in found if known is not None]
        return html_table(("setting", "repeats", self.metric.label, "95% from", "to"), rows)

    def to_dict(self) -> dict[str, Any]:
        """As ``result.json`` holds it."""
        return {"format": FORMAT, "is_quick": self.is_quick, **json_value(asdict(self))}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "StudyResult":
        """As :meth:`to_dict` gave it; keys that are not known are passed over.

        :raises ValueError: naming the place, where something is missing or of another type.
        """
        return _adapter().validate_python(stored)


@cache
def _adapter() -> TypeAdapter[StudyResult]:
    return TypeAdapter(StudyResult)
