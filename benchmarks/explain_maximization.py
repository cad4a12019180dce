"""Activation maximisation of 64 filters at once, beside one after another and beside a plain loop.

    python benchmarks/explain_maximization.py --squeezenet FILE [--turns 3] [--one 8]

VGG-like at 32×32 (its weights as they are initialised, which take the same time as trained ones) and SqueezeNet 1.1 at
227×227, 64 channels of a layer in the middle. In turns, the best of each: ``cnnlab.explain.maximize`` of all channels;
the same function for one channel after another; and what one writes by hand, pixels changed by ``torch.optim.Adam``
along the gradient through the whole network with a hook on the layer, a channel after another. Of the latter two some
channels are timed and the time of 64 is worked out. Milliseconds for a step of one picture; memory is what the process
held at most. Writes ``explain-maximization-KIND.{json,md}`` under ``benchmarks/results``. Ten minutes on two cores.
"""

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
from result_files import write_results

HERE = Path(__file__).parent
CHANNELS = 64
AT_LEAST = {"vgg-like, 32×32": 3.0, "squeezenet1_1, 227×227": 1.5}
"""How many times as fast all at once should be as one after another."""
LAYERS = {"vgg-like, 32×32": "conv5", "squeezenet1_1, 227×227": "fire4"}
STEPS = {"vgg-like, 32×32": 32, "squeezenet1_1, 227×227": 8}


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


def milliseconds(work: Callable[..., None], model: Any, name: str, count: int) -> float:
    """Of one step of one picture."""
    began = time.perf_counter()
    work(model, LAYERS[name], count, STEPS[name])
    return (time.perf_counter() - began) / count / STEPS[name] * 1000


def of_networks(squeezenet: str, turns: int, one: int) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for name, make in networks(squeezenet).items():
        model = make()
        ways = {"at once": (at_once, CHANNELS), "one by one": (one_by_one, one), "plain loop": (by_plain_loop, one)}
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(turns):
            for way, (work, count) in ways.items():
                best[way] = min(best[way], milliseconds(work, model, name, count))
        record[name] = best | {"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    return record


def page(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    lines = [
        "# Activation maximisation of 64 filters at once",
        "",
        "Milliseconds for a step of one picture, the best of several turns: 64 channels at once, the same function for "
        "one after another, and a plain loop through the whole network. "
        f"Measured {record['measured']} on {machine.sentence(record['machine'])}.",
        "",
        "| network | layer | at once | one by one | times as fast | to reach | plain loop | times as fast | memory |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, found in record["networks"].items():
        whole, one, plain = found["at once"], found["one by one"], found["plain loop"]
        lines.append(
            f"| {name} | {LAYERS[name]} | {whole:.2f} | {one:.2f} | {one / whole:.1f} | {AT_LEAST[name]} | {plain:.2f} "
            f"| {plain / whole:.1f} | {found['peak_mib']:,.0f} MiB |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--squeezenet", metavar="FILE", required=True, help="safetensors with torchvision's names")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--one", type=int, default=8, help="channels that are timed one after another")
    words = parser.parse_args()
    import torch

    torch.set_num_threads(machine.usable_cores())
    about = machine.describe()
    kind = machine.kind(about)
    record: dict[str, Any] = {"measured": time.strftime("%Y-%m-%d"), "machine": about, "kind": kind}
    record["networks"] = of_networks(words.squeezenet, words.turns, words.one)
    write_results(words.results, f"explain-maximization-{kind}", record, page(record))


if __name__ == "__main__":
    main()
