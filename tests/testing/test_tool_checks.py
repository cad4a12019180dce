"""Each check of tools over a model, failing once: by a tool that breaks this promise."""

import itertools
from dataclasses import dataclass

import pandas as pd
import pytest
import torch
from broken import refusal
from torch import Tensor, nn

from cnnlab.models import Classifier, evaluating
from cnnlab.testing import check_tool, tool_checks
from cnnlab.testing.model_state import changes, global_state, model_state, same
from cnnlab.testing.model_tools import small_classifier

serial = itertools.count()


def logits(classifier: Classifier, pixels: Tensor) -> Tensor:
    """A tool that does as it should."""
    with evaluating(classifier), torch.no_grad():
        return classifier(pixels)


def saliency(classifier: Classifier, pixels: Tensor) -> Tensor:
    """Another, with gradients of its own."""
    with evaluating(classifier), torch.enable_grad():
        inputs = pixels.clone().requires_grad_()
        return torch.autograd.grad(classifier(inputs).amax(1).sum(), inputs)[0]


def of_the_blue_channel(classifier: Classifier, pixels: Tensor) -> Tensor:
    return pixels[:, 2]


def writes_on_the_images(classifier: Classifier, pixels: Tensor) -> Tensor:
    return logits(classifier, pixels.requires_grad_()).detach()


def leaves_it_in_evaluation(classifier: Classifier, pixels: Tensor) -> Tensor:
    classifier.eval()
    return logits(classifier, pixels)


def removes_hooks_if_all_is_well(classifier: Classifier, pixels: Tensor) -> Tensor:
    seen = []
    hook = classifier.network.conv1.register_forward_hook(lambda module, inputs, output: seen.append(output.mean()))
    result = logits(classifier, pixels)
    hook.remove()
    return result


def answers_whatever_happens(classifier: Classifier, pixels: Tensor) -> Tensor | None:
    try:
        return logits(classifier, pixels)
    except RuntimeError:
        return None


def switches_gradients_on(classifier: Classifier, pixels: Tensor) -> Tensor:
    torch.set_grad_enabled(True)
    return logits(classifier, pixels)


def switches_them_back_if_all_is_well(classifier: Classifier, pixels: Tensor) -> Tensor:
    before = torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    with evaluating(classifier):
        result = classifier(pixels)
    torch.set_grad_enabled(before)
    return result


def counts(classifier: Classifier, pixels: Tensor) -> int:
    return next(serial)


def as_it_is(classifier: Classifier, pixels: Tensor) -> Tensor:
    with torch.no_grad():
        return classifier(pixels)


def gradients_as_they_come(classifier: Classifier, pixels: Tensor) -> Tensor:
    with evaluating(classifier):
        inputs = pixels.clone().requires_grad_()
        return torch.autograd.grad(classifier(inputs).sum(), inputs)[0]


BROKEN = {
    "any_images_do": (of_the_blue_channel, "It raised IndexError"),
    "images_are_left_alone": (writes_on_the_images, "But requires_grad of the images was False and is True."),
    "classifier_is_left_as_found": (leaves_it_in_evaluation, "was training and is evaluation"),
    "classifier_is_left_as_found_on_error": (removes_hooks_if_all_is_well, "But the forward_hooks of network.conv1"),
    "errors_are_passed_on": (answers_whatever_happens, "A layer failed in its call 1, and the tool answered"),
    "flags_and_randomness_are_left_alone": (switches_gradients_on, "But the grad mode was False and is True."),
    "flags_and_randomness_are_left_alone_on_error": (switches_them_back_if_all_is_well, "But the grad mode was True"),
    "the_answer_is_the_same_twice": (counts, "It gave another;"),
    "mode_does_not_matter": (as_it_is, "Of a classifier in training mode it is another."),
    "gradients_need_not_be_on": (gradients_as_they_come, "It raised RuntimeError"),
}


def test_every_check_is_shown_failing() -> None:
    assert [check.__name__ for check in tool_checks(logits)] == list(BROKEN)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_found(name: str) -> None:
    tool, words = BROKEN[name]
    before = global_state()
    assert words in refusal(tool_checks(tool), name)
    # Whatever the tool left behind is put back.
    assert changes(before, global_state()) == []


@pytest.mark.parametrize("tool", [logits, saliency])
def test_a_tool_of_ones_own_is_checked_in_a_line(tool) -> None:
    check_tool(tool)


def swap_relu(classifier: Classifier) -> None:
    classifier.network.relu1 = nn.Identity()


def override_forward(classifier: Classifier) -> None:
    classifier.network.relu1.forward = torch.sigmoid


def take_a_step(classifier: Classifier) -> None:
    with torch.no_grad():
        classifier.network.head.weight.sub_(0.1)


def replace_a_parameter(classifier: Classifier) -> None:
    classifier.network.head.bias = nn.Parameter(classifier.network.head.bias.clone())


def gather_statistics(classifier: Classifier) -> None:
    classifier.network.bn1.running_mean.add_(1)


def stop_dropping(classifier: Classifier) -> None:
    classifier.network.dropout1.p = 0.0


def hook_a_tensor(classifier: Classifier) -> None:
    classifier.network.head.weight.register_hook(lambda gradient: gradient)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (swap_relu, "the kind of network.relu1 changed"),
        (override_forward, "what is known of network.relu1 changed"),
        (take_a_step, "the values of network.head.weight changed"),
        (replace_a_parameter, "the identity of network.head.bias changed"),
        (gather_statistics, "the values of network.bn1.running_mean changed"),
        (stop_dropping, "the attribute p of network.dropout1 changed"),
        (hook_a_tensor, "the backward_hooks of network.head.weight changed"),
        (
            lambda classifier: classifier.requires_grad_(False),
            "requires_grad of network.head.bias was True and is False",
        ),
        (lambda classifier: classifier.network.bn1.eval(), "the mode of network.bn1 was training and is evaluation"),
        (
            lambda classifier: classifier(torch.rand(2, 1, 8, 8)).sum().backward(),
            "the gradient of network.conv1.bias changed",
        ),
    ],
)
def test_what_a_tool_may_change_is_seen(change, told: str) -> None:
    classifier = small_classifier((1, 8, 8))
    before = model_state(classifier)
    change(classifier)
    assert told in changes(before, model_state(classifier))


@dataclass
class Answer:
    scores: Tensor
    label: str


def test_answers_are_compared_to_the_bit_whatever_they_are_made_of() -> None:
    nan = torch.tensor([1.0, torch.nan])
    assert same({"a": [nan, (2, "b")]}, {"a": [nan.clone(), (2, "b")]})
    assert same(Answer(nan, "cat"), Answer(nan.clone(), "cat"))
    assert not same(Answer(nan, "cat"), Answer(nan + 1e-7, "cat"))
    assert not same(Answer(nan, "cat"), Answer(nan, "dog"))
    assert not same(nan, nan.double())
    assert same(nan.numpy(), nan.clone().numpy()) and not same(nan.numpy(), nan.flip(0).numpy())
    table = pd.DataFrame({"score": [0.5, float("nan")]})
    assert same(table, table.copy()) and not same(table, table.fillna(0))
    assert not same([1, 2], [1]) and not same({"a": 1}, {"b": 1})
