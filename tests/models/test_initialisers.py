"""Initialisers by their moments, and the one that fits each activation."""

import math

import pytest
import torch

from cnnlab import models
from cnnlab.core import seeds
from cnnlab.core.errors import SpecError
from cnnlab.models.initialisers import initialisers

INPUTS, OUTPUTS = 24 * 9, 48 * 9
NORMAL, UNIFORM = 3.0, 1.8
"""Kurtosis, the fourth moment over the second's square."""
TRUNCATED = 2.3656
"""Of a standard normal cut at two: 3 - 28 φ(2)/(2Φ(2)-1) = 1.4162 over the square of its variance 0.7737."""


def kernel(init: str, spec: str = "conv(48, 3, init={})") -> torch.Tensor:
    with seeds.scope(0, "test"):
        return models.build_network(spec.format(init), (24, 3, 3), 2).conv1.weight.detach().double()


@pytest.mark.parametrize(
    ("init", "std", "kurtosis"),
    [
        ("glorot-normal", math.sqrt(2 / (INPUTS + OUTPUTS)), TRUNCATED),
        ("glorot-uniform", math.sqrt(2 / (INPUTS + OUTPUTS)), UNIFORM),
        ("he-normal", math.sqrt(2 / INPUTS), TRUNCATED),
        ("he-uniform", math.sqrt(2 / INPUTS), UNIFORM),
        ("lecun-normal", math.sqrt(1 / INPUTS), TRUNCATED),
        ("lecun-uniform", math.sqrt(1 / INPUTS), UNIFORM),
        ("torch", math.sqrt(1 / INPUTS / 3), UNIFORM),
        ("normal", 0.05, NORMAL),
        ("normal(0.2)", 0.2, NORMAL),
        ("uniform", 0.05 / math.sqrt(3), UNIFORM),
        ("truncated-normal", 0.05 * math.sqrt(0.7737), TRUNCATED),
    ],
)
def test_moments(init, std, kurtosis):
    values = kernel(init)
    count = values.numel()
    assert values.mean().item() == pytest.approx(0, abs=4 * std / math.sqrt(count))
    assert values.std().item() == pytest.approx(std, rel=4 * math.sqrt((kurtosis - 1) / 4 / count))
    assert ((values / values.std()) ** 4).mean().item() == pytest.approx(kurtosis, rel=0.12)


def test_truncated_normal_stays_within_two_standard_deviations():
    assert kernel("truncated-normal(0.1)").abs().max() <= 0.2


@pytest.mark.parametrize(
    ("init", "variance"),
    [("glorot-normal", 2 / (INPUTS + OUTPUTS)), ("he-normal", 2 / INPUTS), ("lecun-normal", 1 / INPUTS)],
)
def test_scaled_normals_are_cut_off_at_two_standard_deviations_as_in_keras(init, variance):
    # Keras: truncated_normal(stddev=sqrt(variance) / 0.8796…), which leaves the variance that was asked for.
    bound = 2 * math.sqrt(variance) / 0.87962566103423978
    largest = kernel(init).abs().max().item()
    assert 0.97 * bound < largest <= bound * (1 + 1e-6)


def test_default_is_a_whole_normal_distribution():
    values = kernel("default", "conv(48, 3, init={})|relu")
    assert ((values / values.std()) ** 4).mean().item() == pytest.approx(NORMAL, rel=0.12)
    assert values.abs().max() > 3 * values.std()


@pytest.mark.parametrize(("init", "value"), [("zeros", 0), ("ones", 1), ("constant(0.3)", 0.3)])
def test_constants(init, value):
    assert kernel(init).unique().tolist() == pytest.approx([value])


def test_orthogonal_rows_are_orthonormal():
    rows = kernel("orthogonal").flatten(1)
    assert torch.allclose(rows @ rows.T, torch.eye(48, dtype=torch.double), atol=1e-5)


@pytest.mark.parametrize("groups", [1, 2, 24])
def test_dirac_passes_each_channel_on(groups):
    network = models.build_network(f"conv(24, 3, groups={groups}, init=dirac)", (24, 5, 5), 2)
    image = torch.rand(2, 24, 5, 5)
    assert torch.equal(network.conv1(image), image)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("dense(8, init=dirac)", "dense1 gets .*dirac fills the kernels of convolutions only"),
        ("conv(8, bias_init=orthogonal)", "conv1 gets .*orthogonal fills kernels and not biases"),
        ("conv(8, init=he-nromal)", "Did you mean he-normal"),
    ],
)
@pytest.mark.parametrize("make", [models.build_network, models.summary_without_weights])
def test_what_cannot_fill_a_layer_is_refused_before_any_weight_is_drawn(make, spec, words):
    with pytest.raises(SpecError, match=words):
        make(spec, (1, 4, 4), 2)


def test_bias_has_an_initialiser_of_its_own():
    network = models.build_network("conv(48, init=zeros, bias_init=constant(2))|dense(7, bias_init=ones)", (1, 4, 4), 2)
    assert network.conv1.bias.unique().tolist() == [2] and network.conv1.weight.unique().tolist() == [0]
    assert network.dense1.bias.unique().tolist() == [1]


def test_glorot_bias_counts_its_length_as_both_fans():
    with seeds.scope(0, "test"):
        bias = models.build_network("dense(5000, bias_init=glorot-normal)", (1, 1, 1), 2).dense1.bias
    assert bias.std().item() == pytest.approx(math.sqrt(2 / 10000), rel=0.05)


@pytest.mark.parametrize(
    ("rest", "variance"),
    [
        ("relu", 2 / INPUTS),
        ("bn|relu", 2 / INPUTS),
        ("pool|gelu", 2 / INPUTS),
        ("selu", 1 / INPUTS),
        ("tanh", 2 / (INPUTS + OUTPUTS)),
        ("conv(2)|relu", 2 / (INPUTS + OUTPUTS)),
    ],
)
def test_default_fits_the_activation_that_follows(rest, variance):
    values = kernel("default", "conv(48, 3, init={})|" + rest)
    assert values.var().item() == pytest.approx(variance, rel=0.06)


def test_default_bias_is_zero_and_every_initialiser_is_known_by_name():
    assert not models.build_network("conv(4)|relu", (1, 4, 4), 2).conv1.bias.any()
    wanted = "zeros ones constant normal uniform truncated-normal orthogonal dirac default"
    families = [f"{family}-{kind}" for family in ("glorot", "he", "lecun") for kind in ("normal", "uniform")]
    for name in [*wanted.split(), *families]:
        assert name in initialisers


def test_weights_depend_on_the_seed_alone():
    first, second = kernel("default"), kernel("default")
    assert torch.equal(first, second)
