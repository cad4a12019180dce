"""The number format of a training where the recipe leaves it open: known, remembered, or timed on slices of a batch.

What comes first decides:

1.  a device without native bfloat16 computes in float32; nothing is timed;
2.  what was found before on this machine for this network and batch is taken again;
3.  a training of a few dozen pictures is computed in float32; nothing is timed, not even a picture;
4.  a picture that takes too much arithmetic for a few to be timed is computed in bfloat16, and a training too short for
    a trial in what is likely: bfloat16 where a step holds much arithmetic;
5.  else both formats are timed, on slices of 2, 8, 32, … pictures, until one is clearly ahead or the budget is spent.

The budget is two seconds or 3% of the training, whichever is less. No pass is begun that would exceed it, and one that
takes longer than was to be foreseen, such as a first one, is left off between two of its layers.
"""

import json
import math
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

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
# Of a training with fewer pictures a forward pass over one or two, which counts the arithmetic, is no small part.
_LEAST_COUNTED = 100
# For counting, which is done twice; a picture that takes longer forwards takes too long for passes over two.
_SECONDS_TO_COUNT = 0.3
# The trial is made on a copy of the network: bytes copied in a second, where memory is fetched for them.
_COPIED = 5e8
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
    if work.batch * work.steps < _LEAST_COUNTED:
        return PrecisionChoice("float32", "too short to time", _since(began))
    trial = PrecisionTrial(work, *_counted(work), began)
    trial.run(prepare)
    choice = trial.choice()
    if trial.is_final:
        _remember(place, choice)
    return choice


class PrecisionTrial:
    """Passes in both formats over growing slices of a batch, within a budget.

    :param multiply_adds: of a picture forwards; 0 where that is not known.
    :param forward: seconds of a forward pass over one picture.
    :param began: when the choosing began, by ``time.perf_counter``; all since then counts.
    """

    def __init__(self, work: Workload, multiply_adds: int, forward: float, began: float) -> None:
        self.work, self.multiply_adds, self.forward, self.began = work, multiply_adds, forward, began
        self.passes: dict[tuple[int, Precision], list[float]] = {}
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
        # A step takes longer than one over a single picture.
        step = self._float32_step() or _PASSES * self.forward
        return max(arithmetic, work.steps * step)

    @property
    def is_worth_while(self) -> bool:
        """Whether a trial would be a small part of the training at all; known before anything is timed."""
        is_light = self.multiply_adds <= _MOST_TO_TIME * self.work.threads
        return is_light and self.work.batch * self.work.steps >= _LEAST_IMAGES and self.budget >= _LEAST_SECONDS

    @property
    def is_final(self) -> bool:
        """Whether a longer training, or one beside fewer others on the machine, would be told the same."""
        size = self._telling_size()
        is_warm = size is not None and self._is_warm_on(size)
        return is_warm and (self.is_clear or self.is_whole or self.budget >= MOST_SECONDS)

    def run(self, prepare: Callable[[], Pass]) -> None:
        """Times passes until one format is clearly ahead, the whole batch was timed, or the budget is spent."""
        copying = sum(weight.nbytes for weight in self.work.network.parameters()) / _COPIED
        if not self.is_worth_while or _since(self.began) + copying + self._first > self.budget:
            return
        one_pass = prepare()
        for size, precision in self._schedule():
            if _since(self.began) + self._expected(size, precision) > self.budget:
                return
            if not self._time(one_pass, size, precision):
                return
            self.is_clear = precision == _FORMATS[-1] and self._is_clear_on(size)
            if self.is_clear:
                return
        self.is_whole = True

    def _time(self, one_pass: Pass, size: int, precision: Precision) -> bool:
        """Takes down how long a pass takes; whether it came to its end before the budget was spent."""
        start, is_whole = time.perf_counter(), True
        try:
            with _until(self.began + self.budget):
                one_pass(precision, size)
        except _OutOfTimeError:
            is_whole = False
        seconds = _since(start)
        # What was left off after several times as long as in float32 is as far behind as that, at least.
        if is_whole or seconds > _FAR_BEHIND * (self._best(size, "float32") or math.inf):
            self.passes.setdefault((size, precision), []).append(seconds)
        return is_whole

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
        return self.passes[size, "float32"][0] if (size, "float32") in self.passes else self._first

    @property
    def _first(self) -> float:
        return self.forward * _PASSES * _SLICES[0]

    def _is_clear_on(self, size: int) -> bool:
        float32, bfloat16 = (self._best(size, precision) for precision in _FORMATS)
        if not self._is_warm_on(size) or float32 is None or bfloat16 is None:
            return False
        # A short pass is soon held up to several times its length, but not all of them.
        has_all_turns = len(self.passes[size, "bfloat16"]) > _TURNS
        is_behind = size > _SLICES[0] and has_all_turns and bfloat16 > _FAR_BEHIND * float32
        return is_behind or (size >= self._least_telling and float32 > _CLEARLY_AHEAD * bfloat16)

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


class _OutOfTimeError(Exception):
    """Leaves a pass that takes too long."""


@contextmanager
def _until(moment: float) -> Iterator[None]:
    """A block that a pass is thrown out of once this moment is over, by ``time.perf_counter``.

    Autograd asks whenever it keeps a tensor and whenever it takes one up again, so between layers in both directions.
    That takes a microsecond; modules with hooks on them would be computed by other kernels.
    """

    def look(kept: Tensor) -> Tensor:
        if time.perf_counter() > moment:
            raise _OutOfTimeError
        return kept

    with saved_tensors_hooks(look, look):
        yield


def _counted(work: Workload) -> tuple[int, float]:
    """The multiply-adds of a picture, 0 where they are not known, and the seconds of a forward pass over it."""
    counts: list[tuple[int, float]] = []
    # Twice, for the first time kernels are made, and may be held up by whatever else the machine does.
    for _ in range(2):
        began = time.perf_counter()
        try:
            found = multiply_adds(work.network, work.shape, _MOST_TO_TIME * work.threads, _SECONDS_TO_COUNT)
        except Exception:
            # What is wrong with a network is for its training to say; here it only means that nothing is known of it.
            return 0, 0.0
        counts.append((found, _since(began)))
    return max(found for found, _ in counts), min(seconds for _, seconds in counts)


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
