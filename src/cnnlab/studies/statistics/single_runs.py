"""Settings that were trained once each, compared picture by picture: what can be said without repeats."""

from collections.abc import Callable, Sequence

from cnnlab.core.measurements import Metric
from cnnlab.evaluation import McNemarResult, compare_predictions
from cnnlab.evaluation.comparison.multiple_comparisons import holm
from cnnlab.runs import Predictions
from cnnlab.studies.result import Family, Setting, SettingComparison

ONLY_REPEATS = "Another seed would give other runs: which recipe is better, only repeats can tell."
_LEVEL = 0.05
Read = Callable[[str, str], Predictions]
"""The predictions of a run, by its name, on a split."""


def split_scored(metric: Metric) -> str | None:
    """The split whose pictures can be compared one by one; None for a metric that is no share of them."""
    split, _, inner = metric.name.partition("_")
    return split if inner == "accuracy" else None


def are_single(settings: Sequence[Setting]) -> bool:
    """Whether there are at least two settings with a finished trial, and none has a second one."""
    counts = [len(setting.finished) for setting in settings]
    return sum(counts) > 1 and max(counts) == 1


def paired(left: Setting, right: Setting, metric: Metric, read: Read) -> McNemarResult | None:
    """McNemar's exact test of two runs; None where the metric is no share of pictures.

    :raises CnnlabError: saying why, where their predictions cannot be compared.
    """
    split = split_scored(metric)
    if split is None:
        return None
    first, second = (read(str(setting.finished[0].run), split) for setting in (left, right))
    return compare_predictions(first, second, names=(left.label, right.label))


def family_of_single_runs(
    metric: Metric, pairs: Sequence[tuple[Setting, Setting]], baseline: bool, read: Read
) -> Family | None:
    """These pairs by McNemar's exact test, adjusted after Holm; None where the metric is no share of pictures.

    :param baseline: whether all pairs are with one of the settings.
    :raises CnnlabError: saying why, where predictions cannot be compared.
    """
    results = [mcnemar for left, right in pairs if (mcnemar := paired(left, right, metric, read)) is not None]
    if not results:
        return None
    adjusted = holm([mcnemar.p_value for mcnemar in results])
    comparisons = tuple(
        SettingComparison(
            *(metric.name, left.key, right.key, mcnemar.difference, mcnemar.interval.low, mcnemar.interval.high, p),
            verdict=mcnemar.verdict if p <= _LEVEL or mcnemar.verdict == "identical" else "undecided",
            sentence=mcnemar.sentence,
            repeats=1,
            test="exact McNemar",
        )
        for (left, right), mcnemar, p in zip(pairs, results, adjusted, strict=True)
    )
    why = (
        f"There is one run of each setting, so these very runs are compared on the same {results[0].n:,} pictures; "
        f"p-values are adjusted after Holm for {len(pairs)} comparison{'' if len(pairs) == 1 else 's'}, the intervals "
        f"are not. {ONLY_REPEATS}"
    )
    return Family(metric.name, "baseline" if baseline else "pairs", "Exact McNemar test", why, comparisons)
