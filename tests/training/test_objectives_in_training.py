"""Every objective trained, scored, stored, resumed, evaluated and asked about pictures."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from comparing import content
from PIL import Image

import cnnlab
from cnnlab import objectives
from cnnlab.core.errors import DataError, SpecError, UsageError
from cnnlab.data import Dataset, from_arrays
from cnnlab.runs import Run
from cnnlab.training import Interrupted

Trained = Callable[..., Run]
Cut = Callable[..., tuple[Run, Interrupted]]

TIME = "column=[hour, minute]"
SPECS = {
    "minutes": f"scalar({TIME}, range=[0, 720])",
    "standardised minutes": f"scalar({TIME})",
    "hours": f"scalar({TIME}, units=[1, 1/60], range=[0, 12], loss=mae)",
    "half hours": f"bins(24, [0, 720], {TIME})",
    "class and number": "multi-head(hour=classes(12), minute=scalar)",
    "sine and cosine": f"circular(720, {TIME})",
    "two hands": f"multi-head(hour=circular(720, {TIME}), minute=bins(60, [-0.5, 59.5], circular=true, spread=1))",
}
CLOCKS = {
    "data": "clocks(n=80, size=16)",
    "subset": 40,
    "validation": 20,
    "test": 20,
    "batch_size": 16,
    "optimizer": "adam",
}


@pytest.fixture
def clock_run(small_run: Trained) -> Trained:
    return lambda **keys: small_run(**{**CLOCKS, **keys})


@pytest.mark.parametrize("way", SPECS)
def test_a_clock_is_learnt_scored_evaluated_and_predicted(way: str, clock_run: Trained, tmp_path: Path) -> None:
    run = clock_run(objective=SPECS[way])
    assert run.info["selected"]["metric"] == "validation_clock_mean_error"
    best = run.history["validation_clock_mean_error"].min()
    assert run.validation.clock_mean_error == run.info["selected"]["value"] == best
    assert 0 < run.test.clock_mean_error <= 360
    evaluation = cnnlab.evaluate(run)
    assert dict(evaluation.scores) == {**dict(run.test), "n": 20}
    stored = run.predictions("test")
    again = objectives.restore_objective(stored.objective, stored.classes)
    outputs = torch.cat([torch.from_numpy(stored.outputs[head]) for head in again.heads], dim=1)
    targets = {name: torch.from_numpy(column) for name, column in stored.targets.items()}
    assert again.metrics(outputs, targets) == dict(run.test)
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / "clock.png")
    predictions = cnnlab.predict(run, tmp_path / "clock.png")
    predictions.save_csv(tmp_path / "out.csv")
    (row,) = csv.DictReader((tmp_path / "out.csv").read_text().splitlines())
    assert 0 <= int(row["hour predicted"]) < 12
    assert float(row["minute predicted"]) < 60 + 60 * (way == "class and number")
    assert ("hour class 3" in row or "hour 3" in row) == (way == "class and number")
    sure = {"hour confidence", "minute confidence"} & set(row)
    assert len(sure) == {"minutes": 0, "standardised minutes": 0, "hours": 0, "class and number": 1}.get(way, 2)


@pytest.mark.parametrize("way", SPECS)
def test_an_interrupted_clock_ends_as_the_uninterrupted_one(
    way: str, clock_run: Trained, interrupted: Cut, tmp_path: Path
) -> None:
    keys = {"objective": SPECS[way], "augment": "rotate(90)|brightness(0.1)"}
    whole = content(clock_run(**keys, runs=tmp_path / "whole"))
    interrupted(**{**CLOCKS, **keys}, after=2)
    assert content(clock_run(**keys)) == whole


def numbers(*, classes: bool = False) -> Dataset:
    """Brightness as a number that is no class, and whether it is high."""
    source = np.random.default_rng(0)
    size = source.uniform(0, 50, 120).astype(np.float32)
    x = np.clip(size[:, None, None] * 5 + source.normal(0, 3, (120, 6, 6)), 0, 255).astype(np.uint8)
    y = (size > 25).astype(np.int64) if classes else {"size": size}
    return from_arrays(x, y, class_names=["low", "high"] if classes else None)


def test_a_number_that_is_no_class_is_learnt_and_its_classifier_rebuilt_from_the_file(
    small_run: Trained, tmp_path: Path
) -> None:
    keys: dict[str, Any] = {
        "subset": None,
        "validation": None,
        "test": None,
        "epochs": 25,
        "optimizer": "adam(lr=0.01)",
    }
    run = small_run(data=numbers(), objective="scalar", **keys)
    assert run.info["selected"]["metric"] == "validation_mean_absolute_error"
    assert run.test.mean_absolute_error < 5
    classifier = run.classifier()
    assert classifier.classes == {}
    assert classifier.objective.startswith("scalar(column=size")
    Image.fromarray(np.full((6, 6), 150, np.uint8)).save(tmp_path / "grey.png")
    (predicted,) = cnnlab.predict(classifier, tmp_path / "grey.png").columns["size"].predicted
    assert predicted == pytest.approx(30, abs=8)


def test_a_run_that_is_extended_on_other_pictures_keeps_the_scale_of_its_numbers(small_run: Trained) -> None:
    keys: dict[str, Any] = {"subset": None, "validation": None, "test": None, "epochs": 1, "optimizer": "adam"}
    first = small_run(data=numbers(), objective="scalar", **keys)
    more = cnnlab.extend(first, "+1", data=numbers(), subset=40, progress=False)
    assert more.info["data"]["sizes"]["train"] == 40
    assert more.info["objective"] == first.info["objective"] == more.classifier().objective
    other = small_run(data=numbers(), objective="scalar", **keys | {"subset": 40})
    assert other.info["objective"] != first.info["objective"]


def test_two_classes_are_learnt_by_one_output(small_run: Trained, tmp_path: Path) -> None:
    keys: dict[str, Any] = {
        "subset": None,
        "validation": None,
        "test": None,
        "epochs": 10,
        "optimizer": "adam(lr=0.01)",
    }
    run = small_run(data=numbers(classes=True), objective="binary", augment="mixup", balance="weights", **keys)
    assert run.test.accuracy > 0.8
    assert run.test.roc_auc > 0.9
    Image.fromarray(np.full((6, 6), 250, np.uint8)).save(tmp_path / "white.png")
    (row,) = cnnlab.predict(run, tmp_path / "white.png").frame().to_dict("records")
    assert row["predicted"] == "high"
    assert row["confidence"] == row["high"] == pytest.approx(1 - row["low"])


@pytest.mark.parametrize(
    ("keys", "error", "words"),
    [
        ({"objective": SPECS["minutes"], "augment": "mixup"}, SpecError, ["mixup", "blends targets"]),
        ({"objective": SPECS["two hands"], "augment": "cutmix"}, SpecError, ["cutmix", "blends targets"]),
        ({"objective": SPECS["sine and cosine"], "label_smoothing": 0.1}, UsageError, ["objective=circular has none"]),
        (
            {"objective": SPECS["minutes"], "balance": "weights"},
            UsageError,
            ["balance needs classes, and hour, minute"],
        ),
        ({"objective": SPECS["hours"], "balance": "sampler"}, UsageError, ["balance needs classes"]),
        ({"objective": f"bins(24, [0, 600], {TIME})"}, DataError, ["outside the range [0, 600]", "range=[0, 705]"]),
        ({"objective": SPECS["minutes"], "select": "accuracy"}, UsageError, ["select=accuracy is not measured"]),
        ({"objective": "classes"}, UsageError, ["hour, minute", "classes(column="]),
    ],
)
def test_what_an_objective_cannot_do_is_refused_before_anything_is_written(
    keys: dict[str, Any], error: type[Exception], words: list[str], clock_run: Trained, tmp_path: Path
) -> None:
    with pytest.raises(error) as caught:
        clock_run(**keys)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert not list((tmp_path / "runs").glob("*/run.json"))


def test_bins_and_classes_of_several_heads_take_smoothing_and_weights(clock_run: Trained) -> None:
    run = clock_run(
        objective=f"multi-head(hour=classes, time=bins(24, [0, 720], {TIME}), turn=circular(720, {TIME}))",
        label_smoothing=0.1,
        balance="weights",
    )
    assert np.isfinite(run.test.loss)
    assert {"hour_accuracy", "time_accuracy", "turn_loss"} <= set(run.test)


def test_another_metric_may_choose_the_epoch(clock_run: Trained) -> None:
    run = clock_run(objective=SPECS["class and number"], select="hour_accuracy")
    assert run.info["selected"]["metric"] == "validation_hour_accuracy"
    assert run.validation.hour_accuracy == run.history["validation_hour_accuracy"].max()
