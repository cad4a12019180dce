"""All comparisons to report on one metric, by the test that suits the trials there are."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import combinations

from cnnlab.core.errors import CnnlabError
from cnnlab.core.measurements import Metric
from cnnlab.evaluation import Comparisons, Difference
from cnnlab.studies.result import Family, Setting, SettingComparison
from cnnlab.studies.statistics.rank_comparisons import family_by_ranks
from cnnlab.studies.statistics.single_runs import Read, are_single, family_of_single_runs
from cnnlab.studies.statistics.tables import MOST_PAIRED, Tables, ends


def compare_all(metric: Metric, settings: Sequence[Setting], tables: Tables, read: Read) -> Family | None:
    """All settings with the baseline, or among each other; None where there is nothing to compare yet.

    Settings that were trained once each are compared picture by picture, where their predictions allow that.
    """
    if are_single(settings) and len(settings) <= MOST_PAIRED:
        try:
            family = _single_runs(metric, settings, tables.baseline, read)
        except CnnlabError:
            family = None
        if family is not None:
            return family
    return over_repeats(tables, metric.name)


def over_repeats(tables: Tables, metric: str) -> Family | None:
    """By the values of the repeats, or by their ranks where some have none."""
    if len(tables.labels) < 2 or (tables.baseline is None and len(tables.labels) > MOST_PAIRED):
        return None
    if tables.late(metric, tables.labels):
        return family_by_ranks(tables, metric)
    if not any(tables.values[metric].values()):
        return None
    keys = {label: key for key, label in tables.labels.items()}
    return family_of(tables.compared(metric, tables.baseline), metric, keys)


def family_of(comparisons: Comparisons, metric: str, keys: Mapping[str, str]) -> Family:
    """Comparisons of settings by their labels as a family of settings by their keys.

    :param keys: by label.
    """
    return Family(
        metric,
        "pairs" if comparisons.baseline is None else "baseline",
        comparisons.method,
        comparisons.reason,
        tuple(_comparison(metric, difference, keys) for difference in comparisons.differences),
        comparisons.cautions,
        {name: getattr(comparisons, name) for name in ("pooled_std", "df", "blocked", "level")},
    )


def _single_runs(metric: Metric, settings: Sequence[Setting], baseline: str | None, read: Read) -> Family | None:
    known = [setting for setting in settings if setting.finished]
    base = next((setting for setting in known if setting.key == baseline), None)
    pairs = [(setting, base) for setting in known if base and setting is not base] or [
        (later, earlier) for earlier, later in combinations(known, 2)
    ]
    return family_of_single_runs(metric, pairs, base is not None, cache(read))


def _comparison(metric: str, difference: Difference, keys: Mapping[str, str]) -> SettingComparison:
    return SettingComparison(
        metric,
        keys[difference.setting],
        keys[difference.reference],
        difference.estimate,
        *ends(difference.interval),
        difference.p_value,
        difference.verdict,
        difference.sentence,
        difference.repeats,
        difference.more_repeats,
        difference.to_see,
        difference.test,
    )
