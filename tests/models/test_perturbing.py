"""Adversaries see the classifier as it will be judged, and leave it as it was."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnnlab.core.errors import UsageError
from cnnlab.models import Classifier, perturbed
from cnnlab.objectives import Objective, build_objective

NAMES = ("a", "b")
PIXELS = torch.linspace(0, 1, 6 * 4).view(6, 1, 2, 2)
LABELS = {"label": torch.tensor([0, 1, 0, 1, 0, 1])}


def objective() -> Objective:
    return build_objective("classes", {"label": NAMES})


def classifier() -> Classifier:
    torch.manual_seed(0)
    parts = OrderedDict(conv=nn.Conv2d(1, 2, 1), bn=nn.BatchNorm2d(2), flatten=nn.Flatten(), head=nn.Linear(8, 2))
    return Classifier(nn.Sequential(parts), (1, 2, 2), [0.5], [1.0], {"label": NAMES}, "classes", "module").train()


def done(change: Callable[..., Any], model: Classifier | None = None, **keys: Any) -> Tensor:
    given = {"seed": 3, "index": (1, 2), **keys}
    pixels = given.pop("pixels", PIXELS)
    encoded = objective().encode({"label": LABELS["label"][: len(pixels)]})
    return perturbed(pixels, encoded, [change], model or classifier(), objective(), **given)


def ascent(model: Any, pixels: Tensor, encoded: Any, objective: Objective, draws: Any) -> Tensor:
    """A step of a tenth up the gradient's sign: the loss is higher afterwards."""
    leaf = pixels.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(objective.loss(model(leaf), encoded).sum(), leaf)
    return pixels + 0.1 * gradient.sign()


def test_a_step_up_the_gradient_raises_the_loss_of_the_network_as_it_is_judged() -> None:
    model = classifier()
    encoded = objective().encode(LABELS)
    with torch.no_grad():
        changed = done(ascent, model)
        model.eval()
        losses = [objective().loss(model(pixels), encoded) for pixels in (PIXELS, changed)]
    assert bool((losses[1] > losses[0]).all())
    # Each pixel by a tenth, but for what would have left [0, 1].
    moved = (changed - PIXELS).abs()
    inside = (PIXELS > 0.1) & (PIXELS < 0.9)
    torch.testing.assert_close(moved[inside], torch.full_like(moved[inside], 0.1))
    assert float(changed.min()) >= 0 and float(changed.max()) <= 1


def test_the_classifier_is_in_evaluation_meanwhile_and_left_as_it_was() -> None:
    model = classifier()
    modes: list[bool] = []
    model(PIXELS).sum().backward()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]

    def change(model: Any, pixels: Tensor, encoded: Any, objective: Objective, draws: Any) -> Tensor:
        modes.extend(part.training for part in model.modules())
        objective.loss(model(pixels), encoded).sum().backward()
        model.requires_grad_(False)
        return pixels

    done(change, model)
    assert not any(modes)
    assert all(part.training for part in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())
    after = [parameter.grad for parameter in model.parameters()]
    assert all(torch.equal(one, other) for one, other in zip(gradients, after, strict=True))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_runs_in_the_precision_chosen(precision: str) -> None:
    kinds: list[torch.dtype] = []

    def change(model: Any, pixels: Tensor, encoded: Any, objective: Objective, draws: Any) -> Tensor:
        model.network.head.register_forward_hook(lambda module, inputs, output: kinds.append(output.dtype))
        model(pixels)
        return pixels.bfloat16()

    assert done(change, precision=precision).dtype == torch.float32
    assert kinds == [getattr(torch, precision)]


def test_what_leaves_the_pixels_range_is_clipped() -> None:
    changed = done(lambda model, pixels, *rest: pixels * 4 - 1)
    assert torch.equal(changed, (PIXELS * 4 - 1).clamp(0, 1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda model, pixels, *rest: pixels[:1], "pictures of 6×1×2×2 and gave 1×1×2×2"),
        (lambda model, pixels, *rest: None, "gave NoneType"),
    ],
)
def test_other_than_the_pictures_is_refused(change: Callable[..., Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        done(change)


def noise(model: Any, pixels: Tensor, encoded: Any, objective: Objective, draws: Any) -> Tensor:
    return pixels / 2 + draws.uniform(*pixels.shape[1:]) / 2


@pytest.mark.parametrize("size", [1, 4])
def test_the_parts_of_a_batch_are_changed_as_the_whole(size: int) -> None:
    whole = done(noise)
    parts = [done(noise, pixels=PIXELS[at : at + size], count=6, start=at) for at in range(0, 6, size)]
    assert torch.equal(torch.cat(parts), whole)
    assert not torch.equal(done(noise, index=(1, 3)), whole)
    assert not torch.equal(done(noise, seed=4), whole)


def test_several_draw_apart_from_each_other() -> None:
    drawn: list[Tensor] = []

    def note(model: Any, pixels: Tensor, encoded: Any, objective: Objective, draws: Any) -> Tensor:
        drawn.append(draws.uniform())
        return pixels

    perturbed(PIXELS, {}, [note, note], classifier(), objective(), seed=0, index=(0,))
    assert not torch.equal(*drawn)


def test_torchs_own_generator_is_seeded_within_and_left_alone() -> None:
    drawn: list[Tensor] = []

    def note(model: Any, pixels: Tensor, encoded: Any, objective: Objective, draws: Any) -> Tensor:
        drawn.append(torch.rand(2))
        return pixels

    model = classifier()
    for seed in (5, 6):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        done(note, model)
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(*drawn)


def test_without_perturbations_pixels_stay_what_they_are() -> None:
    assert perturbed(PIXELS, {}, [], classifier(), objective(), seed=0, index=(0,)) is PIXELS


def test_a_model_without_a_gradient_is_refused_by_name_where_one_is_needed() -> None:
    model = classifier()
    model.has_gradient = False
    with pytest.raises(UsageError, match="outputs of this classifier have no gradient by the pixels"):
        done(ascent, model)


def test_what_needs_no_gradient_is_done_for_a_model_that_has_none() -> None:
    def darken(model: Any, pixels: Tensor, encoded: Any, objective: Objective, draws: Any) -> Tensor:
        return pixels / 2

    darken.needs_gradient = False  # type: ignore[attr-defined]
    model = classifier()
    model.has_gradient = False
    torch.testing.assert_close(done(darken, model), PIXELS / 2)
