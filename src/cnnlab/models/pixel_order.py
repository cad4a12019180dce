"""The one permutation of the pixels of all pictures that ``permute=`` is the seed of."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cnnlab.core import seeds


def pixel_permutation(seed: int, shape: Sequence[int]) -> Tensor:
    """The order in which ``permute=seed`` takes the positions of a picture; one number for each of height×width."""
    return torch.randperm(shape[1] * shape[2], generator=seeds.generator(seed, "permute"), device="cpu")


def permuted(pixels: Tensor, order: Tensor) -> Tensor:
    """Pictures N×C×H×W with their positions in that order, all channels alike."""
    return pixels.flatten(2).index_select(2, order).reshape(pixels.shape)
