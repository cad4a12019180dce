"""Activation maximisation of 64 filters at once, beside one after another and beside a plain loop.

    python benchmarks/explain_maximization.py --squeezenet FILE [--processor-time] [--as-avx2] [--turns 3] [--one 4]

VGG-like at 32×32 (its weights as they are initialised, which take the same time as trained ones) and SqueezeNet 1.1 at
227×227, 64 channels of a layer in the middle. In turns: ``cnnlab.explain.maximize`` of all channels; the same function
for one channel after another; and what one writes by hand, pixels changed by ``torch.optim.Adam`` along the gradient
through the whole network with a hook on the layer, a channel after another. Of the latter two some channels are timed
and the time of 64 is worked out. Milliseconds for a step of one picture, and for what a call takes besides, by calls of
many steps and of one; both together are what is compared, for as many steps as are usual. Memory is what a call adds to
what the process holds. ``--processor-time`` is for a machine that has other work. Writes
``explain-maximization-KIND.{json,md}`` under ``benchmarks/results``. Ten minutes.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import machine
from result_files import write_results
from timing import Clock, add_clock, in_turns, memory_of

HERE = Path(__file__).parent
CHANNELS = 64
AT_LEAST = {"vgg-like, 32×32": 3.0, "squeezenet1_1, 227×227": 1.5}
"""How many times as fast all at once should be as one after another."""
LAYERS = {"vgg-like, 32×32": "conv5", "squeezenet1_1, 227×227": "fire4"}
USUAL = 256
"""Steps of a call, unless it is told."""
STEPS = {"vgg-like, 32×32": 33, "squeezenet1_1, 227×227": 9}


def networks(squeezenet: str) -> dict[str, Callable[[], Any]]:
    return {
        "vgg-like, 32×32": vgg_like,
        "squeezenet1_1, 227×227": lambda: pretrained_squeezenet(squeezenet),
    }


def vgg_like() -> Any:
    from cnnlab.core import seeds
    from cnnlab.models import Classifier, build_network

    with seeds.scope(0, "init"):
        network = build_network("vgg-like", (3, 32, 32), 10)
    names = {"label": tuple(map(str, range(10)))}
    return Classifier(network, (3, 32, 32), [0.5] * 3, [0.25] * 3, names, "classes", "vgg-like").eval()


def pretrained_squeezenet(weights: str) -> Any:
    from cnnlab.models import pretrained

    return pretrained("squeezenet1_1", weights, shape=(3, 227, 227))


def at_once(model: Any, layer: str, count: int, steps: int) -> None:
    from cnnlab.explain import maximize

    maximize(model, layer, range(count), steps=steps)


def one_by_one(model: Any, layer: str, count: int, steps: int) -> None:
    from cnnlab.explain import maximize

    for channel in range(count):
        maximize(model, layer, channel, steps=steps)


def by_plain_loop(model: Any, layer: str, count: int, steps: int) -> None:
    """The whole network forward and back, with gradients of its weights, as one writes it down first."""
    import torch

    reached = []
    handle = dict(model.network.named_modules())[layer].register_forward_hook(lambda *call: reached.append(call[2]))
    for channel in range(count):
        pixels = torch.rand(1, *model.shape).requires_grad_()
        optimizer = torch.optim.Adam([pixels], lr=0.05)
        for _ in range(steps):
            optimizer.zero_grad()
            model(pixels)
            (-reached.pop()[:, channel].mean()).backward()
            optimizer.step()
    handle.remove()


def of_networks(squeezenet: str, turns: int, one: int, clock: Clock) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for name, make in networks(squeezenet).items():
        model, layer, steps = make(), LAYERS[name], STEPS[name]
        counts = {"at once": CHANNELS, "one by one": one, "plain loop": one}
        ways = dict(zip(counts, (at_once, one_by_one, by_plain_loop), strict=True))
        memory = {way: memory_of(partial(work, model, layer, counts[way], 1))[0] for way, work in ways.items()}
        calls = {
            (way, many): partial(ways[way], model, layer, counts[way], many) for way in ways for many in (steps, 1)
        }
        seconds = in_turns(calls, turns, clock)
        taken = {way: _split(seconds[way, steps], seconds[way, 1], steps, counts[way]) for way in ways}
        record[name] = {"steps": steps, "mebibytes": memory, "milliseconds": taken}
        print(name, taken, file=sys.stderr)
    return record


def _split(many: list[float], one: list[float], steps: int, pictures: int) -> dict[str, list[float]]:
    """Milliseconds of a picture: of a step, of what a call takes besides, and of a call of the usual steps."""
    step = [1000 * (long - short) / (steps - 1) / pictures for long, short in zip(many, one, strict=True)]
    besides = [1000 * short / pictures - each for short, each in zip(one, step, strict=True)]
    return {
        "step": step,
        "besides": besides,
        "call": [USUAL * each + more for each, more in zip(step, besides, strict=True)],
    }


def page(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    lines = [
        "# Activation maximisation of 64 filters at once",
        "",
        f"Milliseconds for a step of one picture and, behind the plus, for what a call takes besides, "
        f"{record['clock']}: "
        "64 channels at once, the same function for one after another, and a plain loop through the whole network; "
        f"medians of {record['turns']} turns. Compared are calls of {USUAL} steps. MiB that a call adds to what the "
        f"process holds. Measured {record['measured']} on {machine.sentence(record['machine'])}. "
        f"{', '.join(map(' '.join, record['versions'].items()))}.",
        "",
        "| network | layer | at once | one by one | times as fast | to reach | plain loop | times as fast |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, found in record["networks"].items():
        taken = {way: _cell(each) + _memory(found["mebibytes"][way]) for way, each in found["milliseconds"].items()}
        times = {way: _ratio(found["milliseconds"], way) for way in ("one by one", "plain loop")}
        lines.append(
            f"| {name} | {LAYERS[name]} | {taken['at once']} | {taken['one by one']} | {times['one by one']:.2f} "
            f"| {AT_LEAST[name]} | {taken['plain loop']} | {times['plain loop']:.2f} |"
        )
    return "\n".join([*lines, ""])


def _cell(taken: dict[str, list[float]]) -> str:
    return f"{statistics.median(taken['step']):.2f} + {statistics.median(taken['besides']):.1f}"


def _ratio(milliseconds: dict[str, dict[str, list[float]]], way: str) -> float:
    pairs = zip(milliseconds[way]["call"], milliseconds["at once"]["call"], strict=True)
    return statistics.median(theirs / ours for theirs, ours in pairs)


def _memory(mebibytes: float | None) -> str:
    return "" if mebibytes is None else f" ({mebibytes:,.0f} MiB)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--squeezenet", metavar="FILE", required=True, help="safetensors with torchvision's names")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--one", type=int, default=4, help="channels that are timed one after another")
    parser.add_argument("--as-avx2", action="store_true", help="as a processor without AVX-512 computes")
    add_clock(parser)
    words = parser.parse_args()
    if words.as_avx2 and os.environ.get("ATEN_CPU_CAPABILITY") != "avx2":
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **machine.AS_AVX2})
    clock = Clock(words.processor_time)
    clock.set_threads()
    about = machine.describe()
    kind = machine.kind(about, "avx2" if words.as_avx2 else None)
    record: dict[str, Any] = {"measured": time.strftime("%Y-%m-%d"), "machine": about, "kind": kind}
    record |= {"clock": str(clock), "versions": machine.versions("torch"), "turns": words.turns}
    record["networks"] = of_networks(words.squeezenet, words.turns, words.one, clock)
    write_results(words.results, f"explain-maximization-{kind}", record, page(record))


if __name__ == "__main__":
    main()
