"""The few modules that torch does not have as such."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnlab.models.shapes import pair, reach


class Head(nn.Linear):
    """The last dense layer, in the precision of its weights even where the rest runs in bfloat16 or float16."""

    def forward(self, input: Tensor) -> Tensor:
        """N×F to N×outputs."""
        device = input.device.type
        if not torch.amp.is_autocast_available(device):
            return super().forward(input)
        with torch.autocast(device, enabled=False):
            return super().forward(input.to(self.weight.dtype))


class Dropout(nn.Dropout):
    """Dropout that draws its mask from 16 random bits a number on a processor, where torch's own takes far longer.

    The probability is the nearest multiple of 1/65536, and what is kept is scaled by exactly that.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Of the shape of its input; the identity outside training."""
        # A compiler fuses torch's own into its neighbours.
        if not self.training or input.device.type != "cpu" or torch.compiler.is_compiling():
            return super().forward(input)
        dropped = min(round(self.p * 2**16), 2**16 - 1)
        mask = torch.empty_like(input)
        # The numbers in the order of memory, whatever the layout: the copy stays one plain sweep.
        mask.as_strided((mask.numel(),), (1,)).copy_(_random_shorts(mask.numel()) >= dropped - 2**15)
        return input * mask * (2**16 / (2**16 - dropped))


def _random_shorts(count: int) -> Tensor:
    """Uniform over all int16, drawn four at a time."""
    return torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)[:count]


class Exponential(nn.Module):
    """exp(x), element by element."""

    def forward(self, input: Tensor) -> Tensor:
        """Of the shape of its input."""
        return input.exp()


class GlobalPool(nn.Module):
    """The mean or the maximum over all positions of each channel."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, input: Tensor) -> Tensor:
        """N×C×H×W to N×C."""
        return input.mean((2, 3)) if self.kind == "avg" else input.amax((2, 3))

    def extra_repr(self) -> str:
        """The kind, for printing."""
        return self.kind


class Conv2dExtraEdge(nn.Conv2d):
    """A convolution with one more row or column of zeros after the picture than before it, or both.

    What keeps the size along an axis where the kernel spans an even number of pixels, as Keras places it.
    """

    def forward(self, input: Tensor) -> Tensor:
        """N×C×H×W to N×filters×H'×W'."""
        rows, columns = (_is_even(reach(k, d)) for k, d in zip(self.kernel_size, self.dilation, strict=True))
        return super().forward(F.pad(input, (0, columns, 0, rows)))


class MaxPool2dExtraEdge(nn.MaxPool2d):
    """Maximum pooling with one more row or column after the picture than before it, or both, never the maximum."""

    def forward(self, input: Tensor) -> Tensor:
        """N×C×H×W to N×C×H'×W'."""
        rows, columns = map(_is_even, pair(self.kernel_size))
        padded = F.pad(input, (0, columns, 0, rows), value=-torch.inf)
        return F.max_pool2d(padded, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)


def _is_even(number: int) -> bool:
    return number % 2 == 0


class Add(nn.Module):
    """The sum of branches of one shape."""

    def forward(self, *branches: Tensor) -> Tensor:
        """Of the shape of each branch."""
        return sum(branches[1:], branches[0])


class Concatenate(nn.Module):
    """Branches side by side, as channels of one feature map."""

    def forward(self, *branches: Tensor) -> Tensor:
        """N×C1×H×W, N×C2×H×W, … to N×(C1+C2+…)×H×W."""
        return torch.cat(branches, 1)


class Multiply(nn.Module):
    """A feature map scaled by a gate for each channel."""

    def forward(self, input: Tensor, gate: Tensor) -> Tensor:
        """N×C×H×W and N×C×1×1 to N×C×H×W."""
        return input * gate


class Residual(nn.Module):
    """A body and a way around it, joined: ``after(join(body(before(x)), shortcut(before(x))))``.

    Without a ``shortcut`` the input itself goes around, untouched by ``before``.
    """

    def __init__(
        self,
        body: nn.Module,
        join: nn.Module,
        *,
        before: nn.Module | None = None,
        shortcut: nn.Module | None = None,
        after: nn.Module | None = None,
    ) -> None:
        super().__init__()
        # Registered in the order in which they run, which is that of summaries.
        self.before, self.body, self.shortcut, self.join, self.after = before, body, shortcut, join, after

    def forward(self, input: Tensor) -> Tensor:
        """N×C×H×W to N×C'×H'×W'."""
        start = input if self.before is None else self.before(input)
        around = input if self.shortcut is None else self.shortcut(start)
        joined: Tensor = self.join(self.body(start), around)
        return joined if self.after is None else self.after(joined)


class Branches(nn.Module):
    """Several ways from one feature map or vector, laid side by side as channels."""

    def __init__(self, branches: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleDict(branches)
        self.join = Concatenate()

    def forward(self, input: Tensor) -> Tensor:
        """N×C×H×W to N×(C1+C2+…)×H×W."""
        joined: Tensor = self.join(*(branch(input) for branch in self.branches.values()))
        return joined


class Heads(Branches):
    """Heads with dense layers of their own, their outputs side by side in the order of the objective's heads."""

    def __init__(self, branches: Mapping[str, nn.Module], out_features: int) -> None:
        super().__init__(branches)
        self.out_features = out_features


class ChannelGate(nn.Module):
    """Squeeze and excitation: each channel is scaled by a number in (0, 1) worked out from all channels' means.

    Hu et al. 2018, "Squeeze-and-Excitation Networks", equations 2 to 4.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.relu = nn.ReLU()
        self.expand = nn.Conv2d(hidden, channels, 1)
        self.gate = nn.Sigmoid()
        self.scale = Multiply()

    def forward(self, input: Tensor) -> Tensor:
        """Of the shape of its input, N×C×H×W."""
        gate = self.gate(self.expand(self.relu(self.reduce(self.squeeze(input)))))
        scaled: Tensor = self.scale(input, gate)
        return scaled
