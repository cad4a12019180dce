"""The process of one measurement: takes a job on the command line and prints what it found as JSON.

A second argument is the file where two processes meet, in the second of them.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
import torch.nn.functional as F
from torch import Tensor, distributed, nn
from variants import Job

from cnnlab import models
from cnnlab.core.memory import ask_for_large_pages, kept_between_steps
from cnnlab.models.cpu_kernels import modules
from cnnlab.models.cpu_kernels.pointwise import Group

BATCH, WARM_UP, STEPS = 256, 3, 10
_OPTIMIZERS: dict[str, dict[str, Any]] = {
    "optimiser with foreach": {"foreach": True},
    "optimiser as a plain loop": {"foreach": False, "fused": False},
}


def switch_off(job: Job) -> None:
    """Takes from cnnlab, in this process, all that is not among the job's choices."""
    if not job.has("pool before ReLU"):
        modules.Sequential.forward = nn.Sequential.forward  # type: ignore[method-assign]
    if not job.has("small maps"):
        modules.Conv2d._is_slow_on = lambda self, input: False  # type: ignore[method-assign]
    if not job.has("one pass"):
        Group.is_taken = lambda self, input: False  # type: ignore[method-assign]
    is_taken = modules.is_taken

    def is_taken_here(input: Tensor, weight: Tensor, *where: Any) -> bool:
        choice = "grey layer" if weight.shape[1] == 1 else "Winograd"
        return job.has(choice) and is_taken(input, weight, *where)

    modules.is_taken = is_taken_here


def network(job: Job) -> nn.Module:
    """The network, in the order of memory that the job asks for."""
    made = models.build(job.net, job.shape, 10)
    if job.change == "ReLU in place":
        for module in made.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = True
    if job.change == "blocked layouts":
        keep_blocked(made)
    return made.to(memory_format=_memory_format(job))  # type: ignore[call-overload, no-any-return]


def keep_blocked(module: nn.Sequential) -> None:
    """Has feature maps stay in oneDNN's own layouts from the first convolution to the last pool."""
    layers = list(module)
    last = max(place for place, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d))

    def forward(input: Tensor) -> Tensor:
        maps = input.to_mkldnn()
        for layer in layers[: last + 1]:
            maps = nn.Conv2d.forward(layer, maps) if isinstance(layer, nn.Conv2d) else layer(maps)
        dense = maps.to_dense()
        for layer in layers[last + 1 :]:
            dense = layer(dense)
        return dense

    module.forward = forward  # type: ignore[method-assign]


def loss_function(job: Job, module: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of pictures and labels, with what the job wants compiled."""
    if job.change in ("compiled network", "compiled network, dynamic"):
        module.compile(dynamic=job.change.endswith("dynamic"))

    def loss(pixels: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=job.precision == "bfloat16"):
            outputs = module(pixels)
        return F.cross_entropy(outputs.float(), labels)

    return torch.compile(loss, dynamic=False) if job.change == "compiled step" else loss


def measure(job: Job, meeting: str | None = None) -> dict[str, Any]:
    """Pictures a second in each of several steps of forward, backward and AdamW, and the seconds of the first step.

    ``preempted`` is how often others took the processor from it meanwhile; hundreds of times a second spoil the
    figures.

    :param meeting: the file where the two processes of the job meet, if it wants two.
    """
    if job.has("large pages"):
        ask_for_large_pages()
    torch.manual_seed(0)
    switch_off(job)
    if meeting:
        torch.set_num_threads(1)
    module = network(job)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3, **_OPTIMIZERS.get(job.change, {"fused": True}))
    count = BATCH // 2 if meeting else BATCH
    pixels = torch.rand(count, *job.shape).contiguous(memory_format=_memory_format(job))
    labels = torch.randint(0, 10, (count,))
    loss = loss_function(job, module)

    def whole_step() -> None:
        optimizer.zero_grad(set_to_none=job.change != "gradients kept")
        (loss(pixels, labels) / (2 if meeting else 1)).backward()
        if meeting:
            add_up_gradients(module)
        optimizer.step()

    if job.change == "compiled whole step":
        torch._dynamo.config.compiled_autograd = True
        whole_step = torch.compile(whole_step, dynamic=False)
    seconds = []
    memory = kept_between_steps() if job.has("memory kept") else nullcontext()
    with memory, models.native_kernels(job.has("grey layer") or job.has("Winograd")):
        for step in range(WARM_UP + STEPS):
            if step == WARM_UP:
                waited = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
            began = time.perf_counter()
            whole_step()
            seconds.append(time.perf_counter() - began)
    return {
        "rates": [BATCH / each for each in seconds[WARM_UP:]],
        "first": seconds[0],
        "preempted": resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw - waited,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def add_up_gradients(module: nn.Module) -> None:
    """The sum over both processes, in each."""
    # Gloo takes what is contiguous; the weights of convolutions are so in another order of their dimensions.
    gradients = [weight.grad for weight in module.parameters() if weight.grad is not None]
    flat = [each.permute(0, 2, 3, 1) if each.dim() == 4 else each for each in gradients]
    for work in [distributed.all_reduce(each, async_op=True) for each in flat]:
        work.wait()


def two_processes(job: Job) -> dict[str, Any]:
    """Two of them on halves of the batch, of which this is the first."""
    with tempfile.TemporaryDirectory() as folder:
        meeting = f"{folder}/meeting"
        second = subprocess.Popen([sys.executable, __file__, job.key, meeting], stdout=subprocess.DEVNULL)
        try:
            result = one_of_two(job, meeting, rank=0)
            second.wait()
        finally:
            second.kill()
    return result


def one_of_two(job: Job, meeting: str, rank: int) -> dict[str, Any]:
    patience = timedelta(seconds=60)
    distributed.init_process_group("gloo", f"file://{meeting}", world_size=2, rank=rank, timeout=patience)
    try:
        return measure(job, meeting)
    finally:
        distributed.destroy_process_group()


def answer(job: Job) -> dict[str, Any]:
    """What was measured, or under ``failed`` the first sentence of why it could not be."""
    try:
        return two_processes(job) if job.change == "two processes" else measure(job)
    except Exception as error:
        first = next(iter(str(error).strip().splitlines()), "").partition(". ")[0]
        return {"failed": f"{type(error).__name__}: {first}".removesuffix(": ")}


def _memory_format(job: Job) -> torch.memory_format:
    return torch.contiguous_format if job.change == "contiguous N×C×H×W" else torch.channels_last


if __name__ == "__main__":
    if len(sys.argv) > 2:
        one_of_two(Job.loads(sys.argv[1]), sys.argv[2], rank=1)
    else:
        print(json.dumps(answer(Job.loads(sys.argv[1]))))
