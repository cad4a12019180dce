"""How many times slower bfloat16 is than float32 on a processor without native bfloat16, where torch emulates it.

    python benchmarks/emulated_bfloat16.py

A step is forward and backward over 64 pictures, as cnnlab computes it on a processor without AVX-512: in float32 by its
own kernels and by torch's, in bfloat16 by torch's. Where the processor has AVX-512 it is held back. Writes
``emulated-bfloat16.{json,md}`` under ``benchmarks/results``. About two minutes on two cores.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import machine
from result_files import write_results

HERE = Path(__file__).parent
BATCH, STEPS = 64, 3
CASES = [(net, shape) for net in ("vgg-like", "convnet") for shape in ((1, 28, 28), (3, 32, 32))]
WAYS = {"float32": ("float32", True), "float32 by torch": ("float32", False), "bfloat16": ("bfloat16", True)}


def seconds_of_steps(net: str, shape: tuple[int, int, int], precision: str, native: bool) -> list[float]:
    """Of steps in this process, after one to warm up."""
    import torch

    from cnnlab import models

    torch.manual_seed(0)
    network = models.build_network(net, shape, 10).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    pixels = torch.rand(BATCH, *shape).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (BATCH,))
    seconds = []
    with models.native_kernels(native):
        for _ in range(1 + STEPS):
            began = time.perf_counter()
            with models.autocast("cpu", precision):
                outputs = network(pixels)
            torch.nn.functional.cross_entropy(outputs.float(), labels).backward()
            seconds.append(time.perf_counter() - began)
    return seconds[1:]


def measure() -> list[dict[str, Any]]:
    """All cases in a process of its own, its processor held back."""
    found = subprocess.run(
        [sys.executable, __file__, "--inside"], env=os.environ | machine.AS_AVX2, stdout=subprocess.PIPE, check=True
    )
    rows: list[dict[str, Any]] = json.loads(found.stdout)
    return rows


def inside() -> list[dict[str, Any]]:
    rows = []
    for net, shape in CASES:
        seconds = {way: seconds_of_steps(net, shape, *how) for way, how in WAYS.items()}
        rows.append({"net": net, "shape": list(shape), "seconds": seconds})
    return rows


def page(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    ways = list(WAYS)
    lines = [
        "# bfloat16 where the processor has none",
        "",
        f"Milliseconds of forward and backward over {BATCH} pictures, medians of {STEPS} steps, computed as on a "
        "processor without AVX-512: in float32 by cnnlab's own kernels and by torch's, in bfloat16 as torch emulates "
        f"it. Measured {record['measured']} on {machine.sentence(record['machine'])}.",
        "",
        "| network | pictures | " + " | ".join(ways) + " | bfloat16 takes | or, beside torch's float32 |",
        "| --- | --- |" + " --- |" * (len(ways) + 2),
    ]
    for row in record["measurements"]:
        medians = [statistics.median(row["seconds"][way]) for way in ways]
        channels, height, width = row["shape"]
        times = " | ".join(f"{each * 1e3:,.0f}" for each in medians)
        ratios = " | ".join(f"{medians[2] / each:.1f} ×" for each in medians[:2])
        lines.append(f"| {row['net']} | {height}×{width}×{channels} | {times} | {ratios} |")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        print(json.dumps(inside()))
        return
    record = {"measured": time.strftime("%Y-%m-%d"), "machine": machine.describe(), "measurements": measure()}
    write_results(arguments.results, "emulated-bfloat16", record, page(record))


if __name__ == "__main__":
    main()
