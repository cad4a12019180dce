"""The means of channels, beside those of what the convolution puts out."""

import pytest
import torch
from torch import nn

from cnnlab.explain.convolution_means import ConvolutionMeans, is_plain_convolution

CONVOLUTIONS = {
    "usual": {"kernel_size": 3, "padding": 1},
    "without zeros, strided": {"kernel_size": 3, "stride": 2},
    "oblong": {"kernel_size": (1, 4), "stride": (1, 3), "padding": (2, 1)},
    "dilated": {"kernel_size": 3, "dilation": (1, 2), "padding": 2},
    "same, even kernel": {"kernel_size": (2, 4), "padding": "same", "dilation": (3, 1)},
    "valid": {"kernel_size": 2, "padding": "valid"},
    "groups": {"kernel_size": 3, "padding": 1, "groups": 3},
    "by channel, no bias": {"kernel_size": 3, "groups": 6, "bias": False},
}


@pytest.mark.parametrize("options", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel lengths")
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_means_and_their_gradient_are_those_of_the_convolution(options: dict, layout: torch.memory_format) -> None:
    generator = torch.Generator().manual_seed(0)
    conv = nn.Conv2d(6, 12, **options).double()
    maps = torch.randn(4, 6, 9, 11, generator=generator, dtype=torch.float64).contiguous(memory_format=layout)
    numbers, rows = torch.tensor([11, 0, 5, 5]), torch.arange(4)
    ours, theirs = maps.clone().requires_grad_(), maps.clone().requires_grad_()
    found, wanted = ConvolutionMeans(conv)(ours, numbers), conv(theirs)[rows, numbers].mean((1, 2))
    assert torch.allclose(found, wanted, atol=1e-6)
    weights = torch.randn(4, generator=generator)
    (found @ weights.double()).backward()
    (wanted @ weights.double()).backward()
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-7)


def test_what_does_more_than_convolve_is_left_to_itself() -> None:
    class Own(nn.Conv2d):
        pass

    listened, patched = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)
    listened.register_forward_hook(lambda *call: call[2] * 2)
    patched.forward = lambda input: input
    others = listened, patched, Own(1, 1, 1), nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"), nn.ReLU()
    assert is_plain_convolution(nn.Conv2d(1, 1, 1)) and not any(map(is_plain_convolution, others))
