"""What searches went through, candidate by candidate, over the repeats of a transfer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from cnnlab.transfer.record import CandidateRecord, TransferRecord

LOSS = "loss"
"""What probes are judged by; searches are by the metric of the transfer."""


@dataclass(frozen=True)
class SearchedCandidate:
    """One candidate of a search on some number of training pictures, over all repeats in which it came that far.

    :param row: place of the search among the rows of the transfer.
    :param metric: by which it was judged; of ``loss`` less is better.
    :param pictures: how many it was cross-validated on.
    :param mean: of the metric, over folds and repeats.
    :param deviation: the standard deviation over folds, the root of its mean square over repeats.
    :param seconds: that fitting and predicting took in all folds, the mean over repeats.
    :param repeats: in how many it was judged on so many; ``found`` in how many it was the best in the end.
    """

    row: int
    classifier: str
    metric: str
    pictures: int
    mean: float
    deviation: float
    seconds: float
    repeats: int
    found: int


def searched(record: TransferRecord) -> list[SearchedCandidate]:
    """Every candidate of every search: search by search, first those on all pictures, the best of each first."""
    rows: list[SearchedCandidate] = []
    for place, row in enumerate(record.rows):
        judged: dict[tuple[int, str], list[CandidateRecord]] = {}
        for repeat in row.repeats:
            for each in repeat.searched:
                judged.setdefault((each.pictures, each.classifier), []).append(each)
        if not judged:
            continue
        metric = next(repeat.judged_by for repeat in row.repeats if repeat.searched) or record.metric
        best = [repeat.classifier for repeat in row.repeats]
        all_pictures = max(pictures for pictures, _ in judged)
        found = [
            _over_repeats(place, metric, several, best.count(name) if pictures == all_pictures else 0)
            for (pictures, name), several in judged.items()
        ]
        sign = 1 if metric == LOSS else -1
        rows += sorted(found, key=lambda each: (-each.pictures, sign * each.mean))
    return rows


def _over_repeats(row: int, metric: str, judged: Sequence[CandidateRecord], found: int) -> SearchedCandidate:
    return SearchedCandidate(
        row=row,
        classifier=judged[0].classifier,
        metric=metric,
        pictures=judged[0].pictures,
        mean=fmean(each.mean for each in judged),
        deviation=math.sqrt(fmean(each.deviation**2 for each in judged)),
        seconds=fmean(each.seconds for each in judged),
        repeats=len(judged),
        found=found,
    )
