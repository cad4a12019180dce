import copy
import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.core.machine import usable_cores
from cnnlab.core.seeds import scope
from cnnlab.runs import Run, store_at
from cnnlab.training import Recipe, execution, find_lr
from cnnlab.training.execution import (
    Execution,
    choose_execution,
    describe_execution,
    execution_for,
    fix_precision,
)
from cnnlab.training.precision import MOST_SECONDS, PrecisionChoice, Workload
from cnnlab.training.prepare import build_classifier, prepare
from cnnlab.training.timed_step import single_step

Trained = Callable[..., Run]


def test_what_is_asked_for_is_taken() -> None:
    chosen = execution_for(device="cpu", precision="bfloat16", threads=3, workers=2, compile=True, kernels="torch")
    assert chosen == Execution("cpu", "bfloat16", True, threads=3, workers=2, parts=1, compile=True, kernels="torch")


def test_threads_and_workers_are_the_cores_unless_said() -> None:
    chosen = execution_for(device="cpu", threads=None, workers=None, compile=False)
    assert chosen.threads == chosen.workers == usable_cores() >= 1


def test_it_survives_the_record() -> None:
    chosen = Execution("cpu", "float16", False, 3, 2, 4, True)
    assert Execution.from_dict(chosen.to_dict()) == chosen
    # A record of an earlier version may hold less, one of a later version more.
    assert Execution.from_dict({"device": "cpu", "world": 8}) == Execution()


@pytest.mark.parametrize("device", ["warp", "cuda:99", ""])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(UsageError, match="no device"):
        execution_for(device=device, threads=1, workers=1, compile=False)
    with pytest.raises(UsageError, match="--again"):
        Execution.from_dict({"device": device})


def test_the_number_of_threads_is_put_back() -> None:
    before = torch.get_num_threads()
    with Execution(threads=before + 1).applied():
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with pytest.raises(ZeroDivisionError), Execution(threads=before + 1).applied():
        1 / 0  # noqa: B018
    assert torch.get_num_threads() == before


def test_training_uses_its_threads_and_puts_them_back(small_run: Trained) -> None:
    before = torch.get_num_threads()
    seen: list[int] = []
    small_run(threads=before + 1, callbacks=[lambda end: seen.append(torch.get_num_threads())])
    assert seen == [before + 1] * 2
    assert torch.get_num_threads() == before


WORK = Workload(torch.nn.Linear(4, 2), (1, 2, 2), batch=64, steps=1000, threads=1, kernels="torch")


def _nothing_is_timed() -> Any:
    raise AssertionError("a format was timed")


def _settled(**keys: Any) -> tuple[str, str]:
    chosen, choice = fix_precision(Execution(**{"precision": "auto", **keys}), WORK, _nothing_is_timed)
    assert chosen.precision == choice.precision
    return choice.precision, choice.why


@pytest.mark.parametrize("name", ["float32", "bfloat16", "float16"])
def test_a_precision_that_is_asked_for_is_not_tried_out(name: str) -> None:
    assert _settled(precision=name) == (name, "asked for")


def test_a_processor_without_native_bfloat16_computes_in_float32_and_nothing_is_timed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(execution, "has_native_bfloat16", lambda device: False)
    assert _settled() == ("float32", "no native bfloat16")


def test_a_processor_with_native_bfloat16_is_asked_by_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "has_native_bfloat16", lambda device: True)
    monkeypatch.setattr(execution, "choose_precision", lambda *given: PrecisionChoice("bfloat16", "timed", 0.4))
    assert _settled() == ("bfloat16", "timed")


@pytest.mark.parametrize(
    ("is_native", "expected"), [(True, ("bfloat16", "native bfloat16")), (False, ("float16", "no native bfloat16"))]
)
def test_cuda_takes_bfloat16_where_it_is_native_and_float16_otherwise(
    is_native: bool, expected: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(execution, "has_native_bfloat16", lambda device: asked.append(str(device)) or is_native)
    assert _settled(device="cuda:1") == expected
    assert asked == ["cuda:1"]


def test_mps_computes_in_float32() -> None:
    assert _settled(device="mps") == ("float32", "not measured")


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_an_accelerator_is_chosen_where_there_is_one(
    cuda: bool, mps: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(execution, "check_device", lambda device, remedy: None)
    assert execution_for(threads=1, workers=1, compile=False).device == expected


@pytest.mark.parametrize(
    ("place", "choice", "expected"),
    [
        (
            Execution("cpu", "bfloat16", threads=2),
            PrecisionChoice("bfloat16", "timed", 0.41, float32=0.16, bfloat16=0.1, images=8),
            "computing in bfloat16 on 2 threads (1.6 × float32, tried for 0.41 s)",
        ),
        (
            Execution("cpu", "float32", threads=1),
            PrecisionChoice("float32", "remembered", 0.0, float32=0.1, bfloat16=0.125, images=8),
            "computing in float32 on 1 thread (bfloat16 is 0.8 × float32, tried before)",
        ),
        (
            Execution("cpu", "float32", threads=2),
            PrecisionChoice("float32", "too short to time", 0.21),
            "on 2 threads (the training is too short to try out bfloat16, decided in 0.21 s)",
        ),
        (
            Execution("cpu", "float32", threads=2),
            PrecisionChoice("float32", "no answer in time", 1.96),
            "on 2 threads (a trial of 2 s did not tell whether bfloat16 is faster)",
        ),
        (
            Execution("cpu", "float32", threads=2),
            PrecisionChoice("float32", "no native bfloat16"),
            "computing in float32 on 2 threads (torch has no native bfloat16 for this processor)",
        ),
        (Execution("cuda", "bfloat16"), PrecisionChoice("bfloat16", "native bfloat16"), "on cuda (native bfloat16)"),
        (Execution("cpu", "float32", threads=2), None, "computing in float32 on 2 threads (as the run was begun)"),
    ],
)
def test_a_line_says_in_what_is_computed_and_why(
    place: Execution, choice: PrecisionChoice | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "has_native_bfloat16", lambda device: True)
    assert describe_execution(place, choice).endswith(expected)


def test_who_asks_for_a_format_that_is_not_native_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "has_native_bfloat16", lambda device: False)
    assert "many times slower" in describe_execution(
        Execution("cpu", "bfloat16"), PrecisionChoice("bfloat16", "asked for")
    )


def test_a_real_trial_takes_less_than_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    # On any processor, whether its bfloat16 is native or not: a small network, so that even the reference is in time.
    monkeypatch.setattr(execution, "has_native_bfloat16", lambda device: True)
    keys = {"data": "digits", "model": "conv(8)|relu|pool|conv(16)|relu|flatten", "epochs": 10_000_000, "threads": 1}
    setting = prepare(Recipe.read(keys), store_at(), offline=True)
    classifier = build_classifier(setting)
    choices = []
    # A loaded machine may hold up a pass until the budget is spent, and then nothing can be told; a later trial tells.
    while not choices or (choices[-1].why != "timed" and len(choices) < 5):
        choices.append(choose_execution(setting, classifier)[1])
        assert choices[-1].seconds < 2 * MOST_SECONDS
    assert choices[-1].why == "timed" and choices[-1].float32 and choices[-1].bfloat16


def test_the_choice_is_on_record_and_a_resumed_run_keeps_its_precision(
    small_run: Trained, interrupted: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cnnlab")
    monkeypatch.setattr(execution, "has_native_bfloat16", lambda device: True)
    choice = PrecisionChoice("bfloat16", "timed", 0.4, float32=0.2, bfloat16=0.1, images=8)
    monkeypatch.setattr(execution, "choose_precision", lambda *given: choice)
    stopped, _ = interrupted(after=2, precision="auto", kernels="torch")
    assert stopped.info["precision_choice"] == choice.to_dict()
    assert caplog.messages[0] == "computing in bfloat16 on 1 thread (2.0 × float32, tried for 0.4 s)"
    monkeypatch.setattr(execution, "choose_precision", _nothing_is_timed)
    run = small_run(precision="auto", kernels="torch")
    assert run.folder == stopped.folder and run.status == "finished"
    assert run.info["execution"]["precision"] == "bfloat16"
    assert run.info["precision_choice"] == choice.to_dict()
    assert "computing in bfloat16 on 1 thread (as the run was begun)" in caplog.messages


@pytest.mark.parametrize(("way", "steps"), [("train", 6), ("find_lr", 10), ("single_step", 1)])
def test_a_training_and_whoever_times_its_steps_compile_where_the_recipe_says_so(
    way: str, steps: int, tiny: dict[str, Any], small_run: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    def compile(network: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def forward(images: Tensor) -> Tensor:
            taken.append(len(images))
            return network(images)

        return forward

    ways: dict[str, Callable[[bool], object]] = {
        "train": lambda compile: small_run(compile=compile, again=True),
        "find_lr": lambda compile: find_lr({**tiny, "compile": compile}, steps=steps, offline=True),
        "single_step": lambda compile: single_step({**tiny, "compile": compile}, offline=True)(torch.rand(40, 1, 8, 8)),
    }
    monkeypatch.setattr(torch, "compile", compile)
    ways[way](False)
    assert not taken
    ways[way](True)
    assert taken == steps * [40]


def test_a_step_is_timed_where_frozen_parts_see_augmented_draws(tiny: dict[str, Any]) -> None:
    frozen = {"augment": "flip|shift(0.1)", "train": "head", "views": 2}
    step = single_step({**tiny, **frozen}, offline=True)
    step(torch.rand(40, 1, 8, 8))
    assert not step.phase.span.phase.augment.parsed


def test_trying_out_leaves_classifier_and_generators_as_they_were(
    tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny |= {"epochs": 10_000_000, "precision": "auto", "model": "conv(4)|bn|relu|dropout(0.5)|flatten"}
    recipe = Recipe.read(tiny)
    setting = prepare(recipe, store_at(), offline=True)
    classifier = build_classifier(setting)
    before = copy.deepcopy(classifier.state_dict())
    modes = [module.training for module in classifier.modules()]
    torch.manual_seed(3)
    monkeypatch.setattr(execution, "has_native_bfloat16", lambda device: True)
    chosen, choice = choose_execution(setting, classifier)
    assert choice.why == "timed"
    after = torch.rand(2)
    torch.manual_seed(3)
    assert torch.equal(torch.rand(2), after)
    assert chosen.precision in {"float32", "bfloat16"}
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())
    assert [module.training for module in classifier.modules()] == modes
    assert all(parameter.grad is None for parameter in classifier.parameters())


def test_weights_are_drawn_from_the_seed_alone(tiny: dict[str, Any]) -> None:
    def weights(seed: int) -> dict[str, Tensor]:
        setting = prepare(Recipe.read(tiny, seed=seed), store_at(), offline=True)
        return build_classifier(setting).state_dict()

    torch.manual_seed(1)
    first = weights(0)
    with scope(9, "elsewhere"):
        second = weights(0)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    other = weights(1)
    assert any(not torch.equal(value, other[name]) for name, value in first.items())


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_short_precision_trains_over_float32_weights(precision: str, small_run: Trained) -> None:
    keys = {"subset": None, "optimizer": "adam(lr=0.01)", "epochs": 4, "validation": None, "test": None}
    run = small_run(precision=precision, **keys)
    assert run.test.accuracy > 0.8
    assert {p.dtype for p in run.classifier().parameters()} == {torch.float32}
    assert run.predictions().outputs["label"].dtype == "float32"
