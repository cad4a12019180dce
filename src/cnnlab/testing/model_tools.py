"""What every tool over a model promises: explanations, attacks, whatever looks into a classifier."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from cnnlab.core import seeds
from cnnlab.models import Classifier
from cnnlab.models.shapes import Shape
from cnnlab.testing.model_state import changes, global_state, global_state_kept, input_state, model_state, same
from cnnlab.testing.suite import Check, Suite, require, run

Tool: TypeAlias = Callable[[Classifier, Tensor], Any]
MakeClassifier: TypeAlias = Callable[[Shape], Classifier]

GREY, COLOUR, ODD = (1, 8, 8), (3, 8, 8), (3, 9, 7)
_MOST_TOLD = 5


def small_classifier(shape: Shape) -> Classifier:
    """A network of a moment with all that a tool may trip over: batch normalisation, dropout, a pool, and ReLUs.

    Three classes; its weights are random, and the same at every call.
    """
    channels, height, width = shape
    with seeds.scope(0, "init"):
        network = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(channels, 4, 3, padding=1),
                bn1=nn.BatchNorm2d(4),
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(2),
                conv2=nn.Conv2d(4, 6, 3, padding=1),
                relu2=nn.ReLU(),
                flatten1=nn.Flatten(),
                dropout1=nn.Dropout(0.5),
                head=nn.Linear(6 * (height // 2) * (width // 2), 3),
            )
        )
    classes = {"label": ("cat", "dog", "owl")}
    return Classifier(
        network, shape, [0.4] * channels, [0.2] * channels, classes, "classes(column=label)", "module(small)"
    )


def random_pixels(shape: Shape, count: int = 3) -> Tensor:
    """Float images in [0, 1], the same at every call."""
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(5))


@dataclass(frozen=True)
class ToolCase:
    """A tool, and how the classifiers are made that it is tried on."""

    tool: Tool
    make: MakeClassifier

    def found(self, shape: Shape = GREY) -> Classifier:
        """A classifier as somebody else left it: modes mixed, layers frozen, gradients and hooks of their own."""
        classifier = self.make(shape)
        modules = list(classifier.modules())
        for place, module in enumerate(modules):
            module.training = place % 2 == 0
        for place, parameter in enumerate(classifier.parameters()):
            parameter.requires_grad_(place % 2 == 0)
            parameter.grad = torch.full_like(parameter, 0.5) if place % 2 == 0 else None
        modules[-1].register_forward_hook(_look)
        return classifier

    def answer(self, classifier: Classifier, shape: Shape = GREY, count: int = 3) -> Any:
        """What the tool says of some images."""
        return self.tool(classifier, random_pixels(shape, count))


def check_tool(tool: Tool, *, make: MakeClassifier = small_classifier) -> None:
    """Holds a tool over a model to leaving everything as it was found, and to answering alike however that was.

    >>> check_tool(lambda classifier, pixels: occlusion(classifier, pixels, patch=3))

    :param tool: takes a classifier and float images in [0, 1], N×C×H×W; what it answers may be made of tensors, arrays,
        mappings, lists and plain objects.
    :param make: makes the classifiers to try it on, of the shape given: C, H and W of the images; each time the same.
    :raises AssertionError: naming the first promise that is broken, and how.
    """
    run(tool_checks(tool, make=make))


def tool_checks(tool: Tool, *, make: MakeClassifier = small_classifier) -> list[Check]:
    """The checks of :func:`check_tool` one by one, for ``pytest.mark.parametrize``."""

    @contextmanager
    def prepared() -> Iterator[ToolCase]:
        # What a tool leaves behind is told of by one check, and must not reach the next.
        with global_state_kept():
            yield ToolCase(tool, make)

    return _suite.checks(f"tool {getattr(tool, '__name__', tool)}", prepared)


_suite: Suite[ToolCase] = Suite()


@_suite.check
def any_images_do(case: ToolCase) -> None:
    """Grey images, coloured ones, those of odd sizes, and one alone are all answered for."""
    for shape in (GREY, COLOUR, ODD):
        for count in (3, 1):
            case.answer(case.make(shape), shape, count)


@_suite.check
def images_are_left_alone(case: ToolCase) -> None:
    """The images given keep their values and know nothing of gradients."""
    pixels = random_pixels(GREY)
    before = input_state(pixels)
    case.tool(case.make(GREY), pixels)
    _require_unchanged(before, input_state(pixels))


@_suite.check
def classifier_is_left_as_found(case: ToolCase) -> None:
    """Modes, parts, hooks, gradients, requires_grad, parameters and buffers are as they were found."""
    classifier = case.found()
    before = model_state(classifier)
    case.answer(classifier)
    _require_unchanged(before, model_state(classifier))


@_suite.check
def classifier_is_left_as_found_on_error(case: ToolCase) -> None:
    """They are so, too, when a layer fails, going forward or backward."""
    for classifier, _ in _trapped(case):
        before = model_state(classifier)
        _try(case, classifier)
        _require_unchanged(before, model_state(classifier))


@_suite.check
def errors_are_passed_on(case: ToolCase) -> None:
    """When a layer fails, so does the tool."""
    for classifier, trap in _trapped(case):
        is_answered = _try(case, classifier)
        require(not (is_answered and trap.has_sprung), f"A layer failed {trap}, and the tool answered all the same.")


@_suite.check
def flags_and_randomness_are_left_alone(case: ToolCase) -> None:
    """Global flags of torch, and global generators of random numbers, are as they were found."""
    for surroundings in (nullcontext, torch.no_grad, _unusual_flags):
        with surroundings():
            before = global_state()
            case.answer(case.make(GREY))
            _require_unchanged(before, global_state())


@_suite.check
def flags_and_randomness_are_left_alone_on_error(case: ToolCase) -> None:
    """They are so, too, when a layer fails."""
    for classifier, _ in _trapped(case):
        before = global_state()
        _try(case, classifier)
        _require_unchanged(before, global_state())


@_suite.check
def the_answer_is_the_same_twice(case: ToolCase) -> None:
    """Asked twice, it gives the same answer to the bit, whatever was drawn in between."""
    classifier = case.make(GREY)
    first = case.answer(classifier)
    torch.rand(3)
    second = case.answer(classifier)
    require(same(first, second), "It gave another; draw from a generator with a seed, and keep nothing.")


@_suite.check
def mode_does_not_matter(case: ToolCase) -> None:
    """The answer is that of evaluation, in whatever mode the classifier and its parts were found."""
    wanted = case.answer(case.make(GREY).eval())
    for mode, classifier in (("training mode", case.make(GREY).train()), ("mixed modes", case.found())):
        require(same(wanted, case.answer(classifier)), f"Of a classifier in {mode} it is another.")


@_suite.check
def gradients_need_not_be_on(case: ToolCase) -> None:
    """The answer is the same with frozen weights, and in a block without gradients."""
    wanted = case.answer(case.make(GREY))
    require(same(wanted, case.answer(case.make(GREY).requires_grad_(False))), "With frozen weights it is another.")
    with torch.no_grad():
        require(same(wanted, case.answer(case.make(GREY))), "Under torch.no_grad() it is another.")


class TrapError(RuntimeError):
    """What a trap raises."""


class Trap:
    """A forward hook by which a layer fails once, at its nth call or going backward from it."""

    def __init__(self, call: int, is_backward: bool = False) -> None:
        self.call, self.is_backward, self.calls, self.has_sprung = call, is_backward, 0, False

    def __call__(self, module: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
        """Lets the call pass, fails, or gives an output that fails going backward."""
        self.calls += 1
        if self.calls != self.call:
            return None
        if self.is_backward:
            return _FailingBackward.apply(output, self)  # type: ignore[no-untyped-call, no-any-return]
        self.spring()
        return None

    def spring(self) -> None:
        """Fails."""
        self.has_sprung = True
        raise TrapError("this layer fails on purpose")

    def __str__(self) -> str:
        return f"{'going backward from' if self.is_backward else 'in'} its call {self.call}"


class _FailingBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, output: Tensor, trap: Trap) -> Tensor:
        ctx.trap = trap
        return output.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        ctx.trap.spring()


def _trapped(case: ToolCase) -> Iterator[tuple[Classifier, Trap]]:
    """Classifiers as they may be found, of which a layer, the first or the last, is to fail."""
    for is_last in (False, True):
        for trap in (Trap(1), Trap(2), Trap(1, is_backward=True)):
            classifier = case.found()
            layers = [module for module in classifier.modules() if not list(module.children())]
            layers[-1 if is_last else 0].register_forward_hook(trap)
            yield classifier, trap


def _try(case: ToolCase, classifier: Classifier) -> bool:
    """Whether the tool answers; that it may fail is no matter."""
    try:
        case.answer(classifier)
    except Exception:
        return False
    return True


def _look(module: nn.Module, inputs: Any, output: Any) -> None:
    """A hook of the owner's that changes nothing."""


@contextmanager
def _unusual_flags() -> Iterator[None]:
    """A block in which flags are unlike their defaults."""
    with torch.autocast("cpu", torch.bfloat16):
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(False)


def _require_unchanged(before: dict[str, Any], after: dict[str, Any]) -> None:
    found = changes(before, after)
    more = f", and {len(found) - _MOST_TOLD} more" if len(found) > _MOST_TOLD else ""
    require(not found, f"But {', '.join(found[:_MOST_TOLD])}{more}.")
