from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comparing import equal, runs_in, weights
from torch import Tensor

from cnnlab.core.errors import CnnlabWarning, UsageError
from cnnlab.objectives import Objective
from cnnlab.runs import Run
from cnnlab.training import train
from cnnlab.training.selection import BestEpoch, SelectionMetric

Trained = Callable[..., Run]

# Judged on few pictures under a large rate, epochs come out good and bad in no order.
RESTLESS = {"epochs": 5, "optimizer": "sgd(lr=3)"}


@pytest.mark.parametrize(
    ("select", "column", "best"),
    [
        (None, "validation_accuracy", "max"),
        ("accuracy", "validation_accuracy", "max"),
        ("loss", "validation_loss", "min"),
        ("validation_macro_f1", "validation_macro_f1", "max"),
        ("train_loss", "train_loss", "min"),
        ("train_accuracy", "train_accuracy", "max"),
    ],
)
def test_the_epoch_that_is_best_by_the_metric_is_kept(
    select: str | None, column: str, best: str, small_run: Trained
) -> None:
    run = small_run(**RESTLESS, select=select, snapshots=[1, 2, 3, 4, 5])
    values = run.history[column]
    # The first of equals.
    epoch = int(getattr(values, f"arg{best}")()) + 1
    assert run.info["selected"] == {"epoch": epoch, "metric": column, "value": values[epoch - 1]}
    kept = weights(run)
    assert equal(kept, weights(run, f"snapshots/epoch-{epoch}"))
    assert (run.folder / "last.safetensors").exists() == (epoch != 5)
    if epoch != 5:
        assert equal(weights(run, "last"), weights(run, "snapshots/epoch-5"))
    for split in ("train", "validation"):
        assert run.scores(split).accuracy == run.history[f"{split}_accuracy"][epoch - 1]


def test_last_keeps_the_last(small_run: Trained) -> None:
    run = small_run(**RESTLESS, select="last", snapshots=[5])
    assert run.info["selected"]["epoch"] == 5
    assert not (run.folder / "last.safetensors").exists()
    assert equal(weights(run), weights(run, "snapshots/epoch-5"))


def test_predictions_are_those_of_the_selected_epoch(small_run: Trained) -> None:
    run = small_run(epochs=5, optimizer="sgd(lr=1)", select="accuracy")
    last = run.history["validation_accuracy"].iloc[-1]
    assert run.info["selected"]["epoch"] < 5 and run.validation.accuracy != last
    predictions = run.predictions("validation")
    guess = predictions.outputs["label"].argmax(1)
    assert (guess == predictions.targets["label"]).mean() == run.validation.accuracy
    assert list(predictions.ids) == list(dict.fromkeys(predictions.ids))


@pytest.mark.parametrize("select", ["acuracy", "test_accuracy", "validation_", "train_macro_f1"])
def test_a_metric_that_is_not_measured_is_refused_before_anything_is_written(
    select: str, small_run: Trained, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=f"select={select}"):
        small_run(select=select)
    assert not runs_in(tmp_path / "runs")


def test_a_metric_of_a_split_that_is_not_there_is_refused(small_run: Trained, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a validation split"):
        small_run(select="validation_loss", validation=0)
    assert not runs_in(tmp_path / "runs")


def one_class_in_validation() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Two classes of grey pictures, of which the second is missing in validation."""
    classes = np.arange(60) % 2
    pictures = (np.random.default_rng(0).integers(0, 128, (60, 8, 8)) + 100 * classes[:, None, None]).astype(np.uint8)
    return {
        "train": (pictures[:40], classes[:40]),
        "validation": (pictures[40:50][classes[40:50] == 0], np.zeros(5, np.int64)),
        "test": (pictures[50:], classes[50:]),
    }


def test_a_metric_that_no_epoch_can_have_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"model": "mlp(hidden=[4])", "objective": "binary", "batch_size": 16, "epochs": 2}
    data, runs = one_class_in_validation(), tmp_path / "runs"
    told = r"validation_roc_auc cannot judge epochs: on the 5 .* both classes\)\. .* such as select=accuracy"
    with pytest.raises(UsageError, match=told):
        train(data=data, select="roc_auc", runs=runs, **keys)
    assert not runs_in(runs)
    run = train(data=data, runs=runs, **keys)
    assert run.history["validation_roc_auc"].isna().all() and run.info["selected"]["metric"] == "validation_accuracy"
    pictures, classes = data["test"]
    data["validation"] = (pictures ^ 1, classes)
    assert train(data=data, select="roc_auc", runs=runs, **keys).status == "finished"


def test_the_first_epoch_without_a_number_is_told_and_patience_goes_on(
    small_run: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Objective.metrics
    nothing = {"accuracy": float("nan")}
    monkeypatch.setattr(
        "cnnlab.training.loop.known_metrics",
        lambda outputs, targets, objective: whole(objective, outputs, targets) | nothing,
    )
    with pytest.warns(CnnlabWarning, match="validation_accuracy is not a number after epoch 1") as caught:
        run = small_run(epochs=9, patience=2)
    assert len(caught) == 1 and len(run.history) == 2
    assert "If that stays so, the last epoch is kept." in str(caught[0].message)
    assert "is not a number after epoch 1" in run.info["warnings"][0]


def test_where_an_epoch_had_a_number_it_is_told_that_it_is_kept() -> None:
    best = BestEpoch(SelectionMetric("validation_accuracy", 1, picks=True))
    for epoch, value in ((1, 0.4), (2, 0.6), (3, float("nan"))):
        best.judge({"epoch": epoch, "validation_accuracy": value})
    with pytest.warns(CnnlabWarning, match=r"after epoch 3, .* If that stays so, epoch 2, the best before, is kept\."):
        best.warning({"epoch": 3})


def test_patience_stops_after_so_many_epochs_without_a_better_one(small_run: Trained) -> None:
    # Nothing moves, so the first epoch stays the best.
    run = small_run(epochs=9, optimizer="sgd(lr=1e-30)", patience=3)
    assert len(run.history) == 4
    assert run.info["selected"]["epoch"] == 1
    assert (run.epochs_done, run.epochs, run.status) == (4, 9, "finished")


def test_patience_stops_a_run_that_keeps_its_last_epoch_too(small_run: Trained) -> None:
    run = small_run(epochs=9, optimizer="sgd(lr=1e-30)", patience=2, select="last")
    assert (run.epochs_done, run.info["selected"]["epoch"]) == (3, 3)


def test_patience_waits_while_epochs_improve(small_run: Trained) -> None:
    run = small_run(epochs=4, patience=1, select="train_loss", optimizer="sgd(lr=0.05)")
    assert len(run.history) == 4


def test_snapshots_are_the_weights_after_their_epochs(small_run: Trained) -> None:
    run = small_run(epochs=3, snapshots=[1, 3])
    assert sorted(path.name for path in (run.folder / "snapshots").iterdir()) == [
        "epoch-1.safetensors",
        "epoch-3.safetensors",
    ]
    first = small_run(epochs=1, select="last")
    snapshot = weights(run, "snapshots/epoch-1")
    assert equal(snapshot, weights(first))


def test_a_moving_average_is_what_is_judged_kept_and_seen(small_run: Trained) -> None:
    seen: list[dict[str, Tensor]] = []
    note = lambda end: seen.append({n: p.clone() for n, p in end.classifier.network.state_dict().items()})  # noqa: E731
    run = small_run(ema=0.9, select="last", snapshots=[1, 2], callbacks=[note])
    kept = weights(run)
    assert equal(kept, seen[1])
    assert equal(weights(run, "snapshots/epoch-1"), seen[0])
    assert not equal(kept, weights(small_run(select="last")))
    guess = run.predictions("validation")
    accuracy = (guess.outputs["label"].argmax(1) == guess.targets["label"]).mean()
    assert run.history["validation_accuracy"].iloc[-1] == pytest.approx(accuracy)
