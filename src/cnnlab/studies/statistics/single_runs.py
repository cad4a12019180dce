"""Settings that were trained once each, compared picture by picture: what can be said without repeats.

It is about these very classifiers. Two trainings of one recipe with other seeds differ on the same pictures as well, so
the verdict is never that one setting is better.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache

from cnnlab.core.measurements import Metric
from cnnlab.core.scored_splits import read_score_name
from cnnlab.evaluation import McNemarResult, compare_predictions
from cnnlab.evaluation.comparison.mcnemar import ONLY_REPEATS
from cnnlab.runs import Predictions
from cnnlab.studies.result import MCNEMAR, ComparisonVerdict, Setting, SettingComparison
from cnnlab.studies.statistics.multiplicity import ERROR_RATE, Pair, adjusted
from cnnlab.studies.statistics.pair_results import PairResults

METHOD = "Exact McNemar test"
Read = Callable[[str, str], Predictions]
"""The predictions of a run, by its name, on a split."""
ImageByImage = Callable[[Metric, str, str, float], McNemarResult | None]
"""Two settings of one run each, by their keys, with intervals at a level; None where there are no pictures to compare.

It raises a CnnlabError where their predictions are gone, or are of other pictures.
"""


def split_scored(metric: Metric) -> str | None:
    """The split whose pictures can be compared one by one; None for a metric that is no share of them."""
    split, inner = read_score_name(metric.name)
    return split if inner == "accuracy" else None


def split_of(metric: str) -> tuple[str, str]:
    """The split of a score and what it is without it, as of ``test_accuracy``; both empty where it is no score."""
    split, inner = read_score_name(metric)
    return ("", "") if " " in metric or not inner else (split, inner)


def paired_by(settings: Iterable[Setting], read: Read) -> ImageByImage:
    """McNemar's exact test of two of these settings, where they have one run each."""
    by_key, kept = {setting.key: setting for setting in settings}, cache(read)

    def image_by_image(metric: Metric, left: str, right: str, level: float) -> McNemarResult | None:
        split, pair = split_scored(metric), (by_key[left], by_key[right])
        if split is None or any(len(setting.finished) != 1 for setting in pair):
            return None
        first, second = (kept(str(setting.finished[0].run), split) for setting in pair)
        return compare_predictions(first, second, names=(pair[0].label, pair[1].label), level=level)

    return image_by_image


def by_images(metric: Metric, pairs: Sequence[Pair], error: float, image_by_image: ImageByImage) -> PairResults | None:
    """These pairs by McNemar's exact test, adjusted after Holm; None where there are no pictures to compare.

    :param error: the chance of a false call that these pairs may have among them.
    :raises CnnlabError: saying why, where predictions cannot be compared.
    """
    level = 1 - error / max(1, len(pairs))
    results = []
    for left, right in pairs:
        mcnemar = image_by_image(metric, left, right, level)
        if mcnemar is None:
            return None
        results.append(mcnemar)
    if not results:
        return None
    p_values = adjusted([mcnemar.p_value for mcnemar in results], error)
    comparisons = tuple(
        SettingComparison(
            *(metric.name, *pair, mcnemar.difference, mcnemar.interval.low, mcnemar.interval.high, p),
            verdict=_verdict(mcnemar, p),
            sentence="",
            repeats=1,
            test=MCNEMAR,
            details=_counts(mcnemar),
        )
        for pair, mcnemar, p in zip(pairs, results, p_values, strict=True)
    )
    why = (
        f"There is one training of each setting, so these very classifiers are compared on the same {results[0].n:,} "
        f"pictures (McNemar's exact test, adjusted after Holm). {ONLY_REPEATS}"
    )
    return PairResults("images", comparisons, METHOD, why)


def _verdict(mcnemar: McNemarResult, p: float) -> ComparisonVerdict:
    if mcnemar.verdict == "identical":
        return "identical"
    return "differ" if p <= ERROR_RATE else "undecided"


def _counts(mcnemar: McNemarResult) -> str:
    first, second = mcnemar.names
    counts = f"{mcnemar.only_first:,} only {first} has right, {mcnemar.only_second:,} only {second}"
    return f"of {mcnemar.n:,} pictures {counts}"
