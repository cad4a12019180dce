"""Batch normalisation worked into the convolutions before it, for networks that are only run and no longer trained."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from cnnlab.models.inference import evaluating
from cnnlab.models.shapes import Shape


def fold_batch_norms(network: nn.Module, shape: Shape, spare: str = "") -> int:
    """Folds each batch normalisation by running statistics into the convolution that feeds it, and says how many.

    The network is changed: it computes the same as before in evaluation mode, but for roundings, and can no longer be
    trained as it was. An activation that a layer holds behind its normalisation stays where it was, and so does what
    somebody listens to by a hook.

    :param shape: of a picture as the network takes it, by one of which it is seen what feeds what.
    :param spare: a layer that is to put out what it did, as a convolution that is followed by its normalisation.
    """
    pairs = [pair for pair in _pairs(network, shape) if pair[0] != spare]
    for before, after in pairs:
        conv, norm = network.get_submodule(before), network.get_submodule(after)
        assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None and norm.running_var is not None
        weight, bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        conv.weight, conv.bias = weight, bias
        # What timm's layers do besides: an activation, and what is dropped, which is nothing in evaluation.
        rest = getattr(norm, "act", None)
        network.set_submodule(after, rest if isinstance(rest, nn.Module) else nn.Identity())
    return len(pairs)


def _pairs(network: nn.Module, shape: Shape) -> list[tuple[str, str]]:
    """Convolutions and the normalisations that take what they put out, by name; only what each has to itself."""
    makers: dict[int, str] = {}
    takers: dict[str, list[str]] = {}
    passes: dict[str, int] = {}
    alive: list[Tensor] = []
    heard = {name for name, module in network.named_modules() if module._forward_hooks or module._forward_pre_hooks}

    def made(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            # Kept alive, so that no other tensor takes its identity over.
            alive.append(output)
            makers[id(output)] = name
            passes[name] = passes.get(name, 0) + 1

        return hook

    def taken(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            for given in inputs:
                if id(given) in makers:
                    takers.setdefault(makers[id(given)], []).append(name)

        return hook

    with evaluating(network), torch.no_grad():
        for module in network.modules():
            # Nobody hears of this pass.
            module._forward_hooks.clear()
            module._forward_pre_hooks.clear()
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(made(name))
            if not list(module.children()) or isinstance(module, nn.BatchNorm2d):
                module.register_forward_pre_hook(taken(name))
        weight = next(network.parameters())
        network(torch.zeros(1, *shape, dtype=weight.dtype, device=weight.device))
    found = []
    for before, names in takers.items():
        after = network.get_submodule(names[0])
        if len(names) == 1 and passes[before] == 1 and _is_foldable(after) and not heard & {before, names[0]}:
            found.append((before, names[0]))
    return found


def _is_foldable(module: nn.Module) -> bool:
    return isinstance(module, nn.BatchNorm2d) and module.running_mean is not None and module.running_var is not None
