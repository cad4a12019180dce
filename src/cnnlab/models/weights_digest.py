"""What tells whether two models have the same weights."""

import hashlib

import torch
from torch import nn


def weights_digest(model: nn.Module) -> str:
    """SHA-256 over all weights and running statistics, by name."""
    hashed = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        if isinstance(tensor, torch.Tensor):
            stored = tensor.detach().cpu().contiguous()
            hashed.update(f"{name} {stored.dtype} {tuple(stored.shape)} ".encode())
            hashed.update(stored.flatten().view(torch.uint8).numpy().data)
    return hashed.hexdigest()
