"""Initialisers: how the numbers of a kernel or a bias are drawn, by name.

Drawn from torch's global generator, which the caller seeds. Fans are those of the kernel; a bias, which has none,
counts its length as both, as Keras does.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

from cnnlab.core.arguments import NonNegative, Positive
from cnnlab.core.errors import SpecError
from cnnlab.core.registry import BoundCall, Registry
from cnnlab.core.spec import Call

Initialiser: TypeAlias = str | Call
"""The argument that names an initialiser: a word such as ``he-normal``, or a call such as ``normal(std=0.01)``."""

initialisers: Registry[None] = Registry("initialiser", given=("tensor", "kernel"))

_SMALL = "_starts_small"
_RECTIFIERS = {"relu", "leaky", "elu", "gelu", "silu"}
_KEPT = 0.87962566103423978
"""Standard deviation of a standard normal distribution cut off at two: what is left of it is divided out."""


def canonical_initialiser(spec: Initialiser) -> Initialiser:
    """The initialiser with its defaults filled in; a plain word where it takes no arguments.

    :raises SpecError: for a name or an argument that there is not.
    """
    bound = initialisers.bind(spec)
    return bound.call if bound.arguments else bound.name


def initialise(
    kernel: Tensor, bias: Tensor | None, init: Initialiser, bias_init: Initialiser, following: str | None
) -> None:
    """Fills a kernel and its bias.

    ``default`` is what suits the activation that follows: He's normal for ReLU and its kin (He et al. 2015),
    LeCun's normal for SELU (Klambauer et al. 2017), else Glorot's uniform (Glorot and Bengio 2010); a bias of zeros.

    :raises SpecError: when an initialiser cannot fill a tensor of that shape.
    """
    with torch.no_grad():
        _fill(kernel, kernel, initialisers.bind(init), lambda: _fit(kernel, following))
        if bias is not None:
            _fill(bias, kernel, initialisers.bind(bias_init), bias.zero_)


def mark_head(head: nn.Module, init: Initialiser = "default", bias_init: Initialiser = "default") -> None:
    """Notes of a head that was drawn by default that a training may make it smaller before it begins."""
    object.__setattr__(head, _SMALL, init == bias_init == "default")


def starts_small(part: nn.Module) -> bool:
    """Whether this is a head that was drawn by default, and is not one of stored weights."""
    return bool(getattr(part, _SMALL, False))


def unmark_heads(network: nn.Module) -> None:
    """Notes that the heads have stored weights, which stay as they are."""
    for part in network.modules():
        if starts_small(part):
            object.__setattr__(part, _SMALL, False)


def _fill(tensor: Tensor, kernel: Tensor, bound: BoundCall[None], fit: Callable[[], object]) -> None:
    _check_axes(tensor, bound.name)
    # Without memory there is nothing to fill, and the first random numbers there cost seconds of imports.
    if tensor.is_meta:
        return
    if bound.name == "default":
        fit()
    else:
        bound.build(tensor=tensor, kernel=kernel)


def _fit(kernel: Tensor, following: str | None) -> None:
    """The default of kernels; its normal distributions are whole, as in the papers and in PyTorch."""
    if following in _RECTIFIERS:
        kernel.normal_(0, _he(*fans(kernel)))
    elif following == "selu":
        kernel.normal_(0, _lecun(*fans(kernel)))
    else:
        _draw_uniform(kernel, _glorot(*fans(kernel)))


def _check_axes(tensor: Tensor, name: str) -> None:
    if name == "orthogonal" and tensor.dim() < 2:
        raise SpecError("the initialiser orthogonal fills kernels and not biases; take zeros or normal for the bias.")
    if name == "dirac" and tensor.dim() < 3:
        raise SpecError("the initialiser dirac fills the kernels of convolutions only; take another one here.")


def fans(tensor: Tensor) -> tuple[int, int]:
    """How many inputs reach one output of a kernel, and how many outputs one input reaches."""
    if tensor.dim() < 2:
        return tensor.numel(), tensor.numel()
    area = math.prod(tensor.shape[2:])
    return tensor.shape[1] * area, tensor.shape[0] * area


@initialisers.register("default")
def default(tensor: Tensor, kernel: Tensor) -> None:
    """What suits the activation that follows; zeros for a bias."""
    raise AssertionError("the default is resolved before anything is drawn")


@initialisers.register("torch")
def torch_default(tensor: Tensor, kernel: Tensor) -> None:
    """PyTorch's own: uniform within one over the root of the inputs, kernel and bias alike."""
    bound = 1 / math.sqrt(fans(kernel)[0])
    tensor.uniform_(-bound, bound)


@initialisers.register("zeros")
def zeros(tensor: Tensor, kernel: Tensor) -> None:
    """All zero."""
    tensor.zero_()


@initialisers.register("ones")
def ones(tensor: Tensor, kernel: Tensor) -> None:
    """All one."""
    tensor.fill_(1)


@initialisers.register("constant")
def constant(tensor: Tensor, kernel: Tensor, value: float = 0.0) -> None:
    """All the same value."""
    tensor.fill_(value)


@initialisers.register("normal", "random-normal")
def normal(tensor: Tensor, kernel: Tensor, std: NonNegative = 0.05, mean: float = 0.0) -> None:
    """A normal distribution (the defaults are Keras's)."""
    tensor.normal_(mean, std)


@initialisers.register("uniform", "random-uniform")
def uniform_values(tensor: Tensor, kernel: Tensor, bound: Positive = 0.05) -> None:
    """Uniform between minus and plus the bound (the default is Keras's)."""
    tensor.uniform_(-bound, bound)


@initialisers.register("truncated-normal")
def truncated_normal(tensor: Tensor, kernel: Tensor, std: Positive = 0.05, mean: float = 0.0) -> None:
    """A normal distribution cut off at two standard deviations (the defaults are Keras's)."""
    nn.init.trunc_normal_(tensor, mean, std, mean - 2 * std, mean + 2 * std)


@initialisers.register("orthogonal")
def orthogonal(tensor: Tensor, kernel: Tensor, gain: Positive = 1.0) -> None:
    """Rows (or columns, whichever are fewer) orthogonal to each other (Saxe et al. 2014)."""
    nn.init.orthogonal_(tensor, gain)


@initialisers.register("dirac")
def dirac(tensor: Tensor, kernel: Tensor) -> None:
    """Each filter passes one channel on unchanged, in turn.

    Where there are more filters than channels PyTorch leaves the rest at zero; here they start over, which also
    makes a grouped convolution the identity.
    """
    middle = tensor.zero_()[:, :, *(slice(size // 2, size // 2 + 1) for size in tensor.shape[2:])]
    filters = torch.arange(tensor.shape[0], device=tensor.device)
    middle[filters, filters % tensor.shape[1]] = 1


def _glorot(inputs: int, outputs: int) -> float:
    return math.sqrt(2 / (inputs + outputs))


def _he(inputs: int, outputs: int) -> float:
    return math.sqrt(2 / inputs)


def _lecun(inputs: int, outputs: int) -> float:
    return math.sqrt(1 / inputs)


def _draw_uniform(tensor: Tensor, std: float) -> None:
    tensor.uniform_(-std * math.sqrt(3), std * math.sqrt(3))


def _draw_normal(tensor: Tensor, std: float) -> None:
    whole = std / _KEPT
    nn.init.trunc_normal_(tensor, 0, whole, -2 * whole, 2 * whole)


def _scaled(name: str, about: str, spread: Callable[[int, int], float], draw: Callable[[Tensor, float], None]) -> None:
    """Registers an initialiser with mean zero whose standard deviation is a function of the two fans."""

    def make(tensor: Tensor, kernel: Tensor) -> None:
        draw(tensor, spread(*fans(tensor)))

    make.__doc__ = about
    initialisers.register(name)(make)


for _name, _about, _spread in (
    ("glorot", "Variance 2 / (inputs + outputs) (Glorot and Bengio 2010)", _glorot),
    ("he", "Variance 2 / inputs (He et al. 2015)", _he),
    ("lecun", "Variance 1 / inputs (LeCun et al. 1998)", _lecun),
):
    _scaled(
        f"{_name}-normal", f"{_about}, normal, cut off at two standard deviations as in Keras.", _spread, _draw_normal
    )
    _scaled(f"{_name}-uniform", f"{_about}, uniform.", _spread, _draw_uniform)
