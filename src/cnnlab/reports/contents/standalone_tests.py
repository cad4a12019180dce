"""Which test suits runs that belong to no study: over repeats where there are some, else picture by picture."""

from collections.abc import Mapping, Sequence
from functools import cache

from cnnlab.core.errors import CnnlabError
from cnnlab.core.measurements import Metric
from cnnlab.evaluation import compare_settings, unit_of
from cnnlab.runs import Predictions, Run
from cnnlab.studies.result import Family, Setting
from cnnlab.studies.statistics.families import family_of
from cnnlab.studies.statistics.single_runs import family_of_single_runs, split_scored

_MOST_PAIRS = 6
"""Of more settings than these, each is compared with the best by validation alone, not all with each other."""
LEVEL = 0.95


def compare_standalone(
    settings: Sequence[Setting], metric: Metric, runs: Mapping[str, Run], digests: set[str]
) -> tuple[tuple[Family, ...], list[str]]:
    """The comparisons on one metric, and what is to be said where there are none."""
    known = [setting for setting in settings if (summary := setting.summary(metric.name)) and summary.mean is not None]
    if len(known) < 2:
        return (), []
    if len(digests) > 1:
        return (), ["The runs were scored on data of different content, so they are not tested against each other."]
    repeated = [setting for setting in known if len(setting.finished) > 1]
    if len(repeated) > 1:
        return (_over_repeats(known, metric),), []
    if len(repeated) == 1:
        return (), ["Only one setting has repeats, so nothing tells a difference from chance: train the others again."]
    family, trouble = _image_by_image(known, metric, runs)
    return ((family,), trouble) if family else ((), trouble)


def _over_repeats(settings: Sequence[Setting], metric: Metric) -> Family:
    import pandas as pd

    columns = {s.label: {t.seed: t.metrics.get(metric.name) for t in s.finished} for s in settings}
    comparisons = compare_settings(
        pd.DataFrame(columns).astype(float).sort_index(),
        baseline=_reference(settings, metric).label if len(settings) > _MOST_PAIRS else None,
        level=LEVEL,
        higher_is_better=metric.better == "higher",
        unit=unit_of(metric.name),
    )
    return family_of(comparisons, metric.name, {setting.label: setting.key for setting in settings})


def _reference(settings: Sequence[Setting], metric: Metric) -> Setting:
    """The best by validation, which the test pictures had no say in; where there is none, the first."""
    inner = metric.name.partition("_")[2]
    sign = 1 if metric.better == "higher" else -1
    means = {
        place: summary.mean
        for place, s in enumerate(settings)
        if (summary := s.summary(f"validation_{inner}")) and summary.mean is not None
    }
    return settings[max(means, key=lambda place: sign * means[place])] if means else settings[0]


def _image_by_image(
    settings: Sequence[Setting], metric: Metric, runs: Mapping[str, Run]
) -> tuple[Family | None, list[str]]:
    """McNemar's exact test of single runs: all pairs where they are few, else each with the best by validation."""
    none = "There is one run of each setting, so nothing tells a difference from chance; train more seeds of each."
    if split_scored(metric) is None:
        return None, [none]
    if len(settings) <= _MOST_PAIRS:
        pairs = [(later, earlier) for i, later in enumerate(settings) for earlier in settings[:i]]
    else:
        reference = _reference(settings, metric)
        pairs = [(setting, reference) for setting in settings if setting is not reference]

    @cache
    def read(run: str, split: str) -> Predictions:
        return runs[run].predictions(split)

    try:
        return family_of_single_runs(metric, pairs, len(settings) > _MOST_PAIRS, read), []
    except CnnlabError as error:
        return None, [f"{none} They were not compared picture by picture either: {error}"]
