"""How a training is carried out: device, number format, threads. It may change bits, never meaning.

Chosen once at the start of a run, written to ``run.json``, and used again whenever the run goes on.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from cnnlab.core.compiler import compiler_put_off
from cnnlab.core.devices import best_device, check_device, has_native_bfloat16
from cnnlab.core.errors import UsageError
from cnnlab.core.machine import usable_cores
from cnnlab.core.memory import kept_between_steps
from cnnlab.core.messages import announcing, warn
from cnnlab.core.number_text import counted
from cnnlab.core.seeds import scope
from cnnlab.models import Classifier, autocast, native_kernels, to_float, why_no_native_kernels
from cnnlab.objectives import Targets
from cnnlab.training.precision import Pass, PrecisionChoice, Workload, choose_precision
from cnnlab.training.prepare import TrainingSetup

Kernels: TypeAlias = Literal["native", "torch"]


@dataclass(frozen=True)
class Execution:
    """The device, number format, memory layout and threads of one training.

    :param precision: ``float32``, or the format that autocast uses over float32 weights.
    :param kernels: ``native`` for those of :mod:`cnnlab.models.cpu_kernels` where they fit, ``torch`` for none of them.
    :param parts: into how many parts a batch is split for want of memory; gradients are accumulated.
    :param devices: how many of these train together, each in a process with so many threads and workers.
    :param sync_batchnorm: whether batch normalisation on several of them is by the whole batch.
    """

    device: str = "cpu"
    precision: str = "float32"
    channels_last: bool = True
    threads: int = 1
    workers: int = 1
    parts: int = 1
    compile: bool = False
    # What a record from before they were there was made with.
    kernels: Kernels = "torch"
    devices: int = 1
    sync_batchnorm: bool = True

    @property
    def torch_device(self) -> torch.device:
        """The device as torch knows it."""
        return torch.device(self.device)

    @property
    def memory_format(self) -> torch.memory_format:
        """Channels-last where it is used, else contiguous."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def autocast(self) -> AbstractContextManager[Any]:
        """The block in which the forward pass runs."""
        return autocast(self.device, self.precision)

    def network(self, classifier: Classifier) -> Callable[[Tensor], Tensor]:
        """The classifier as a training computes its outputs: compiled, where that is asked for."""
        if not self.compile:
            return classifier
        with announcing("loading the compiler"):
            compiled: Callable[[Tensor], Tensor] = torch.compile(classifier)
        return compiled

    def to_dict(self) -> dict[str, Any]:
        """As ``run.json`` holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "Execution":
        """As ``run.json`` held it; the device must still be there, and torch's kernels stand in for native ones.

        :raises UsageError: when it is not, with the remedy.
        """
        execution = cls(**{key: stored[key] for key in cls.__dataclass_fields__ if stored.get(key) is not None})
        check_device(execution.device, "Start the recipe again with --again to train it on another device.")
        return replace(execution, kernels=kernels_at_hand(execution.kernels))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """A block in which torch uses this number of threads, memory stays at hand, and the compiler is put off."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            with kept_between_steps(), native_kernels(self.kernels == "native"), compiler_put_off():
                yield
        finally:
            torch.set_num_threads(before)


def choose_execution(
    setup: TrainingSetup, classifier: Classifier, steps: int | None = None
) -> tuple[Execution, PrecisionChoice]:
    """What the recipe asks for, with ``auto`` settled on this machine, and why; the classifier is left as it is.

    :param steps: that will be taken, where they are not those of the recipe.
    """
    recipe, plan = setup.recipe, setup.plan
    execution = execution_for(
        device=recipe.device,
        precision=recipe.precision,
        threads=recipe.threads,
        workers=recipe.workers,
        compile=recipe.compile,
        kernels=recipe.kernels,
    )
    batch = min(recipe.normal()[0].batch_size, len(setup.dataset.train))
    ahead = plan.steps - plan.spans[0].first_step if steps is None else steps
    work = Workload(classifier, setup.dataset.shape, batch, ahead, execution.threads, execution.kernels)
    with announcing("trying out float32 and bfloat16"):
        return fix_precision(execution, work, lambda: _one_pass(setup, classifier, execution))


def execution_for(
    *,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None,
    workers: int | None,
    compile: bool,
    kernels: str = "auto",
) -> Execution:
    """What the recipe asks for, ``auto`` settled except for the precision, which :func:`fix_precision` tries out.

    :raises UsageError: for a device or kernels that cannot be had.
    """
    place = best_device() if device == "auto" else device
    check_device(place, "Leave device out to let cnnlab choose.")
    cores = usable_cores()
    taken = _kernels(kernels, place, compile)
    return Execution(place, precision, True, threads or cores, workers or cores, 1, compile, taken)


def _kernels(asked: str, device: str, compile: bool) -> Kernels:
    if asked == "torch":
        return "torch"
    if torch.device(device).type != "cpu":
        reason: str | None = f"they are for the processor, and the device is {device}"
    elif compile:
        reason = "with compile=true torch makes its own"
    else:
        reason = _why_not_native()
    if reason is None:
        return "native"
    if asked == "native":
        raise UsageError(f"kernels=native cannot be had: {reason}. Leave kernels out to compute by torch's.")
    return "torch"


def kernels_at_hand(recorded: str) -> Kernels:
    """Those with which a run was made, or torch's with a warning where native ones cannot be had here."""
    if recorded != "native":
        return "torch"
    reason = _why_not_native()
    if reason is None:
        return "native"
    warn(
        f"the run was computed by cnnlab's own kernels, which cannot be had here: {reason}. Torch's take their place: "
        "slower, and other in the last digits."
    )
    return "torch"


def lacks_native(precision: str, device: str) -> bool:
    """Whether torch computes in this format by a reference that is many times slower than float32."""
    return precision == "bfloat16" and torch.device(device).type == "cpu" and not has_native_bfloat16(device)


def precision_at_hand(recorded: str, asked: str, device: str) -> str:
    """That in which the trainings before this one were done, or float32 with a warning where it would take too long.

    :param asked: what the recipe says; a format that it names is kept, with a warning too.
    """
    if not lacks_native(recorded, device):
        return recorded
    slow = "bfloat16, which is not native to this processor and many times slower than float32 here"
    if asked != "auto":
        warn(f"trainings are done in {slow}, for precision={asked} asks for it. Leave it out to let cnnlab choose.")
        return recorded
    warn(
        f"the trials before were trained in {slow}. Those begun here are trained in float32, as their runs record. To "
        "have all in one format, go on where bfloat16 is native, or name one: precision=bfloat16 goes on as before, "
        "and precision=float32 in another folder of runs trains all anew."
    )
    return "float32"


def _why_not_native() -> str | None:
    with announcing("compiling kernels for this processor"):
        return why_no_native_kernels()


def fix_precision(
    execution: Execution, work: Workload, prepare: Callable[[], Pass]
) -> tuple[Execution, PrecisionChoice]:
    """The execution with its precision chosen, and why that one.

    :param prepare: makes the pass over some pictures that is timed where nothing else tells.
    """
    choice = _choice(execution, work, prepare)
    return replace(execution, precision=choice.precision), choice


def _choice(execution: Execution, work: Workload, prepare: Callable[[], Pass]) -> PrecisionChoice:
    if execution.precision != "auto":
        return PrecisionChoice(execution.precision, "asked for")
    place = execution.torch_device
    is_native = has_native_bfloat16(place)
    if place.type == "cuda":
        # Both formats have units of their own there, and float32 has none.
        if is_native:
            return PrecisionChoice("bfloat16", "native bfloat16")
        return PrecisionChoice("float16", "no native bfloat16")
    if place.type != "cpu":
        return PrecisionChoice("float32", "not measured")
    if not is_native:
        return PrecisionChoice("float32", "no native bfloat16")
    with execution.applied(), scope(0, "probe", device=place):
        return choose_precision(work, prepare)


def _one_pass(setup: TrainingSetup, classifier: Classifier, execution: Execution) -> Pass:
    """Forwards and backwards over the first pictures of the training set, in a copy of the classifier."""
    device, memory_format = execution.torch_device, execution.memory_format
    network = copy.deepcopy(classifier).to(device=device, memory_format=memory_format).train()  # type: ignore[call-overload]

    @cache
    def batch(count: int) -> tuple[Tensor, Targets]:
        images, targets = setup.dataset.train.batch(torch.arange(count))
        pixels = to_float(images).to(device).contiguous(memory_format=memory_format)
        return pixels, setup.objective.encode({name: rows.to(device) for name, rows in targets.items()})

    def take(precision: str, count: int) -> None:
        pixels, encoded = batch(count)
        with replace(execution, precision=precision).autocast():
            outputs = network(pixels)
        setup.objective.loss(outputs, encoded).mean().backward()  # type: ignore[no-untyped-call]
        network.zero_grad(set_to_none=True)

    return take


def describe_execution(execution: Execution, choice: PrecisionChoice | None) -> str:
    """In what a training computes and why, in a line.

    :param choice: None for a run that goes on in what it was begun in.
    """
    cpu = execution.torch_device.type == "cpu"
    on = counted(execution.threads, "thread") if cpu else execution.device
    if execution.devices > 1:
        on = f"{execution.devices} devices of {on} each" if cpu else f"{execution.devices} {on} devices"
    why = "as the run was begun" if choice is None else _reason(choice, cpu)
    is_slow = lacks_native(execution.precision, execution.device)
    warning = "; torch has no native bfloat16 for this processor, so it may be many times slower than float32"
    if choice is None:
        warning += ", in which precision=float32 --again trains the recipe anew"
    by = " by cnnlab's own kernels" if execution.kernels == "native" else ""
    return f"computing in {execution.precision} on {on}{by} ({why}{warning if is_slow else ''})"


def _reason(choice: PrecisionChoice, cpu: bool) -> str:
    if choice.speedup is not None:
        how = "tried before" if choice.why == "remembered" else f"tried for {choice.seconds:.2g} s"
        ratio = f"{choice.speedup:.1f} × float32"
        return f"{ratio}, {how}" if choice.precision == "bfloat16" else f"bfloat16 is {ratio}, {how}"
    if choice.why == "no answer in time":
        return f"a trial of {choice.seconds:.2g} s did not tell whether bfloat16 is faster"
    took = f", decided in {choice.seconds:.2g} s" if choice.seconds >= 0.1 else ""
    reasons = {
        "no native bfloat16": f"torch has no native bfloat16 for this {'processor' if cpu else 'device'}",
        "not measured": "no shorter format was ever measured there",
        "too short to time": "the training is too short to try out bfloat16",
        "much arithmetic": "steps of so much arithmetic are faster in it",
    }
    return reasons.get(choice.why, choice.why) + took
