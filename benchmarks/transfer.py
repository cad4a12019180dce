"""Features of pretrained networks: what they take beside a plain loop of the original code, and what comes of them.

    python benchmarks/transfer.py --squeezenet FILE [--as-avx2] [--pictures 4000] [--repeats 5]

Cats and dogs (2,000 of each, from the folder that ``CNNLAB_DATA`` names), 1,200, 400 and 400 of each class for
training, validation and test. First the features of all pictures, by cnnlab without its cache, and by a plain loop in
float32 of the original code: ``efficientnet_lite_pytorch`` for EfficientNet-Lite0 and torchvision for SqueezeNet,
channels first, batches of 64, on the same decoded pictures; in turns, the best of each. Then all nine classifiers on
both, over divisions of the pictures drawn anew. SqueezeNet's weights are a file of safetensors. Writes
``transfer-KIND.{json,md}`` under ``benchmarks/results``. A quarter of an hour on two cores.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import numpy as np
from result_files import write_results

HERE = Path(__file__).parent
DATA, EACH, SIDE, BATCH = "cats-vs-dogs.zip", 800, 224, 64
LARGER = "efficientnet-lite0(size=256)"
"""Classified besides: larger than the pictures that it was trained on, as test pictures of ImageNet usually are."""
TARGETS = {"efficientnet-lite0": 0.990, LARGER: 0.990, "squeezenet1_1": 0.955}
"""The least mean accuracy on test of what each repeat chooses."""
MOST_SECONDS = 90.0
"""For the features of 4,000 pictures by EfficientNet-Lite0, on two cores with AVX2."""


def specs(squeezenet: str) -> dict[str, str]:
    return {"efficientnet-lite0": "efficientnet-lite0", "squeezenet1_1": f"squeezenet1_1(weights={squeezenet})"}


def pictures(count: int) -> Any:
    """Decoded once, uint8 N×3×224×224."""
    import torch

    from cnnlab import load_data

    dataset = load_data(f"folder(path={DATA}, size={SIDE}, resampling=bicubic)", validation=EACH, test=EACH)
    images = torch.cat([part.batch(range(len(part)))[0] for _, part in dataset.parts()])
    # Spread over both classes.
    return images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:count]]


def originals(squeezenet: str) -> dict[str, Callable[[Any], Any]]:
    """The original code of each network up to its last feature map, averaged; pixels as bytes, N×3×224×224."""
    import torch
    import torchvision
    from efficientnet_lite_pytorch import EfficientNet
    from safetensors.torch import load_file

    from cnnlab.models.efficientnet_lite import packaged_weights

    lite = EfficientNet.from_name("efficientnet-lite0").eval()
    lite.load_state_dict(torch.load(packaged_weights("efficientnet-lite0"), weights_only=True))
    squeeze = torchvision.models.squeezenet1_1().eval()
    squeeze.load_state_dict(load_file(squeezenet))
    mean, std = (torch.tensor(each)[:, None, None] for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    return {
        "efficientnet-lite0": lambda pixels: lite.extract_features((pixels.float() - 127) / 128).mean((2, 3)),
        "squeezenet1_1": lambda pixels: squeeze.features((pixels / 255 - mean) / std).mean((2, 3)),
    }


def by_plain_loop(network: Callable[[Any], Any], images: Any) -> tuple[float, np.ndarray]:
    import torch

    began = time.perf_counter()
    with torch.no_grad():
        features = torch.cat([network(batch) for batch in images.split(BATCH)])
    return time.perf_counter() - began, features.numpy()


def by_cnnlab(spec: str, images: Any) -> tuple[float, np.ndarray, dict[str, Any]]:
    """Features with an empty cache of features; the trial of number formats is in the time."""
    from cnnlab.core.feature_cache import clear_features
    from cnnlab.data import TensorImages
    from cnnlab.objectives import Classes
    from cnnlab.transfer.backbones import read_backbones
    from cnnlab.transfer.extraction import FeatureSource
    from cnnlab.transfer.extractor import FeatureLayer

    clear_features()
    (backbone,) = read_backbones([spec])
    facts = {"classes": {"label": ("cat", "dog")}}
    extractor = backbone.up_to(FeatureLayer("pooled"), (3, SIDE, SIDE), Classes("label", ("cat", "dog")), facts)
    source, own = FeatureSource("network", extractor), TensorImages(images)
    own.image_digests  # noqa: B018 (those of a data set lie in its cache)
    began = time.perf_counter()
    features = source.of(own)
    seconds = time.perf_counter() - began
    assert source.chosen is not None
    return seconds, features, {**source.chosen.key, "computing": source.seconds}


def of_features(squeezenet: str, count: int, turns: int) -> dict[str, Any]:
    """Seconds of both, in turns, and how far apart their features are."""
    images, plain = pictures(count), originals(squeezenet)
    record: dict[str, Any] = {}
    for name, spec in specs(squeezenet).items():
        found: dict[str, Any] = {"plain": [], "cnnlab": []}
        for _ in range(turns):
            seconds, features, how = by_cnnlab(spec, images)
            found["cnnlab"].append(seconds)
            seconds, exact = by_plain_loop(plain[name], images)
            found["plain"].append(seconds)
        deviations = np.linalg.norm(features - exact, axis=1) / np.linalg.norm(exact, axis=1)
        record[name] = {**found, **how, "pictures": len(images), "deviation": float(deviations.max())}
    return record


def of_classifiers(squeezenet: str, repeats: int, folder: Path) -> dict[str, Any]:
    """What each backbone comes to on test, chosen on validation in each repeat."""
    import cnnlab

    record = {}
    for name, spec in {**specs(squeezenet), LARGER: LARGER}.items():
        made = cnnlab.transfer(
            DATA, backbones=spec, validation=EACH, test=EACH, repeats=repeats, metric="accuracy", runs=folder
        )
        interval = made.test_interval
        record[name] = {
            "test": made.test_scores,
            "interval": None if interval is None else interval.to_dict(),
            "validation": {row: float(made.table.loc[row].iloc[0]) for row in made.table.index},
            "chosen": [made.record.rows[choice.row].classifier for choice in made.record.choices],
        }
    return record


def page(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    count = next(iter(record["features"].values()))["pictures"]
    lines = [
        "# Features of pretrained networks",
        "",
        f"The features of {count:,} pictures of {SIDE}×{SIDE}, decoded before: the best of each, in seconds, by cnnlab "
        "with the trial of number formats, and by a plain loop of the original code in float32. Measured "
        f"{record['measured']} on {machine.sentence(record['machine'])}.",
        "",
        "| network | cnnlab | plain loop | format | largest deviation |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, found in record["features"].items():
        how = found["precision"] if found["kernels"] == "torch" else f"{found['precision']}, {found['kernels']} kernels"
        numbers = f"{min(found['cnnlab']):.1f} | {min(found['plain']):.1f} | {how} | {found['deviation']:.2g}"
        lines.append(f"| {name} | {numbers} |")
    if "classifiers" not in record:
        return "\n".join([*lines, ""])
    repeats = len(next(iter(record["classifiers"].values()))["test"])
    lines += [
        "",
        f"Accuracy on the {EACH:,} test pictures of what was chosen on as many validation pictures, in each of "
        f"{repeats} divisions, trained on 2,400:",
        "",
        "| network | mean on test | 95% interval | to reach | chosen |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, found in record["classifiers"].items():
        interval = found["interval"]
        sure = "" if interval is None else f"{interval['low']:.4f} to {interval['high']:.4f}"
        chosen = ", ".join(found["chosen"])
        lines.append(f"| {name} | {statistics.fmean(found['test']):.4f} | {sure} | {TARGETS[name]:.3f} | {chosen} |")
    names = list(record["classifiers"])
    lines += ["", "Mean accuracy on validation:", "", f"| classifier | {' | '.join(names)} |"]
    lines.append("| --- |" + " --- |" * len(names))
    for row in record["classifiers"][names[0]]["validation"]:
        cells = [f"{record['classifiers'][name]['validation'][row]:.4f}" for name in names]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--squeezenet", metavar="FILE", required=True, help="safetensors with torchvision's names")
    parser.add_argument("--pictures", type=int, default=4000)
    parser.add_argument("--turns", type=int, default=2, help="how often the features of each are timed")
    parser.add_argument("--repeats", type=int, default=5, help="divisions of the pictures; 0 for none")
    parser.add_argument("--as-avx2", action="store_true", help="as a processor without AVX-512 computes")
    words = parser.parse_args()
    if words.as_avx2 and os.environ.get("ATEN_CPU_CAPABILITY") != "avx2":
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **machine.AS_AVX2})
    import torch

    torch.set_num_threads(machine.usable_cores())
    about = machine.describe()
    kind = machine.kind(about, "avx2" if words.as_avx2 else None)
    record: dict[str, Any] = {"measured": time.strftime("%Y-%m-%d"), "machine": about, "kind": kind}
    with tempfile.TemporaryDirectory() as folder:
        # What is in the user's own cache is neither used nor removed.
        os.environ["CNNLAB_CACHE"] = str(Path(folder) / "cache")
        record["features"] = of_features(words.squeezenet, words.pictures, words.turns)
        if words.repeats:
            record["classifiers"] = of_classifiers(words.squeezenet, words.repeats, Path(folder) / "runs")
    write_results(words.results, f"transfer-{kind}", record, page(record))


if __name__ == "__main__":
    main()
