import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab import models, objectives
from cnnlab.core.hooks import perturbations
from cnnlab.core.seeds import SampleDraws, scope
from cnnlab.models import Classifier, to_float
from cnnlab.training import Recipe
from cnnlab.training.batches import Batch
from cnnlab.training.execution import Execution
from cnnlab.training.recipe import Phase
from cnnlab.training.step import StepKey, Stepper, is_out_of_memory

CLASSES = ("a", "b", "c")
OBJECTIVE = objectives.build_objective("classes", {"label": CLASSES})
NOW = StepKey(seed=3, epoch=1, step=2)


def batch(count: int = 8) -> Batch:
    draw = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8, generator=draw)
    return Batch(torch.arange(count), images, {"label": torch.arange(count) % 3})


def classifier(model: str = "conv(4)|relu|pool|flatten") -> Classifier:
    with scope(0, "test"):
        network = models.build_network(model, (3, 8, 8), 3)
    return Classifier(network, (3, 8, 8), [0.5] * 3, [0.25] * 3, {"label": CLASSES}, "classes", model)


def phase(**keys: Any) -> Phase:
    return Recipe.read({"data": "digits", "optimizer": "sgd(lr=0.1)", **keys}).normal()[0]


def stepper(network: Classifier, weights: Any = None, lr: float = 0.1, parts: int = 1, **keys: Any) -> Stepper:
    execution = Execution(precision=keys.pop("precision", "float32"), parts=parts)
    optimizer = torch.optim.SGD(network.parameters(), lr=lr)
    return Stepper(phase(**keys), OBJECTIVE, network, network, optimizer, execution, weights)


def gradients(network: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


def largest_difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    return max(float((value - other[name]).detach().abs().max()) for name, value in one.items())


@pytest.mark.parametrize("parts", [2, 3, 4, 8, 16])
def test_parts_give_the_gradients_of_the_whole(parts: int) -> None:
    network = classifier()
    weights = {"label": torch.tensor([0.5, 1.0, 3.0])}
    expected = stepper(network, weights, label_smoothing=0.1).take(batch(), NOW)
    whole = gradients(network)
    network = classifier()
    outcome = stepper(network, weights, label_smoothing=0.1, parts=parts).take(batch(), NOW)
    assert largest_difference(whole, gradients(network)) < 1e-6
    assert outcome.samples == 8
    torch.testing.assert_close(outcome.loss, expected.loss)
    assert torch.equal(outcome.sums["accuracy"], expected.sums["accuracy"])


def test_parts_take_their_slice_of_what_was_drawn_for_the_whole_batch() -> None:
    # Augmentation and mixing are drawn for the logical batch, so parts do not change what is learnt from.
    results = []
    for parts in (1, 4):
        network = classifier()
        stepper(network, parts=parts, augment="shift(0.3)|rotate(30)|mixup").take(batch(), NOW)
        results.append(gradients(network))
    assert largest_difference(*results) < 1e-6


@pytest.fixture
def ascent() -> Iterator[list[tuple[Tensor, Tensor]]]:
    """The adversary ``ascent``, a step along the sign of the gradient; the pixels and targets that it is given."""
    seen: list[tuple[Tensor, Tensor]] = []

    def step(classifier: Any, pixels: Tensor, targets: Any, objective: Any, draws: SampleDraws) -> Tensor:
        seen.append((pixels.clone(), targets["label"].clone()))
        pixels = pixels.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(objective.loss(classifier(pixels), targets).sum(), pixels)
        return (pixels + 0.1 * gradient.sign()).clamp(0, 1).detach()

    perturbations.register("ascent")(lambda: step)
    yield seen
    perturbations.remove("ascent")


@pytest.mark.parametrize("parts", [2, 3, 8])
def test_an_adversary_perturbs_every_part_against_its_own_targets(
    parts: int, ascent: list[tuple[Tensor, Tensor]]
) -> None:
    network = classifier()
    outcome = stepper(network, adversary="ascent").take(batch(), NOW)
    ((pixels, targets),) = ascent
    whole, plain = gradients(network), classifier()
    ascent.clear()
    stepper(plain).take(batch(), NOW)
    assert not ascent and largest_difference(whole, gradients(plain)) > 1e-3
    network = classifier()
    by_parts = stepper(network, adversary="ascent", parts=parts).take(batch(), NOW)
    assert len(ascent) == len(range(0, 8, -(-8 // parts)))
    assert torch.equal(torch.cat([given for given, _ in ascent]), pixels)
    assert torch.equal(torch.cat([given for _, given in ascent]), targets)
    assert largest_difference(whole, gradients(network)) < 1e-6
    torch.testing.assert_close(by_parts.loss, outcome.loss)


@pytest.mark.parametrize(
    ("model", "augment"), [("conv(4)|relu|dropout(0.5)|flatten", "none"), ("conv(4)|relu|flatten", "shift(0.3)|mixup")]
)
def test_a_step_is_a_function_of_its_key(model: str, augment: str) -> None:
    def after(step_key: StepKey) -> dict[str, Tensor]:
        network = classifier(model).train()
        stepper(network, augment=augment).take(batch(), step_key)
        return dict(network.named_parameters())

    assert largest_difference(after(NOW), after(NOW)) == 0
    for other in (StepKey(4, 1, 2), StepKey(3, 2, 2), StepKey(3, 1, 3)):
        assert largest_difference(after(NOW), after(other)) > 0


def test_augmentation_and_dropout_draw_on_their_own() -> None:
    # The masks of dropout are the same whether or not pictures were augmented before.
    masks = []
    for augment in ("none", "shift(0.3)"):
        network = classifier("flatten|dropout(0.5)").train()
        seen: list[Tensor] = []
        network.network.get_submodule("dropout1").register_forward_hook(lambda m, i, o, seen=seen: seen.append(o == 0))
        stepper(network, augment=augment).take(batch(), NOW)
        masks.append(seen[0])
    agreement = (masks[0] == masks[1]).float().mean()
    assert agreement > 0.99


def test_gradients_are_clipped_to_their_norm_over_all_weights() -> None:
    network = classifier()
    stepper(network).take(batch(), NOW)
    free = gradients(network)
    norm = float(torch.cat([g.flatten() for g in free.values()]).norm())
    network = classifier()
    stepper(network, clip_gradient=norm / 4).take(batch(), NOW)
    clipped = gradients(network)
    assert largest_difference({name: g / 4 for name, g in free.items()}, clipped) < 1e-6
    network = classifier()
    stepper(network, clip_gradient=norm * 4).take(batch(), NOW)
    assert largest_difference(free, gradients(network)) < 1e-6


def test_gradients_of_float16_are_clipped_in_their_own_units() -> None:
    # A step of plain descent along a gradient cut to length c is as long as the rate times c.
    network = classifier("flatten|dense(4)")
    taker = stepper(network, lr=0.5, clip_gradient=0.01, precision="float16")
    for _ in range(10):
        before = torch.cat([p.detach().flatten() for p in network.parameters()])
        taker.take(batch(), NOW)
        moved = float((torch.cat([p.detach().flatten() for p in network.parameters()]) - before).norm())
        # While the scale of gradients is found, steps are left out.
        assert moved == 0 or moved == pytest.approx(0.005, rel=1e-3)
    assert moved > 0


def test_weights_are_clipped_after_the_step() -> None:
    network = classifier()
    stepper(network, lr=10.0, clip_weights=0.02).take(batch(), NOW)
    values = torch.cat([p.detach().flatten() for p in network.parameters()])
    assert float(values.abs().max()) == pytest.approx(0.02)


def test_label_smoothing_and_class_weights_are_those_of_torch() -> None:
    network = classifier()
    weights = torch.tensor([0.5, 1.0, 3.0])
    data = batch()
    logits = network(data.images).detach()
    expected = F.cross_entropy(logits, data.targets["label"], weight=weights, label_smoothing=0.1, reduction="none")
    outcome = stepper(network, {"label": weights}, label_smoothing=0.1).take(data, NOW)
    assert float(outcome.loss) == pytest.approx(float(expected.mean()), rel=1e-6)
    assert int(outcome.sums["accuracy"]) == int((logits.argmax(1) == data.targets["label"]).sum())


def test_bytes_become_the_same_floats_wherever_they_are_converted() -> None:
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    expected = torch.tensor([value / 255 for value in range(256)], dtype=torch.float64).view(1, 1, 16, 16)
    torch.testing.assert_close(to_float(pixels).double(), expected, rtol=0, atol=6e-8)
    already = torch.rand(1, 1, 2, 2)
    assert to_float(already) is already


def test_a_failed_step_changes_no_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    network = classifier()
    before = copy.deepcopy(network.state_dict())
    taker = stepper(network, parts=2)
    forward, calls = Stepper._forward, 0

    def fail_in_the_second_part(self: Stepper, *args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise torch.OutOfMemoryError("no more")
        return forward(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "_forward", fail_in_the_second_part)
        with pytest.raises(torch.OutOfMemoryError):
            taker.take(batch(), NOW)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    # Nor does what the failed attempt left behind enter the next one.
    taker.take(batch(), NOW)
    fresh = classifier()
    stepper(fresh, parts=2).take(batch(), NOW)
    assert largest_difference(dict(network.named_parameters()), dict(fresh.named_parameters())) == 0


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_short_precision_stays_near_the_long_one(precision: str) -> None:
    results = []
    for kind in ("float32", precision):
        network = classifier("conv(8)|bn|relu|pool|flatten")
        stepper(network, precision=kind).take(batch(16), NOW)
        results.append(gradients(network))
        assert {p.dtype for p in network.parameters()} == {torch.float32}
    scale = max(float(g.abs().max()) for g in results[0].values())
    assert 0 < largest_difference(*results) < 0.15 * scale


def test_the_extra_state_of_float16_survives() -> None:
    taker = stepper(classifier(), precision="float16")
    taker.take(batch(), NOW)
    extra = taker.extra_state()
    other = stepper(classifier(), precision="float16")
    other.load_extra_state(extra)
    assert other.extra_state() == extra
    assert other.extra_state()["scaler"]["scale"] > 1
    plain = stepper(classifier())
    plain.load_extra_state(extra)
    assert plain.extra_state() == {}


def test_channels_last_and_contiguous_agree() -> None:
    results = []
    for channels_last in (True, False):
        network = classifier("conv(8)|bn|relu|pool|conv(8)|relu|flatten")
        layout = torch.channels_last if channels_last else torch.contiguous_format
        network = network.to(memory_format=layout)
        taker = stepper(network)
        taker.execution = Execution(channels_last=channels_last)
        taker.take(batch(), NOW)
        results.append(gradients(network))
    assert largest_difference(*results) < 1e-5


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("can't allocate memory"), False),
    ],
)
def test_running_out_of_memory_is_told_from_other_errors(error: BaseException, is_memory: bool) -> None:
    assert is_out_of_memory(error) is is_memory
