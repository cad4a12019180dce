"""Every comparison of two settings in a study, made once: tables, claims, sentences and reports show the same."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

from cnnlab.core.errors import CnnlabError
from cnnlab.core.measurements import Metric
from cnnlab.studies.result import Family, SettingComparison
from cnnlab.studies.statistics.multiplicity import ComparisonGroup, Pair, StudyFamily, table_pairs
from cnnlab.studies.statistics.new_images import NewImages
from cnnlab.studies.statistics.pair_results import PairResults, by_numbers, over_pairs
from cnnlab.studies.statistics.rank_comparisons import by_ranks
from cnnlab.studies.statistics.single_runs import ImageByImage, by_images
from cnnlab.studies.statistics.tables import TIMES, Tables, difference_unit
from cnnlab.studies.statistics.wording import left_out, named, sentence

_OPPOSITE = {"better": "worse", "worse": "better"}


class StudyComparisons:
    """The comparisons of one study.

    :param family: in which all of them are, with all else that is tested.
    :param image_by_image: two settings of one run each.
    :param new_images: what differences would be on other pictures; None where nothing is known of the pictures.
    """

    def __init__(
        self,
        tables: Tables,
        family: StudyFamily,
        image_by_image: ImageByImage = lambda *_: None,
        new_images: NewImages | None = None,
    ) -> None:
        self.tables, self.family = tables, family
        self.new_images, self._image_by_image = new_images, image_by_image
        self._results = cache(self._tested)

    def between(self, metric: str, left: str, right: str, smallest: float | None = None) -> SettingComparison:
        """One setting against another, by their keys.

        :param smallest: the smallest difference that matters, where that is not the study's.
        """
        group = self.family.group_of(metric, left, right)
        assert group is not None, f"nobody asked to compare {left} with {right} on {metric}"
        found = self._found(group, smallest)
        if (left, right) in found:
            return self._worded(found[left, right])
        return self._worded(_reversed(found[right, left]))

    def over_pairs(
        self, metric: Metric, pairs: Sequence[Pair], sides: tuple[str, str], smallest: float | None = None
    ) -> SettingComparison:
        """One side against the other over several pairs of settings.

        :param sides: what they are called.
        """
        why = self.tables.untested(metric)
        if not why and any(self.tables.last(metric.name, key) for pair in pairs for key in pair):
            what = "never came to the level or diverged" if metric.is_level else "diverged"
            why = f"some trials {what}, so there is no difference in numbers"
        smallest = self._smallest(metric) if smallest is None else smallest
        if why:
            found = _without_test(metric, pairs[0], why)
        else:
            error = self.family.error(self.family.claim_share)
            found = self._on_new_images(over_pairs(self.tables, metric, pairs, error, smallest), pairs, error)
        text = sentence(found, sides, difference_unit(metric))
        keys = dict.fromkeys(key for pair in pairs for key in pair)
        left = self.left_out(metric.name, keys, found.why)
        return replace(found, sentence=" ".join([f"{text} Over {len(pairs)} pairs of settings.", *left]))

    def table(self, metric: Metric) -> Family | None:
        """All settings with the baseline, or among each other; None where there is nothing to compare yet."""
        pairs = [
            pair
            for pair in table_pairs(list(self.tables.labels), self.tables.baseline)
            if self.family.group_of(metric.name, *pair)
        ]
        values = self.tables.values[metric.name]
        if not pairs or not any(values[key] or self.tables.last(metric.name, key) for key in self.tables.labels):
            return None
        groups = dict.fromkeys(group for pair in pairs if (group := self.family.group_of(metric.name, *pair)))
        # What is claimed is tested in a group of its own; how that is done is told once.
        by_kind: dict[str, PairResults] = {}
        for group in sorted(groups, key=lambda group: -len(group.pairs)):
            for result in self._results(group, None):
                by_kind.setdefault(result.kind, result)
        results = by_kind.values()
        return Family(
            metric.name,
            "pairs" if self.tables.baseline is None else "baseline",
            " and ".join(result.method for result in results),
            " ".join([*(result.why for result in results), *self._how_timed(metric)]),
            tuple(self.between(metric.name, *pair) for pair in pairs),
            tuple(text for result in results for text in result.cautions),
            next((result.facts for result in results if result.facts), {}),
        )

    def _found(self, group: ComparisonGroup, smallest: float | None) -> dict[Pair, SettingComparison]:
        results = self._results(group, smallest)
        return {(found.setting, found.reference): found for result in results for found in result.comparisons}

    def _tested(self, group: ComparisonGroup, smallest: float | None) -> tuple[PairResults, ...]:
        """Each pair of a group by the test that suits its trials; every kind has its part of the group's share."""
        tables, metric = self.tables, self.tables.metrics[group.metric]
        why = tables.untested(metric)
        if why:
            every = tuple(_without_test(metric, pair, why) for pair in group.pairs)
            return (PairResults("nothing", every, "none", f"{why[:1].upper()}{why[1:]}."),)
        ranked = [pair for pair in group.pairs if any(tables.last(metric.name, key) for key in pair)]
        single = [pair for pair in group.pairs if pair not in ranked and self._is_single(metric, pair)]
        images, trouble = self._by_images(metric, single, self._error(group, single))
        rest = [pair for pair in group.pairs if pair not in ranked and (images is None or pair not in single)]
        smallest = self._smallest(metric) if smallest is None else smallest
        results = [images] if images is not None else []
        if rest:
            error = self._error(group, rest)
            numbers = by_numbers(tables, metric, rest, error, smallest)
            found = (
                self._on_new_images(one, [pair], error / len(rest))
                for one, pair in zip(numbers.comparisons, rest, strict=True)
            )
            results.append(replace(numbers, comparisons=tuple(found), cautions=(*numbers.cautions, *trouble)))
        if ranked:
            results.append(by_ranks(tables, metric, ranked, self._error(group, ranked)))
        return tuple(results)

    def _by_images(
        self, metric: Metric, pairs: Sequence[Pair], error: float
    ) -> tuple[PairResults | None, tuple[str, ...]]:
        """Picture by picture, or why that cannot be."""
        try:
            return by_images(metric, pairs, error, self._image_by_image), ()
        except CnnlabError as refusal:
            return None, (f"Single trainings were not compared picture by picture either: {refusal}",)

    def _on_new_images(self, found: SettingComparison, pairs: Sequence[Pair], error: float) -> SettingComparison:
        """With the interval on new pictures, at the level of this difference by itself."""
        if self.new_images is None:
            return found
        return self.new_images.of_difference(found, pairs, is_blocked=self.tables.is_blocked, error=error)

    def _error(self, group: ComparisonGroup, pairs: Sequence[Pair]) -> float:
        """What some of a group may err, which are tested by themselves."""
        return self.family.error(group.share * len(pairs) / len(group.pairs), max(1, len(pairs)))

    def _how_timed(self, metric: Metric) -> list[str]:
        is_told = metric.unit in TIMES and not self.tables.untimed
        return ["Each run was timed alone on one machine."] if is_told else []

    def _smallest(self, metric: Metric) -> float | None:
        is_judged = metric.name == next(iter(self.tables.metrics))
        return self.tables.smallest if is_judged else None

    def _is_single(self, metric: Metric, pair: Pair) -> bool:
        return all(len(self.tables.values[metric.name][key]) == 1 for key in pair)

    def _worded(self, found: SettingComparison) -> SettingComparison:
        keys = found.setting, found.reference
        names = self.tables.labels[keys[0]], self.tables.labels[keys[1]]
        text = sentence(found, names, difference_unit(self.tables.metrics[found.metric]))
        return replace(found, sentence=" ".join([text, *self.left_out(found.metric, keys, found.why)]))

    def left_out(self, metric: str, keys: Iterable[str], said: str = "") -> list[str]:
        """What of these settings has no number, a sentence each.

        :param said: where some of them may be named already.
        """
        trials = {key: self.tables.left_out(metric, key) for key in keys}
        return [
            left_out(self.tables.labels[key], some, len(self.tables.trials[key]))
            for key, some in trials.items()
            if some and named(some) not in said
        ]


def _without_test(metric: Metric, pair: Pair, why: str) -> SettingComparison:
    return SettingComparison(metric.name, *pair, *(None, None, None, None), verdict="untested", sentence="", why=why)


def _reversed(found: SettingComparison) -> SettingComparison:
    """The same with the two settings exchanged."""
    low, high, new_low, new_high = (
        None if end is None else 0.0 - end for end in (found.high, found.low, found.new_high, found.new_low)
    )
    return replace(
        found,
        setting=found.reference,
        reference=found.setting,
        difference=None if found.difference is None else 0.0 - found.difference,
        low=low,
        high=high,
        new_low=new_low,
        new_high=new_high,
        verdict=_OPPOSITE.get(found.verdict, found.verdict),  # type: ignore[arg-type]
    )
