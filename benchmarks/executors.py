"""What a trial costs beside its training, on this machine's workers and on Ray.

    python benchmarks/executors.py --trials 200

The same trials of some seconds each go through each executor, one after another by one worker with one thread: the wall
time of each less what its run says that it trained. On Ray that is once with the folder of runs seen from the node, and
once with runs brought home. Workers are up before the clock starts. A cluster of this machine alone is started, which
takes some seconds and is stated by itself. Writes ``executors.json`` under ``benchmarks/results``. With 200 trials of
two seconds about 25 minutes.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import machine

HERE = Path(__file__).parent
RECIPE: dict[str, Any] = {
    "data": "digits",
    "model": "cnn(layers=CPCP, filters=[16, 32], dense=[64])",
    "batch_size": 32,
    "precision": "float32",
    "threads": 1,
    "workers": 1,
}


def seconds_each(executor: Any, trials: int, epochs: int) -> dict[str, float]:
    """Wall seconds a trial, and of these those of its training, in the median and in the mean."""
    from cnnlab.runs import Run

    carry_out(executor, {**RECIPE, "epochs": 1, "seed": 10_000})
    began, ends, trained = time.perf_counter(), [], []
    for seed in range(trials):
        folder = carry_out(executor, {**RECIPE, "epochs": epochs, "seed": seed})
        ends.append(time.perf_counter())
        trained.append(float(Run(folder).info["seconds"]))
    wall = [end - start for start, end in zip([began, *ends], ends, strict=False)]
    beside = [whole - training for whole, training in zip(wall, trained, strict=True)]
    return {
        "trials": trials,
        "wall_each": statistics.mean(wall),
        "training_each": statistics.mean(trained),
        "beside_each": statistics.mean(beside),
        "beside_median": statistics.median(beside),
    }


def carry_out(executor: Any, recipe: dict[str, Any]) -> Path:
    """The folder of the finished run of one request."""
    from cnnlab.studies.execution.executor import Failed, Finished, TrialRequest

    executor.submit(TrialRequest(recipe["seed"], recipe))
    while True:
        for event in executor.events(0.25):
            assert not isinstance(event, Failed), event.reason
            if isinstance(event, Finished):
                return event.folder


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=10, help="of each trial; ten take about two seconds")
    arguments = parser.parse_args()
    from cnnlab.data import load_data
    from cnnlab.studies import ProcessExecutor, RayExecutor
    from cnnlab.studies.execution.clusters.ray_cluster import RayCluster
    from cnnlab.training import Recipe
    from cnnlab.training.prepare import data_key

    sets = {data_key(Recipe.read(RECIPE)): load_data("digits")}
    found: dict[str, Any] = {"machine": machine.describe()}
    with tempfile.TemporaryDirectory() as name:
        began = time.perf_counter()
        cluster = RayCluster()
        found["cluster_started_in"] = time.perf_counter() - began
        executors = {
            "worker processes": lambda runs: ProcessExecutor(1, runs=runs, sets=sets),
            "Ray, runs shared": lambda runs: RayExecutor(runs=runs, workers=1, sets=sets),
            "Ray, runs brought home": lambda runs: RayExecutor(runs=runs, workers=1, sets=sets, is_shared=False),
        }
        for place, (label, make) in enumerate(executors.items()):
            with make(Path(name) / str(place)) as executor:
                found[label] = seconds_each(executor, arguments.trials, arguments.epochs)
            each = found[label]
            print(f"{label}: {each['beside_each']:.3f} s beside {each['training_each']:.2f} s of training")
        cluster.close()
    arguments.results.mkdir(parents=True, exist_ok=True)
    (arguments.results / "executors.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
