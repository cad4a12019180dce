"""Ensembles beside their members: the member that is the best on validation, and how much each scatters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from cnnlab.core.errors import UsageError
from cnnlab.core.measurements import Metric
from cnnlab.core.number_text import counted, fixed
from cnnlab.evaluation.comparison.spread_ratio import LEAST, spread_ratio, usual_ratio
from cnnlab.studies.result import EnsembleSummary, Setting, SettingComparison, SpreadRatio, Trial
from cnnlab.studies.statistics.tables import Tables

TablesOf = Callable[[Sequence[Setting]], Tables]
Compare = Callable[[Setting, Setting], SettingComparison | None]
"""An ensemble with another setting that has its repeats; None where nothing is compared."""
_FEW = 20
"""Repeats under which it is said how little they tell of a spread."""


def ensemble_summary(
    ensemble: Setting,
    members: Sequence[Setting],
    metric: Metric,
    chosen_by: Metric | None,
    tables_of: TablesOf,
    compare: Compare,
) -> EnsembleSummary:
    """One ensemble beside its members.

    :param members: settings and further trainings of them, in order.
    :param metric: that the study is judged by.
    :param chosen_by: the metric of validation by which the best member is chosen; None where there is none.
    """
    best, chosen = (None, ()) if chosen_by is None else best_member(ensemble, members, chosen_by)
    beside = [*members, *([best] if best is not None else [])]
    tables = tables_of([ensemble, *beside])
    values = tables.values[metric.name]
    spreads = tuple(_spread(setting.key, values[ensemble.key], values[setting.key]) for setting in beside)
    summary = EnsembleSummary(
        ensemble.key, ensemble.members, spreads=spreads, words=_words([spread.repeats for spread in spreads])
    )
    if best is None or chosen_by is None:
        return summary
    shared = [seed for seed in values[best.key] if seed in values[ensemble.key]]
    sign = 1 if metric.better == "higher" else -1
    return replace(
        summary,
        best=replace(best, summaries=(tables.summary(metric, best.key),)),
        chosen=chosen,
        chosen_by=chosen_by.name,
        comparison=compare(ensemble, best),
        above=sum(sign * values[ensemble.key][seed] > sign * values[best.key][seed] for seed in shared),
        repeats=len(shared),
    )


def best_member(
    ensemble: Setting, members: Sequence[Setting], chosen_by: Metric
) -> tuple[Setting | None, tuple[str, ...]]:
    """In each repeat the member that is the best on validation, as a setting; and which member that is.

    A repeat counts where all members have a number to choose by; of those that are alike it is the first.
    """
    sign = 1 if chosen_by.better == "higher" else -1
    trials, chosen = [], []
    for place, made in enumerate(ensemble.trials):
        known = [(member.key, member.trials[place]) for member in members]
        scores = [trial.metrics.get(chosen_by.name) for _, trial in known]
        if any(score is None for score in scores):
            trials.append(Trial(made.seed, made.status, reason=made.reason, failure=made.failure))
            continue
        ranks = [sign * (score or 0.0) for score in scores]
        key, trial = known[ranks.index(max(ranks))]
        trials.append(trial)
        chosen.append(key)
    label = f"best member of {ensemble.label}"
    return (Setting(best_key(ensemble.key), label, {}, {}, tuple(trials)) if chosen else None), tuple(chosen)


def best_key(ensemble: str) -> str:
    """By which comparisons refer to the best member of an ensemble."""
    return f"{ensemble}-best"


def _spread(key: str, ensemble: Mapping[int, float], member: Mapping[int, float]) -> SpreadRatio:
    shared = [seed for seed in ensemble if seed in member]
    try:
        found = spread_ratio([ensemble[seed] for seed in shared], [member[seed] for seed in shared])
    except UsageError as error:
        return SpreadRatio(key, None, None, None, None, len(shared), str(error))
    return SpreadRatio(key, found.ratio, found.low, found.high, found.p_value, found.n)


def _words(repeats: Sequence[int]) -> str:
    """How the ratios are to be read, and what so few repeats can tell."""
    fewest = min(repeats, default=0)
    if fewest < LEAST:
        return f"A spread against another takes {LEAST} repeats or more."
    text = (
        "Ratios of standard deviations, the ensemble's over the member's, by the test of Pitman and Morgan, for both "
        "are of the same repeats; it holds for numbers that scatter normally. Each interval and p-value stands by "
        "itself, outside of the family of comparisons."
    )
    if fewest < _FEW:
        factor = fixed(usual_ratio(fewest), 1)
        text += (
            f" {counted(fewest, 'repeat')} say little about a spread: two independent settings that scatter alike "
            f"differ by a factor of up to {factor} in 95% of such studies."
        )
    return text
