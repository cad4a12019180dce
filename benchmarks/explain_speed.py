"""What attributions take: cnnlab's, Captum's and pytorch-grad-cam's, in one process and in turns.

    python benchmarks/explain_speed.py [--squeezenet FILE] [--processor-time] [--as-avx2] [--pictures 64] [--repeats 5]
                                       [--network NAME] [--method NAME]

Grad-CAM and Score-CAM of the last feature map, guided backpropagation, and occlusion by windows of a quarter of the
side that are half of that apart; ``vgg-like`` at 32×32 and SqueezeNet 1.1 at 227×227, 64 pictures, the same classes
for all; what takes one pass also of 16 pictures and of one. Calls in turns after one that warmed up, of which memory
is told: what a call adds to what the process holds. Score-CAM and occlusion are of fewer pictures and fewer turns: all
do as much for each picture. What is no library of cnnlab's stands beside it: ``pip install captum
grad-cam``; one that is missing is left out. SqueezeNet's weights are a file of safetensors; random ones, unless given,
take as long but for the channels that are the same everywhere, of which the page tells. ``--processor-time`` is for a
machine that has other work. Writes ``explain-speed-KIND.{json,md}`` under ``benchmarks/results``. Ten minutes.
"""

import argparse
import copy
import importlib
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
from result_files import write_results
from timing import Clock, add_clock, in_turns, memory_of, ratio

HERE = Path(__file__).parent
NETWORKS = {"vgg-like": 32, "squeezenet1_1": 227}
FEW = {
    ("score-cam", "vgg-like"): (8, 2),
    ("score-cam", "squeezenet1_1"): (1, 1),
    ("occlusion", "vgg-like"): (16, 3),
    ("occlusion", "squeezenet1_1"): (4, 1),
    ("grad-cam", "squeezenet1_1"): (64, 1),
    ("guided-backpropagation", "squeezenet1_1"): (64, 1),
}
"""Pictures and turns, at most, of what takes long."""
SMALL = {"vgg-like": ((16, 4), (1, 8)), "squeezenet1_1": ((16, 1), (1, 4))}
"""Small batches of what takes one pass, and how many times as many turns they take."""
LEAST = {"grad-cam": 1.0, "guided-backpropagation": 1.0, "score-cam": 2.0, "occlusion": 2.0}
"""How many times as fast as the faster of the others it is to be."""
WINDOWS = (1, 8)
"""Windows that Captum covers in a pass; the faster of both counts."""
SHADE = 0.45


def classifier_of(name: str, weights: str | None) -> Any:
    from cnnlab.core import seeds
    from cnnlab.models import Classifier, build_network, pretrained

    shape = (3, NETWORKS[name], NETWORKS[name])
    if weights and name == "squeezenet1_1":
        return pretrained(f"squeezenet1_1(size={NETWORKS[name]})", weights, shape=shape)
    with seeds.scope(0, "init"):
        network = build_network(name, shape, 10)
    classes = {"label": tuple("abcdefghij")}
    return Classifier(network, shape, [SHADE] * 3, [0.25] * 3, classes, "classes(column=label)", name).eval()


def by_cnnlab(method: str, classifier: Any, pixels: Any, targets: list[int], layer: str) -> Callable[[], Any]:
    from cnnlab import explain

    side = pixels.shape[-1] // 4
    # pytorch-grad-cam fades pictures to black.
    covered = f"occlusion(size={side}, stride={side // 2}, baseline={SHADE})"
    told = {"occlusion": covered, "score-cam": "score-cam(baseline=0)"}
    spec = told.get(method, method)
    return lambda: explain.attribute(classifier, pixels, spec, targets, layer).values


def by_captum(
    method: str, classifier: Any, pixels: Any, targets: list[int], layer: str
) -> dict[str, Callable[[], Any]]:
    captum = importlib.import_module("captum.attr")
    module, size = classifier.network.get_submodule(layer), tuple(pixels.shape[-2:])
    if method == "grad-cam":
        enlarge = captum.LayerAttribution.interpolate
        cam = captum.LayerGradCam(classifier, module)
        return {"captum": lambda: enlarge(cam.attribute(pixels, targets), size, "bilinear").detach().numpy()[:, 0]}
    if method == "guided-backpropagation":
        guided = captum.GuidedBackprop(classifier)
        return {"captum": lambda: guided.attribute(pixels.clone().requires_grad_(), targets).detach().numpy()}
    if method != "occlusion":
        return {}
    side = size[0] // 4
    window, step = (3, side, side), (3, side // 2, side // 2)
    occlusion = captum.Occlusion(classifier)

    def covered(windows: int) -> Any:
        return occlusion.attribute(pixels, window, step, SHADE, targets, perturbations_per_eval=windows)[:, 0].numpy()

    return {f"captum, {count} windows a pass": lambda count=count: covered(count) for count in WINDOWS}


def by_grad_cam(
    method: str, classifier: Any, pixels: Any, targets: list[int], layer: str
) -> dict[str, Callable[[], Any]]:
    library = importlib.import_module("pytorch_grad_cam")
    wanted = importlib.import_module("pytorch_grad_cam.utils.model_targets").ClassifierOutputTarget
    module = classifier.network.get_submodule(layer)
    if method in ("grad-cam", "score-cam"):
        kind = {"grad-cam": library.GradCAM, "score-cam": library.ScoreCAM}[method]

        def cam() -> Any:
            with kind(classifier, [module]) as made:
                return made(pixels, [wanted(target) for target in targets])

        return {"pytorch-grad-cam": cam}
    if method != "guided-backpropagation":
        return {}

    def guided() -> Any:
        # It takes one picture at a time, and leaves other modules in the model that it is given.
        made = library.GuidedBackpropReLUModel(copy.deepcopy(classifier), "cpu")
        return [made(pixels[place : place + 1], target) for place, target in enumerate(targets)]

    return {"pytorch-grad-cam": guided}


def deviation(ours: Any, theirs: Any) -> float | None:
    """The largest difference as a share of the largest value; None of what is scaled or shaped otherwise."""
    import numpy as np

    # pytorch-grad-cam brings maps to [0, 1], but for roundings.
    if not isinstance(theirs, np.ndarray) or theirs.shape != ours.shape or np.isclose(theirs.max(), 1.0, atol=1e-4):
        return None
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def alike(ours: Any, theirs: Any) -> float:
    """The mean over pictures of the correlation of two maps, which are scaled otherwise."""
    import numpy as np

    pairs = zip(ours.reshape(len(ours), -1), theirs.reshape(len(ours), -1), strict=True)
    return float(np.mean([np.corrcoef(*pair)[0, 1] for pair in pairs]))


def measure(words: argparse.Namespace, clock: Clock) -> dict[str, Any]:
    import torch

    from cnnlab.explain.batches import at_once
    from cnnlab.explain.layers import last_map, passes_of

    found: dict[str, Any] = {}
    for network in [words.network] if words.network else NETWORKS:
        side = NETWORKS[network]
        classifier = classifier_of(network, words.squeezenet)
        everything = torch.rand(words.pictures, 3, side, side, generator=torch.Generator().manual_seed(0))
        passes = passes_of(classifier, everything[:1])
        layer = last_map(classifier, passes)
        with torch.no_grad():
            maps = maps_at(classifier, everything, layer)
        flat = maps.flatten(2)
        found[network] = {
            "layer": layer,
            "channels": maps.shape[1],
            "varied": float((flat.amax(2) > flat.amin(2)).float().mean()),
            "at_once": {
                "with a gradient": at_once(classifier, passes, keeps_maps=True),
                "without": at_once(classifier, passes, keeps_maps=False),
            },
            "calls": [],
        }
        for method in [words.method] if words.method else LEAST:
            for count, turns in counts(method, network, words):
                record = compared(method, classifier, everything[:count], layer, turns, clock)
                found[network]["calls"].append({"method": method, "pictures": count} | record)
                medians = {name: statistics.median(each) for name, each in record["seconds"].items()}
                print(network, method, count, medians, record["ratio"], file=sys.stderr)
    return found


def counts(method: str, network: str, words: argparse.Namespace) -> list[tuple[int, int]]:
    """Of how many pictures a method is timed, and in how many turns."""
    count, turns = FEW.get((method, network), (words.pictures, words.repeats))
    found = [(min(count, words.pictures), min(turns, words.repeats))]
    if LEAST[method] == 1:
        found += [(small, more * words.repeats) for small, more in SMALL[network] if small < words.pictures]
    return found


def compared(method: str, classifier: Any, pixels: Any, layer: str, turns: int, clock: Clock) -> dict[str, Any]:
    """What all take for one method of some pictures, and how far what they give is apart."""
    given = classifier, pixels, [place % 10 for place in range(len(pixels))], layer
    subjects = {"cnnlab": by_cnnlab(method, *given)}
    for others in (by_captum, by_grad_cam):
        try:
            subjects |= others(method, *given)
        except ImportError as error:
            print(f"left out: {error}", file=sys.stderr)
    began, warmed, first = clock(), {}, {}
    for name, call in subjects.items():
        warmed[name] = memory_of(call)
        first[name], began = [clock() - began], clock()
    # What is timed once takes so long that it need not be warm.
    seconds = in_turns(subjects, turns, clock) if turns > 1 else first
    values = {name: value for name, (_, value) in warmed.items()}
    ours = values.pop("cnnlab")
    record: dict[str, Any] = {"seconds": seconds, "ratio": ratio(seconds, "cnnlab")}
    record["mebibytes"] = {name: memory for name, (memory, _) in warmed.items()}
    record["deviation"] = {name: deviation(ours, theirs) for name, theirs in values.items()}
    if method == "score-cam" and "pytorch-grad-cam" in values:
        record["correlation"] = alike(ours, values["pytorch-grad-cam"])
    return record


def maps_at(classifier: Any, pixels: Any, layer: str) -> Any:
    from cnnlab.models import features_of

    return features_of(classifier, layer, pixels)


def page(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    lines = [
        "# What attributions take",
        "",
        f"Seconds, {record['clock']}: medians of calls in turns, {record['repeats']} of most; how many times as fast "
        "cnnlab is as the faster of the others (the median over the turns), and as it is to be; MiB that a call adds "
        f"to what the process holds. Measured {record['measured']} on {machine.sentence(record['machine'])}. "
        f"{', '.join(map(' '.join, record['versions'].items()))}.",
        "",
        "| network | method | pictures | cnnlab | others | times as fast | at least | largest deviation |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for network, facts in record["networks"].items():
        for found in facts["calls"]:
            told = {name: cell(found, name) for name in found["seconds"]}
            own = told.pop("cnnlab")
            others = "; ".join(f"{name} {each}" for name, each in told.items())
            times = "" if found["ratio"] is None else f"{found['ratio']:.2f}"
            apart = [each for each in found["deviation"].values() if each is not None]
            agreement = f"{max(apart):.1e}" if apart else ""
            if "correlation" in found:
                agreement = f"correlation {found['correlation']:.4f}"
            method = found["method"]
            cells = (network, method, found["pictures"], own, others, times, f"{LEAST[method]:g}", agreement)
            lines.append(f"| {' | '.join(map(str, cells))} |")
    lines.append("")
    for network, facts in record["networks"].items():
        most = facts["at_once"]
        lines.append(
            f"{network} at {NETWORKS[network]}×{NETWORKS[network]}, maps of `{facts['layer']}`: "
            f"{100 * facts['varied']:.0f}% of its {facts['channels']} channels are not the same everywhere, which "
            f"Score-CAM runs. Passes have at most {most['with a gradient']} pictures with a gradient and "
            f"{most['without']} without, whatever is asked for."
        )
        lines.append("")
    return "\n".join(lines)


def cell(found: dict[str, Any], name: str) -> str:
    """Seconds and memory of one of those compared."""
    memory = found["mebibytes"][name]
    return f"{statistics.median(found['seconds'][name]):.3g}" + ("" if memory is None else f" ({memory:,.0f} MiB)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--squeezenet", metavar="FILE", help="safetensors with torchvision's names")
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--network", choices=NETWORKS, help="that alone")
    parser.add_argument("--method", choices=LEAST, help="that alone")
    add_clock(parser)
    parser.add_argument("--as-avx2", action="store_true", help="as a processor without AVX-512 computes")
    words = parser.parse_args()
    if words.as_avx2 and os.environ.get("ATEN_CPU_CAPABILITY") != "avx2":
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **machine.AS_AVX2})

    # Captum warns of the hooks that it sets, pytorch-grad-cam of what it imports.
    warnings.simplefilter("ignore")
    clock = Clock(words.processor_time)
    clock.set_threads()
    about = machine.describe()
    kind = machine.kind(about, "avx2" if words.as_avx2 else None)
    record: dict[str, Any] = {"measured": time.strftime("%Y-%m-%d"), "machine": about, "kind": kind}
    record |= {
        "clock": str(clock),
        "versions": machine.versions("torch", "captum", "grad-cam"),
        "repeats": words.repeats,
    }
    record["networks"] = measure(words, clock)
    write_results(words.results, f"explain-speed-{kind}", record, page(record))


if __name__ == "__main__":
    main()
