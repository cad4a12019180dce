"""Fine-tuning in phases beside the best classifier on frozen features, over several divisions of cats and dogs.

    python benchmarks/fine_tuning.py --kept fine-tuning.jsonl [--as-avx2] [--precision float32] [--splits 5] [WAY ...]

EfficientNet-Lite0 with its ImageNet weights; cats and dogs (2,000 of each, from the folder that ``CNNLAB_DATA``
names), 1,200, 400 and 400 of each class for training, validation and test, divided anew as ``cnnlab.transfer`` divides
them. The best of nine classifiers on frozen features, chosen on validation, is what each way of training is compared
with, split by split, on test. Writes ``fine-tuning-KIND.{json,md}`` under ``benchmarks/results``; what is in the file
of ``--kept`` is not measured again. Some eight minutes a split on two cores. What comes of turned
pictures is a question of the study `examples/fine-tuning`.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import machine
import numpy as np
from kept import Kept
from result_files import write_results

HERE = Path(__file__).parent
DATA, EACH, SIDE = "cats-vs-dogs.zip", 800, 224
MODEL = "efficientnet-lite0(weights=imagenet)"
MOST_MINUTES = 15
"""For fine-tuning in two phases, on two cores with AVX2."""
AS_REPORTED = "flip|zoom(0.1)|shift(0.1)|rotate(10)"
HEAD = {"train": "head", "epochs": 3, "optimizer": "adam(lr=1e-3)"}
REST = {"train": "block7..head", "epochs": 4, "optimizer": "adam(lr=3e-4)", "norms": "fixed"}
WAYS: dict[str, dict[str, Any]] = {
    "two phases": {"phases": [HEAD, REST]},
    "two phases, augmented": {"phases": [HEAD, REST], "augment": AS_REPORTED, "views": 2},
}
"""Keys of a recipe for each way of training."""


def divided(splits: int) -> Iterator[dict[str, Any]]:
    """The pictures and labels of each split, as arrays, one division after another."""
    import torch

    from cnnlab import load_data
    from cnnlab.transfer.divisions import divisions

    dataset = load_data(f"folder(path={DATA}, size={SIDE}, resampling=bicubic)", validation=EACH, test=EACH)
    parts = [part.batch(range(len(part))) for _, part in dataset.parts()]
    images = torch.cat([pixels for pixels, _ in parts]).numpy()
    labels = np.concatenate([np.asarray(columns["label"]) for _, columns in parts])
    for division in divisions(dataset, labels, splits, "split", 0):
        yield {name: (images[places], labels[places]) for name, places in division.parts.items()}


def frozen(splits: int, precision: str) -> dict[str, Any]:
    """The best of nine classifiers on frozen features, in each division."""
    import cnnlab

    with tempfile.TemporaryDirectory() as runs:
        made = cnnlab.transfer(
            DATA,
            backbones="efficientnet-lite0",
            validation=EACH,
            test=EACH,
            repeats=splits,
            metric="accuracy",
            precision=precision,
            runs=runs,
        )
        chosen = [made.record.rows[choice.row].classifier for choice in made.record.choices]
        return {"test": made.test_scores, "chosen": chosen}


def train(way: dict[str, Any], data: dict[str, Any], seed: int, precision: str) -> dict[str, Any]:
    """One training: its test accuracy, the accuracy on validation after each epoch, and the minutes it took."""
    import cnnlab

    phases = [{**phase, **({"views": way["views"]} if "views" in way else {})} for phase in way["phases"]]
    recipe = {"model": MODEL, "phases": phases, "schedule": "cosine", "batch_size": 32, "precision": precision}
    recipe |= {"augment": way["augment"]} if "augment" in way else {}
    with tempfile.TemporaryDirectory() as runs:
        began = time.perf_counter()
        run = cnnlab.train(recipe, data=data, seed=seed, runs=runs, checkpoint_seconds=3600)
        minutes = (time.perf_counter() - began) / 60
        return {
            "test": run.test.accuracy,
            "validation": [float(value) for value in run.history["validation_accuracy"]],
            "minutes": minutes,
            "threads": run.info["execution"]["threads"],
        }


def interval(values: list[float]) -> tuple[float, float] | None:
    """95% of the mean over divisions that share most of their pictures, after Nadeau and Bengio (2003)."""
    from cnnlab.evaluation.cross_validation import FoldScore, corrected_interval

    found = corrected_interval([FoldScore(value, EACH, 4000 - 2 * EACH) for value in values])
    return None if found is None else (found.low, found.high)


def page(record: dict[str, Any]) -> str:
    """The table."""
    best = record["frozen"]["test"]
    lines = [
        "# Fine-tuning in phases",
        "",
        f"`{MODEL}` on cats and dogs of {SIDE}×{SIDE}: 2,400 pictures for training, {EACH} for validation, {EACH} for "
        f"test, in {len(best)} divisions, {record['precision']}. Test accuracy beside that of the best of nine "
        f"classifiers on frozen features, chosen on validation each time ({', '.join(record['frozen']['chosen'])}): "
        f"a mean of {statistics.fmean(best):.4f}. Differences are taken division by division, their 95% intervals "
        "corrected after Nadeau and Bengio (2003). Minutes are of a whole training, frozen parts computed and "
        f"all, on {record['threads']} {'thread' if record['threads'] == 1 else 'threads'}. "
        f"`{record['command']}`, {record['measured']}, on {machine.sentence(record['machine'])}.",
        "",
        "| way | test accuracy | beside the best frozen, points | 95% interval | in each division | minutes |",
        "| --- | ---: | ---: | --- | --- | ---: |",
    ]
    for name, runs in record["ways"].items():
        scores = [run["test"] for run in runs]
        differences = [100 * (mine - theirs) for mine, theirs in zip(scores, best, strict=True)]
        found = interval(differences)
        sure = "" if found is None else f"{found[0]:+.2f} to {found[1]:+.2f}".replace("-", "−")
        each = ", ".join(f"{score:.4f}" for score in scores)
        mean = f"{statistics.fmean(differences):+.2f}".replace("-", "−")
        minutes = statistics.median(run["minutes"] for run in runs)
        lines.append(f"| {name} | {statistics.fmean(scores):.4f} | {mean} | {sure} | {each} | {minutes:.1f} |")
    lines += ["", "What each way is, besides the model, batches of 32 and `schedule=cosine`:", ""]
    lines += [f"- {name}: `{recipe_words(WAYS[name])}`" for name in record["ways"]]
    return "\n".join([*lines, ""])


def recipe_words(way: dict[str, Any]) -> str:
    """As a command line would say it."""
    phases = ", ".join(
        "{" + ", ".join(f"{key}: {value}" for key, value in each.items()) + "}" for each in way["phases"]
    )
    rest = " ".join(f"{key}={value}" for key, value in way.items() if key != "phases")
    return f"phases=[{phases}] {rest}".strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("ways", nargs="*", default=list(WAYS), help="which of them; all, unless named")
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--threads", type=int, default=machine.usable_cores())
    parser.add_argument("--as-avx2", action="store_true", help="as a processor without AVX-512 computes")
    parser.add_argument("--kept", type=Path, help="a file of what was measured, to go on from")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    words = parser.parse_args()
    if words.as_avx2 and os.environ.get("ATEN_CPU_CAPABILITY") != "avx2":
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **machine.AS_AVX2})
    import torch

    torch.set_num_threads(words.threads)
    about, kept = machine.describe(), Kept(words.kept)
    kind = machine.kind(about, "avx2" if words.as_avx2 else None)
    asked = f"{kind}/{words.precision}/{words.threads}"
    best = kept.get(f"frozen/{words.splits}/{asked}", lambda: frozen(words.splits, words.precision))
    # One division after another, so that an interrupted measurement has whole ones.
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in words.ways}
    for number, data in enumerate(divided(words.splits)):
        for name in words.ways:
            key = f"{name}/{number}/{asked}/{recipe_words(WAYS[name])}"
            found[name].append(
                kept.get(key, lambda name=name, data=data, seed=number: train(WAYS[name], data, seed, words.precision))
            )
    record = {
        "measured": time.strftime("%Y-%m-%d"),
        "command": f"python benchmarks/fine_tuning.py --precision {words.precision} --splits {words.splits} "
        f"--threads {words.threads}{' --as-avx2' if words.as_avx2 else ''}",
        "machine": about,
        "kind": kind,
        "precision": words.precision,
        "threads": words.threads,
        "frozen": best,
        "ways": found,
    }
    write_results(words.results, f"fine-tuning-{kind}", record, page(record))


if __name__ == "__main__":
    main()
