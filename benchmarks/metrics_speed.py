"""What the metrics of an epoch take: cnnlab's, and the same by scikit-learn.

    python benchmarks/metrics_speed.py

Loss, accuracy, balanced accuracy and macro F1 of 10,000 pictures and ten classes, medians of calls in turns
that warmed up; and importing ``sklearn.metrics`` in a process of its own, beside one that imports nothing. Writes
``metrics-speed.{json,md}`` under ``benchmarks/results``. Half a minute.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import torch
from result_files import write_results

HERE = Path(__file__).parent
IMAGES, CLASSES, CALLS, IMPORTS = 10_000, 10, 21, 5


def subjects() -> dict[str, Callable[[], dict[str, float]]]:
    """What is timed, by its name; all give the same four numbers."""
    from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss

    from cnnlab.objectives.classes import classes

    torch.manual_seed(0)
    outputs, truth = torch.randn(IMAGES, CLASSES), torch.randint(0, CLASSES, (IMAGES,))
    objective = classes({"label": tuple(map(str, range(CLASSES)))})
    scores, labels = outputs.numpy(), truth.numpy()

    def by_scikit_learn() -> dict[str, float]:
        predicted = scores.argmax(axis=1)
        return {
            "loss": log_loss(labels, torch.softmax(outputs.double(), 1).numpy()),
            "accuracy": accuracy_score(labels, predicted),
            "balanced_accuracy": balanced_accuracy_score(labels, predicted),
            "macro_f1": f1_score(labels, predicted, average="macro"),
        }

    return {"cnnlab": lambda: objective.metrics(outputs, {"label": truth}), "scikit-learn": by_scikit_learn}


def seconds_to_import(module: str) -> float:
    """Wall time of a process that imports a module after NumPy, without that of one that stops there."""
    took = []
    for code in ("import numpy", f"import numpy, {module}"):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        took.append(time.perf_counter() - began)
    return took[1] - took[0]


def measure() -> dict[str, Any]:
    found = subjects()
    seconds: dict[str, list[float]] = {name: [] for name in found}
    values = {name: call() for name, call in found.items()}
    for _ in range(CALLS):
        for name, call in found.items():
            began = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - began)
    imports = [seconds_to_import("sklearn.metrics") for _ in range(IMPORTS)]
    return {"seconds": seconds, "values": values, "import": imports}


def page(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    lines = [
        "# The metrics of an epoch",
        "",
        f"Loss, accuracy, balanced accuracy and macro F1 of {IMAGES:,} pictures and {CLASSES} classes: "
        f"medians of {CALLS} calls. Measured {record['measured']} on {machine.sentence(record['machine'])}.",
        "",
        "| by | milliseconds |",
        "| --- | --- |",
        *(f"| {name} | {1e3 * statistics.median(each):.2f} |" for name, each in record["seconds"].items()),
        "",
        f"Importing `sklearn.metrics` takes {statistics.median(record['import']):.1f} s beside NumPy.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    results = parser.parse_args().results
    record = {"measured": time.strftime("%Y-%m-%d"), "machine": machine.describe()} | measure()
    write_results(results, "metrics-speed", record, page(record))


if __name__ == "__main__":
    main()
