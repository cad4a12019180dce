"""Which device there is to compute on, and in which number formats it computes natively."""

import platform

import torch

from cnnlab.core.errors import UsageError

_X86 = frozenset({"x86_64", "amd64", "i386", "i686"})


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
        if kind.type == "meta":
            raise RuntimeError("it holds shapes and no numbers")
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        # Of a word that is no device at all torch lists every kind that there may be anywhere.
        known = f"; {best_device()} is" if reason.startswith("Expected one of") else f" ({reason})"
        raise UsageError(f"there is no device {device!r} here{known}. {remedy}") from error


def has_native_bfloat16(device: str | torch.device) -> bool:
    """Whether the device multiplies in bfloat16 itself, in every layer and in both directions of a training.

    A processor counts where it is an x86 with AVX-512 BF16 and torch's kernels (oneDNN) make use of it. Anywhere else
    torch falls back, in the forward pass or the backward one, on a reference that is many times slower than
    float32. ARM processors have the instructions, but not torch the kernels for gradients; of mps nothing is known.
    """
    place = torch.device(device)
    if place.type == "cuda":
        # Torch answers for the device that is current.
        with torch.cuda.device(place):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return (
        place.type == "cpu" and platform.machine().lower() in _X86 and _has_avx512_bf16() and _onednn_takes_bfloat16()
    )


def _has_avx512_bf16() -> bool:
    # None of this is torch's promise: where it goes missing, float32 is always sound.
    ask = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return ask is not None and bool(ask())


def _onednn_takes_bfloat16() -> bool:
    """Heeds ``ONEDNN_MAX_CPU_ISA``, and builds of torch without oneDNN, which have no such operation."""
    ask = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return ask is not None and bool(torch.backends.mkldnn.enabled) and bool(ask())
