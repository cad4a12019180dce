"""A network cut in two: what its first links put out is kept, and the rest goes on from there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnnlab.models.chain import Link, chain_of
from cnnlab.models.classifier import Classifier
from cnnlab.models.cpu_kernels import Sequential
from cnnlab.models.input_adapters import GreyToColour, Resize
from cnnlab.models.modules import GlobalPool
from cnnlab.models.shapes import Shape

_KNOWN = (Sequential, GlobalPool, Resize, GreyToColour)
RANDOM_LAYERS = (nn.modules.dropout._DropoutNd, nn.RReLU, nn.FractionalMaxPool2d, nn.FractionalMaxPool3d)


@dataclass(frozen=True)
class Cut:
    """Where a classifier is cut: after the last of its links that stay as they are.

    :param links: from the picture on, all that always make the same of the same picture.
    """

    links: tuple[Link, ...]

    @property
    def layer(self) -> str:
        """The layer whose outputs are kept, as in the summary of the network."""
        return self.links[-1].name

    @property
    def shape(self) -> Shape:
        """Of what is kept of a picture."""
        return self.links[-1].shape


def cut_of(classifier: Classifier) -> Cut | None:
    """The links that always make the same of the same picture, in the modes that the classifier's modules are in now.

    Those hold no weight that is trained, and nothing in them is in training mode but what is known to be the same in
    either. None where weights come first that are trained, or the network is no chain.
    """
    links: list[Link] = []
    for link in chain_of(classifier.network, classifier.shape):
        if not _stays(link.module):
            break
        links.append(link)
    holds_weights = any(next(link.module.parameters(), None) is not None for link in links)
    return Cut(tuple(links)) if holds_weights and links[-1].shape else None


def _stays(module: nn.Module) -> bool:
    is_trained = any(weight.requires_grad for weight in module.parameters())
    return not is_trained and all(not part.training or _is_the_same_in_training(part) for part in module.modules())


def _is_the_same_in_training(module: nn.Module) -> bool:
    """Of a module without weights and statistics: those of torch and some of ours, but for what is random."""
    is_known = type(module).__module__.startswith("torch.nn.modules") or isinstance(module, _KNOWN)
    holds_state = bool(module._parameters or module._buffers)
    return is_known and not holds_state and not isinstance(module, RANDOM_LAYERS)


class Remainder(nn.Module):
    """What of a classifier comes after a cut: from what the cut's last link puts out to the classifier's outputs.

    The network runs as it is, its first links passing on what they are given, so that what it computes between its
    modules is computed here too.
    """

    def __init__(self, classifier: Classifier, cut: Cut) -> None:
        super().__init__()
        self.classifier = classifier
        named = dict(classifier.network.named_modules())
        # By name: the classifier may be a copy of the one that was cut, such as its moving average.
        self._passed = [named[link.name] for link in cut.links]

    def forward(self, features: Tensor) -> Tensor:
        """N×… to N×K; float32 also under autocast to a shorter type."""
        with _passing(self._passed):
            outputs: Tensor = self.classifier.network(features)
        return outputs.float() if outputs.dtype in (torch.bfloat16, torch.float16) else outputs


@contextmanager
def _passing(modules: Sequence[nn.Module]) -> Iterator[None]:
    """A block in which modules hand on what they are given."""
    for module in modules:
        module.forward = _same
    try:
        yield
    finally:
        for module in modules:
            del module.forward


def _same(input: Tensor) -> Tensor:
    return input
