"""In which number format features are computed: the fastest that agrees with float32 as a trial shows."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from cnnlab.core.devices import has_native_bfloat16, synchronize
from cnnlab.core.digests import digest
from cnnlab.core.errors import StorageError, UsageError
from cnnlab.core.files import cache_folder, write_text
from cnnlab.core.messages import announcing
from cnnlab.data import ImageSet
from cnnlab.models import autocast, native_kernels, why_no_native_kernels
from cnnlab.runs.environment import code_digest, processor
from cnnlab.transfer.extractor import Extractor

BOUND = 0.02
"""How far features of a picture may be from those of float32: the length of the difference to that of the features."""
_TRIED, _LEAST_TO_TRY = 16, 256
_TURNS = 2
Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class NumberFormat:
    """How a network is computed.

    :param deviation: the largest that was met on trial, as :data:`BOUND` counts it; 0 for float32 itself.
    """

    precision: str = "float32"
    kernels: str = "torch"
    deviation: float = 0.0

    @contextmanager
    def applied(self, device: str) -> Iterator[None]:
        """A block that computes in it."""
        with native_kernels(self.kernels == "native"), autocast(device, self.precision):
            yield

    @property
    def key(self) -> dict[str, str]:
        """What tells features in this format apart from those in others."""
        return {"precision": self.precision, "kernels": self.kernels}

    def __str__(self) -> str:
        return self.precision if self.kernels == "torch" else f"{self.precision}, {self.kernels} kernels"


def choose_format(extractor: Extractor, images: ImageSet, device: str) -> NumberFormat:
    """The fastest format whose features agree with those of float32, by a trial on a few pictures.

    Remembered for the network, the processor and the program, so that what was computed before is found again. Of few
    pictures the trial would take longer than their features.
    """
    place = _place(extractor, device)
    known = _recalled(place)
    if known is not None:
        return known
    if len(images) < _LEAST_TO_TRY:
        return NumberFormat()
    pixels = images.batch(range(_TRIED))[0]
    with announcing("trying out number formats"):
        found = _tried(extractor, pixels.to(device), device)
    _remember(place, found)
    return found


def stated_format(precision: str, extractor: Extractor, images: ImageSet, device: str) -> NumberFormat:
    """The format of this name, with its deviation from float32 on a few pictures.

    :raises UsageError: where its features do not agree with those of float32.
    """
    if precision == "float32":
        return NumberFormat()
    place = _place(extractor, device, precision)
    found = _recalled(place)
    if found is None:
        pixels = images.batch(range(min(_TRIED, len(images))))[0].to(device)
        with announcing(f"comparing {precision} with float32"), NumberFormat(precision).applied(device):
            shorter = extractor(pixels)
        found = NumberFormat(precision, deviation=deviation_of(shorter, extractor(pixels)))
        if found.deviation <= BOUND:
            _remember(place, found)
    if found.deviation > BOUND:
        raise UsageError(
            f"features in {precision} differ from those in float32 by {found.deviation:.1%} of their length, and more "
            f"than {BOUND:.0%} is not taken for the same. Take precision=auto, or float32."
        )
    return found


def _remember(place: Path, found: NumberFormat) -> None:
    with suppress(OSError, StorageError):
        write_text(place, json.dumps(asdict(found)))


def _tried(extractor: Extractor, pixels: Tensor, device: str) -> NumberFormat:
    formats = [NumberFormat()]
    if torch.device(device).type == "cpu" and why_no_native_kernels() is None:
        formats.append(NumberFormat(kernels="native"))
    if has_native_bfloat16(device):
        formats.append(NumberFormat("bfloat16"))
    exact = extractor(pixels)
    agreeing: dict[NumberFormat, float] = {}
    for each in formats:
        with each.applied(device):
            deviation = deviation_of(extractor(pixels), exact)
        if deviation <= BOUND:
            agreeing[NumberFormat(each.precision, each.kernels, float(deviation))] = float("inf")
    for _ in range(_TURNS):
        # In turns, so that whatever else the machine does meanwhile strikes all alike.
        for each in agreeing:
            agreeing[each] = min(agreeing[each], _seconds(extractor, pixels, each, device))
    return min(agreeing, key=lambda each: agreeing[each])


def deviation_of(features: Tensor, exact: Tensor) -> float:
    """The largest deviation of any picture's features N×K from the exact ones, in proportion to the length of these."""
    lengths = exact.norm(dim=1).clamp_min(torch.finfo(torch.float32).tiny)
    result = ((features - exact).norm(dim=1) / lengths).max()
    return float(result) if torch.isfinite(result) else float("inf")


def _seconds(extractor: Extractor, pixels: Tensor, each: NumberFormat, device: str) -> float:
    synchronize(device)
    began = time.perf_counter()
    with each.applied(device):
        extractor(pixels)
    synchronize(device)
    return time.perf_counter() - began


def _place(extractor: Extractor, device: str, *wanted: str) -> Path:
    program = [code_digest(), str(torch.__version__), torch.get_num_threads()]
    machine = [device, processor(), torch.backends.cpu.get_cpu_capability(), has_native_bfloat16(device)]
    return cache_folder() / "precision" / f"features-{digest([extractor.digest, program, machine, *wanted])[:40]}.json"


def _recalled(place: Path) -> NumberFormat | None:
    with suppress(OSError, ValueError, TypeError, KeyError):
        said: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        known = NumberFormat(str(said["precision"]), str(said["kernels"]), float(said["deviation"]))
        if known.precision in ("float32", "bfloat16", "float16") and known.kernels in ("native", "torch"):
            return known
    return None
