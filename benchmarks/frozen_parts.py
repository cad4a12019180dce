"""What training a head takes where the frozen backbone is computed once, and where it runs at each step.

    python benchmarks/frozen_parts.py --kept frozen-parts.jsonl [--precision float32] [--pictures 4000]

Made-up pictures of 224×224 and ten classes; their content does not change what is computed. For each backbone, with
weights drawn at random, ``train=head``: seconds of an epoch in which the backbone runs at each step (pictures flipped
at random, so that it has to), what computing its features costs before the first epoch and the bytes that are kept, and
the median epoch on these. Writes ``frozen-parts-PRECISION.{json,md}`` under ``benchmarks/results``. With all backbones
some 40 minutes of two cores, half of them for VGG.
"""

import argparse
import importlib.metadata
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import machine
import numpy as np
from kept import Kept
from result_files import write_results

HERE = Path(__file__).parent
BACKBONES = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2", "squeezenet1_1", "efficientnetv2-b0",
             "resnet50v2", "vgg16", "vgg19")  # fmt: skip
WANTED = 30
"""So many times faster is an epoch of the head alone to be."""
EPOCHS = 6


def pictures(count: int) -> dict[str, Any]:
    """Training pictures, and a few to validate on."""
    source = np.random.default_rng(0)

    def split(count: int) -> tuple[np.ndarray, np.ndarray]:
        return source.integers(0, 256, (count, 3, 224, 224), dtype=np.uint8), source.integers(0, 10, count)

    return {"train": split(count), "validation": split(64), "test": split(64)}


def measure(backbone: str, data: dict[str, Any], precision: str) -> dict[str, Any]:
    """Seconds of the two ways."""
    import cnnlab

    recipe = {"model": backbone, "train": "head", "optimizer": "adam(lr=1e-3)", "batch_size": 64}
    recipe |= {"precision": precision, "checkpoint_seconds": 3600}
    with tempfile.TemporaryDirectory() as runs:
        plain = cnnlab.train(recipe, data=data, runs=runs, epochs=1, augment="flip", name="each-step")
        kept = cnnlab.train(recipe, data=data, runs=runs, epochs=EPOCHS, name="once")
        features = kept.info["frozen_features"]["1"]
        return {
            "each_step": float(plain.history["seconds"].iloc[0]),
            "once": features["seconds"],
            "bytes": features["bytes"],
            "shape": features["shape"],
            "epoch": statistics.median(kept.history["seconds"].iloc[1:]),
            "threads": kept.info["execution"]["threads"],
        }


def page(record: dict[str, Any]) -> str:
    """The table."""
    titles = ["backbone", "an epoch with the backbone, s", "computed once, s", "kept, MB", "an epoch on that, s"]
    lines = [
        "# Frozen parts computed once\n",
        f"Training a head alone on {record['pictures']:,} pictures of 224×224, {record['precision']}: seconds of an "
        "epoch in which the backbone runs at each step (one epoch), what computing its features once costs and keeps, "
        f"and the median of {EPOCHS - 1} epochs on these. Each is to be at least {WANTED} times faster. "
        f"`{record['command']}`, {record['measured']}, on {machine.sentence(record['machine'])}. {record['versions']}."
        "\n",
        f"| {' | '.join([*titles, 'times faster'])} |",
        f"| --- |{' ---: |' * len(titles)}",
    ]
    for name, found in record["backbones"].items():
        ratio = found["each_step"] / found["epoch"]
        lines.append(
            f"| {name} | {found['each_step']:.1f} | {found['once']:.1f} | {found['bytes'] / 1e6:,.1f} "
            f"| {found['epoch']:.3f} | {ratio:,.0f} |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    """Measures the backbones named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backbones", nargs="*", default=BACKBONES)
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--pictures", type=int, default=4000)
    parser.add_argument("--kept", type=Path, help="a file of what was measured, to go on from")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    asked = parser.parse_args()
    on, kept, data = machine.describe(), Kept(asked.kept), pictures(asked.pictures)
    found = {
        name: kept.get(
            f"{name}/{asked.precision}/{asked.pictures}", lambda name=name: measure(name, data, asked.precision)
        )
        for name in asked.backbones
    }
    names = "" if list(asked.backbones) == list(BACKBONES) else " " + " ".join(asked.backbones)
    options = f"--precision {asked.precision} --pictures {asked.pictures}"
    record = {
        "measured": time.strftime("%Y-%m-%d"),
        "command": f"python benchmarks/frozen_parts.py{names} {options}",
        "machine": on,
        "versions": ", ".join(
            f"{name} {importlib.metadata.version(name)}" for name in ("torch", "timm", "torchvision")
        ),
        "precision": asked.precision,
        "pictures": asked.pictures,
        "backbones": found,
    }
    write_results(asked.results, f"frozen-parts-{asked.precision}", record, page(record))


if __name__ == "__main__":
    main()
