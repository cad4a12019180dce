import json
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from comparing import content

from cnnlab.core.errors import RunBusyError, StorageError, TrainingError, UsageError
from cnnlab.data import from_arrays
from cnnlab.runs import Run, RunStore, RunWriter
from cnnlab.training import EpochEnd, Interrupted, checkpoints, finishing, loop, resume
from cnnlab.training.checkpoint_file import load_checkpoint
from cnnlab.training.checkpoints import Checkpoints
from cnnlab.training.step import Stepper

Trained = Callable[..., Run]
Cut = Callable[..., tuple[Run, Interrupted]]

RECIPES: dict[str, dict[str, Any]] = {
    "momentum": {"optimizer": "sgd(lr=0.1, momentum=0.9, nesterov=true)", "schedule": "one-cycle"},
    "adam, dropout, bn": {"optimizer": "adam", "model": "conv(4)|bn|relu|dropout(0.3)|flatten"},
    "augmented": {"augment": "shift(0.2)|rotate(20)|mixup|erase"},
    "average": {"ema": 0.8, "snapshots": [1, 2], "select": "validation_loss"},
    "sampler": {"balance": "sampler", "label_smoothing": 0.1},
    "plateau": {"schedule": "plateau(factor=0.5, patience=1)", "optimizer": "sgd(lr=3)", "epochs": 4},
    "phases": {"phases": [{"steps": 4, "optimizer": "adam"}, {"epochs": 1, "augment": "flip", "batch_size": 50}]},
    "half": {"precision": "float16", "phases": [{"epochs": 1}, {"epochs": 1}], "clip_gradient": 0.5},
    "two threads": {"threads": 2, "model": "conv(16)|bn|relu|pool|flatten", "epochs": 3},
    "rprop": {"optimizer": "rprop", "clip_weights": 0.05, "steps": 5},
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_interrupted_run_ends_as_the_uninterrupted_one(
    recipe: str, small_run: Trained, interrupted: Cut, tmp_path: Path
) -> None:
    keys = RECIPES[recipe]
    whole = content(small_run(**keys, runs=tmp_path / "whole"))
    # Within an epoch, before its last step was judged, and within the next.
    for after in (2, 1, 2):
        interrupted(**keys, after=after)
    assert content(small_run(**keys)) == whole
    # Between two epochs, which may be two phases.
    interrupted(**keys, epoch=1, runs=tmp_path / "between")
    assert content(small_run(**keys, runs=tmp_path / "between")) == whole


def test_a_signal_in_the_middle_of_validation_is_heeded_and_loses_nothing(
    small_run: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = content(small_run(ema=0.9, runs=tmp_path / "whole"))
    # While an epoch is judged, then while validation and test are scored at the end.
    for place, name in ((loop.Trainer, "_validate"), (finishing, "_score")):
        method = getattr(place, name)

        def signalled(*args: Any, method: Any = method) -> Any:
            signal.raise_signal(signal.SIGTERM)
            return method(*args)

        with monkeypatch.context() as patch:
            patch.setattr(place, name, signalled)
            with pytest.raises(Interrupted):
                small_run(ema=0.9)
    cut = RunStore(tmp_path / "runs").find("last")
    assert cut.epochs_done == 2
    assert content(resume(cut)) == whole


def test_patience_and_the_best_epoch_survive_an_interruption(
    small_run: Trained, interrupted: Cut, tmp_path: Path
) -> None:
    keys = {"epochs": 6, "patience": 2, "optimizer": "sgd(lr=1e-30)"}
    whole = small_run(**keys, runs=tmp_path / "whole")
    assert whole.epochs_done == 3
    interrupted(**keys, after=8)
    assert content(small_run(**keys)) == content(whole)


def test_an_interrupted_run_is_unfinished_and_says_how_to_go_on(interrupted: Cut) -> None:
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        cut, error = interrupted(after=2, number=number, seed=int(number))
        assert (cut.status, cut.is_running) == ("unfinished", False)
        assert error.exit_code == code
        assert f"cnnlab resume {cut.folder}" in str(error)
        assert isinstance(error, KeyboardInterrupt)
        assert len(cut.live) == 2
        assert not list(cut.folder.glob("model.safetensors"))


def test_handlers_of_signals_are_put_back(interrupted: Cut) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    interrupted(after=1)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_finished_run_is_returned_untouched(small_run: Trained) -> None:
    run = small_run()
    before = {path: path.stat().st_mtime_ns for path in run.folder.rglob("*") if path.is_file()}
    seen: list[EpochEnd] = []
    assert small_run(callbacks=[seen.append]) == run
    assert resume(run, callbacks=[seen.append]) == run
    assert resume(run.name, runs=run.folder.parent) == run
    assert not seen
    assert {path: path.stat().st_mtime_ns for path in run.folder.rglob("*") if path.is_file()} == before


def test_again_trains_another_beside_it_with_the_same_result(small_run: Trained) -> None:
    first, second = small_run(), small_run(again=True)
    assert second.folder.name == f"{first.folder.name}-2"
    assert content(second) == content(first)
    assert second.digest == first.digest
    assert small_run() == first


def test_again_finds_a_free_place_after_a_repeat_was_deleted(small_run: Trained) -> None:
    first, second = small_run(), small_run(again=True)
    RunStore(first.folder.parent).delete(first)
    third = small_run(again=True)
    assert third.folder != second.folder
    assert (second.repeat, third.repeat) == (2, 3)


def test_a_run_under_way_is_refused_to_a_second_process(interrupted: Cut) -> None:
    cut, _ = interrupted(after=2)
    before = (cut.folder / "run.json").read_bytes()
    with RunWriter.open(cut.folder), pytest.raises(RunBusyError, match=cut.name):
        resume(cut)
    assert (cut.folder / "run.json").read_bytes() == before
    assert resume(cut).status == "finished"


def test_changed_data_is_refused(interrupted: Cut, tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).integers(0, 256, (90, 8, 8), np.uint8), np.arange(90) % 3
    cut, _ = interrupted(after=1, data=from_arrays(x, y), subset=None, validation=None, test=None)
    before = (cut.folder / "run.json").read_bytes()
    with pytest.raises(UsageError, match="changed"):
        resume(cut, data=from_arrays(255 - x, y))
    with pytest.raises(UsageError, match="Give them again"):
        resume(cut)
    assert (cut.folder / "run.json").read_bytes() == before
    assert resume(cut, data=from_arrays(x, y)).status == "finished"


def test_the_scale_of_float16_starts_afresh_with_each_phase(
    small_run: Trained, interrupted: Cut, tmp_path: Path
) -> None:
    keys = {"precision": "float16", "phases": [{"epochs": 1}, {"epochs": 1}], "keep_checkpoint": True}
    whole = small_run(**keys, runs=tmp_path / "whole")
    cut, _ = interrupted(**keys, epoch=1)
    checkpoints = [load_checkpoint(run.folder / "checkpoint" / "state.safetensors")[1] for run in (whole, resume(cut))]
    assert checkpoints[0]["extra"] == checkpoints[1]["extra"]
    assert checkpoints[0]["extra"]["scaler"]["_growth_tracker"] == 3


def test_a_damaged_checkpoint_is_named(interrupted: Cut) -> None:
    cut, _ = interrupted(after=2)
    path = cut.folder / "checkpoint" / "state.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StorageError, match=r"state\.safetensors is damaged.*--again"):
        resume(cut)


def test_execution_is_that_of_the_first_start(interrupted: Cut, small_run: Trained) -> None:
    cut, _ = interrupted(after=2, threads=1)
    chosen = cut.info["execution"]
    done = small_run(threads=2, precision="bfloat16")
    assert done == cut
    assert done.info["execution"] == chosen


def test_a_device_that_has_gone_is_named(interrupted: Cut) -> None:
    cut, _ = interrupted(after=2)
    path = cut.folder / "run.json"
    info = json.loads(path.read_text())
    info["execution"]["device"] = "xpu:7"
    path.write_text(json.dumps(info))
    with pytest.raises(UsageError, match=r"no device 'xpu:7'.*--again"):
        resume(cut)


def test_checkpoints_are_kept_only_where_asked(small_run: Trained) -> None:
    plain = small_run()
    assert not (plain.folder / "checkpoint").exists()
    kept = small_run(keep_checkpoint=True, seed=1).folder / "checkpoint" / "state.safetensors"
    assert kept.exists()
    assert small_run(keep_checkpoint=True, seed=1).status == "finished"
    assert kept.exists()
    # What a kill in the last moment left is gone when the run is asked for again.
    (plain.folder / "checkpoint").mkdir()
    resume(plain)
    assert not (plain.folder / "checkpoint").exists()


def test_a_checkpoint_is_written_as_often_as_asked(small_run: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    now = 0.0
    save, take = Checkpoints.save, Stepper.take

    def note(self: Checkpoints, counters: Any, *rest: Any) -> None:
        steps.append(counters.step)
        save(self, counters, *rest)

    def take_a_second(*args: Any) -> Any:
        nonlocal now
        now += 1
        return take(*args)

    monkeypatch.setattr(Checkpoints, "save", note)
    monkeypatch.setattr(Stepper, "take", take_a_second)
    for module in (loop, checkpoints):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))
    # At the end of each epoch of three steps, and whenever so many seconds have gone by since the last.
    for seconds, expected in {1000: {3, 6}, 2: {2, 3, 5, 6}, 0: {1, 2, 3, 4, 5, 6}}.items():
        steps.clear()
        run = small_run(checkpoint_seconds=seconds, again=True)
        assert set(steps) == expected
    assert list(run.history["seconds"]) == [3, 3]
    assert list(run.history["images_per_second"]) == [40, 40]
    assert run.seconds == 6


def test_the_time_of_all_attempts_counts(small_run: Trained, interrupted: Cut, monkeypatch: pytest.MonkeyPatch) -> None:
    now, take = 0.0, Stepper.take

    def take_a_second(*args: Any) -> Any:
        nonlocal now
        now += 1
        return take(*args)

    monkeypatch.setattr(Stepper, "take", take_a_second)
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: now))
    interrupted(after=2)
    now = 500.0
    cut, _ = interrupted(epoch=1)
    assert (cut.epochs_done, cut.seconds) == (1, 3)
    now = 900.0
    run = small_run()
    assert list(run.history["seconds"]) == [3, 3]
    assert run.seconds == 6


def test_what_a_killed_process_left_half_written_is_cleared_away(interrupted: Cut) -> None:
    cut, _ = interrupted(after=2)
    leftovers = [cut.folder / ".history.csv.x1.part", cut.folder / "checkpoint" / ".state.safetensors.x2.part"]
    for path in leftovers:
        path.write_text("half")
    resume(cut)
    assert not any(path.exists() for path in leftovers)


def test_steps_taken_since_the_last_checkpoint_are_taken_again(
    small_run: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Stepper.take

    def fail_in_the_sixth(self: Stepper, batch: Any, moment: Any) -> Any:
        if (moment.epoch, moment.step) == (1, 2):
            raise RuntimeError("a power cut")
        return take(self, batch, moment)

    whole = content(small_run(runs=tmp_path / "whole"))
    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "take", fail_in_the_sixth)
        with pytest.raises(RuntimeError, match="a power cut"):
            small_run()
    cut = RunStore(tmp_path / "runs").find("last")
    assert [record["step"] for record in cut.live] == [1, 2, 3, 4, 5]
    assert content(resume(cut)) == whole


def test_a_failed_run_goes_on_from_its_last_checkpoint(small_run: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    take, poisoned = Stepper.take, True

    def fail_in_second_epoch(self: Stepper, batch: Any, moment: Any) -> Any:
        outcome = take(self, batch, moment)
        if poisoned and moment.epoch == 1:
            outcome.loss.fill_(float("nan"))
        return outcome

    whole = content(small_run())
    monkeypatch.setattr(Stepper, "take", fail_in_second_epoch)
    with pytest.raises(TrainingError):
        small_run(seed=0, again=True)
    poisoned = False
    failed = RunStore(small_run().folder.parent).find("last")
    assert failed.status == "failed"
    assert content(resume(failed)) == whole
    assert failed.info["reason"] is None


def test_training_leaves_the_global_generators_alone(small_run: Trained, interrupted: Cut) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    interrupted(after=2, model="conv(4)|dropout(0.5)|flatten", augment="flip", precision="auto")
    small_run(model="conv(4)|dropout(0.5)|flatten", augment="flip", precision="auto")
    assert torch.equal(torch.rand(3), expected)
