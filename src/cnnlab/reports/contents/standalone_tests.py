"""Which test suits runs that belong to no study: over repeats where there are some, else picture by picture."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from cnnlab.core.measurements import Metric
from cnnlab.core.scored_splits import read_score_name
from cnnlab.runs import Predictions, Run
from cnnlab.studies.result import Family, Setting
from cnnlab.studies.statistics.comparisons import StudyComparisons
from cnnlab.studies.statistics.multiplicity import study_family
from cnnlab.studies.statistics.new_images import NewImages
from cnnlab.studies.statistics.single_runs import paired_by
from cnnlab.studies.statistics.tables import Tables

_MOST_PAIRS = 6
"""Of more settings than these, each is compared with the best by validation alone, not all with each other."""


def compare_standalone(
    settings: Sequence[Setting], metric: Metric, runs: Mapping[str, Run], digests: set[str]
) -> tuple[Family | None, str, list[str]]:
    """The comparisons on one metric, how the chance of a false call is held, and what to say where there are none."""
    known = [setting for setting in settings if (summary := setting.summary(metric.name)) and summary.mean is not None]
    if len(known) < 2:
        return None, "", []
    if len(digests) > 1:
        return (
            None,
            "",
            ["The runs were scored on data of different content, so they are not tested against each other."],
        )
    if sum(len(setting.finished) > 1 for setting in known) == 1:
        told = "Only one setting has repeats, so nothing tells a difference from chance: train the others again."
        return None, "", [told]
    tables = Tables.of(
        known,
        sorted({trial.seed for setting in known for trial in setting.trials}),
        [metric],
        baseline=_reference(known, metric).key if len(known) > _MOST_PAIRS else None,
        is_blocked=_share_seeds(known),
    )
    family = study_family([], [metric], list(tables.labels), tables.baseline)

    def read(run: str, split: str) -> Predictions:
        return runs[run].predictions(split)

    table = StudyComparisons(tables, family, paired_by(known, read), NewImages(known, read)).table(metric)
    if table is None or all(comparison.p is None for comparison in table.comparisons):
        return None, "", [" ".join([table.why, *table.cautions])] if table else []
    return table, family.words, []


def _share_seeds(settings: Sequence[Setting]) -> bool:
    """Whether there are repeats to be compared seed by seed; where there are none, all of them are independent."""
    seeds = [{trial.seed for trial in setting.finished} for setting in settings]
    return any(len(first & second) > 1 for first, second in combinations(seeds, 2))


def _reference(settings: Sequence[Setting], metric: Metric) -> Setting:
    """The best by validation, which the test pictures had no say in; where there is none, the first."""
    _, inner = read_score_name(metric.name)
    sign = 1 if metric.better == "higher" else -1
    means = {
        place: summary.mean
        for place, s in enumerate(settings)
        if (summary := s.summary(f"validation_{inner}")) and summary.mean is not None
    }
    return settings[max(means, key=lambda place: sign * means[place])] if means else settings[0]
