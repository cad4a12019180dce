import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.core.seeds import scope
from cnnlab.runs import Run
from cnnlab.training import Recipe, api, execution
from cnnlab.training.execution import Execution, choose, settle, usable_cores
from cnnlab.training.intake import Given

Trained = Callable[..., Run]


def test_what_is_asked_for_is_taken() -> None:
    chosen = choose(device="cpu", precision="bfloat16", threads=3, workers=2, compile=True)
    assert chosen == Execution("cpu", "bfloat16", True, threads=3, workers=2, parts=1, compile=True)


def test_threads_and_workers_are_the_cores_unless_said() -> None:
    chosen = choose(device="cpu", threads=None, workers=None, compile=False)
    assert chosen.threads == chosen.workers == usable_cores() >= 1


def test_it_survives_the_record() -> None:
    chosen = Execution("cpu", "float16", False, 3, 2, 4, True)
    assert Execution.from_dict(chosen.to_dict()) == chosen
    # A record of an earlier version may hold less, one of a later version more.
    assert Execution.from_dict({"device": "cpu", "world": 8}) == Execution()


@pytest.mark.parametrize("device", ["warp", "cuda:99", ""])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(UsageError, match="no device"):
        choose(device=device, threads=1, workers=1, compile=False)
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


class Clock:
    """A network whose steps take a second, or in the short format as long as it is told."""

    def __init__(self, short: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.short, self.now, self.steps = short, 0.0, 0
        self.network = torch.nn.Linear(2, 2)
        monkeypatch.setattr(execution.time, "perf_counter", lambda: self.now)

    def step(self, batch: Tensor) -> Tensor:
        self.steps += 1
        self.now += self.short if torch.is_autocast_enabled("cpu") else 1.0
        # The first steps are slow in any format.
        self.now += 100.0 * (self.steps <= 2)
        return self.network(batch).sum()

    def settled(self, precision: str) -> str:
        batch = torch.rand(2, 2)
        return settle(Execution(precision=precision), self.network, batch, self.step).precision


@pytest.mark.parametrize(("short", "expected"), [(0.5, "bfloat16"), (0.99, "float32"), (2.0, "float32")])
def test_the_short_format_is_taken_where_it_is_clearly_faster(
    short: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Clock(short, monkeypatch).settled("auto") == expected


def test_a_precision_that_is_asked_for_is_not_tried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(0.5, monkeypatch)
    assert [clock.settled(name) for name in ("float32", "bfloat16", "float16")] == ["float32", "bfloat16", "float16"]
    assert clock.steps == 0


def test_trying_out_leaves_classifier_and_generators_as_they_were(tiny: dict[str, Any]) -> None:
    tiny |= {"precision": "auto", "model": "conv(4)|bn|relu|dropout(0.5)|flatten"}
    recipe = Recipe.read(tiny)
    setting = api.read_setting(recipe, Given(), api.store_at(None), None, True)
    classifier = api.build_classifier(setting)
    before = copy.deepcopy(classifier.state_dict())
    modes = [module.training for module in classifier.modules()]
    torch.manual_seed(3)
    chosen = api.choose_execution(setting, classifier)
    after = torch.rand(2)
    torch.manual_seed(3)
    assert torch.equal(torch.rand(2), after)
    assert chosen.precision in {"float32", "bfloat16"}
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())
    assert [module.training for module in classifier.modules()] == modes
    assert all(parameter.grad is None for parameter in classifier.parameters())


def test_weights_are_drawn_from_the_seed_alone(tiny: dict[str, Any]) -> None:
    def weights(seed: int) -> dict[str, Tensor]:
        setting = api.read_setting(Recipe.read(tiny, seed=seed), Given(), api.store_at(None), None, True)
        return api.build_classifier(setting).state_dict()

    torch.manual_seed(1)
    one = weights(0)
    with scope(9, "elsewhere"):
        two = weights(0)
    assert all(torch.equal(value, two[name]) for name, value in one.items())
    other = weights(1)
    assert any(not torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_short_precision_trains_over_float32_weights(precision: str, small_run: Trained) -> None:
    keys = {"subset": None, "optimizer": "adam(lr=0.01)", "epochs": 4, "validation": None, "test": None}
    run = small_run(precision=precision, **keys)
    assert run.test.accuracy > 0.8
    assert {p.dtype for p in run.classifier().parameters()} == {torch.float32}
    assert run.predictions().outputs["label"].dtype == "float32"
