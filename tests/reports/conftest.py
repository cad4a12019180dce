"""A small study that never trained: its runs lie on disk with known histories and predictions on the bundled digits."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnlab import data
from cnnlab.core.digests import digest
from cnnlab.core.measurements import Metric
from cnnlab.data import Dataset
from cnnlab.evaluation import mean_interval
from cnnlab.runs import Predictions, Run, RunWriter
from cnnlab.studies.result import (
    Axis,
    AxisValue,
    Claim,
    Family,
    MetricSummary,
    Published,
    PublishedRow,
    RepeatsNeeded,
    Setting,
    SettingComparison,
    StudyResult,
    Trial,
)

AUGMENT = {"none": "none", "flip": "flip(p=0.5)"}
RATES = {"0.01": 0.01, "0.1": 0.1}
SEEDS = (0, 1, 2)
MEANS = {("none", "0.01"): 0.90, ("none", "0.1"): 0.92, ("flip", "0.01"): 0.95, ("flip", "0.1"): 0.89}
SHIFTS = {0: -0.01, 1: 0.0, 2: 0.01}
"""The accuracy of a trial is the mean of its setting plus the shift of its seed."""
EPOCHS = 5
METRICS = (
    Metric("test_accuracy", "test accuracy", "share", "higher"),
    Metric("validation_accuracy", "validation accuracy", "share", "higher"),
    Metric("gap", "train-validation gap in accuracy", "share", "lower"),
    Metric("seconds", "training time", "seconds", "lower"),
)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dataset]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield data.load_data("digits")


def recipe(augment: str, rate: float, seed: int) -> dict[str, Any]:
    return {
        "data": "digits",
        "model": "mlp(hidden=[8])",
        "augment": augment,
        "optimizer": f"sgd(lr={rate}, momentum=0.9)",
        "epochs": EPOCHS,
        "objective": "classes",
        "seed": seed,
    }


def predicted(dataset: Dataset, split: str, accuracy: float, seed: int) -> Predictions:
    """Right about the first so many pictures, and about the rest sure of the class after the right one."""
    images = dict(dataset.parts())[split]
    labels = images.targets["label"].numpy()
    right = np.arange(len(labels)) < round(accuracy * len(labels))
    taken = np.where(right, labels, (labels + 1) % 10)
    noise = np.random.default_rng(seed).normal(0, 0.3, (len(labels), 10))
    return Predictions(
        outputs={"label": (4 * np.eye(10)[taken] + noise).astype(np.float32)},
        targets={"label": labels},
        ids=list(images.ids),
        objective="classes(column=label)",
        classes={"label": tuple(images.classes["label"])},
        data=dataset.digest,
        split=split,
    )


def history(accuracy: float, seconds: float) -> list[dict[str, float]]:
    """Validation climbs to its value in the last epoch but one; train goes on climbing."""
    rows = []
    for epoch in range(1, EPOCHS + 1):
        part = min(1.0, epoch / (EPOCHS - 1))
        held = accuracy * part
        rows.append(
            {
                "epoch": epoch,
                "train_loss": 2.0 / epoch,
                "train_accuracy": held + 0.02,
                "validation_loss": 2.2 / epoch,
                "validation_accuracy": held,
                "seconds": seconds / EPOCHS,
            }
        )
    return rows


def write_run(root: Path, dataset: Dataset, content: Mapping[str, Any], accuracy: float, name: str) -> Run:
    seconds = 10.0 + 5 * content["augment"].startswith("flip") + content["seed"]
    with RunWriter.create(root, digest=name, recipe=dict(content), name="made") as writer:
        writer.history(history(accuracy, seconds))
        for split in ("validation", "test"):
            writer.predictions(predicted(dataset, split, accuracy, content["seed"]))
        sizes = {split: len(part) for split, part in dataset.parts()}
        scores = {split: {"accuracy": accuracy, "loss": 0.4, "n": sizes[split]} for split in ("validation", "test")}
        scores["train"] = {"accuracy": accuracy + 0.02, "loss": 0.4, "n": sizes["train"]}
        writer.update(
            seconds=seconds,
            epochs_done=EPOCHS,
            epochs=EPOCHS,
            data={"name": "digits", "digest": dataset.digest, "sizes": sizes},
            execution={"device": "cpu", "precision": "float32", "threads": 1},
            environment={"processor": "A processor", "cores": 2, "cnnlab": "0.1.0", "torch": "2.10", "python": "3.11"},
            selected={"epoch": EPOCHS - 1, "metric": "validation_accuracy", "value": accuracy},
        )
        writer.finish(scores)
    return Run(writer.folder)


@pytest.fixture
def make_run(tmp_path: Path, digits: Dataset) -> Callable[..., Run]:
    """A finished run of an augmentation, a rate and a seed, with a given accuracy."""

    def make(augment: str = "none", rate: float = 0.1, seed: int = 0, accuracy: float = 0.9) -> Run:
        content = recipe(augment, rate, seed)
        return write_run(tmp_path / "runs", digits, content, accuracy, digest([augment, rate, seed, accuracy]))

    return make


def summary(metric: str, trials: tuple[Trial, ...]) -> MetricSummary:
    known = [(t.seed, t.metrics[metric]) for t in trials if t.metrics.get(metric) is not None]
    seeds, values = zip(*known, strict=True)
    interval = mean_interval(values)
    mean = sum(values) / len(values)
    ends = (interval.low, interval.high, interval.method) if interval else (None, None, "")
    return MetricSummary(metric, seeds, values, mean, 0.01, *ends)


def a_setting(root: Path, dataset: Dataset, place: int, augment: str, rate: str) -> tuple[Setting, list[Run]]:
    trials, runs = [], []
    for seed in SEEDS:
        accuracy = MEANS[augment, rate] + SHIFTS[seed]
        name = f"{place}{seed}".zfill(8).ljust(64, "0")
        run = write_run(root, dataset, recipe(AUGMENT[augment], RATES[rate], seed), accuracy, name)
        metrics = {
            "test_accuracy": accuracy,
            "validation_accuracy": accuracy,
            "gap": 0.02,
            "seconds": run.seconds,
        }
        trials.append(Trial(seed, "finished", run.name, name, metrics=metrics, seconds=run.seconds, epochs=EPOCHS))
        runs.append(run)
    values = {"augment": augment, "optimizer.lr": rate}
    label = f"augment={augment}, optimizer.lr={rate}"
    content = {k: v for k, v in recipe(AUGMENT[augment], RATES[rate], 0).items() if k != "seed"}
    summaries = tuple(summary(metric.name, tuple(trials)) for metric in METRICS)
    return Setting(f"s{place}", label, values, content, tuple(trials), summaries, parameters=1234), runs


def family() -> Family:
    def compared(key: str, difference: float, p: float, verdict: str) -> SettingComparison:
        ends = (difference - 0.02, difference + 0.02)
        needed = (RepeatsNeeded(abs(difference), "seen", 4), RepeatsNeeded(0.01, "smallest", 9))
        needed = needed if verdict == "undecided" else ()
        return SettingComparison("test_accuracy", key, "s0", difference, *ends, p, verdict, "", 3, needed)

    comparisons = (
        compared("s1", 0.02, 0.2, "undecided"),
        compared("s2", 0.05, 0.0004, "better"),
        compared("s3", -0.01, 0.6, "undecided"),
    )
    return Family("test_accuracy", "baseline", "Dunnett", "Settings are compared seed by seed.", comparisons)


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory, digits: Dataset) -> tuple[StudyResult, dict[str, Run]]:
    """Two augmentations by two rates by three seeds, finished; with claims and published numbers. Not to be changed."""
    root = tmp_path_factory.mktemp("study") / "runs"
    settings, runs = [], []
    for place, (augment, rate) in enumerate(MEANS):
        setting, own = a_setting(root, digits, place, augment, rate)
        settings.append(setting)
        runs += own
    rows = (
        PublishedRow("flip", 0.94, "s2", 0.95, 0.01, -0.015, 0.035, "reproduced"),
        PublishedRow("other data", 0.99, None, None, None, None, None, "not comparable", "it is of other data"),
    )
    result = StudyResult(
        name="made",
        question="Does flipping help?",
        design="grid()",
        seeds=SEEDS,
        base={"data": "digits", "model": "mlp(hidden=[8])"},
        axes=(
            Axis("augment", ("augment",), tuple(AxisValue(label, value) for label, value in AUGMENT.items())),
            Axis("optimizer.lr", ("optimizer.lr",), tuple(AxisValue(label, value) for label, value in RATES.items())),
        ),
        metrics=METRICS,
        settings=tuple(settings),
        baseline="s0",
        families=(family(),),
        multiplicity="All that is tested here is one family: 1 test of claims and 3 comparisons.",
        claims=(Claim("flip is better", "supported", "flip is better than none by 5 points."),),
        published=(Published("A paper", "test_accuracy", rows),),
        data={"name": "digits", "digest": digits.digest, "sizes": {"train": 1294, "validation": 143, "test": 359}},
        execution={"device": "cpu", "precision": "float32", "threads": 1, "trials_at_once": 2},
        machine={"processor": "A processor", "cores": 2, "cnnlab": "0.1.0", "torch": "2.10", "python": "3.11"},
        runs=str(root),
        folder=str(root / "studies" / "made"),
        started="2025-01-01T00:00:00+00:00",
        finished="2025-01-01T01:00:00+00:00",
        training_seconds=162.0,
    )
    return result, {run.name: run for run in runs}


@pytest.fixture
def own_study(study: tuple[StudyResult, dict[str, Run]], tmp_path: Path) -> tuple[StudyResult, dict[str, Run]]:
    """The same in a folder of the test's own, whose files it may change."""
    result, runs = study
    root = tmp_path / "runs"
    shutil.copytree(result.runs, root)
    return replace(result, runs=str(root)), {name: Run(root / name) for name in runs}


@pytest.fixture
def unfinished(study: tuple[StudyResult, dict[str, Run]]) -> tuple[StudyResult, dict[str, Run]]:
    """The same with a failed trial and one that is yet to come."""
    result, runs = study
    first, second, *rest = result.settings
    failed = replace(
        first.trials[0], status="failed", metrics={}, reason="the loss became <nan> at step 7", failure="nan"
    )
    missing = Trial(2, "missing", reason="not trained yet")
    first = replace(first, trials=(failed, *first.trials[1:]))
    second = replace(second, trials=(*second.trials[:2], missing))
    return replace(result, settings=(first, second, *rest), finished=None), runs
