"""Telling the time in six ways: what a network learns to predict, and how far the hands are then off.

    OMP_NUM_THREADS=1 python benchmarks/clock_objectives.py --threads 1

The first five ways are those of Epure and Rameshchandra (Introduction to Deep Learning, assignment 2, task 3), who
were off by about 180 minutes with each, which is guessing. All ways share the drawn clocks, the network and the length
of the training; only the objective differs. Each is a run in the store, so that a measurement that was interrupted
goes on where it was; the table holds the ways that are finished.
"""

import argparse
import json
import math
import shlex
import time
from pathlib import Path
from typing import Any

import machine

import cnnlab
from cnnlab.core.packaged import read_recipe_file
from cnnlab.core.spec import read_one
from cnnlab.evaluation import number_predictions

HERE = Path(__file__).parent
NAME = "clock-objectives"
LIMIT = 30.0
"""Core-minutes that each way may train: a quarter of an hour on two cores."""
GOAL = 10.0
"""The mean error in minutes that some way is to stay under."""

RECIPE = "recipe:clocks"
TIME = "column=[hour, minute]"
WAYS = {
    1: ("minutes as a number", f"scalar({TIME}, range=[0, 720])"),
    2: ("hours as a number", f"scalar({TIME}, units=[1, 1/60], range=[0, 12])"),
    3: ("24 bins", f"bins(24, range=[0, 720], {TIME})"),
    4: ("hour class and minute regression", "multi-head(hour=classes(12), minute=scalar)"),
    5: ("sine and cosine", f"circular(720, {TIME})"),
    6: ("both hands and the angle between them, by bins around the circle", None),
}
"""What is predicted, and the objective; None stands for that of the recipe."""


def recipe_of(way: int) -> dict[str, Any]:
    """The recipe of one way."""
    recipe = read_recipe_file(RECIPE)
    objective = WAYS[way][1]
    return {**recipe, "objective": objective} if objective else recipe


def measure(way: int, runs: Path, threads: int) -> dict[str, Any]:
    """Trains one way, or takes it from the store; errors in minutes around the dial, on the test split."""
    recipe = recipe_of(way)
    run = cnnlab.train(recipe, runs=runs, name=f"clock-{way}", threads=threads)
    scores = dict(run.test)
    return {
        "way": way,
        "predicted": WAYS[way][0],
        "mean_error": scores["clock_mean_error"],
        "standard_error": _standard_error(run),
        "median_error": scores["clock_median_error"],
        "within": {near: scores[f"clock_within_{near}"] for near in (1, 5, 10)},
        "images": run.test.n,
        "seconds": run.info["seconds"],
        "execution": run.info["execution"],
        "epoch": run.info["selected"]["epoch"],
        "digest": run.digest,
        "recipe": recipe,
        "command": command(way),
    }


def command(way: int) -> str:
    """The line that trains it."""
    objective = WAYS[way][1]
    return " ".join([f"cnnlab train {RECIPE}", *([shlex.quote(f"objective={objective}")] if objective else [])])


def _standard_error(run: cnnlab.Run) -> float:
    """Of the mean error, over the pictures of the test split."""
    (time,) = number_predictions(run.predictions("test"))
    return float(time.distances.std(ddof=1) / math.sqrt(len(time)))


def table(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    ways = record["ways"]
    epochs = sum(phase["epochs"] for phase in ways[0]["recipe"]["phases"])
    clocks = read_one(ways[0]["recipe"]["data"], "data").kwargs
    best = min(ways, key=lambda way: way["mean_error"])
    verdict = "met" if best["mean_error"] < GOAL else "**missed**"
    kept = "all ways kept" if all(_core_minutes(way) <= LIMIT for way in ways) else "**not all ways kept**"
    lines = [
        "# Telling the time",
        "",
        "How far a predicted time is off around the dial, in minutes, on test pictures that no training saw. Guessing "
        "is off by 180 minutes. Dials are turned by any angle and tilted by up to 30 degrees, with reflections in the "
        f"glass; a numeral or a mark of its own shows where twelve is. There are {clocks['n']:,} of them, each "
        f"{clocks['size']}×{clocks['size']} pixels, {best['images']:,} of which are the test pictures.",
        "",
        "| | what is predicted | mean error | median | within 1 | within 5 | within 10 | core-minutes | epoch kept |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        *map(_row, ways),
        "",
        f"± is the standard error over {best['images']:,} pictures of one training each (seed 0). All ways share "
        f"data, network and length ({epochs} epochs). To reach: a mean error under {GOAL:g} minutes: "
        f"{verdict}, {best['mean_error']:.2f} by way {best['way']}. At most {LIMIT:g} core-minutes of training each: "
        f"{kept} to that.",
        "",
        "The network of all ways, but for its last layer, which is as wide as the objective asks:",
        "",
        f"    {' '.join(ways[0]['recipe']['model'].split())}",
        "",
        "The recipes:",
        "",
        *(line for way in ways for line in (f"{way['way']}. {way['predicted']}:", "", f"       {way['command']}", "")),
        f"Measured {record['measured']}: {machine.sentence(record['machine'])}. Threads: "
        f"{', '.join(sorted({str(way['execution']['threads']) for way in ways}))}; number format: "
        f"{', '.join(sorted({way['execution']['precision'] for way in ways}))}.",
        "",
    ]
    return "\n".join(lines)


def _row(way: dict[str, Any]) -> str:
    shares = " | ".join(f"{share:.1%}" for share in way["within"].values())
    return (
        f"| {way['way']} | {way['predicted']} | {way['mean_error']:.2f} ± {way['standard_error']:.2f} | "
        f"{way['median_error']:.2f} | {shares} | {_core_minutes(way):.1f} | {way['epoch']} |"
    )


def _core_minutes(way: dict[str, Any]) -> float:
    return float(way["seconds"] * way["execution"]["threads"] / 60)


def _earlier(path: Path) -> dict[int, dict[str, Any]]:
    """The ways in a table that is there already, as far as their recipes are still the same."""
    if not path.exists():
        return {}
    ways = {way["way"]: way for way in json.loads(path.read_text())["ways"]}
    return {number: way for number, way in ways.items() if way["recipe"] == recipe_of(number)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ways", type=int, nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=HERE / "results")
    arguments = parser.parse_args()
    facts = {"measured": time.strftime("%Y-%m-%d"), "machine": machine.describe()}
    arguments.results.mkdir(parents=True, exist_ok=True)
    stored = arguments.results / f"{NAME}.json"
    measured = _earlier(stored)
    for way in arguments.ways:
        measured[way] = measure(way, arguments.runs, arguments.threads)
        record = {**facts, "ways": [measured[number] for number in sorted(measured)]}
        stored.write_text(json.dumps(record, indent=1) + "\n")
        (arguments.results / f"{NAME}.md").write_text(table(record))
    print(table(record))


if __name__ == "__main__":
    main()
