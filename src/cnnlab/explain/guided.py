"""Guided backpropagation and its relatives: gradients for which every ReLU has a rule of its own on the way back."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import looking, predictor_of
from cnnlab.explain.attribution import ATTRIBUTIONS, Attribution, Method, Model, attribute, blank_notes
from cnnlab.explain.batches import Batch, batches_of
from cnnlab.explain.cams import GradCAM, maps_and_gradients
from cnnlab.explain.layers import Listener, enlarged, passes_of, places_of
from cnnlab.explain.targets import Target
from cnnlab.models import evaluating, given_pixels, on_device, require_gradient

Rule: TypeAlias = Literal["guided", "deconvnet"]
"""What a ReLU lets pass on the way back: what is above 0 where its input was, too; or what is above 0."""

RULES: dict[Rule, str] = {"guided": "guided-backpropagation", "deconvnet": "deconvnet"}
"""What the gradient by each rule is called."""
_ZERO = (0, 0.0)
_ALIKE = 1e-6
"""Of the largest magnitude: by so much may what a module gives differ from what a ReLU does, for roundings."""
_SMOOTH = {
    "LeakyRelu": "leaky ReLU",
    "Elu": "ELU",
    "Gelu": "GELU",
    "Silu": "SiLU",
    "Hardswish": "hard swish",
    "Mish": "mish",
    "Softplus": "softplus",
    "Prelu": "PReLU",
    "PreluKernel": "PReLU",
    "Tanh": "tanh",
}
"""Activations that no rule is for, by their nodes in the graph of autograd."""
_UNSEEN = {
    "ReluBackward0": "a ReLU within compiled code (TorchScript)",
    "ThresholdBackward0": "a ReLU written as a threshold",
    "CompiledFunctionBackward": "a part that torch.compile has compiled",
}
"""Nodes in which a ReLU may be that the rule did not reach."""
_BENDING = {
    "Abs": "an absolute value",
    "Amax": "a maximum along an axis",
    "Clamp": "a clamp",
    "ClampMin": "a clamp",
    "IndexPut": "an assignment by a mask",
    "IndexPutImpl": "an assignment by a mask",
    "MaskedFill": "a masked fill",
    "Maximum": "a maximum of two",
    "Minimum": "a minimum of two",
    "Sgn": "a sign",
    "Sign": "a sign",
    "Where": "a choice by torch.where",
}
"""Nodes by which a ReLU can be written, too, and much that is none."""


class _Rectified(torch.autograd.Function):
    """min(max(x, 0), high) with a rule for the way back."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, high: float | None, rule: Rule, in_place: bool) -> Tensor:
        output = torch.clamp_(input, 0, high) if in_place else torch.clamp(input, 0, high)
        if in_place:
            ctx.mark_dirty(input)
        ctx.rule, ctx.high = rule, high
        ctx.save_for_backward(output)
        return output

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Any) -> Any:  # type: ignore[override]
        (gradient,), (output,) = gradients, ctx.saved_tensors
        if ctx.rule == "guided":
            gradient = torch.ops.aten.threshold_backward(gradient, output, 0)
            gradient = gradient if ctx.high is None else gradient.masked_fill_(output >= ctx.high, 0)
            return gradient.clamp_(min=0), None, None, None
        return gradient.clamp(min=0), None, None, None


class RuleForReLU(TorchFunctionMode):
    """A block in which every ReLU has a rule for the way back: of modules and of functions, in place or not.

    A module that is used several times has it each time. Also ReLU6, and what comes to a ReLU written otherwise: a
    clamp or a maximum at 0, and a choice or a product by what is above 0.
    """

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self.rule: Rule = rule
        self.count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Puts the rule in the place of a ReLU; all else as it is."""
        kwargs = kwargs or {}
        found = _as_rectifier(func, args, kwargs)
        if found is None:
            return func(*args, **kwargs)
        self.count += 1
        input, high, in_place = found
        return _Rectified.apply(input, high, self.rule, in_place)  # type: ignore[no-untyped-call]

    def tried(self, module: nn.Module, inputs: Any, output: Any) -> Tensor | None:
        """A hook for a module: the rule, where it gave what a ReLU gives and was given numbers below 0."""
        input = inputs[0] if len(inputs) == 1 else None
        if not (isinstance(input, Tensor) and isinstance(output, Tensor) and input.requires_grad):
            return None
        if input.shape != output.shape or not bool((input < 0).any()):
            return None
        with torch.no_grad():
            if not torch.allclose(output, input.clamp(min=0), atol=_ALIKE * float(input.abs().max())):
                return None
        self.count += 1
        found: Tensor = _Rectified.apply(input, None, self.rule, False)  # type: ignore[no-untyped-call]
        return found


def _as_rectifier(func: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Tensor, float | None, bool] | None:
    """The input, the upper end and whether it works in place, of a call that is a ReLU and that a gradient passes."""
    read = _RECTIFIERS.get(func)
    if read is None or "out" in kwargs:
        return None
    try:
        found = read(*args, **kwargs)
    except TypeError:
        # Another form of the function, such as a maximum along an axis.
        return None
    return found if found is not None and found[0].requires_grad and torch.is_grad_enabled() else None


_Read: TypeAlias = Callable[..., tuple[Tensor, float | None, bool] | None]


def _relu(input: Tensor, inplace: bool = False) -> Any:
    return input, None, inplace


def _relu_in_place(input: Tensor) -> Any:
    return input, None, True


def _relu6(input: Tensor, inplace: bool = False) -> Any:
    return input, 6.0, inplace


def _hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Any:
    return (input, max_val, inplace) if min_val in _ZERO else None


def _clamp(in_place: bool) -> _Read:
    def read(input: Tensor, min: Any = None, max: Any = None) -> Any:
        is_plain = isinstance(min, int | float) and min == 0 and not isinstance(max, Tensor)
        return (input, max, in_place) if is_plain else None

    return read


def _threshold(in_place: bool) -> _Read:
    def read(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Any:
        return (input, None, in_place or inplace) if threshold == 0 and value == 0 else None

    return read


def _maximum(input: Any, other: Any = None, *rest: Any, **more: Any) -> Any:
    if rest or more or not (isinstance(input, Tensor) and isinstance(other, Tensor)):
        return None
    for one, zeros in ((input, other), (other, input)):
        if not zeros.requires_grad and zeros.numel() and not zeros.any():
            return one + zeros, None, False
    return None


def _where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    for one, zeros, mask in ((input, other, condition), (other, input, ~condition)):
        if not isinstance(one, Tensor) or not one.requires_grad or getattr(zeros, "requires_grad", False):
            continue
        is_zero = not zeros.any() if isinstance(zeros, Tensor) else zeros in _ZERO
        if is_zero and _is_positive(one, mask):
            return one, None, False
    return None


def _product(input: Any, other: Any) -> Any:
    for one, mask in ((input, other), (other, input)):
        are_tensors = isinstance(one, Tensor) and isinstance(mask, Tensor)
        if are_tensors and one.requires_grad and _is_positive(one, mask):
            return one, None, False
    return None


def _is_positive(input: Tensor, mask: Tensor) -> bool:
    """Whether a mask is 1 exactly where the input is above 0.

    A row of outputs times its one-hot target may look like that too; such factors are no truth values, and no gradient
    passes them. One that a gradient passes, such as what is made of the sign of the input, is by 0 and 1 alone, so that
    its gradient is 0. Where the input is 0, whatever a mask is changes nothing.
    """
    is_likely = mask.dtype == torch.bool or input.dim() > 2 or mask.requires_grad
    if not is_likely or input.shape != mask.shape:
        return False
    fits = mask == (input > 0)
    if not mask.requires_grad and bool(fits.all()):
        return True
    return bool((fits | (input == 0)).all()) and bool((input < 0).any())


_RECTIFIERS: dict[Any, _Read] = {
    **dict.fromkeys((F.relu, torch.relu, Tensor.relu), _relu),
    **dict.fromkeys((torch.relu_, Tensor.relu_), _relu_in_place),
    F.relu6: _relu6,
    F.hardtanh: _hardtanh,
    **dict.fromkeys((torch.clamp, torch.clip, Tensor.clamp, Tensor.clip), _clamp(False)),
    **dict.fromkeys((torch.clamp_min, Tensor.clamp_min), _clamp(False)),
    **dict.fromkeys((torch.clamp_, torch.clip_, Tensor.clamp_, Tensor.clip_), _clamp(True)),
    **dict.fromkeys((torch.clamp_min_, Tensor.clamp_min_), _clamp(True)),
    **dict.fromkeys((F.threshold, torch.threshold), _threshold(False)),
    torch.threshold_: _threshold(True),
    **dict.fromkeys((torch.maximum, torch.fmax, Tensor.maximum, Tensor.fmax, torch.max, Tensor.max), _maximum),
    **dict.fromkeys((torch.where, Tensor.where), _where),
    **dict.fromkeys((torch.mul, torch.multiply, Tensor.mul, Tensor.multiply, Tensor.__mul__), _product),
}


@contextmanager
def ruled(model: nn.Module, rule: Rule) -> Iterator[RuleForReLU]:
    """A block for passes through a model in which every ReLU has a rule for the way back.

    Modules of ReLU are listened to, so that none is joined to its neighbours or done in another order. Modules from
    elsewhere without weights are tried: one that gives for its input what a ReLU does is one, however it is written.
    """
    mode, handles = RuleForReLU(rule), []
    try:
        for module in model.modules():
            if isinstance(module, nn.ReLU):
                handles.append(module.register_forward_hook(_listen))
            elif _may_be_a_relu(module):
                handles.append(module.register_forward_hook(mode.tried))
        with mode:
            yield mode
    finally:
        for handle in handles:
            handle.remove()


def _listen(module: nn.Module, inputs: Any, output: Any) -> None:
    """Changes nothing."""


def _may_be_a_relu(module: nn.Module) -> bool:
    """Whether it is none of torch's own modules, and has no weights."""
    is_known = type(module).__module__.partition(".")[0] in ("torch", "cnnlab")
    return not is_known and next(module.parameters(), None) is None and not isinstance(module, torch.jit.ScriptModule)


def checked(score: Tensor, mode: RuleForReLU, name: str) -> list[str]:
    """What a person must know of the activations on the way to a score.

    :raises UsageError: where there may be a ReLU that the rule did not reach.
    """
    nodes = _nodes(score)
    names = {type(node).__name__ for node in nodes}
    unseen = [sentence for name, sentence in _UNSEEN.items() if name in names]
    if unseen:
        raise UsageError(
            f"{name} gives each ReLU a rule of its own, and the network has {unseen[0]}, which that does not reach. "
            "Give the network as it was before it was compiled, with torch.relu or nn.ReLU."
        )
    kinds = {each.lstrip("_").rstrip("0123456789").removesuffix("Backward") for each in names}
    others, bending = (
        list(dict.fromkeys(word for kind, word in words.items() if kind in kinds)) for words in (_SMOOTH, _BENDING)
    )
    bending += [f"the function {own} of one's own" for own in _own_functions(nodes)]
    notes = [f"its rule is for ReLU; {', '.join(others)} pass their own gradient"] if mode.count and others else []
    if not mode.count:
        notes = [f"no ReLU that it knows is on the way, so {name} is the plain gradient"]
    if bending:
        notes.append(
            f"{' and '.join(bending)} on the way {'passes its' if len(bending) == 1 else 'pass their'} own gradient; "
            "where that is a ReLU in other words, write torch.relu"
        )
    return notes


def _nodes(score: Tensor) -> set[Any]:
    """The nodes of the graph that a tensor comes from."""
    seen, waiting = set[Any](), [score.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        waiting += [following for following, _ in node.next_functions]
    return seen


def _own_functions(nodes: set[Any]) -> list[str]:
    """The functions with a gradient of their own among them, but for those of this package."""
    kinds = (getattr(node, "_forward_cls", None) for node in nodes)
    return sorted({kind.__name__ for kind in kinds if kind is not None and not kind.__module__.startswith("cnnlab.")})


class Ruled(Method):
    """The gradient by the pixels with a rule for ReLU."""

    scale = "magnitude"
    is_one_pass = True
    rule: Rule

    def explain(self, batch: Batch) -> Tensor:
        """N×C×H×W."""
        return ruled_gradient(batch, self.rule, self.name)


def ruled_gradient(batch: Batch, rule: Rule, name: str) -> Tensor:
    """The gradient of the score by the pixels, N×C×H×W, with a rule for ReLU."""
    leaf = batch.pixels.detach().requires_grad_()
    with ruled(batch.model, rule) as mode:
        outputs = batch.model(leaf)
    score = batch.settle(outputs)
    if not score.requires_grad:
        raise UsageError("the score depends on the pixels in no way that can be differentiated.")
    batch.notes += checked(score, mode, name)
    (gradient,) = torch.autograd.grad(score.sum(), leaf)
    return gradient


@ATTRIBUTIONS.register("guided-backpropagation")
class GuidedBackpropagation(Ruled):
    """The gradient, of which each ReLU lets pass what is above 0 where its input was (Springenberg et al. 2015)."""

    name = "guided-backpropagation"
    rule = "guided"


@ATTRIBUTIONS.register("deconvnet")
class DeconvNet(Ruled):
    """The gradient, of which each ReLU lets pass what is above 0 (Zeiler and Fergus 2014; Springenberg et al. 2015)."""

    name = "deconvnet"
    rule = "deconvnet"


@ATTRIBUTIONS.register("guided-grad-cam")
class GuidedGradCAM(Method):
    """Guided backpropagation times Grad-CAM, cut off at 0 and enlarged (Selvaraju et al. 2017, section 3.2)."""

    name = "guided-grad-cam"
    scale = "magnitude"
    has_layer = True
    is_one_pass = True

    def explain(self, batch: Batch) -> Tensor:
        """N×C×H×W."""
        found = zip(batch.places, maps_and_gradients(batch), strict=True)
        cams = [enlarged(GradCAM().join(*pair).clamp(min=0)[:, None], place) for place, pair in found]
        return ruled_gradient(batch, "guided", self.name) * torch.stack(cams).mean(0)


def guided_backpropagation(model: Model, images: Any, target: Any = None, **options: Any) -> Attribution:
    """Guided backpropagation of the score, N×C×H×W (Springenberg et al. 2015, section 3.4).

    Arguments as of :func:`~cnnlab.explain.attribute`. For channels of a layer see :func:`guided_channels`.
    """
    return attribute(model, images, GuidedBackpropagation.name, target, **options)


def deconvnet(model: Model, images: Any, target: Any = None, **options: Any) -> Attribution:
    """Backpropagation as a deconvolutional network does it, N×C×H×W (Zeiler and Fergus 2014).

    Arguments as of :func:`~cnnlab.explain.attribute`.
    """
    return attribute(model, images, DeconvNet.name, target, **options)


def guided_grad_cam(
    model: Model, images: Any, target: Any = None, layer: str | None = None, **options: Any
) -> Attribution:
    """Guided backpropagation times Grad-CAM of a layer, N×C×H×W (Selvaraju et al. 2017, section 3.2).

    Arguments as of :func:`~cnnlab.explain.attribute`.
    """
    return attribute(model, images, GuidedGradCAM.name, target, layer, **options)


def guided_channels(
    model: Model,
    images: Any,
    layer: str,
    channels: int | Sequence[int] = 10,
    *,
    rule: Rule = "guided",
    device: str | None = None,
) -> tuple[Attribution, ...]:
    """Guided backpropagation of channels of a layer, each by its most active place (Springenberg et al. 2015).

    :param layer: its name in the summary; what it puts out may also be a row of numbers.
    :param channels: which, or how many: those with the highest mean of their most active place over all pictures, but
        for what a ReLU6 has cut off, whose map would be blank.
    :param rule: ``guided``, or that of a ``deconvnet``.
    :return: one for each channel, N×C×H×W; its score is the activation of that place.
    :raises UsageError: for a layer or a channel that is not there.
    """
    predictor = predictor_of(model, device=device)
    name = f"{RULES[rule]} of {layer}"
    require_gradient(predictor.classifier, "guided backpropagation goes by the gradient")
    pixels = given_pixels(images, predictor.classifier.shape)
    with looking(predictor) as placed:
        passes = passes_of(placed, on_device(pixels[:1], placed))
        places = places_of(placed, layer, passes, needs_maps=False)
        if len(places) > 1:
            raise UsageError(
                "each member of the ensemble has channels of its own: name one member's layer, as in "
                f"members.0.network.{layer}."
            )
        target = Target(placed, None, len(pixels))
        batches = list(batches_of(placed, pixels, target, places, passes, keeps_maps=True))
        if isinstance(channels, int):
            with torch.no_grad():
                strongest = _unclipped(
                    torch.cat([_most_active(_up_to_layer(batch, batch.pixels)) for batch in batches])
                ).mean(0)
            channels = strongest.argsort(descending=True, stable=True)[:channels].tolist()
        found = [_of_channels(batch, channels, rule, name) for batch in batches]
    values, scores = (np.concatenate(parts, axis=1) for parts in zip(*found, strict=True))
    notes = tuple(dict.fromkeys(note for batch in batches for note in batch.notes))
    return tuple(
        Attribution(
            values=values[place],
            method=name,
            layer=layer,
            targets=np.full(len(pixels), channel, dtype=np.int64),
            target_names=(f"channel {channel}",) * len(pixels),
            scores=scores[place],
            scale="magnitude",
            notes=(*notes, *blank_notes(values[place], "magnitude")),
        )
        for place, channel in enumerate(channels)
    )


class _ReachedError(Exception):
    """Leaves a forward pass at the layer that was wanted."""


def _up_to_layer(batch: Batch, pixels: Tensor) -> Tensor:
    """What the batch's layer puts out, N×K or N×K×…; what comes after it is not computed."""

    def leave(module: nn.Module, inputs: Any, output: Any) -> None:
        if listener.has_all:
            raise _ReachedError

    (place,) = batch.places
    with evaluating(batch.model), Listener([place]) as listener, suppress(_ReachedError):
        place.module.register_forward_hook(leave)
        batch.model(pixels)
    (output,) = listener.outputs
    return output


def _most_active(output: Tensor) -> Tensor:
    """The most active place of each channel, N×K."""
    return output.flatten(2).amax(2) if output.dim() > 2 else output


def _unclipped(active: Tensor) -> Tensor:
    """Activations N×K, 0 in the place of those at the upper end of a ReLU6, for no gradient passes there.

    Such an end is told by several that are the largest to the bit.
    """
    is_largest = active == active.max()
    return active.masked_fill(is_largest, 0) if int(is_largest.sum()) > 1 else active


def _of_channels(batch: Batch, channels: Sequence[int], rule: Rule, name: str) -> tuple[Any, Any]:
    """Values K×N×C×H×W and scores K×N of some channels."""
    leaf = batch.pixels.detach().requires_grad_()
    with ruled(batch.model, rule) as mode:
        output = _up_to_layer(batch, leaf)
    active = _most_active(output)
    wrong = [channel for channel in channels if not 0 <= channel < active.shape[1]]
    if wrong or not channels:
        raise UsageError(
            f"the layer {batch.places[0].name} has channels 0 to {active.shape[1] - 1}"
            + (f", and no {wrong[0]}." if wrong else "; name at least one.")
        )
    batch.notes += checked(output, mode, name)
    values = [torch.autograd.grad(active[:, channel].sum(), leaf, retain_graph=True)[0] for channel in channels]
    scores = active.detach()[:, list(channels)].T
    return torch.stack(values).float().cpu().numpy(), scores.float().cpu().numpy()
