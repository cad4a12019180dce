"""Which test suits runs that belong to no study: over repeats where there are some, else picture by picture."""

from collections.abc import Mapping, Sequence
from functools import cache

from cnnlab.core.errors import CnnlabError
from cnnlab.runs import Predictions, Run
from cnnlab.studies.result import Family, Metric, Setting
from cnnlab.studies.statistics.single_runs import family_of_single_runs, split_scored
from cnnlab.studies.statistics.tables import Tables

_MOST_PAIRS = 6
"""Of more settings than these, each is compared with the best by validation alone, not all with each other."""


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
    if len(repeated) == 1:
        return (), ["Only one setting has repeats, so nothing tells a difference from chance: train the others again."]
    family, trouble = (_over_repeats(known, metric), []) if repeated else _image_by_image(known, metric, runs)
    return ((family,) if family else ()), trouble


def _over_repeats(settings: Sequence[Setting], metric: Metric) -> Family | None:
    reference = _reference(settings, metric) if len(settings) > _MOST_PAIRS else None
    seeds = sorted({trial.seed for setting in settings for trial in setting.finished})
    return Tables.of(settings, seeds, [metric], baseline=reference).family(metric.name)


def _reference(settings: Sequence[Setting], metric: Metric) -> str:
    """The best by validation, which the test pictures had no say in; where there is none, the first."""
    inner = metric.name.partition("_")[2]
    sign = 1 if metric.better == "higher" else -1
    means = {
        s.key: summary.mean
        for s in settings
        if (summary := s.summary(f"validation_{inner}")) and summary.mean is not None
    }
    return max(means, key=lambda key: sign * (means[key] or 0.0)) if means else settings[0].key


def _image_by_image(
    settings: Sequence[Setting], metric: Metric, runs: Mapping[str, Run]
) -> tuple[Family | None, list[str]]:
    """McNemar's exact test of single runs: all pairs where they are few, else each with the best by validation."""
    none = "There is one run of each setting, so nothing tells a difference from chance; train more seeds of each."
    if split_scored(metric) is None:
        return None, [none]
    reference = _reference(settings, metric)
    if len(settings) <= _MOST_PAIRS:
        pairs = [(later, earlier) for i, later in enumerate(settings) for earlier in settings[:i]]
    else:
        against = next(s for s in settings if s.key == reference)
        pairs = [(setting, against) for setting in settings if setting.key != reference]

    @cache
    def read(run: str, split: str) -> Predictions:
        return runs[run].predictions(split)

    try:
        return family_of_single_runs(metric, pairs, len(settings) > _MOST_PAIRS, read), []
    except CnnlabError as error:
        return None, [f"{none} They were not compared picture by picture either: {error}"]
