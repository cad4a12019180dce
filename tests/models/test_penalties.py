"""Penalties: by the formula, where they are asked for, and gone otherwise."""

import copy

import pytest
import torch

from cnnlab import models
from cnnlab.models import penalty


def total(spec: str, image: torch.Tensor | None = None) -> float | None:
    """The penalty of a network on 1×1×2 pictures, after a pass where one is given."""
    network = models.build_network(spec, (1, 1, 2), 1)
    if image is not None:
        network(image)
    value = penalty(network)
    return None if value is None else value.item()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("l2=0.1", 0.1 * (4 * 9)),
        ("l1=0.1", 0.1 * (4 * 3)),
        ("l1=0.1, l2=0.01", 0.1 * 12 + 0.01 * 36),
        ("l2=0.1, penalize=[bias]", 0.1 * (2 * 4)),
        ("l2=0.1, penalize=[kernel, bias]", 0.1 * (36 + 8)),
    ],
)
def test_penalty_on_a_dense_layer_is_the_formula(arguments, expected):
    spec = f"dense(2, init=constant(-3), bias_init=constant(2), {arguments})"
    assert total(spec) == pytest.approx(expected)


def test_penalties_of_all_layers_add_up():
    spec = "conv(1, 1, init=ones, l2=1)|residual(1, batch_norm=false)|dense(3, init=ones, l1=1)|head(init=zeros, l2=9)"
    assert total(spec) == pytest.approx(1 + 6)


@pytest.mark.parametrize("images", [1, 3])
def test_penalty_on_activity_is_per_image(images):
    image = torch.tensor([[[[2.0, -3.0]]]]).repeat(images, 1, 1, 1)
    assert total("activity(l1=0.1, l2=0.01)", image) == pytest.approx(0.1 * 5 + 0.01 * 13)


def test_no_penalty_is_none_not_zero():
    assert total("conv(2)|dense(3)") is None
    assert total("mlp(penalize=[kernel, bias, activity])") is None


def test_activity_counts_in_training_only_and_not_in_copies():
    network = models.build_network("activity(l2=1)|relu", (1, 1, 2), 1)
    network(torch.ones(1, 1, 1, 2, requires_grad=True))
    assert penalty(network) is not None and penalty(copy.deepcopy(network)) is None
    network.eval()(torch.ones(1, 1, 1, 2))
    assert penalty(network) is None


def test_gradient_of_the_penalty_draws_weights_towards_zero():
    network = models.build_network("dense(2, init=constant(-3), l2=0.5)", (1, 1, 2), 1)
    penalty(network).backward()
    assert network.dense1.weight.grad.unique().tolist() == [-3.0] and network.dense1.bias.grad is None


def test_architectures_pass_their_penalties_on():
    spec = "mlp(hidden=[2], init=ones, bias_init=ones, l2=1, penalize=[kernel, bias, activity])"
    image = torch.tensor([[[[1.0, 1.0]]]])
    kernels, biases, activity = 4 + 2, 2 + 1, 9 + 9
    assert total(spec, image) == pytest.approx(kernels + biases + activity)


def test_penalties_survive_the_file(tmp_path):
    spec = "dense(2, init=ones, l2=1)"
    classifier = models.Classifier(
        models.build_network(spec, (1, 1, 2), 1), (1, 1, 2), [0.0], [1.0], {}, "classes", spec
    )
    models.save_classifier(tmp_path / "a", classifier)
    assert penalty(models.load_classifier(tmp_path / "a")).item() == 4.0
