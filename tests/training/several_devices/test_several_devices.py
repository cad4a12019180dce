"""One training on two devices is that of one, and what goes wrong on one of them ends it on both.

Two processes live through everything, and others until one is killed.
"""

import json
import signal
from collections.abc import Callable
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cnnlab.core.errors import CnnlabWarning
from cnnlab.runs import Run
from cnnlab.training import resume, train
from tests.training.comparing import content, equal, runs_in, weights
from tests.training.several_devices.device_process import FATAL_STEP, STOPPED_AFTER, live, lose_one, train_together

SHARED = {
    "data": "digits",
    "validation": 60,
    "test": 60,
    # One that takes gradients as they are: Adam makes steps of those that are nothing but rounding.
    "optimizer": "sgd(lr=0.05, momentum=0.9)",
    "precision": "float32",
    "device": "cpu",
    "threads": 1,
    "workers": 1,
}
RECIPES: dict[str, dict[str, Any]] = {
    # Batches of 50, the last of 3, which are 2 and 1; 49 steps and more of a network with everything in it.
    "plain": {
        "subset": 303,
        "model": "conv(8)|bn|relu|pool|dropout(0.2)|conv(16)|bn|relu|dropout(0.2, by=channel)|global_pool",
        "batch_size": 50,
        "epochs": 8,
        "augment": "flip|shift(0.1)|gaussian_noise(0.1)|erase(p=0.5)",
        "mirror": "noting",
    },
    # Whole batches are needed to blend them; weights of classes, a mean of weights, a penalty, phases of parts.
    "blended": {
        "subset": 101,
        "model": "conv(6, l2=1e-3)|bn|relu|pool|dense(24)|relu",
        "batch_size": 32,
        "augment": "mixup|flip",
        "label_smoothing": 0.1,
        "balance": "weights",
        "ema": 0.9,
        "clip_gradient": 1.0,
        "select": "loss",
        "phases": [{"train": "head", "epochs": 1}, {"epochs": 2, "unfreeze": 1}],
    },
    # What draws for a place in the batch, and looks at the network in between.
    "attacked": {
        "subset": 61,
        "model": "conv(6)|bn|relu|pool|dense(24)|relu",
        "batch_size": 30,
        "adversary": "fast(eps=0.1)",
        "epochs": 2,
    },
}
RECIPES = {name: {**SHARED, **recipe} for name, recipe in RECIPES.items()}

pytestmark = pytest.mark.slow(8)


PARTED = "the processes of this training have parted, since one of them failed. Start all of them anew."
Started = Callable[..., tuple[list[int | None], list[dict[str, Any]]]]
Together = tuple[Path, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def started(_loaded_once: BaseContext) -> Started:
    """Has two processes live through a scenario; how each left, and what those saw that left well."""

    def start(scenario: Any, folder: Path, *arguments: Any) -> tuple[list[int | None], list[dict[str, Any]]]:
        processes = [
            _loaded_once.Process(target=live, args=(scenario, folder, rank, *arguments))  # type: ignore[attr-defined]
            for rank in range(2)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(120)
            # One that hangs leaves no other behind.
            process.kill()
            process.join()
        files = [folder / f"{rank}.json" for rank in range(2)]
        return [process.exitcode for process in processes], [json.loads(f.read_text()) for f in files if f.is_file()]

    return start


@pytest.fixture(scope="module")
def together(started: Started, tmp_path_factory: pytest.TempPathFactory) -> Together:
    """The folder of what two processes did, and what each of them saw."""
    folder = tmp_path_factory.mktemp("together")
    codes, seen = started(train_together, folder, RECIPES)
    assert codes == [0, 0]
    return folder, seen


@pytest.mark.parametrize("name", RECIPES)
def test_two_devices_train_as_one(name: str, together: Together, tmp_path: Path) -> None:
    _, (seen, _) = together
    two = Run(Path(seen[name]["folder"]))
    one = train({**RECIPES[name], "name": name, "mirror": "none"}, runs=tmp_path, offline=True)
    assert one.info["digest"] == two.info["digest"]
    assert (one.info["execution"]["devices"], two.info["execution"]["devices"]) == (1, 2)
    losses = [torch.tensor([step["loss"] for step in run.live]) for run in (one, two)]
    assert len(losses[0]) == len(losses[1]) and losses[0].std() > 0
    torch.testing.assert_close(*losses, atol=1e-5, rtol=0)
    for split, values in one.info["scores"].items():
        assert two.info["scores"][split] == pytest.approx(values, abs=2e-4), split
    first, second = weights(one), weights(two)
    for key, value in first.items():
        torch.testing.assert_close(second[key], value, atol=1e-4, rtol=1e-3)


def test_there_are_fifty_steps_and_uneven_batches_among_them(together: Together) -> None:
    _, (seen, _) = together
    run = Run(Path(seen["plain"]["folder"]))
    assert len(run.live) == 8 * 7
    assert 303 % 50 == 3


def test_only_the_first_writes_and_calls_callbacks(together: Together) -> None:
    folder, (first, second) = together
    assert first["callbacks"] == sum(3 if "phases" in r else r["epochs"] for r in RECIPES.values())
    assert second["callbacks"] == 0
    assert first["again"] == second["again"] == Path(first["plain"]["folder"]).name
    assert {run.status for run in runs_in(folder / "runs")} == {"finished", "failed"}
    assert [second[name]["status"] for name in RECIPES] == ["finished"] * len(RECIPES)


def test_only_the_first_has_the_record_mirrored(together: Together) -> None:
    folder, (seen, _) = together
    noted = [json.loads(line) for line in (folder / "mirrored.jsonl").read_text().splitlines()]
    assert {entry["rank"] for entry in noted} == {"0"}
    plain = [entry["steps"] for entry in noted if entry["run"] == Path(seen["plain"]["folder"]).name]
    # When it was trained, and when the same was asked for again.
    assert plain == [8 * 7, 8 * 7]


def test_no_compiler_is_loaded(together: Together) -> None:
    assert not any(seen["has_compiler"] for seen in together[1])


def test_a_signal_to_one_stops_both_at_one_step_and_saves_once(together: Together) -> None:
    folder, (first, second) = together
    assert first["interrupted"] == second["interrupted"] == 128 + signal.SIGTERM
    (left,) = runs_in(folder / "elsewhere")
    steps = [step["step"] for step in left.live]
    assert left.status == "unfinished" and steps == list(range(1, STOPPED_AFTER + 1))


def test_resumed_on_as_many_devices_it_has_the_bits_of_one_left_alone(together: Together) -> None:
    _, (seen, _) = together
    resumed, whole = Run(Path(seen["resumed"])), Run(Path(seen["whole"]))
    assert content(resumed) == content(whole)
    assert resumed.info["warnings"] == []


def test_resumed_on_another_number_of_devices_it_says_so_and_ends_alike(together: Together) -> None:
    folder, (seen, _) = together
    whole, (left,) = Run(Path(seen["whole"])), runs_in(folder / "elsewhere")
    with pytest.warns(CnnlabWarning, match="trained on 1 device after 0 epochs, on 2 until then"):
        run = resume(left.folder, devices=1, offline=True)
    assert run.info["execution"]["devices"] == 1
    assert ["on 2 until then" in text for text in run.info["warnings"]] == [True]
    ours, theirs = ([step["loss"] for step in each.live] for each in (run, whole))
    assert ours == pytest.approx(theirs, abs=1e-5)


def test_normalisation_over_slices_is_that_of_the_whole_batch(together: Together) -> None:
    _, (seen, _) = together
    layer = nn.BatchNorm2d(3).train()
    pixels = 5 + 3 * torch.randn(7, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    factors = torch.randn(7, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    pixels.requires_grad_()
    outputs = layer(pixels)
    (outputs * factors).sum().backward()
    assert pixels.grad is not None
    found = {key: torch.tensor(value) for key, value in seen["normalised"].items()}
    torch.testing.assert_close(found["outputs"], outputs.detach().flatten(1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found["gradient"], pixels.grad.flatten(1), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found["weight"], layer.weight.grad, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(found["bias"], layer.bias.grad, atol=1e-4, rtol=1e-5)
    running = torch.stack([layer.running_mean, layer.running_var])  # type: ignore[list-item]
    torch.testing.assert_close(found["running"], running)


def test_norms_that_are_not_synchronised_are_told_of_and_make_another_training(together: Together) -> None:
    folder, (first, second) = together
    run = Run(Path(first["own"]["folder"]))
    assert ["sync_batchnorm=false" in text for text in run.info["warnings"]] == [True]
    assert any("sync_batchnorm=false" in text for text in first["own"]["warned"])
    assert second["own"]["warned"] == []
    assert run.info["execution"]["sync_batchnorm"] is False
    (one,) = [each for each in runs_in(folder / "runs") if each.name.startswith("plain")]
    assert not equal(weights(run), weights(one))


@pytest.mark.parametrize(
    ("key", "text"),
    [("devices", "nproc-per-node 3"), ("batch_size", "some would have none"), ("compile", "for one device")],
)
def test_what_several_devices_cannot_do_is_refused(key: str, text: str, together: Together) -> None:
    assert all(text in seen[key] for seen in together[1])


def test_an_error_of_one_ends_both_with_its_words(together: Together) -> None:
    folder, (first, second) = together
    assert second["failure"] == ["UsageError", "this one lacks the data."]
    assert first["failure"] == ["PeerFailedError", "this one lacks the data."]
    assert all(seen["after"] == ["TrainingError", PARTED] for seen in (first, second))
    (failed,) = [run for run in runs_in(folder / "runs") if run.name.startswith("failed")]
    assert (failed.status, failed.info["reason"]) == ("failed", "this one lacks the data.")


def test_a_process_that_is_killed_ends_both_and_the_run_goes_on(started: Started, tmp_path: Path) -> None:
    recipe = {**RECIPES["plain"], "mirror": "none", "epochs": 1, "checkpoint_seconds": 0}
    codes, (seen,) = started(lose_one, tmp_path, recipe)
    assert codes == [0, -signal.SIGKILL]
    assert seen["kind"] == "PeerFailedError" and "ended without a word" in seen["error"]
    assert seen["seconds"] < 30
    (run,) = runs_in(tmp_path / "runs")
    assert run.status == "unfinished" and not run.is_running and len(run.live) == FATAL_STEP - 1
    assert run.info["execution"]["devices"] == 2
    with pytest.warns(CnnlabWarning, match="on 2 until then"):
        finished = train(recipe, devices=1, runs=tmp_path / "runs", offline=True)
    assert finished.folder == run.folder and len(finished.live) == 7
