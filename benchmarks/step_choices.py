"""What each choice in a training step on a processor is worth: the same network with one more of them at a time.

    python benchmarks/step_choices.py

Each measurement is a process, the choices in turns. ``ReLU in place`` is measured and not used: it saves next to
nothing, and what a hook sees would change under its hands. Writes ``step-choices.json`` and ``step-choices.md`` under
``benchmarks/results``. About five minutes on two cores.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import nullcontext
from itertools import product
from pathlib import Path
from typing import Any

import machine
import torch
import torch.nn.functional as F
from torch import nn

from cnnlab import models
from cnnlab.core.memory import kept_between_steps
from cnnlab.models import quicker

HERE = Path(__file__).parent
CASES = [(net, shape) for net in ("vgg-like", "convnet") for shape in ((1, 28, 28), (3, 32, 32))]
CHOICES = ("torch's own", "memory kept", "pool before ReLU", "small maps", "ReLU in place")
_BATCH, _WARM_UP, _STEPS = 256, 4, 16


def network(net: str, shape: tuple[int, int, int], choices: int) -> nn.Module:
    """The network with so many of the choices."""
    if choices < CHOICES.index("pool before ReLU"):
        quicker.Sequential.forward = nn.Sequential.forward  # type: ignore[method-assign]
    if choices < CHOICES.index("small maps"):
        quicker.Conv2d._is_slow_on = lambda self, input: False  # type: ignore[method-assign]
    made = models.build_network(net, shape, 10).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if choices >= CHOICES.index("ReLU in place"):
        for module in made.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = True
    return made


def measure(net: str, shape: tuple[int, int, int], choices: int) -> list[float]:
    """Pictures a second in each of several steps: forward in bfloat16, backward, AdamW."""
    torch.manual_seed(0)
    module = network(net, shape, choices)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3, fused=True)
    pixels = torch.rand(_BATCH, *shape).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (_BATCH,))
    rates = []
    with kept_between_steps() if choices else nullcontext():
        for step in range(_WARM_UP + _STEPS):
            began = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16):
                outputs = module(pixels)
            optimizer.zero_grad()
            F.cross_entropy(outputs.float(), labels).backward()
            optimizer.step()
            if step >= _WARM_UP:
                rates.append(_BATCH / (time.perf_counter() - began))
    return rates


def table(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    lines = [
        "# What the choices in a training step are worth",
        "",
        f"Images a second, batch {_BATCH}, bfloat16: medians of {record['repeats']} processes × {_STEPS} steps; each "
        "column adds one choice to those before it, in brackets the gain over the first. Measured "
        f"{record['measured']} on {machine.sentence(record['machine'])}.",
        "",
        "| network | pictures | " + " | ".join(CHOICES) + " |",
        "| --- | --- |" + " --- |" * len(CHOICES),
    ]
    for net, shape in CASES:
        found = [statistics.median(record["rates"][f"{net} {shape} {choice}"]) for choice in range(len(CHOICES))]
        cells = [f"{found[0]:,.0f}", *(f"{rate:,.0f} ({rate / found[0] - 1:+.0%})" for rate in found[1:])]
        channels, height, width = shape
        lines.append(f"| {net} | {height}×{width}×{channels} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", f"torch {torch.__version__}, threads: {torch.get_num_threads()}.", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3, help="processes of each choice and case")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        net, shape, choices = arguments.one
        print(json.dumps(measure(net, tuple(json.loads(shape)), int(choices))))
        return
    record: dict[str, Any] = {"measured": time.strftime("%Y-%m-%d"), "machine": machine.describe(), "rates": {}}
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    for _, (net, shape), choice in product(range(arguments.repeats), CASES, range(len(CHOICES))):
        # What torch does by itself includes small pages.
        pages = {} if choice else {"THP_MEM_ALLOC_ENABLE": "0"}
        command = [sys.executable, __file__, "--one", net, json.dumps(shape), str(choice)]
        done = subprocess.run(command, env=environment | pages, capture_output=True, text=True, check=True)
        record["rates"].setdefault(f"{net} {shape} {choice}", []).extend(json.loads(done.stdout.splitlines()[-1]))
    record["repeats"] = arguments.repeats
    arguments.results.mkdir(parents=True, exist_ok=True)
    (arguments.results / "step-choices.json").write_text(json.dumps(record, indent=1) + "\n")
    (arguments.results / "step-choices.md").write_text(table(record))
    print(table(record))


if __name__ == "__main__":
    main()
