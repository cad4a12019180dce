import errno
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from comparing import equal, history, runs_in, weights
from torch import Tensor

from cnnlab import data
from cnnlab.core import files
from cnnlab.core.errors import DataError, SpecError, StorageError, TrainingError, UsageError
from cnnlab.core.hooks import perturbations
from cnnlab.core.seeds import SampleDraws
from cnnlab.data import Dataset, TensorImages
from cnnlab.models import why_no_native_kernels
from cnnlab.runs import Run
from cnnlab.training import EpochEnd, api, resume
from cnnlab.training.loop import Trainer

Trained = Callable[..., Run]

# Judged on few pictures under a large rate, epochs come out good and bad in no order.
RESTLESS = {"epochs": 5, "optimizer": "sgd(lr=3)"}


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
    assert list(run.history["learning_rate_end"]) == [0.1, 0.1, 0.2, 0.2]
    assert [record["step"] for record in run.live] == list(range(1, 9))
    assert [record["epoch"] for record in run.live] == [1, 1, 1, 2, 3, 3, 4, 4]


def test_each_phase_has_an_optimiser_of_its_own(small_run: Trained) -> None:
    # Without momentum nothing is carried on, so two phases are one; with it they are not.
    for momentum, same in ((0.0, True), (0.9, False)):
        optimizer = f"sgd(lr=0.1, momentum={momentum})"
        whole = small_run(optimizer=optimizer, epochs=2, select="last")
        split = small_run(optimizer=optimizer, phases=[{"epochs": 1}, {"epochs": 1}], select="last")
        assert equal(weights(whole), weights(split)) is same


def test_a_schedule_runs_over_its_own_phase(small_run: Trained) -> None:
    linear = {"schedule": "linear", "optimizer": "sgd(lr=0.6)"}
    run = small_run(phases=[{"steps": 3, **linear}, {"steps": 2, **linear}])
    assert [record["learning_rate"] for record in run.live] == pytest.approx([0.6, 0.4, 0.2, 0.6, 0.3])
    # An epoch has three steps, and the second phase less than one.
    assert list(run.history["learning_rate_start"]) == pytest.approx([0.6, 0.6])
    assert list(run.history["learning_rate_end"]) == pytest.approx([0.2, 0.3])


def test_plateau_looks_at_the_epochs_of_its_own_phase(small_run: Trained) -> None:
    still = {"optimizer": "sgd(lr=1e-30)", "schedule": "plateau(factor=0.5, patience=1)"}
    run = small_run(phases=[{"epochs": 3, **still}, {"epochs": 3, **still}])
    assert list(run.history["learning_rate_end"] / 1e-30) == pytest.approx([1, 1, 0.5, 1, 1, 0.5])


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
    first, second = (
        small_run(data=Dataset("squares", split(60, 0), split(30, 1), split(30, seed)), **OWN, **RESTLESS)
        for seed in (2, 3)
    )
    assert first != second
    assert history(first) == history(second)
    assert first.info["selected"] == second.info["selected"]
    assert equal(weights(first), weights(second))


def test_it_learns(small_run: Trained) -> None:
    run = small_run(subset=None, validation=None, test=None, epochs=6, optimizer="adam(lr=0.01)", schedule="one-cycle")
    # Ten classes. Measured: 0.91 to 0.95 with six seeds.
    assert run.test.accuracy > 0.8
    assert run.info["data"]["sizes"] == {"train": 1294, "validation": 144, "test": 359}


def test_permuted_pixels_are_learnt_as_well_without_convolutions(small_run: Trained) -> None:
    keys = {"model": "mlp(hidden=[32])", "optimizer": "adam(lr=0.01)", "subset": 600, "test": 300, "epochs": 6}
    plain, permuted = small_run(**keys), small_run(**keys, permute=4)
    assert permuted != plain
    assert permuted.test.accuracy == pytest.approx(plain.test.accuracy, abs=0.1)
    classifier = permuted.classifier()
    assert classifier.permute == 4
    predictions = permuted.predictions()

    dataset = data.load_data("digits", subset=600, validation=60, test=300)
    assert dataset.test is not None
    with torch.no_grad():
        outputs = classifier(dataset.test.batch(torch.arange(300))[0])
    torch.testing.assert_close(outputs, torch.tensor(predictions.outputs["label"]), rtol=1e-4, atol=1e-5)


def test_a_loss_that_is_no_number_stops_the_run_at_once(small_run: Trained, tmp_path: Path) -> None:
    keys = {"phases": [{"epochs": 2}, {"epochs": 2, "optimizer": "sgd(lr=1e30)"}], "snapshots": [2]}
    with pytest.raises(TrainingError, match=r"became (nan|inf) at step (8|9).*learning rate.*warm-up.*clip_gradient"):
        small_run(**keys, select="train_loss")
    (run,) = runs_in(tmp_path / "runs")
    assert run.status == "failed"
    assert "step" in run.info["reason"]
    assert run.epochs_done == 2
    best = 1 + int(run.history["train_loss"].argmin())
    assert best == 2
    assert equal(weights(run), weights(run, "snapshots/epoch-2"))
    assert all(np.isfinite(record["loss"]) for record in run.live)


@pytest.mark.parametrize("keys", [{"optimizer": "sgd(lr=1e38)"}, {"optimizer": "sgd(lr=1e60)", "validation": 0}])
def test_weights_that_blow_up_in_the_last_step_of_an_epoch_do_not_pass(
    keys: dict[str, Any], small_run: Trained, tmp_path: Path
) -> None:
    # The loss of a step is that before its update: the only step of the only epoch has a good one.
    with pytest.raises(TrainingError, match="step 1"):
        small_run(batch_size=120, epochs=1, **keys)
    (run,) = runs_in(tmp_path / "runs")
    assert run.status == "failed"
    assert not (run.folder / "model.safetensors").exists()


def test_the_reason_of_a_failure_is_recorded_and_the_run_is_free(small_run: Trained, tmp_path: Path) -> None:
    def complain(end: EpochEnd) -> None:
        raise ValueError("not to my liking")

    with pytest.raises(ValueError, match="not to my liking"):
        small_run(callbacks=[complain])
    (run,) = runs_in(tmp_path / "runs")
    assert (run.status, run.info["reason"], run.is_running) == ("failed", "not to my liking", False)


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ({"model": "pool|pool|pool|pool|flatten"}, SpecError),
        ({"augment": "grayscale"}, SpecError),
        ({"phases": [{"epochs": 1}, {"epochs": 1, "augment": "grayscale"}]}, SpecError),
        ({"objective": "classes(column=hour)"}, UsageError),
        ({"normalize": "numbers(mean=[0.1, 0.2], std=[1, 1])"}, UsageError),
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


def test_a_folder_of_runs_that_cannot_be_is_a_clear_error(small_run: Trained, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="could not be written"):
        small_run(runs=tmp_path / "file")
    assert (tmp_path / "file").read_text() == "in the way"


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
        with pytest.raises(StorageError, match=r"state\.safetensors could not be written: the (disk is full|fold)"):
            small_run(callbacks=[fill], checkpoint_seconds=0)
    (run,) = runs_in(tmp_path / "runs")
    assert list(run.history["epoch"]) == [1]
    assert json.loads((run.folder / "run.json").read_text())["epochs_done"] == 1
    assert not list(run.folder.rglob("*.part"))
    assert history(resume(run)) == history(whole)


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
        "kernels": "torch" if why_no_native_kernels() else "native",
        "devices": 1,
        "sync_batchnorm": True,
    }
    assert info["data"]["sizes"] == {"train": 120, "validation": 60, "test": 60}
    assert info["data"]["name"] == "digits"
    assert [run.scores(split).n for split in ("train", "validation", "test")] == [120, 60, 60]
    assert torch.__version__.startswith(info["environment"]["torch"])
    assert (info["epochs_done"], info["epochs"], info["step"], info["seconds"] > 0) == (2, 2, 6, True)
    assert run.folder.name == f"mine-{run.digest[:8]}"
    assert run.recipe["optimizer"].startswith("sgd(lr=0.1")


def test_a_model_of_layers_gives_the_run_a_plain_name(small_run: Trained) -> None:
    assert small_run(model="flatten|dense(8)").folder.name.startswith("digits-flatten-")


def test_a_registered_perturbation_acts_on_each_batch(small_run: Trained) -> None:
    calls: list[tuple[int, float, float, float]] = []

    def darken(classifier: Any, pixels: Tensor, encoded: Any, objective: Any, draws: SampleDraws) -> Tensor:
        assert objective.loss(classifier(pixels), encoded).shape == (len(pixels),)
        draw = float(draws.uniform()[0])
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


@pytest.fixture
def registered() -> Iterator[Callable[..., None]]:
    """Registers perturbations for a test."""
    names: list[str] = []

    def register(name: str, function: Any) -> None:
        perturbations.register(name)(lambda: function)
        names.append(name)

    yield register
    for name in names:
        perturbations.remove(name)


def test_a_perturbation_that_changes_nothing_changes_nothing(small_run: Trained, registered: Any) -> None:
    def look(classifier: Any, pixels: Tensor, encoded: Any, objective: Any, draws: SampleDraws) -> Tensor:
        torch.rand(3)
        draws.normal(4)
        objective.loss(classifier(pixels), encoded).sum().backward()
        return pixels

    registered("look", look)
    keys = {"model": "conv(4)|bn|relu|dropout(0.4)|flatten"}
    assert equal(weights(small_run(**keys, adversary="look")), weights(small_run(**keys)))


def test_pictures_are_perturbed_alike_however_the_batch_is_split(
    small_run: Trained, registered: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[Tensor] = []

    def shake(classifier: Any, pixels: Tensor, encoded: Any, objective: Any, draws: SampleDraws) -> Tensor:
        shaken = pixels / 2 + draws.uniform(*pixels.shape[1:]) / 2
        seen.append(shaken)
        return shaken

    registered("shake", shake)
    keys = {"adversary": "shake", "steps": 2}
    whole = small_run(**keys, runs=tmp_path / "whole")
    pixels_whole = torch.cat(seen)
    seen.clear()
    chosen = api.choose_execution

    def in_parts(*given: Any) -> Any:
        execution, choice = chosen(*given)
        return replace(execution, parts=3), choice

    monkeypatch.setattr(api, "choose_execution", in_parts)
    split = small_run(**keys, runs=tmp_path / "parts")
    assert [len(part) for part in seen] == [14, 14, 12] * 2
    assert torch.equal(torch.cat(seen), pixels_whole)
    for name, value in weights(split).items():
        torch.testing.assert_close(value, weights(whole)[name], atol=1e-5, rtol=0)


def test_a_trainer_has_all_its_attributes_from_the_start(small_run: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[set[str]] = []
    run = Trainer.run

    def watched(self: Trainer) -> None:
        names.append(set(vars(self)))
        run(self)
        names.append(set(vars(self)))

    monkeypatch.setattr(Trainer, "run", watched)
    small_run(phases=[{"epochs": 1}, {"epochs": 1, "augment": "flip"}], patience=1, snapshots=[1])
    assert names[0] == names[1]
