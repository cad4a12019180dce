"""How often intervals of a cross-validated accuracy cover the truth, where that is known.

    OMP_NUM_THREADS=1 python benchmarks/cross_validation.py

Small classifiers are trained on points drawn at random and cross-validated on the folds that cnnlab makes. The truth is
the mean accuracy over trainings on as many points as a fold leaves, on points without end. Writes
``cross-validation.json`` and ``.md`` under ``benchmarks/results``.
"""

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from result_files import write_results

from cnnlab.data.folds import deal
from cnnlab.evaluation import FoldScore, corrected_interval, mean_interval, wilson

HERE = Path(__file__).parent
CLASSES, NUMBERS, APART = 3, 8, 1.6
STUDIES, TRAININGS, UNSEEN = 2000, 400, 4000
COUNTS, FOLDS = (120, 600), (5, 10)

Points: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = NDArray[np.int64]
Learner: TypeAlias = Callable[[Points, Labels, Points], Labels]


@dataclass(frozen=True)
class Coverage:
    """In how many of the studies each interval held the truth, and how wide it was on average."""

    learner: str
    points: int
    folds: int
    truth: float
    covered: dict[str, float]
    width: dict[str, float]


def centroids(points: Points, labels: Labels, others: Points) -> Labels:
    """The class with the nearest mean: stable, since no point matters much."""
    means = np.stack([points[labels == label].mean(axis=0) for label in range(CLASSES)])
    return np.asarray(((others[:, None] - means) ** 2).sum(axis=2).argmin(axis=1))


def discriminants(points: Points, labels: Labels, others: Points) -> Labels:
    """Linear discriminants with one covariance for all classes."""
    means = np.stack([points[labels == label].mean(axis=0) for label in range(CLASSES)])
    apart = points - means[labels]
    directions = np.linalg.solve(apart.T @ apart / (len(points) - CLASSES), means.T)
    return np.asarray((others @ directions - (means * directions.T).sum(axis=1) / 2).argmax(axis=1))


def neighbours(points: Points, labels: Labels, others: Points) -> Labels:
    """The class of the nearest point: unstable, since each point decides on its surroundings alone."""
    nearest = ((points**2).sum(axis=1) - 2 * others @ points.T).argmin(axis=1)
    return np.asarray(labels[nearest])


LEARNERS: dict[str, Learner] = {
    "nearest mean": centroids,
    "linear discriminants": discriminants,
    "nearest neighbour": neighbours,
}


def drawn(count: int, source: np.random.Generator) -> tuple[Points, Labels]:
    """Points of classes that overlap, as many of each."""
    labels = source.permutation(np.arange(count) % CLASSES)
    return source.normal(size=(count, NUMBERS)) + APART * np.eye(CLASSES, NUMBERS)[labels], labels


def truth(learner: Learner, count: int, source: np.random.Generator, trainings: int = TRAININGS) -> float:
    """The mean accuracy on unseen points over trainings on so many."""
    others, right = drawn(UNSEEN, source)
    return float(np.mean([(learner(*drawn(count, source), others) == right).mean() for _ in range(trainings)]))


def intervals(learner: Learner, count: int, folds: int, seed: int, source: np.random.Generator) -> dict[str, Any]:
    """The intervals of one cross-validation."""
    points, labels = drawn(count, source)
    numbers = deal(labels, np.arange(count), folds, seed)
    scores, right = [], 0
    for fold in range(folds):
        inside = numbers == fold
        hits = learner(points[~inside], labels[~inside], points[inside]) == labels[inside]
        scores.append(FoldScore(float(hits.mean()), int(inside.sum()), int((~inside).sum())))
        right += int(hits.sum())
    values = [score.value for score in scores]
    step = folds / count
    return {
        "corrected t over folds": corrected_interval(scores, within=(0, 1), step=step),
        "plain t over folds": mean_interval(values, within=(0, 1), step=step),
        "Wilson over points": wilson(right, count),
    }


def coverage(name: str, count: int, folds: int, studies: int = STUDIES, trainings: int = TRAININGS) -> Coverage:
    """Over so many cross-validations."""
    learner, source = LEARNERS[name], np.random.default_rng([count, folds, len(name)])
    true = truth(learner, count - count // folds, source, trainings)
    found = [intervals(learner, count, folds, seed, source) for seed in range(studies)]
    covered = {kind: float(np.mean([true in each[kind] for each in found])) for kind in found[0]}
    width = {kind: float(np.mean([each[kind].width for each in found])) for kind in found[0]}
    return Coverage(name, count, folds, true, covered, width)


def page(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    kinds = list(record["rows"][0]["covered"])
    margin = 2 * math.sqrt(0.95 * 0.05 / record["studies"])
    lines = [
        "# Intervals of a cross-validated score",
        "",
        f"Measured by `benchmarks/cross_validation.py` on {record['measured']}: in how many of {record['studies']:,} "
        "cross-validations an interval that promises 95% held the accuracy that the classifier has on average, trained "
        f"on as many points as a fold leaves, and how wide it was. The margin at 95% is {margin:.1%} (two standard "
        f"errors). Points of {CLASSES} classes in {NUMBERS} dimensions.",
        "",
        f"| classifier | points | folds | accuracy | {' | '.join(kinds)} |",
        f"| --- | --- | --- | --- | {' | '.join('---' for _ in kinds)} |",
    ]
    for row in record["rows"]:
        cells = [f"{row['covered'][kind]:.1%}, {100 * row['width'][kind]:.1f} points wide" for kind in kinds]
        facts = [row["learner"], f"{row['points']:,}", str(row["folds"]), f"{row['truth']:.1%}"]
        lines.append(f"| {' | '.join(facts + cells)} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Measures all and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--studies", type=int, default=STUDIES)
    asked = parser.parse_args()
    rows = [
        vars(coverage(name, count, folds, asked.studies)) for name in LEARNERS for count in COUNTS for folds in FOLDS
    ]
    record = {"measured": time.strftime("%Y-%m-%d"), "studies": asked.studies, "rows": rows}
    write_results(asked.results, "cross-validation", record, page(record))


if __name__ == "__main__":
    main()
