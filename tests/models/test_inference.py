"""Whatever looks at a model leaves it as it was found."""

from collections import OrderedDict

import pytest
import torch
from torch import Tensor, nn

from cnnlab.core.errors import UsageError
from cnnlab.models import Classifier, evaluating, features_of, multiply_adds, outputs_of, summary
from cnnlab.models.inference import TENSOR_HOOKS


def network() -> nn.Module:
    """A small one in a mixed state: partly in evaluation, partly frozen, with gradients and a hook."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
    module(torch.rand(2, 1, 4, 4)).sum().backward()
    module.train()
    module[1].eval()
    module[0].weight.requires_grad_(False)
    module[4].register_forward_hook(lambda module, inputs, output: None)
    module[4].bias.register_hook(lambda gradient: None)
    return module


def state(module: nn.Module) -> dict[str, object]:
    """All that a tool could leave changed."""
    hooks = [sorted(held) for part in module.modules() for name, held in vars(part).items() if "_hooks" in name]
    return {
        "modes": [part.training for part in module.modules()],
        "hooks": hooks,
        "hooks of parameters": [
            sorted(getattr(parameter, kind) or {}) for parameter in module.parameters() for kind in TENSOR_HOOKS
        ],
        "kinds": [part._is_full_backward_hook for part in module.modules()],
        "flags": [parameter.requires_grad for parameter in module.parameters()],
        "gradients": [None if p.grad is None else p.grad.tolist() for p in module.parameters()],
        "weights": {name: value.tolist() for name, value in module.state_dict().items()},
    }


def meddle(module: nn.Module) -> None:
    """Does everything to a module that a tool might do, and clears up nothing."""
    module.requires_grad_(True)
    module[0].register_forward_hook(lambda module, inputs, output: None)
    module[1].register_full_backward_hook(lambda module, inputs, output: None)
    module[2].register_forward_pre_hook(lambda module, inputs: None)
    module[4]._forward_hooks.clear()
    module[0].weight.register_hook(lambda gradient: None)
    module[4].bias.register_hook(lambda gradient: None)
    module[4].weight.register_post_accumulate_grad_hook(lambda parameter: None)
    module(torch.rand(2, 1, 4, 4)).sum().backward()
    module.train()


def test_a_module_is_put_back_whatever_was_done_to_it() -> None:
    module = network()
    before = state(module)
    with evaluating(module):
        assert not any(part.training for part in module.modules())
        assert all(parameter.grad is None for parameter in module.parameters())
        meddle(module.eval())
        assert state(module) != before
        # Evaluated once more, within: each puts back what it found.
        with evaluating(module):
            module[0].weight.grad = None
        assert module[0].weight.grad is not None
        module[1].eval()
    assert state(module) == before


def test_a_module_is_put_back_on_error_too() -> None:
    module = network()
    before = state(module)
    with pytest.raises(ZeroDivisionError), evaluating(module):
        raise ZeroDivisionError(meddle(module.eval()))
    assert state(module) == before


def test_hooks_on_parameters_do_not_outlive_the_block_and_the_owners_own_do() -> None:
    module, calls = network(), list[str]()
    weight, bias = module[4].weight, module[4].bias
    owned = bias.register_hook(lambda gradient: calls.append("the owner's"))
    with evaluating(module):
        weight.register_hook(lambda gradient: calls.append("a guest's"))
        bias.register_post_accumulate_grad_hook(lambda parameter: calls.append("a guest's"))
        bias._backward_hooks.clear()
    for _ in range(2):
        module(torch.rand(2, 1, 4, 4)).sum().backward()
        owned.remove()
    assert calls == ["the owner's"]


def test_gradients_that_were_there_are_not_added_to() -> None:
    module = network()
    gradient = module[4].weight.grad
    assert gradient is not None
    before = gradient.clone()
    with evaluating(module):
        module(torch.rand(2, 1, 4, 4)).sum().backward()
    assert module[4].weight.grad is gradient
    assert torch.equal(gradient, before)


@pytest.mark.parametrize(
    "tool",
    [
        lambda module: outputs_of(module, [torch.rand(2, 1, 4, 4)]),
        lambda module: features_of(module, "2", torch.rand(2, 1, 4, 4)),
        lambda module: summary(module, (1, 4, 4)),
        lambda module: multiply_adds(module, (1, 4, 4)),
        lambda module: multiply_adds(module, (1, 4, 4), most=1),
    ],
    ids=["outputs", "features", "summary", "multiply_adds", "multiply_adds cut short"],
)
def test_each_tool_leaves_a_module_as_it_was(tool: object) -> None:
    module = network()
    before = state(module)
    tool(module)  # type: ignore[operator]
    assert state(module) == before


class Twice(nn.Module):
    """Adds one, and is asked to twice."""

    def __init__(self) -> None:
        super().__init__()
        self.step, self.unused, self.pair = nn.Identity(), nn.Identity(), Pair()
        self.last = nn.Linear(1, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        first = self.step(pixels.flatten(1))
        return self.step(self.pair(first + 1)[0])


class Pair(nn.Module):
    def forward(self, input: Tensor) -> tuple[Tensor, Tensor]:
        return input, input


def doubling() -> Classifier:
    """conv doubles each pixel, dense adds the four of a picture; the mean is 0.5."""
    conv, dense = nn.Conv2d(1, 1, 1, bias=False), nn.Linear(4, 1, bias=False)
    with torch.no_grad():
        conv.weight.fill_(2.0)
        dense.weight.fill_(1.0)
    layers = nn.Sequential(OrderedDict(conv=conv, flatten=nn.Flatten(), head=dense))
    return Classifier(layers, (1, 2, 2), [0.5], [1.0], {}, "scalar", "module")


PIXELS = torch.tensor([[[[0.0, 0.5], [1.0, 0.25]]], [[[0.5, 0.5], [0.5, 1.0]]]])


def test_features_are_what_the_layer_puts_out() -> None:
    features = features_of(doubling(), "conv", PIXELS)
    assert features.tolist() == [[[[-1.0, 0.0], [1.0, -0.5]]], [[[0.0, 0.0], [0.0, 1.0]]]]
    assert features_of(doubling(), "head", PIXELS).tolist() == [[-0.5], [1.0]]


def test_features_come_in_batches_and_are_heard_between() -> None:
    calls: list[int] = []
    whole = features_of(doubling(), "flatten", PIXELS)
    parts = features_of(doubling(), "flatten", iter(PIXELS.split(1)), between=lambda: calls.append(1))
    assert torch.equal(parts, whole)
    assert len(calls) == 2
    many = features_of(doubling(), "head", PIXELS.repeat(300, 1, 1, 1))
    assert many.shape == (600, 1)
    assert many[::2].unique().tolist() == [-0.5]
    assert features_of(doubling(), "head", []).numel() == 0


def test_bytes_are_pixels_too() -> None:
    pixels = torch.tensor([0, 255, 51, 102], dtype=torch.uint8).view(1, 1, 2, 2)
    features = features_of(doubling(), "flatten", pixels)
    torch.testing.assert_close(features, torch.tensor([[-1.0, 1.0, -0.6, -0.2]]))


def test_what_comes_after_the_layer_is_not_computed() -> None:
    classifier = doubling()
    passed: list[int] = []
    classifier.network.head.register_forward_hook(lambda module, inputs, output: passed.append(1))
    features_of(classifier, "conv", PIXELS)
    assert not passed


def test_of_a_layer_that_is_passed_twice_it_is_the_first_pass() -> None:
    assert features_of(Twice(), "step", torch.tensor([[[[0.25]]]])).tolist() == [[0.25]]


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("stepp", "no layer 'stepp'. Did you mean step"),
        ("", "no layer ''"),
        ("unused", "do not pass the layer unused"),
        ("last", "do not pass the layer last"),
        ("pair", "pair puts out tuple"),
    ],
)
def test_a_layer_without_features_is_refused(layer: str, words: str) -> None:
    module = Twice()
    before = state(module)
    with pytest.raises(UsageError, match=words):
        features_of(module, layer, torch.rand(1, 1, 1, 1))
    assert state(module) == before
