"""Augmentations of one's own: anything that can be called on a batch."""

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Generator, Tensor

from cnnlab.augment.catalogue import augmentations
from cnnlab.augment.operation import Info, Operation, Parameters, PixelOperation
from cnnlab.augment.resampling import as_float
from cnnlab.augment.sampling import noise_generator, noise_seed
from cnnlab.core import seeds
from cnnlab.core.arguments import Fraction
from cnnlab.core.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])
_GENERATOR = "generator"


@dataclass(frozen=True)
class CustomOperation(PixelOperation):
    """Someone's own function of a batch.

    :param name: what it is registered under, for messages.
    :param function: takes float pictures in [0, 1], N×C×H×W, and gives as many of the same shape.
    :param takes_generator: whether it draws from a generator that it is given; if not, torch's own is seeded for it.
    """

    name: str = ""
    function: Callable[..., Any] = field(default=as_float, repr=False)
    takes_generator: bool = False

    def draw(self, generator: Generator, info: Info) -> Parameters:
        """Draws a seed for whatever the function draws."""
        return {"noise": noise_seed(generator)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Calls the function and looks at what comes back.

        :raises UsageError: when that is not a batch of the same shape, or holds what is not a number.
        """
        seed, device = parameters["noise"], images.device
        if self.takes_generator:
            result = self.function(images, generator=noise_generator(seed, device))
        else:
            with seeds.scope(seed, "augment", device=device):
                result = self.function(images)
        if not isinstance(result, Tensor) or result.shape != images.shape:
            got = f"{tuple(result.shape)}" if isinstance(result, Tensor) else type(result).__name__
            raise UsageError(f"augmentation {self.name} must give pictures of {tuple(images.shape)} and gave {got}")
        pixels = as_float(result.detach()).to(device, torch.float32, copy=True)
        if pixels.isnan().any():
            raise UsageError(
                f"augmentation {self.name} gave values that are not numbers; look in it for a division of 0 by 0, or a "
                "root, power or logarithm of what may be negative"
            )
        return pixels


def register(name: str, *aliases: str) -> Callable[[F], F]:
    """A decorator that makes something callable known to augmentation specs under ``name``; ``p=`` comes with it.

    - A function ``f(images, ...)``: its further parameters are the arguments of the spec, checked by their
      annotations. A parameter ``generator`` is not: it is given a seeded ``torch.Generator``.
    - A class whose instances are called with the images, such as a ``torch.nn.Module``: the parameters of its
      constructor are the arguments.
    - Any other callable object takes no arguments.
    - A subclass of an operation's family (see :mod:`cnnlab.augment.operation`), which can be fused with others.

    The images are float32 in [0, 1], N×C×H×W, on the batch's device, and as many of the same shape are to be
    returned; what leaves [0, 1] is clipped, what is not a number refused. Where no generator is taken, torch's global
    ones are seeded for the call and put back afterwards, so the result is a function of the training's seed either way.

    >>> @register("darken")
    ... def darken(images, by: float = 0.5):
    ...     return images * (1 - by)
    >>> pipeline("flip|darken(0.2, p=0.3)")

    :raises ValueError: when the name is taken.
    """

    def decorate(target: F) -> F:
        if inspect.isclass(target) and issubclass(target, Operation):
            augmentations.register(name, *aliases)(target)
        else:
            augmentations.register(name, *aliases)(_maker(name, target))
        return target

    return decorate


def _maker(name: str, target: Callable[..., Any]) -> Callable[..., CustomOperation]:
    """A function of the spec's arguments that makes the operation, with a signature that the registry can read."""
    is_class = inspect.isclass(target)
    parameters = _parameters(target)

    def make(*, p: float, **arguments: Any) -> CustomOperation:
        if is_class:
            return CustomOperation(name=name, function=target(**arguments), p=p)
        takes_generator = _GENERATOR in inspect.signature(target).parameters
        bound = _with(target, arguments) if arguments else target
        return CustomOperation(name=name, function=bound, takes_generator=takes_generator, p=p)

    share = inspect.Parameter("p", inspect.Parameter.KEYWORD_ONLY, default=1.0)
    made: Any = make
    made.__doc__ = inspect.getdoc(target)
    made.__signature__ = inspect.Signature([*parameters, share])
    made.__annotations__ = {**_hints(target), "p": Fraction}
    return make


def _with(function: Callable[..., Any], arguments: dict[str, Any]) -> Callable[..., Any]:
    return lambda images, **given: function(images, **arguments, **given)


def _parameters(target: Callable[..., Any]) -> list[inspect.Parameter]:
    """What a spec may give, as keywords: a constructor's parameters, or a function's after the images."""
    named = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in inspect.signature(target).parameters.values()
        if parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    ]
    if inspect.isclass(target):
        return named
    is_function = inspect.isroutine(target)
    return [parameter for parameter in named[1:] if parameter.name != _GENERATOR] if is_function else []


def _hints(target: Callable[..., Any]) -> dict[str, Any]:
    described = target.__init__ if inspect.isclass(target) else target
    return typing.get_type_hints(described, include_extras=True) if inspect.isroutine(described) else {}
