import errno
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cnnlab.core import files
from cnnlab.core.errors import CnnlabWarning, DataError, SpecError, StorageError, TrainingError, UsageError
from cnnlab.core.registries import perturbations
from cnnlab.data import Dataset, TensorImages
from cnnlab.models import load_classifier
from cnnlab.runs import Run
from cnnlab.training import EpochEnd, Interrupted, resume
from cnnlab.training.step import Stepper

Trained = Callable[..., Run]
Cut = Callable[..., tuple[Run, Interrupted]]

_TIMES = ["seconds", "images_per_second"]
# Judged on few pictures under a large rate, epochs come out good and bad in no order.
RESTLESS = {"epochs": 5, "optimizer": "sgd(lr=3)"}


def weights(path: Path) -> dict[str, Tensor]:
    return load_classifier(path).network.state_dict()


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def history(run: Run) -> dict[str, Any]:
    return run.history.drop(columns=_TIMES).to_dict("list")


def runs_in(tmp_path: Path) -> list[Path]:
    return [path.parent for path in (tmp_path / "runs").glob("*/run.json")]


# Phases and lengths


def test_a_flat_recipe_is_one_phase_to_the_bit(small_run: Trained, tmp_path: Path) -> None:
    keys = {"optimizer": "adam(lr=0.01)", "augment": "shift(0.1)", "label_smoothing": 0.1}
    flat = small_run(**keys)
    phased = small_run(phases=[{"epochs": 2, **keys}], runs=tmp_path / "phased")
    assert phased.digest == flat.digest
    assert (phased.folder / "model.safetensors").read_bytes() == (flat.folder / "model.safetensors").read_bytes()
    assert history(phased) == history(flat)


def test_epochs_and_steps_count_on_over_phases(small_run: Trained) -> None:
    run = small_run(phases=[{"steps": 4}, {"epochs": 2, "batch_size": 60, "optimizer": "sgd(lr=0.2)"}])
    assert list(run.history["epoch"]) == [1, 2, 3, 4]
    assert list(run.history["step"]) == [3, 4, 6, 8]
    assert list(run.history["phase"]) == [1, 1, 2, 2]
    assert list(run.history["learning_rate"]) == [0.1, 0.1, 0.2, 0.2]
    assert [record["step"] for record in run.live] == list(range(1, 9))
    assert [record["epoch"] for record in run.live] == [1, 1, 1, 2, 3, 3, 4, 4]


def test_each_phase_has_an_optimiser_of_its_own(small_run: Trained) -> None:
    # Without momentum nothing is carried on, so two phases are one; with it they are not.
    for momentum, same in ((0.0, True), (0.9, False)):
        optimizer = f"sgd(lr=0.1, momentum={momentum})"
        whole = small_run(optimizer=optimizer, epochs=2, select="last")
        split = small_run(optimizer=optimizer, phases=[{"epochs": 1}, {"epochs": 1}], select="last")
        paths = [run.folder / "model.safetensors" for run in (whole, split)]
        assert equal(*map(weights, paths)) is same


def test_a_schedule_runs_over_its_own_phase(small_run: Trained) -> None:
    linear = {"schedule": "linear", "optimizer": "sgd(lr=0.6)"}
    run = small_run(phases=[{"steps": 3, **linear}, {"steps": 2, **linear}])
    assert [record["learning_rate"] for record in run.live] == pytest.approx([0.6, 0.4, 0.2, 0.6, 0.3])


def test_plateau_looks_at_the_epochs_of_its_own_phase(small_run: Trained) -> None:
    still = {"optimizer": "sgd(lr=1e-30)", "schedule": "plateau(factor=0.5, patience=1)"}
    run = small_run(phases=[{"epochs": 3, **still}, {"epochs": 3, **still}])
    assert list(run.history["learning_rate"] / 1e-30) == pytest.approx([1, 1, 0.5, 1, 1, 0.5])


def test_a_number_of_steps_may_end_within_an_epoch(small_run: Trained) -> None:
    run = small_run(steps=5)
    assert list(run.history["step"]) == [3, 5]
    assert run.info["step"] == 5
    assert run.validation.n == 60


def test_a_last_batch_of_one_is_left_out(small_run: Trained) -> None:
    # 120 pictures in batches of 17 are seven and one left over, which a norm over one picture could not take.
    run = small_run(model="mlp(hidden=[8], batch_norm=true)", batch_size=17, epochs=1)
    assert run.info["step"] == 7


def test_a_batch_may_be_larger_than_the_data(small_run: Trained) -> None:
    assert small_run(batch_size=10**30).info["step"] == 2


# Selection


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
    kept = weights(run.folder / "model.safetensors")
    assert equal(kept, weights(run.folder / f"snapshots/epoch-{epoch}.safetensors"))
    last = run.folder / "last.safetensors"
    assert last.exists() == (epoch != 5)
    if epoch != 5:
        assert equal(weights(last), weights(run.folder / "snapshots/epoch-5.safetensors"))
    for split in ("train", "validation"):
        assert run.scores(split).accuracy == run.history[f"{split}_accuracy"][epoch - 1]


def test_last_keeps_the_last(small_run: Trained) -> None:
    run = small_run(**RESTLESS, select="last", snapshots=[5])
    assert run.info["selected"]["epoch"] == 5
    assert not (run.folder / "last.safetensors").exists()
    assert equal(weights(run.folder / "model.safetensors"), weights(run.folder / "snapshots/epoch-5.safetensors"))


def test_predictions_are_those_of_the_selected_epoch(small_run: Trained) -> None:
    run = small_run(**RESTLESS, select="train_loss")
    assert run.info["selected"]["epoch"] < 5
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
    assert not runs_in(tmp_path)


def test_a_metric_of_a_split_that_is_not_there_is_refused(small_run: Trained, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a validation split"):
        small_run(select="validation_loss", validation=0)
    assert not runs_in(tmp_path)


def test_patience_stops_after_so_many_epochs_without_a_better_one(small_run: Trained) -> None:
    # Nothing moves, so the first epoch stays the best.
    run = small_run(epochs=9, optimizer="sgd(lr=1e-30)", patience=3)
    assert len(run.history) == 4
    assert run.info["selected"]["epoch"] == 1
    assert (run.epochs_done, run.epochs, run.status) == (4, 9, "finished")


def test_patience_waits_while_epochs_improve(small_run: Trained) -> None:
    run = small_run(epochs=4, patience=1, select="train_loss", optimizer="sgd(lr=0.05)")
    assert len(run.history) == 4


def test_snapshots_are_the_weights_after_their_epochs(small_run: Trained) -> None:
    run = small_run(epochs=3, snapshots=[1, 3, 8])
    assert sorted(path.name for path in (run.folder / "snapshots").iterdir()) == [
        "epoch-1.safetensors",
        "epoch-3.safetensors",
    ]
    first = small_run(epochs=1, select="last")
    snapshot = weights(run.folder / "snapshots/epoch-1.safetensors")
    assert equal(snapshot, weights(first.folder / "model.safetensors"))


# What there is to learn from and to be judged by


def test_without_validation_the_last_epoch_is_kept(small_run: Trained) -> None:
    run = small_run(**RESTLESS, validation=0)
    assert run.info["selected"]["epoch"] == 5
    assert not [column for column in run.history if column.startswith("validation_")]
    assert run.splits == ["test"]
    assert run.test.n == 60


def test_without_test_there_are_no_test_scores(small_run: Trained) -> None:
    run = small_run(test=0)
    assert run.splits == ["validation"]
    assert "test" not in run.info["scores"]


def squares(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Grey pictures of three classes: dark, middling, bright."""
    draw = np.random.default_rng(seed)
    y = np.arange(count) % 3
    return (draw.integers(0, 80, (count, 6, 6)) + 80 * y[:, None, None]).astype(np.uint8), y


def split(count: int, seed: int, *, labelled: bool = True) -> TensorImages:
    x, y = squares(count, seed)
    targets = {"label": torch.from_numpy(y)} if labelled else {}
    return TensorImages(torch.from_numpy(x)[:, None], targets, {"label": ("dark", "middling", "bright")})


OWN = {"subset": None, "validation": None, "test": None}


@pytest.mark.parametrize("unlabelled", ["validation", "test"])
def test_a_split_without_targets_is_predicted_and_not_scored(unlabelled: str, small_run: Trained) -> None:
    validation, test = (
        split(30, seed, labelled=name != unlabelled) for seed, name in enumerate(("validation", "test"), start=1)
    )
    run = small_run(data=Dataset("squares", split(60, 0), validation, test), **OWN)
    predictions = run.predictions(unlabelled)
    assert len(predictions) == 30
    assert not predictions.targets
    assert unlabelled not in run.info["scores"]
    assert run.info["scores"].keys() == {"train", "validation", "test"} - {unlabelled}


def test_the_parts_that_are_not_test_decide_alone(small_run: Trained) -> None:
    # Another test split, and nothing that is learnt or selected changes.
    one, other = (
        small_run(data=Dataset("squares", split(60, 0), split(30, 1), split(30, seed)), **OWN, **RESTLESS)
        for seed in (2, 3)
    )
    assert one != other
    assert history(one) == history(other)
    assert one.info["selected"] == other.info["selected"]
    assert equal(weights(one.folder / "model.safetensors"), weights(other.folder / "model.safetensors"))


def test_it_learns(small_run: Trained) -> None:
    run = small_run(subset=None, validation=None, test=None, epochs=6, optimizer="adam(lr=0.01)", schedule="one-cycle")
    assert run.test.accuracy > 0.9
    assert run.info["data"]["sizes"] == {"train": 1294, "validation": 144, "test": 359}


def test_permuted_pixels_are_learnt_as_well_without_convolutions(small_run: Trained) -> None:
    keys = {"model": "mlp(hidden=[32])", "optimizer": "adam(lr=0.01)", "subset": 600, "test": 300, "epochs": 6}
    plain, permuted = small_run(**keys), small_run(**keys, permute=4)
    assert permuted != plain
    assert permuted.test.accuracy == pytest.approx(plain.test.accuracy, abs=0.1)
    classifier = permuted.classifier()
    assert classifier.permute == 4
    predictions = permuted.predictions()
    from cnnlab import data

    dataset = data.load("digits", subset=600, validation=60, test=300)
    assert dataset.test is not None
    with torch.no_grad():
        outputs = classifier(dataset.test.batch(torch.arange(300))[0])
    torch.testing.assert_close(outputs, torch.tensor(predictions.outputs["label"]), rtol=1e-4, atol=1e-5)


# Errors on the way


def test_a_loss_that_is_no_number_stops_the_run_at_once(small_run: Trained, tmp_path: Path) -> None:
    keys = {"phases": [{"epochs": 2}, {"epochs": 2, "optimizer": "sgd(lr=1e30)"}], "snapshots": [2]}
    with pytest.raises(TrainingError, match=r"became (nan|inf) at step (8|9).*learning rate.*warm-up.*clip_gradient"):
        small_run(**keys, select="train_loss")
    (run,) = map(Run, runs_in(tmp_path))
    assert run.status == "failed"
    assert "step" in run.info["reason"]
    assert run.epochs_done == 2
    best = 1 + int(run.history["train_loss"].argmin())
    assert best == 2
    assert equal(weights(run.folder / "model.safetensors"), weights(run.folder / "snapshots/epoch-2.safetensors"))
    assert all(np.isfinite(record["loss"]) for record in run.live)


def test_weights_that_blow_up_in_the_last_step_of_an_epoch_do_not_pass(small_run: Trained, tmp_path: Path) -> None:
    # The loss of a step is that before its update: the only step of the only epoch has a good one.
    with pytest.raises(TrainingError, match="step 1"):
        small_run(batch_size=120, epochs=1, optimizer="sgd(lr=1e38)")
    (run,) = map(Run, runs_in(tmp_path))
    assert run.status == "failed"
    assert not (run.folder / "model.safetensors").exists()


def test_the_reason_of_a_failure_is_recorded_and_the_run_is_free(small_run: Trained, tmp_path: Path) -> None:
    def complain(end: EpochEnd) -> None:
        raise ValueError("not to my liking")

    with pytest.raises(ValueError, match="not to my liking"):
        small_run(callbacks=[complain])
    (run,) = map(Run, runs_in(tmp_path))
    assert (run.status, run.info["reason"], run.is_running) == ("failed", "not to my liking", False)


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ({"model": "pool|pool|pool|pool|flatten"}, SpecError),
        ({"augment": "grayscale"}, SpecError),
        ({"objective": "classes(column=hour)"}, UsageError),
        ({"normalize": "numbers(mean=[0.1, 0.2], sd=[1, 1])"}, UsageError),
        ({"name": "a/b"}, UsageError),
        ({"subset": 10**6}, UsageError),
        ({"data": "missing.zip"}, DataError),
        ({"device": "warp"}, UsageError),
        ({"parent": "nobody"}, UsageError),
    ],
)
def test_what_does_not_fit_the_data_is_refused_before_anything_is_written(
    keys: dict[str, Any], error: type[Exception], small_run: Trained, tmp_path: Path
) -> None:
    with pytest.raises(error):
        small_run(**keys)
    assert not list((tmp_path / "runs").glob("*"))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES])
def test_a_full_or_closed_disk_is_a_clear_error_and_what_was_written_stays(
    code: int, small_run: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = small_run(runs=tmp_path / "whole")
    mkstemp, is_full = files.tempfile.mkstemp, False

    def fill(end: EpochEnd) -> None:
        nonlocal is_full
        is_full = True

    def refuse(*args: Any, **keys: Any) -> Any:
        if is_full:
            raise OSError(code, "no more")
        return mkstemp(*args, **keys)

    with monkeypatch.context() as patch:
        patch.setattr(files.tempfile, "mkstemp", refuse)
        with pytest.raises(StorageError, match=r"could not be written: the (disk is full|folder may not)"):
            small_run(callbacks=[fill], checkpoint_seconds=0)
    (run,) = map(Run, runs_in(tmp_path))
    assert list(run.history["epoch"]) == [1]
    assert json.loads((run.folder / "run.json").read_text())["epochs_done"] == 1
    assert not list(run.folder.rglob("*.part"))
    assert history(resume(run)) == history(whole)


# Callbacks and the record


def test_callbacks_see_each_epoch(small_run: Trained) -> None:
    seen: list[EpochEnd] = []
    others: list[int] = []
    run = small_run(callbacks=[seen.append, lambda end: others.append(end.epoch)])
    assert [end.epoch for end in seen] == others == [1, 2]
    assert [end.row["validation_accuracy"] for end in seen] == run.history["validation_accuracy"].to_list()
    assert {end.folder for end in seen} == {run.folder}


def test_a_callback_may_use_the_classifier_without_changing_the_training(small_run: Trained, tmp_path: Path) -> None:
    def meddle(end: EpochEnd) -> None:
        end.classifier.eval()
        torch.manual_seed(0)
        end.classifier(torch.zeros(2, 1, 8, 8)).sum().backward()

    keys = {"model": "conv(4)|bn|relu|dropout(0.4)|flatten"}
    alone, watched = small_run(**keys, runs=tmp_path / "alone"), small_run(**keys, callbacks=[meddle])
    assert history(watched) == history(alone)


def test_the_record_says_what_was_trained_and_how(small_run: Trained) -> None:
    run = small_run(name="mine", keep_checkpoint=True, threads=1)
    info = run.info
    assert info["execution"] == {
        "device": "cpu",
        "precision": "float32",
        "channels_last": True,
        "threads": 1,
        "workers": 1,
        "parts": 1,
        "compile": False,
    }
    assert info["data"]["sizes"] == {"train": 120, "validation": 60, "test": 60}
    assert info["data"]["name"] == "digits"
    assert torch.__version__.startswith(info["environment"]["torch"])
    assert (info["epochs_done"], info["epochs"], info["step"], info["seconds"] > 0) == (2, 2, 6, True)
    assert run.folder.name == f"mine-{run.digest[:8]}"
    assert run.recipe["optimizer"].startswith("sgd(lr=0.1")


def test_a_model_of_layers_gives_the_run_a_plain_name(small_run: Trained) -> None:
    assert small_run(model="flatten|dense(8)").folder.name.startswith("digits-flatten-")


# Adversaries


def test_a_registered_perturbation_acts_on_each_batch(small_run: Trained) -> None:
    calls: list[tuple[int, float, float, float]] = []

    def darken(classifier: Any, pixels: Tensor, encoded: Any, objective: Any, generator: torch.Generator) -> Tensor:
        assert objective.loss(classifier(pixels), encoded).shape == (len(pixels),)
        draw = float(torch.rand(1, generator=generator))
        calls.append((len(pixels), float(pixels.min()), float(pixels.max()), draw))
        return pixels * 0

    perturbations.register("darken")(lambda: darken)
    try:
        plain, dark = small_run(), small_run(adversary="darken")
    finally:
        perturbations.remove("darken")
    assert [count for count, *_ in calls] == [40] * 6
    assert all(low == 0 and high == 1 for _, low, high, _ in calls)
    assert len({draw for *_, draw in calls}) == 6
    # On black pictures there is only the frequency of the classes to learn.
    assert dark.history["train_loss"].iloc[-1] > plain.history["train_loss"].iloc[-1]
    assert dark.digest != plain.digest


# Memory


def short_of_memory(monkeypatch: pytest.MonkeyPatch, most: int, error: Callable[[], Exception]) -> list[int]:
    """Lets a forward pass of more than ``most`` pictures fail; the sizes of those that are let through."""
    sizes: list[int] = []
    forward = Stepper._forward

    def cramped(self: Stepper, images: Tensor, *rest: Any) -> Any:
        if len(images) > most:
            raise error()
        sizes.append(len(images))
        return forward(self, images, *rest)

    monkeypatch.setattr(Stepper, "_forward", cramped)
    return sizes


ERRORS: list[Callable[[], Exception]] = [
    lambda: torch.OutOfMemoryError("CUDA out of memory."),
    lambda: RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    MemoryError,
]


@pytest.mark.parametrize("error", ERRORS)
def test_a_batch_too_large_for_memory_is_split_and_the_run_goes_on(
    error: Callable[[], Exception], small_run: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = small_run(runs=tmp_path / "whole")
    sizes = short_of_memory(monkeypatch, 12, error)
    with pytest.warns(CnnlabWarning, match="memory ran out") as caught:
        run = small_run()
    assert [str(w.message) for w in caught][-1].startswith("memory ran out; each batch is now computed in 4 parts")
    assert not any("not identical" in str(w.message) for w in caught)
    assert sizes == [10] * 24
    assert run.info["execution"]["parts"] == 4
    assert any("4 parts" in text for text in run.info["warnings"])
    for name, value in weights(whole.folder / "model.safetensors").items():
        torch.testing.assert_close(weights(run.folder / "model.safetensors")[name], value, rtol=1e-4, atol=1e-6)
    assert run.history["train_loss"].to_list() == pytest.approx(whole.history["train_loss"].to_list(), rel=1e-5)


@pytest.mark.parametrize("model", ["conv(4)|bn|relu|flatten", "flatten|dropout(0.1)"])
def test_parts_that_change_the_result_are_warned_of(
    model: str, small_run: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_of_memory(monkeypatch, 20, torch.OutOfMemoryError)
    with pytest.warns(CnnlabWarning, match="not identical"):
        small_run(model=model)


def test_parts_are_kept_when_a_run_goes_on(
    small_run: Trained, interrupted: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = short_of_memory(monkeypatch, 20, torch.OutOfMemoryError)
    with pytest.warns(CnnlabWarning, match="2 parts"):
        cut, _ = interrupted(after=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resume(cut)
    assert set(sizes) == {20}


def test_memory_that_does_not_do_for_one_picture_ends_the_run(
    small_run: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_of_memory(monkeypatch, 0, lambda: torch.OutOfMemoryError("nothing left"))
    with pytest.raises(torch.OutOfMemoryError, match="nothing left"), pytest.warns(CnnlabWarning):
        small_run()
    (run,) = map(Run, runs_in(tmp_path))
    assert run.status == "failed"
    assert run.info["execution"]["parts"] <= 64


def test_another_error_is_not_taken_for_one_of_memory(small_run: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    short_of_memory(monkeypatch, 20, lambda: RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        small_run()
