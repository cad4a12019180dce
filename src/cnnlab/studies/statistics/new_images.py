"""What scores and differences would be on other pictures: two sources of chance, trainings and pictures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from cnnlab.core.errors import CnnlabError
from cnnlab.core.measurements import Metric
from cnnlab.core.scored_splits import read_score_name
from cnnlab.evaluation import ImageScores, Interval, mean_scores, run_intervals, scores_by_image
from cnnlab.runs import Predictions
from cnnlab.runs.run_info import RunInfo
from cnnlab.studies.result import MetricSummary, Setting, SettingComparison
from cnnlab.studies.statistics.multiplicity import Pair
from cnnlab.studies.statistics.single_runs import Read, split_of


@dataclass(frozen=True, eq=False)
class ScoredSetting:
    """The finished repeats of a setting, picture by picture.

    :param pictures: which of the sets of pictures that were met they were scored on.
    """

    seeds: tuple[int, ...]
    pictures: int
    scores: ImageScores

    def of(self, seeds: Iterable[int]) -> ImageScores:
        """Of these seeds alone, in their order."""
        return self.scores.of([self.seeds.index(seed) for seed in seeds])


class NewImages:
    """Intervals on new pictures like those tested, from the stored predictions of the settings of a study.

    Nothing is said where predictions are gone, or of a metric in which no picture has a part.
    """

    def __init__(self, settings: Iterable[Setting], read: Read) -> None:
        self._settings, self._read = {setting.key: setting for setting in settings}, read
        self._met: dict[str, list[Predictions]] = {}
        self._scored = cache(self._scores)

    def of_mean(self, summary: MetricSummary, metric: Metric, key: str) -> MetricSummary:
        """A summary over repeats with the interval of the same recipe, trained anew, on new pictures like these."""
        these, found = _interval(summary.low, summary.high), self._scored(metric.name, key)
        if these is None or found is None or summary.mean is None or found.seeds != summary.seeds or summary.n < 2:
            return summary
        new = found.scores.on_new_images(these, summary.mean)
        return replace(summary, new_low=new.low, new_high=new.high, std_of_images=found.scores.std_of_images())

    def of_difference(
        self, found: SettingComparison, pairs: Sequence[Pair], *, is_blocked: bool, error: float
    ) -> SettingComparison:
        """A comparison over repeats with the interval of its difference on new pictures like these.

        :param pairs: of settings, the one compared and its reference; of several the mean is taken.
        :param is_blocked: whether they were compared seed by seed.
        :param error: the chance of a false call that this difference may have by itself.
        """
        these = _interval(found.low, found.high)
        sides = [[self._scored(found.metric, pair[side]) for pair in pairs] for side in (0, 1)]
        known = [[one for one in side if one is not None] for side in sides]
        if these is None or found.difference is None or (len(pairs) > 1 and not is_blocked):
            return found
        every = [*known[0], *known[1]]
        if len(every) < 2 * len(pairs) or len({one.pictures for one in every}) > 1:
            return found
        shared = [seed for seed in every[0].seeds if all(seed in one.seeds for one in every)]
        if is_blocked and len(shared) < 2:
            return found
        left, right = (mean_scores([one.of(shared if is_blocked else one.seeds) for one in side]) for side in known)
        new = left.difference_on_new_images(right, these, found.difference, are_paired=is_blocked, level=1 - error)
        return replace(found, new_low=new.low, new_high=new.high)

    def of_level(
        self, metric: str, keys: Sequence[str], seeds: Sequence[int], these: Interval, mean: float, error: float
    ) -> Interval | None:
        """The interval of the mean over some settings on new pictures like these, of repeats with these seeds."""
        known = [found for key in keys if (found := self._scored(metric, key)) is not None]
        is_known = len(known) == len(keys) and all(set(seeds) <= set(found.seeds) for found in known)
        if not is_known or len({found.pictures for found in known}) > 1:
            return None
        return mean_scores([found.of(seeds) for found in known]).on_new_images(these, mean, 1 - error)

    def _scores(self, metric: str, key: str) -> ScoredSetting | None:
        split, inner = split_of(metric)
        trials = self._settings[key].finished
        if not trials or not inner:
            return None
        try:
            repeats = [self._read(str(trial.run), split) for trial in trials]
            place, first = self._pictures(split, repeats[0])
            scores = scores_by_image(inner, [first, *repeats])
        except CnnlabError:
            return None
        if scores is None or scores.images < 2:
            return None
        # The first one only says in which order the pictures are.
        return ScoredSetting(tuple(trial.seed for trial in trials), place, scores.of(range(1, len(repeats) + 1)))

    def _pictures(self, split: str, predictions: Predictions) -> tuple[int, Predictions]:
        """Predictions of the same pictures that were met first, in the order of which all others are put."""
        met = self._met.setdefault(split, [])
        for place, first in enumerate(met):
            try:
                first.align(predictions)
            except CnnlabError:
                continue
            return place, first
        met.append(predictions)
        return len(met) - 1, predictions


def of_one_training(summaries: Iterable[MetricSummary], run: RunInfo) -> list[MetricSummary]:
    """Summaries of a single training with the intervals of its scores: of these very weights, on new pictures.

    Shares have Wilson's, areas under the ROC curve DeLong's, by the predictions that are stored.
    """
    intervals = run_intervals(run)
    return [_of_one(summary, intervals) for summary in summaries]


def _of_one(summary: MetricSummary, intervals: Mapping[str, Mapping[str, Interval]]) -> MetricSummary:
    split, metric = read_score_name(summary.metric)
    found = intervals.get(split, {}).get(metric)
    return summary if found is None else replace(summary, low=found.low, high=found.high, interval=found.method)


def _interval(low: float | None, high: float | None) -> Interval | None:
    return None if low is None or high is None else Interval(low, high)
