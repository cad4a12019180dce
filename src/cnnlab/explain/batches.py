"""Pictures in batches that fit into memory, and what is settled about each while it is explained."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial

import torch
from torch import Tensor

from cnnlab.core.machine import free_memory
from cnnlab.explain.layers import Passes, Place
from cnnlab.explain.targets import Chosen, Target
from cnnlab.models import Classifier, Predictable, evaluating, fold_batch_norms, on_device
from cnnlab.models.backbones import ConvHead
from cnnlab.models.cpu_kernels import adopt

SMALL = 8 * 32 * 32
"""Pixels of all pictures together up to which torch's kernels with channels first are quicker than ours, and than its
own with channels last, where pictures are passed once. Either has to bring the weights into another order in each pass,
which of few small pictures takes as long as all else. One of 32×32 takes vgg-like a third less, eight as long, with
AVX2 as with AVX-512."""
_SHARE_OF_MEMORY = 4
_MOST_BYTES = {"keeps": 1 << 28, "passes": 1 << 26}
"""What the maps of a batch may take on a processor, however much memory there is; it is to keep most in its cache."""
_MAPS_AT_A_TIME = 3
"""Of the largest maps, so many lie in memory at a time where no gradient is kept for."""
_BYTES = 4
_ROUNDINGS = 1e-2
"""Of the largest output, by how much a copy may miss it; what is computed otherwise misses it by far more."""


class Batch:
    """Some of the pictures, and what of the model's outputs is explained of them.

    :param pixels: N×C×H×W on the model's device, in the model's number format, in [0, 1].
    :param start: the place of the first among all pictures, of which there are ``count``.
    :param places: the layers that the method is of.
    :param most: pictures that a pass through the model may have.
    :param quick: gives what computes the same as the model in less time.
    :param facts: further numbers of each picture, which the method adds.
    :param notes: what a person must know, which the method adds.
    """

    def __init__(
        self,
        model: Predictable,
        pixels: Tensor,
        start: int,
        target: Target,
        places: Sequence[Place],
        most: int,
        quick: Callable[[], Predictable],
    ) -> None:
        self.model, self.pixels, self.start, self.places, self.most = model, pixels, start, tuple(places), most
        self.count = target.count
        self._quick = quick
        self.facts: dict[str, Tensor] = {}
        self.notes: list[str] = []
        self._target = target
        self._chosen: Chosen | None = None
        self._scores: Tensor | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def chosen(self) -> Chosen:
        """What is explained; settled by a pass over the pictures where none was made before."""
        if self._chosen is None:
            with torch.no_grad():
                self.settle(self.model(self.pixels))
        assert self._chosen is not None
        return self._chosen

    @property
    def scores(self) -> Tensor:
        """The number that is explained of each picture, N, as it is."""
        self.chosen  # noqa: B018 (settles it)
        assert self._scores is not None
        return self._scores

    def settle(self, outputs: Tensor) -> Tensor:
        """The number that is explained, N, of the outputs N×K for the pictures as they are."""
        if self._chosen is None:
            self._chosen = self._target.chosen(outputs, self.start)
        score = self._chosen.of(outputs)
        self._scores = score.detach()
        return score

    def score(self, pixels: Tensor, rows: Tensor | None = None) -> Tensor:
        """The number that is explained, M, of changed pictures M×C×H×W.

        :param rows: which picture of the batch each is made of; all in their order unless given.
        """
        return self.chosen.of(self.model(pixels), rows)

    def score_quickly(self, pixels: Tensor, rows: Tensor | None = None) -> Tensor:
        """As :meth:`score` to roundings, without a gradient, for many pictures."""
        model, chosen = self._quick(), self.chosen
        head = getattr(getattr(model, "network", None), "head", None)
        if model is self.model or not isinstance(head, ConvHead) or chosen.score != "output":
            return chosen.of(model(pixels), rows)
        counted = chosen.counted(rows)
        with head.only(counted):
            return chosen.of(model(pixels), rows, counted)


def quick_copy(model: Predictable, spare: str = "") -> Predictable:
    """A model that computes the same in evaluation, but for roundings, in less time; itself where it cannot be copied.

    Batch normalisation is worked into the convolutions before it, and weights lie in the order of memory in which maps
    do. Who listens to a part of the model listens to that of the copy.

    :param spare: a layer that is to put out what it did, by its name in the summary.
    """
    if not isinstance(model, Classifier):
        return model
    hooks = [held for part in model.modules() for name, held in vars(part).items() if name.endswith("_hooks")]
    try:
        copied = copy.deepcopy(model, {id(held): held for held in hooks})
        fold_batch_norms(copied.network, copied.shape, spare)
    except (RuntimeError, TypeError, ValueError, AttributeError, StopIteration):
        # A network of one's own that holds what cannot be copied, or has no weights.
        return model
    for module in copied.modules():
        adopt(module)
    copied = copied.to(memory_format=torch.channels_last).requires_grad_(False)  # type: ignore[call-overload]
    return copied if _agree(model, copied) else model


def _agree(model: Classifier, copied: Classifier) -> bool:
    """Whether both give the same for noise.

    A network of one's own may take what a convolution puts out otherwise than by the layer after it, as in
    ``x + norm(x)``, which no module hears of.
    """
    noise = on_device(torch.rand(1, *model.shape, generator=torch.Generator().manual_seed(0)), model)
    with evaluating(model), torch.no_grad():
        # The copy's hooks are these, too.
        for module in model.modules():
            module._forward_hooks.clear()
            module._forward_pre_hooks.clear()
        given, found = model(noise), copied(noise)
    apart, largest = (given - found).abs().max(), given.abs().max()
    return bool(apart <= _ROUNDINGS * largest + torch.finfo(given.dtype).tiny)


def batches_of(
    model: Predictable,
    pixels: Tensor,
    target: Target,
    places: Sequence[Place],
    passes: Passes | None,
    *,
    keeps_maps: bool,
    is_small: bool = False,
) -> Iterator[Batch]:
    """All pictures, in batches as large as memory and speed allow.

    :param pixels: uint8 or float in [0, 1], N×C×H×W.
    :param passes: what a picture passes in the model; None where each is passed by itself.
    :param keeps_maps: whether a pass keeps the maps of all layers, for a gradient.
    :param is_small: whether all of them together, of :data:`SMALL` pixels at most, are passed once, with channels
        first.
    """
    most = 1 if passes is None else at_once(model, passes, keeps_maps=keeps_maps)
    quick = cache(partial(quick_copy, model))
    for start in range(0, len(pixels), most):
        order = torch.contiguous_format if is_small else torch.channels_last
        placed = on_device(pixels[start : start + most], model, order)
        yield Batch(model, placed, start, target, places, most, quick)


def at_once(model: Predictable, passes: Passes, *, keeps_maps: bool) -> int:
    """How many pictures a pass may have, by the memory that is free and what the maps of one take."""
    device = next((each.device for each in model.parameters()), torch.device("cpu"))
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory()
    layers = [each for each in passes if not list(each.module.children())]
    sizes = [math.prod(each.shape) for each in layers if each.shape is not None]
    sizes.append(math.prod(model.shape))
    # With a gradient, what each layer puts out and the gradient of it; else the largest of them, a few at a time.
    numbers = 2 * sum(sizes) if keeps_maps else _MAPS_AT_A_TIME * max(sizes)
    room = free // _SHARE_OF_MEMORY
    if device.type == "cpu":
        room = min(room, _MOST_BYTES["keeps" if keeps_maps else "passes"])
    return max(1, int(room // (_BYTES * numbers)))


def in_passes(pictures: int, repeats: int, most: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Every repeat of every picture, in passes of at most so many: the pictures of each and the repeats, M and M."""
    for start in range(0, pictures * repeats, most):
        both = torch.arange(start, min(start + most, pictures * repeats), device=device)
        yield both % pictures, both // pictures
