"""What makes the steps of a training on several devices those of one: slices in, the whole batch's gradients out."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from cnnlab.augment import Pipeline
from cnnlab.training.several_devices.batch_norm import batch_norms
from cnnlab.training.several_devices.group import DeviceGroup
from cnnlab.training.several_devices.slices import Division, on_slice, random_layers
from cnnlab.training.step_outcome import StepOutcome


class DataParallel:
    """The part of one device in the steps of a training.

    Every device has the whole network and the same weights. It computes its slice of each logical batch, and
    ``DistributedDataParallel`` adds the gradients up while it goes backwards.

    :param network: on its device; its weights become those of the first.
    :param synchronises: whether batch normalisation is by the whole logical batch; else by each slice, and running
        statistics are those of the first device.
    """

    def __init__(self, group: DeviceGroup, network: nn.Module, device: torch.device, synchronises: bool) -> None:
        self.group, self.network, self.channel = group, network, group.channel(device)
        norms = batch_norms(network)
        self._norms, self._random = norms if synchronises else [], random_layers(network)
        self._buffers = [] if synchronises else [buffer for norm in norms for buffer in norm.buffers()]
        self._forward: Callable[[Tensor], Tensor] = network
        self._trained: list[nn.Parameter] = []
        self._samples = 0
        self._equalise([*network.parameters(), *network.buffers()])

    def division(self, samples: int) -> Division:
        """How a logical batch of so many pictures is divided."""
        return Division(samples, self.group.size)

    def part(self, samples: int) -> slice:
        """The places of this device's pictures in a logical batch."""
        return self.division(samples).part(self.group.rank)

    def gathered(self, pipeline: Pipeline) -> "Callable[[int], slice] | None":
        """Which pictures of a batch need be there for this augmentation; None for all, where it blends them."""
        return None if pipeline.mixes else self.part

    @property
    def factor(self) -> int:
        """By what a device multiplies its part of the loss: ``DistributedDataParallel`` takes means, not sums."""
        return 1 if self._samples < self.group.size else self.group.size

    def __call__(self, pixels: Tensor) -> Tensor:
        """The outputs N×K of this device's pictures, within :meth:`step`."""
        outputs: Tensor = self._forward(pixels)
        return outputs

    @contextmanager
    def step(self, samples: int) -> Iterator[None]:
        """A block for the passes of one step over a logical batch of so many pictures."""
        self._samples = samples
        self._wrap()
        with on_slice(self._norms, self._random, self.division(samples), self.group.rank, self.channel):
            yield

    def of_whole_batches(self, outcomes: Sequence[StepOutcome]) -> list[StepOutcome]:
        """What came of steps, of which this device has its share, as all have it together; on the host."""
        names = [*outcomes[0].sums] if outcomes else []
        shares = torch.stack([torch.stack([o.loss, *(o.sums[name] for name in names)]).double() for o in outcomes])
        repeated = [self.division(outcome.samples).is_repeated for outcome in outcomes]
        totals = self.group.total(shares)
        totals[torch.tensor(repeated)] /= self.group.size
        return [
            StepOutcome(outcome.samples, row[0], dict(zip(names, row[1:], strict=True)))
            for outcome, row in zip(outcomes, totals, strict=True)
        ]

    def after_step(self) -> None:
        """Brings running statistics together where each device has its own."""
        if self._buffers:
            self._equalise(self._buffers)

    def _wrap(self) -> None:
        """Wraps the network anew where other weights are trained than before."""
        trained = [weight for weight in self.network.parameters() if weight.requires_grad]
        if list(map(id, trained)) == list(map(id, self._trained)):
            return
        self._trained = trained
        # Looking for unused weights also keeps the order in which gradients are added up from the first step on, so
        # that a training that goes on has the bits of one that was left alone.
        with warnings.catch_warnings():
            # What is to take its place brings buffers together in the beginning all the same.
            warnings.filterwarnings("ignore", message="`broadcast_buffers` is deprecated", category=FutureWarning)
            self._forward = DistributedDataParallel(
                self.network,
                process_group=self.channel,
                broadcast_buffers=False,
                find_unused_parameters=True,
                init_sync=False,
            )

    @torch.no_grad()
    def _equalise(self, tensors: Sequence[Tensor]) -> None:
        """Makes tensors on all devices those of the first, the numbers of one kind in one exchange."""
        kinds: dict[torch.dtype, list[Tensor]] = {}
        for tensor in tensors:
            kinds.setdefault(tensor.dtype, []).append(tensor)
        for alike in kinds.values():
            flat = torch.cat([tensor.detach().reshape(-1) for tensor in alike])
            dist.broadcast(flat, 0, group=self.channel)
            for tensor, own in zip(alike, torch.split(flat, [tensor.numel() for tensor in alike]), strict=True):
                tensor.copy_(own.view(tensor.shape))
