"""The choice of a number format: what it costs, what it trusts, and that what has no native arithmetic is not timed."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cnnlab.core.files import cache_folder
from cnnlab.training import precision
from cnnlab.training.precision import MOST_SECONDS, SHARE, PrecisionChoice, PrecisionTrial, Workload, choose_precision

LIGHT, HEAVY = 10_000_000, 400_000_000
"""Multiply-adds of a picture: calls weigh in the first, arithmetic decides the second."""


OPERATIONS = 20
"""Of a pass, each as long as the next."""


class Machine:
    """A clock that only passes move on: a pass takes so long for each call, each picture, and kernels when new.

    :param ratio: how many times as long as in float32 a pass takes in bfloat16.
    """

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        *,
        call: float = 0.0,
        image: float = 0.01,
        kernels: float = 0.0,
        ratio: float = 0.5,
        call_ratio: float | None = None,
    ) -> None:
        self.now = 0.0
        self.call, self.image, self.kernels = call, image, kernels
        self.ratio, self.call_ratio = ratio, ratio if call_ratio is None else call_ratio
        self.passes: list[tuple[str, int]] = []
        monkeypatch.setattr(precision.time, "perf_counter", lambda: self.now)

    def seconds(self, name: str, count: int) -> float:
        """Of a pass whose kernels are made."""
        is_short = name == "bfloat16"
        call = self.call * (self.call_ratio if is_short else 1.0)
        return call + count * self.image * (self.ratio if is_short else 1.0)

    def take(self, name: str, count: int) -> None:
        seconds = self.seconds(name, count) + self.kernels * ((name, count) not in self.passes)
        self.passes.append((name, count))
        value = torch.ones((), requires_grad=True)
        for _ in range(OPERATIONS):
            self.now += seconds / OPERATIONS
            value = value.sin()

    def trial(
        self, *, batch: int = 256, steps: int = 10_000, multiply_adds: int = HEAVY, kernels: str = "torch"
    ) -> PrecisionTrial:
        """A trial gone through on this machine."""
        trial = PrecisionTrial(_work(batch=batch, steps=steps, kernels=kernels), multiply_adds, 0.0, 0.0)
        trial.run(lambda: self.take)
        return trial


def _work(
    network: nn.Module | None = None,
    *,
    batch: int = 256,
    steps: int = 10_000,
    threads: int = 1,
    kernels: str = "torch",
) -> Workload:
    return Workload(nn.Linear(4, 2) if network is None else network, (1, 2, 2), batch, steps, threads, kernels)


@pytest.mark.parametrize("image", [1e-6, 1e-4, 1e-3, 1e-2, 0.1, 1.0])
@pytest.mark.parametrize("ratio", [0.5, 1.0, 3.0, 100.0])
@pytest.mark.parametrize("call", [0.0, 0.001, 0.1])
@pytest.mark.parametrize("steps", [1, 10, 100, 10_000])
def test_a_trial_keeps_to_two_seconds_and_its_share_of_the_training(
    image: float, ratio: float, call: float, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(monkeypatch, image=image, call=call, ratio=ratio)
    # Half of what a processor can do at most.
    machine.trial(steps=steps, multiply_adds=round(image * 5e10 / 3))
    training = steps * machine.seconds("float32", 256)
    # Of the first pass in each format nothing is known before it; it goes over two pictures, and is left off when an
    # operation ends after the time is over. Any other is foreseen.
    operation = max(machine.seconds(name, 2) for name in ("float32", "bfloat16")) / OPERATIONS
    assert machine.now <= min(MOST_SECONDS, SHARE * training) + operation


@pytest.mark.parametrize("image", [1e-5, 1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("kernels", [0.01, 0.1, 0.5])
def test_kernels_that_have_to_be_made_count(image: float, kernels: float, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, image=image, kernels=kernels)
    machine.trial()
    assert machine.now <= MOST_SECONDS + (kernels + 128 * image) / OPERATIONS


@pytest.mark.parametrize(
    ("ratio", "expected"), [(0.3, "bfloat16"), (0.85, "bfloat16"), (0.95, "float32"), (1.0, "float32"), (9, "float32")]
)
def test_bfloat16_is_taken_where_it_is_the_faster_by_a_tenth(
    ratio: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Machine(monkeypatch, image=1e-4, ratio=ratio).trial()
    choice = trial.choice()
    assert (choice.precision, choice.why) == (expected, "timed")
    assert choice.speedup == pytest.approx(1 / ratio)
    assert trial.is_final


def test_a_trial_leaves_off_as_soon_as_a_format_is_clearly_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = Machine(monkeypatch, image=1e-4, ratio=0.5)
    assert ahead.trial().choice().images == 8
    behind = Machine(monkeypatch, image=1e-4, ratio=5.0)
    assert behind.trial().choice().images == 8
    even = Machine(monkeypatch, image=1e-4, ratio=1.0)
    assert even.trial().choice().images == 256


def test_what_calls_cost_on_small_slices_does_not_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    # Calls take twice as long in bfloat16, as with the casts of small networks; on the whole batch arithmetic wins.
    machine = Machine(monkeypatch, call=2e-3, image=1e-4, ratio=0.5, call_ratio=2.0)
    assert machine.seconds("bfloat16", 8) > machine.seconds("float32", 8)
    assert machine.trial().choice().precision == "bfloat16"


def test_a_bfloat16_computed_by_a_slow_reference_is_left_after_one_pass_over_two_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(monkeypatch, image=0.01, ratio=200.0)
    choice = machine.trial().choice()
    assert (choice.precision, choice.why) == ("float32", "timed")
    assert [name for name, _ in machine.passes].count("bfloat16") == 1


@pytest.mark.parametrize(
    ("multiply_adds", "expected", "why"),
    [(LIGHT // 10, "float32", "too short to time"), (HEAVY, "bfloat16", "much arithmetic")],
)
def test_a_training_too_short_for_a_trial_takes_what_is_likely_without_one(
    multiply_adds: int, expected: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(monkeypatch)
    trial = machine.trial(steps=1, multiply_adds=multiply_adds)
    assert machine.passes == []
    assert (trial.choice().precision, trial.choice().why) == (expected, why)
    assert not trial.is_final


def test_images_too_dear_to_time_a_few_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, image=10.0)
    assert machine.trial(multiply_adds=10**10).choice() == PrecisionChoice("bfloat16", "much arithmetic")
    assert machine.passes == []


def test_a_batch_of_few_images_is_timed_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, image=1e-4, ratio=0.8)
    choice = machine.trial(batch=3, steps=100_000).choice()
    assert {size for _, size in machine.passes} == {3}
    assert (choice.precision, choice.images) == ("bfloat16", 3)


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[PrecisionChoice, int]]:
    """Chooses for a network on a machine on which bfloat16 is twice as fast: the choice, and the passes it took."""
    monkeypatch.setattr(precision, "multiply_adds", lambda *args, **more: HEAVY)

    def choose(work: Workload | None = None) -> tuple[PrecisionChoice, int]:
        machine = Machine(monkeypatch, image=1e-3)
        choice = choose_precision(work or _work(), lambda: machine.take)
        return choice, len(machine.passes)

    return choose


def test_what_was_found_is_remembered(chosen: Any) -> None:
    first, timed = chosen()
    again, none = chosen()
    assert timed > 0 and none == 0
    assert (first.why, again.why) == ("timed", "remembered")
    assert (again.precision, again.speedup, again.images) == (first.precision, first.speedup, first.images)


@pytest.mark.parametrize(
    "other",
    [
        _work(nn.Linear(5, 2)),
        _work(nn.Sequential(nn.Linear(4, 2), nn.ReLU())),
        _work(nn.Linear(4, 2).requires_grad_(False)),
        _work(batch=128),
        _work(threads=2),
        Workload(nn.Linear(4, 2), (1, 4, 1), 256, 10_000, 1, "torch"),
    ],
)
def test_another_network_batch_or_number_of_threads_is_tried_out_anew(other: Workload, chosen: Any) -> None:
    chosen()
    assert chosen(other)[0].why == "timed"


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (torch, "__version__", "9.9.9"),
        (precision, "processor", lambda: "another processor"),
        (torch.backends.cpu, "get_cpu_capability", lambda: "another"),
    ],
)
def test_another_machine_or_torch_is_tried_out_anew(
    module: Any, name: str, value: Any, chosen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen()
    monkeypatch.setattr(module, name, value)
    assert chosen()[0].why == "timed"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"precision": "int8", "float32": 1, "bfloat16": 1, "images": 8}',
        b'{"precision": "float32", "float32": 0, "bfloat16": 1, "images": 8}',
        b'{"precision": "float32", "float32": "x", "bfloat16": 1, "images": 8}',
    ],
)
def test_a_damaged_memory_is_none(content: bytes, chosen: Any) -> None:
    chosen()
    (file,) = (cache_folder() / "precision").iterdir()
    json.loads(file.read_text())
    file.write_bytes(content)
    assert chosen()[0].why == "timed"
    assert chosen()[0].why == "remembered"


def test_a_cache_that_cannot_be_written_costs_a_trial_each_time(
    tmp_path: Path, chosen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CNNLAB_CACHE", str(tmp_path / "file" / "cache"))
    assert [chosen()[0].why for _ in range(2)] == ["timed", "timed"]


def test_a_network_that_fails_while_its_arithmetic_is_counted_is_left_to_its_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Odd(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise KeyError("only for pairs")

    machine = Machine(monkeypatch, image=1e-4)
    assert choose_precision(_work(Odd()), lambda: machine.take).precision == "float32"
    assert not machine.passes


class Layer(nn.Module):
    """A layer of a kind whose arithmetic nobody counts, that takes so long for a picture.

    :param wait: lets time pass.
    :param seconds: forwards; backwards takes none.
    :param first: beside that, the first time that gradients are asked for, as kernels do that have to be made.
    """

    def __init__(self, wait: Callable[[float], object], seconds: float, first: float = 0.0) -> None:
        super().__init__()
        self.wait, self.seconds, self.first = wait, seconds, first
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.wait(self.seconds * len(x))
        if torch.is_grad_enabled():
            self.wait(self.first)
            self.first = 0.0
        return x * self.factor


def _passes_of(network: nn.Module) -> Callable[[str, int], object]:
    def take(name: str, count: int) -> None:
        network(torch.ones(count, 1, 2, 2)).sum().backward()

    return take


@pytest.mark.parametrize("seconds", [1e-6, 1e-4, 1e-2, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("first", [0.0, 0.01, 1.0])
@pytest.mark.parametrize(("batch", "steps"), [(1, 1), (10, 3), (100, 1), (50, 40), (256, 100), (256, 10_000)])
def test_whatever_a_choice_does_it_keeps_to_its_budget(
    seconds: float, first: float, batch: int, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    def wait(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(precision.time, "perf_counter", lambda: now)
    layers = 10
    network = nn.Sequential(*(Layer(wait, seconds, first) for _ in range(layers)))
    choice = choose_precision(_work(network, batch=batch, steps=steps), lambda: _passes_of(network))
    training = steps * batch * layers * seconds
    # Counting goes over one picture and passes over two, and one layer of them may be under way when time is over.
    assert now <= min(MOST_SECONDS, SHARE * training) + 2 * seconds + first
    assert choice.seconds == pytest.approx(now)
    if batch * steps < 100:
        assert now == 0.0


def test_a_first_pass_that_takes_longer_than_the_budget_is_left_off_in_the_middle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # By the real clock: a training of ten seconds, and so three tenths for the trial; kernels of twenty layers would
    # be made for a second.
    monkeypatch.setattr(precision, "multiply_adds", lambda *given: round(10 * 1e11 / 3 / 2560))
    network = nn.Sequential(*(Layer(time.sleep, 0.0, first=0.05) for _ in range(20)))
    began = time.perf_counter()
    choice = choose_precision(_work(network, steps=10), lambda: _passes_of(network))
    assert 0.2 < time.perf_counter() - began < 0.3 + 0.05 + 0.25
    assert choice.why == "much arithmetic"
    assert 1 < sum(layer.first == 0.0 for layer in network) < 12


def test_a_pass_that_is_left_off_far_behind_float32_tells_which_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, image=0.01, ratio=1000.0)
    choice = machine.trial().choice()
    assert (choice.precision, choice.why, choice.images) == ("float32", "timed", 2)
    assert MOST_SECONDS - 0.1 < machine.now < MOST_SECONDS + machine.seconds("bfloat16", 2) / OPERATIONS


def test_a_network_that_takes_long_to_copy_is_not_tried_out_in_a_short_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(monkeypatch, image=1e-4)
    # The trial may take 0.14 seconds, and copying the larger one 0.16.
    for network, is_timed in ((nn.Linear(1, 10**7), False), (nn.Linear(1, 10), True)):
        trial = PrecisionTrial(_work(network, steps=150), HEAVY // 100, 0.0, machine.now)
        trial.run(lambda: machine.take)
        assert bool(machine.passes) == is_timed


@pytest.mark.parametrize("held_up", range(8))
def test_a_pass_that_was_held_up_does_not_decide_for_good(held_up: int, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, image=1e-4, ratio=0.5)
    take = machine.take

    def held_up_once(name: str, count: int) -> None:
        machine.now += 1.5 * (len(machine.passes) == held_up)
        take(name, count)

    trial = PrecisionTrial(_work(), HEAVY, 0.0, 0.0)
    trial.run(lambda: held_up_once)
    # After the first pass over a slice took most of the budget nothing more is begun; what that looks like is not
    # remembered.
    assert trial.is_final == (held_up % 6 > 1)
    if trial.is_final:
        assert (trial.choice().precision, trial.choice().images) == ("bfloat16", 8)


def test_what_a_pass_says_that_was_left_off_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    # All passes in bfloat16 are held up, as on a machine where others hold the cores.
    trial = Machine(monkeypatch, image=0.01, ratio=1000.0).trial()
    assert trial.choice().precision == "float32" and not trial.is_final


def test_own_kernels_are_judged_on_a_slice_large_enough_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    images = {}
    for kernels in ("torch", "native"):
        machine = Machine(monkeypatch, image=1e-4, ratio=0.5)
        images[kernels] = machine.trial(kernels=kernels).choice().images
    assert images == {"torch": 8, "native": 128}


def test_without_a_trial_own_kernels_compute_in_float32_but_in_the_largest_networks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(monkeypatch)
    choices = [machine.trial(steps=1, multiply_adds=m, kernels="native").choice().precision for m in (HEAVY, 10**10)]
    assert choices == ["float32", "bfloat16"]
