"""The number format of a training where the recipe leaves it open: known, remembered, or timed on slices of a batch.

What comes first decides:

1.  a device without native bfloat16 computes in float32; nothing is timed;
2.  what was found before on this machine for this network and batch is taken again;
3.  a picture that takes too much arithmetic for a few to be timed is computed in bfloat16, and a training too short for
    a trial in what is likely: bfloat16 where a step holds much arithmetic;
4.  else both formats are timed, on slices of 2, 8, 32, … pictures, until one is clearly ahead or the budget is spent.

The budget is two seconds or 3% of the training, whichever is less, and no pass is begun that would exceed it.
"""

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import nn

from cnnlab.core.digests import digest
from cnnlab.core.errors import StorageError
from cnnlab.core.files import cache_folder, write_text
from cnnlab.models import multiply_adds
from cnnlab.runs.environment import code_digest, processor

Precision = Literal["float32", "bfloat16"]
Why = Literal[
    "asked for",
    "native bfloat16",
    "no native bfloat16",
    "not measured",
    "much arithmetic",
    "too short to time",
    "timed",
    "remembered",
]
Pass = Callable[[Precision, int], object]
"""Forward and backward in a format over so many pictures."""

MOST_SECONDS = 2.0
SHARE = 0.03
_FORMATS: tuple[Precision, ...] = get_args(Precision)
_SLICES = (2, 8, 32, 128)
_TURNS = 2

# A format clearly ahead on a slice of this many pictures is so on the whole batch: what a call costs beside its
# arithmetic weighs less there, and it weighs against bfloat16.
_TELLING_SLICE = 8
# Of kernels of our own, which leave small batches to torch: what they save in float32 shows on larger ones only.
_TELLING_SLICE_NATIVE = 128
_CLEARLY_AHEAD = 1.25
_FAR_BEHIND = 4.0
# On the whole batch a tenth is enough; below it float32 is taken, which is exact.
_FASTER = 1 / 0.9

# A trial makes kernels for two formats, which takes a tenth of a second in a small network, and goes over a few dozen
# pictures. A training in which that is more than its share is decided without.
_LEAST_SECONDS = 0.1
_LEAST_IMAGES = 2000
# More multiply-adds a second than a core of today does in float32, so that a training takes at least as long as this
# says. Forwards and backwards together are three times the forward pass.
_MOST_MULTIPLY_ADDS = 1e11
_PASSES = 3
# Multiply-adds of a step, forwards, from which bfloat16 was the faster one in every network that was measured.
_MUCH_ARITHMETIC = 5e8
# Of a picture, for each thread: with more, a few dozen passes take longer than two seconds.
_MOST_TO_TIME = 5e8


@dataclass(frozen=True)
class PrecisionChoice:
    """The format taken, and why.

    :param seconds: that choosing took.
    :param float32, bfloat16: seconds of a pass over ``images`` pictures, where they were timed, now or before.
    """

    precision: str
    why: Why
    seconds: float = 0.0
    float32: float | None = None
    bfloat16: float | None = None
    images: int | None = None

    @property
    def speedup(self) -> float | None:
        """How many times as fast as in float32 a pass is in bfloat16."""
        return self.float32 / self.bfloat16 if self.float32 and self.bfloat16 else None

    def to_dict(self) -> dict[str, Any]:
        """As ``run.json`` holds it: what is not known is left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Workload:
    """What is to be trained on the processor, as far as the format depends on it.

    :param shape: channels, height and width of a picture.
    :param batch: pictures of a step; ``steps`` of the whole training.
    """

    network: nn.Module
    shape: tuple[int, int, int]
    batch: int
    steps: int
    threads: int
    kernels: str


def choose_precision(work: Workload, prepare: Callable[[], Pass]) -> PrecisionChoice:
    """The format for a processor that has both: remembered, or else tried out and remembered.

    :param prepare: makes the pass to be timed, on a copy of the network; called only when something is timed.
    """
    place = _place(work)
    began = time.perf_counter()
    known = _recall(place)
    if known is not None:
        return PrecisionChoice(**{**known, "why": "remembered", "seconds": _since(began)})
    # Twice, for the first time may be held up by whatever else the machine does, and stands for the first pass.
    counts = [_counted(work) for _ in range(2)]
    trial = PrecisionTrial(work, counts[0][0], began, min(seconds for _, seconds in counts))
    trial.run(prepare)
    choice = trial.choice()
    if trial.is_final:
        _remember(place, choice)
    return choice


class PrecisionTrial:
    """Passes in both formats over growing slices of a batch, within a budget.

    :param multiply_adds: of a picture forwards; 0 where that is not known.
    :param began: when the choosing began, by ``time.perf_counter``; all since then counts.
    :param forward: seconds of a forward pass over one picture.
    """

    def __init__(self, work: Workload, multiply_adds: int, began: float, forward: float = 0.0) -> None:
        self.work, self.multiply_adds, self.began = work, multiply_adds, began
        self.passes: dict[tuple[int, Precision], list[float]] = {}
        self.expected_first = forward * _PASSES * _SLICES[0]
        self.is_clear = False
        self.is_whole = False

    @property
    def budget(self) -> float:
        """Seconds that the trial may take, from all that is known so far."""
        return min(MOST_SECONDS, SHARE * self.training_seconds)

    @property
    def training_seconds(self) -> float:
        """The training in float32, rather too short than too long."""
        work = self.work
        images = work.batch * work.steps
        arithmetic = _PASSES * images * self.multiply_adds / (_MOST_MULTIPLY_ADDS * work.threads)
        timed = self._float32_step()
        if timed is None:
            return arithmetic if self.multiply_adds else MOST_SECONDS / SHARE
        return max(arithmetic, work.steps * timed)

    @property
    def is_worth_while(self) -> bool:
        """Whether a trial would be a small part of the training at all; known before anything is timed."""
        is_light = self.multiply_adds <= _MOST_TO_TIME * self.work.threads
        return is_light and self.work.batch * self.work.steps >= _LEAST_IMAGES and self.budget >= _LEAST_SECONDS

    @property
    def is_final(self) -> bool:
        """Whether a longer training would be told the same."""
        return self._telling_size() is not None and (self.is_clear or self.is_whole or self.budget >= MOST_SECONDS)

    def run(self, prepare: Callable[[], Pass]) -> None:
        """Times passes until one format is clearly ahead, the whole batch was timed, or the budget is spent."""
        if not self.is_worth_while:
            return
        one_pass = prepare()
        for size, precision in self._schedule():
            if _since(self.began) + self._expected(size, precision) > self.budget:
                return
            start = time.perf_counter()
            one_pass(precision, size)
            self.passes.setdefault((size, precision), []).append(time.perf_counter() - start)
            self.is_clear = precision == _FORMATS[-1] and self._is_clear_on(size)
            if self.is_clear:
                return
        self.is_whole = True

    def choice(self) -> PrecisionChoice:
        """What the passes say, or what is likely where there are too few."""
        size, seconds = self._telling_size(), _since(self.began)
        if size is None:
            # Long steps are spent on arithmetic, of which bfloat16 saves half; short ones on calls, of which it makes
            # more. A wrong guess costs little where steps are short or few.
            # With kernels of our own float32 is about as fast, unless the network is one of the large ones, which have
            # little for them to do.
            is_heavy = self.multiply_adds > _MOST_TO_TIME * self.work.threads
            has_much = self.multiply_adds * self.work.batch >= _MUCH_ARITHMETIC and self.work.kernels == "torch"
            if is_heavy or has_much:
                return PrecisionChoice("bfloat16", "much arithmetic", seconds)
            return PrecisionChoice("float32", "too short to time", seconds)
        float32, bfloat16 = (self._best(size, precision) for precision in _FORMATS)
        assert float32 is not None and bfloat16 is not None
        is_faster = float32 > _FASTER * bfloat16
        precision = "bfloat16" if is_faster else "float32"
        return PrecisionChoice(precision, "timed", seconds, float32, bfloat16, size)

    def _schedule(self) -> Iterator[tuple[int, Precision]]:
        """Slice by slice, the formats in turn, so that whatever else the machine does meanwhile strikes both alike.

        The first turn of a slice also pays for making kernels.
        """
        for size in (*(size for size in _SLICES if 2 * size <= self.work.batch), self.work.batch):
            for _ in range(1 + _TURNS):
                for precision in _FORMATS:
                    yield size, precision

    def _expected(self, size: int, precision: Precision) -> float:
        """Seconds of the next pass: as before, in proportion where the slice grows, as float32 where all is new.

        The shortest stands for all: one that was held up says nothing of the next.
        """
        if (size, precision) in self.passes:
            return min(self.passes[size, precision])
        earlier = [(known, min(times)) for (known, other), times in self.passes.items() if other == precision]
        if earlier:
            before, seconds = max(earlier)
            return seconds * size / before
        return self.passes[size, "float32"][0] if (size, "float32") in self.passes else self.expected_first

    def _is_clear_on(self, size: int) -> bool:
        float32, bfloat16 = (self._best(size, precision) for precision in _FORMATS)
        if not self._is_warm_on(size) or float32 is None or bfloat16 is None:
            return False
        is_ahead = size >= self._least_telling and float32 > _CLEARLY_AHEAD * bfloat16
        return is_ahead or bfloat16 > _FAR_BEHIND * float32

    def _is_warm_on(self, size: int) -> bool:
        """Whether each format was timed with its kernels made."""
        return all(len(self.passes.get((size, precision), ())) > 1 for precision in _FORMATS)

    @property
    def _least_telling(self) -> int:
        return _TELLING_SLICE if self.work.kernels == "torch" else _TELLING_SLICE_NATIVE

    def _telling_size(self) -> int | None:
        """The largest slice that tells which format is the faster; None where none does."""
        least = min(self._least_telling, self.work.batch)
        for size in sorted({size for size, _ in self.passes}, reverse=True):
            float32, bfloat16 = (self._best(size, precision) for precision in _FORMATS)
            if float32 is None or bfloat16 is None:
                continue
            # Several times as long is more than kernels take to make; without this a bfloat16 that is computed by a
            # slow reference would spend the budget in its first pass, and leave the question open.
            if (size >= least and self._is_warm_on(size)) or bfloat16 > _FAR_BEHIND * float32:
                return size
        return None

    def _best(self, size: int, precision: Precision) -> float | None:
        """The shortest pass, without the first where there are more."""
        times = self.passes.get((size, precision))
        return None if not times else min(times[1:] or times)

    def _float32_step(self) -> float | None:
        """Seconds of a whole step, from the two largest slices timed: what is the same in both is paid once a step."""
        timed = sorted((size, times) for (size, precision), times in self.passes.items() if precision == "float32")
        warm = [(size, min(times[1:])) for size, times in timed if len(times) > 1]
        if not warm:
            return None
        size, seconds = warm[-1]
        if len(warm) == 1:
            return seconds
        fewer, before = warm[-2]
        return seconds + max(0.0, (seconds - before) / (size - fewer)) * (self.work.batch - size)


def _since(began: float) -> float:
    return time.perf_counter() - began


def _counted(work: Workload) -> tuple[int, float]:
    """The multiply-adds of a picture, 0 where they are not known, and the seconds that it took to see them."""
    began = time.perf_counter()
    return _multiply_adds(work), _since(began)


def _multiply_adds(work: Workload) -> int:
    try:
        return multiply_adds(work.network, work.shape, most=_MOST_TO_TIME * work.threads)
    except Exception:
        # What is wrong with a network is for its training to say; here it only means that nothing is known of it.
        return 0


def _place(work: Workload) -> Path:
    """The file that remembers the choice for this network, batch, program and machine."""
    weights = [[list(weight.shape), weight.requires_grad] for weight in work.network.parameters()]
    network = [repr(work.network), weights, list(work.shape), work.batch]
    program = [code_digest(), str(torch.__version__)]
    machine = [processor(), platform.machine(), torch.backends.cpu.get_cpu_capability(), work.threads, work.kernels]
    # oneDNN may be held back from some of the instructions that the processor has.
    limits = os.environ.get("ONEDNN_MAX_CPU_ISA")
    return cache_folder() / "precision" / f"{digest([network, program, machine, limits])[:40]}.json"


def _recall(place: Path) -> dict[str, Any] | None:
    """What was found before; None where nothing was, or nothing that can be read."""
    try:
        known = json.loads(place.read_text(encoding="utf-8"))
        seconds_by_format: dict[str, Any] = {key: float(known[key]) for key in _FORMATS}
        is_sound = known["precision"] in _FORMATS and all(seconds > 0 for seconds in seconds_by_format.values())
        return (
            {**seconds_by_format, "precision": known["precision"], "images": int(known["images"])} if is_sound else None
        )
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None


def _remember(place: Path, choice: PrecisionChoice) -> None:
    # A cache that cannot be written to costs the next training another trial, no more.
    with suppress(OSError, StorageError):
        write_text(place, json.dumps(choice.to_dict()))
