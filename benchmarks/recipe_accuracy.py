"""The test accuracy of a shipped recipe over several seeds, written to ``results/`` with the machine.

    CNNLAB_DATA=DIR python benchmarks/recipe_accuracy.py recipe:fashion-mnist --seeds 0 1 2

Runs that are in the store already are taken from there, so an interrupted measurement goes on where it was.
"""

import argparse
import math
import statistics
import time
from pathlib import Path
from typing import Any

import machine
from result_files import write_results

import cnnlab

HERE = Path(__file__).parent


def measure(recipe: str, seeds: list[int], runs: Path) -> dict[str, Any]:
    """Trains the recipe with each seed; accuracies as fractions, seconds of training alone."""
    trained = [cnnlab.train(recipe, seed=seed, runs=runs, name=title(recipe)) for seed in seeds]
    accuracies = [run.test.accuracy for run in trained]
    return {
        "measured": time.strftime("%Y-%m-%d"),
        "machine": machine.describe(),
        "recipe": recipe,
        "seeds": seeds,
        "test_accuracy": accuracies,
        "mean": statistics.mean(accuracies),
        "std": statistics.stdev(accuracies) if len(seeds) > 1 else None,
        "images": trained[0].test.n,
        "seconds": [run.info["seconds"] for run in trained],
        "execution": [run.info["execution"] for run in trained],
        "digests": [run.digest for run in trained],
    }


def title(recipe: str) -> str:
    """The name of a recipe that comes with cnnlab, or of a file."""
    return Path(recipe.removeprefix("recipe:")).stem


def table(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    spread = "" if record["std"] is None else f", SD {record['std']:.4f}"
    error = math.sqrt(record["mean"] * (1 - record["mean"]) / record["images"])
    rows = zip(record["seeds"], record["test_accuracy"], record["seconds"], record["execution"], strict=True)
    lines = [
        f"# {record['recipe']}",
        "",
        f"Mean test accuracy **{record['mean']:.4f}** over {len(record['seeds'])} seed(s){spread}. The test set of "
        f"{record['images']:,} pictures alone gives each value a standard error of {error:.4f}.",
        "",
        "| seed | test accuracy | training, s | threads | number format |",
        "|---|---|---|---|---|",
        *(f"| {seed} | {a:.4f} | {s:.0f} | {e['threads']} | {e['precision']} |" for seed, a, s, e in rows),
        "",
        f"Measured {record['measured']}: {machine.sentence(record['machine'])}",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recipe", help="recipe:NAME, or a file")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--results", type=Path, default=HERE / "results")
    arguments = parser.parse_args()
    record = measure(arguments.recipe, arguments.seeds, arguments.runs)
    name = f"recipe-{title(arguments.recipe)}"
    write_results(arguments.results, name, record, table(record))


if __name__ == "__main__":
    main()
