"""Which device there is to compute on."""

import torch

from cnnlab.core.errors import UsageError


def best_device() -> str:
    """An accelerator where there is one, else the processor."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def check_device(device: str, remedy: str) -> None:
    """Refuses a device that is not there.

    :param remedy: what to do instead, as a sentence.
    :raises UsageError: naming it.
    """
    try:
        kind = torch.device(device)
        torch.empty(0, device=kind)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        # Of a word that is no device at all torch lists every kind that there may be anywhere.
        known = f"; {best_device()} is" if reason.startswith("Expected one of") else f" ({reason})"
        raise UsageError(f"there is no device {device!r} here{known}. {remedy}") from error
