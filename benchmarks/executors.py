"""What a trial costs beside its training, on this machine's workers and on Ray, and what a slow node does to a study.

    python benchmarks/executors.py --trials 200 --kept executors.jsonl

A Ray cluster of two nodes is started on this machine. The same trials of half a second each go through each executor,
one after another by one worker with one thread: the wall time of each less what its run says that it trained. On Ray
that is once with the folder of runs seen from the node, and once with runs brought home. Executors take turns at blocks
of trials, so that all see the same machine; workers are up before the clock starts.

Then a tenth as many trials go to both nodes at once, as a study gives them out, with nodes that are alike and with one
whose worker is stopped three quarters of the time, in turns. The figures are how many trials each node took, and the
wall time beside what the training of half of them alone takes the slower node: medians over three turns.

Each block is kept in the file ``--kept``, from which an interrupted benchmark goes on. Writes ``executors.json`` and
the page beside it under ``benchmarks/results``. With 200 trials about a quarter of an hour on a machine of its own.
"""

import argparse
import itertools
import os
import platform
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

import machine
from kept import Kept
from result_files import write_results

HERE = Path(__file__).parent
BLOCK, TURNS = 50, 3
RECIPE: dict[str, Any] = {
    "data": "digits",
    "model": "cnn(layers=CPCP, filters=[16, 32], dense=[64])",
    "batch_size": 32,
    "precision": "float32",
    "threads": 1,
    "workers": 1,
}
STOPPED, RUNNING = 0.3, 0.1
ALIKE, SLOW = "nodes alike", "one node slow"


@contextmanager
def cluster_of_two() -> Iterator[Any]:
    """Two nodes with room for a trial each, the second of which is given; this process is connected to the first."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0", "RAY_AUTH_MODE": "disabled"}
    import ray
    from ray.cluster_utils import Cluster

    words = {"num_cpus": 1, "include_dashboard": False}
    made = Cluster(True, head_node_args=words)
    try:
        ray.init(made.address, log_to_driver=False, configure_logging=False)
        yield made.add_node(**words)
    finally:
        ray.shutdown()
        made.shutdown()


def beside_training(executor: Any, seeds: range, epochs: int) -> dict[str, list[float]]:
    """Wall seconds of each trial, one after another, and of these those of its training."""
    from cnnlab.runs import Run

    carried_out(executor, 1, range(10_000, 10_001), 1)
    moments, trained = [time.perf_counter()], []
    for seed in seeds:
        (folder,) = carried_out(executor, 1, range(seed, seed + 1), epochs)
        moments.append(time.perf_counter())
        trained.append(float(Run(folder).info["seconds"]))
    return {"wall": [end - start for start, end in itertools.pairwise(moments)], "trained": trained}


def carried_out(executor: Any, at_once: int, seeds: range, epochs: int) -> list[Path]:
    """The folders of the finished runs of as many trials as there are seeds, so many of them under way at once."""
    from cnnlab.studies.execution.executor import Failed, Finished, TrialRequest

    folders: list[Path] = []
    waiting = list(seeds)
    while len(folders) < len(seeds):
        while waiting and len(seeds) - len(waiting) - len(folders) < at_once:
            seed = waiting.pop(0)
            executor.submit(TrialRequest(seed, {**RECIPE, "epochs": epochs, "seed": seed}))
        for event in executor.events(0.25):
            assert not isinstance(event, Failed), event.reason
            if isinstance(event, Finished):
                folders.append(event.folder)
    return folders


def both_nodes(executor: Any, seeds: range, epochs: int) -> dict[str, Any]:
    """The wall time of trials given to two nodes as each becomes free, and what each node took of them."""
    from cnnlab.runs import Run

    # One for each, so that both workers are up.
    carried_out(executor, 2, range(10_000, 10_002), 1)
    began = time.perf_counter()
    runs = [Run(folder) for folder in carried_out(executor, 2, seeds, epochs)]
    wall = time.perf_counter() - began
    seconds: dict[str, list[float]] = {}
    for run in runs:
        seconds.setdefault(run.info["nodes"][0]["node"], []).append(float(run.info["seconds"]))
    each = {node: statistics.mean(trained) for node, trained in seconds.items()}
    return {
        "wall": wall,
        "trials": {node: len(trained) for node, trained in seconds.items()},
        "training_each": each,
        "wall_by_halves": max(each.values()) * len(runs) / 2,
    }


@contextmanager
def slowed(node: Any) -> Iterator[None]:
    """A block in which the workers of a node are stopped most of the time."""
    is_over = threading.Event()
    (raylet,) = [process.process.pid for process in node.all_processes["raylet"]]

    def slow() -> None:
        while not is_over.wait(RUNNING):
            workers = trial_workers(raylet)
            tell(workers, signal.SIGSTOP)
            is_over.wait(STOPPED)
            tell(workers, signal.SIGCONT)

    brake = threading.Thread(target=slow)
    brake.start()
    try:
        yield
    finally:
        is_over.set()
        brake.join()


def trial_workers(raylet: int) -> list[int]:
    """Those of a node."""
    children = Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split()
    found = []
    for pid in children:
        with suppress(OSError):
            if b"TrialWorker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(int(pid))
    return found


def tell(processes: list[int], number: signal.Signals) -> None:
    """Sends a signal to those that are there still."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def summary(blocks: list[dict[str, list[float]]]) -> dict[str, float]:
    """What a trial takes, and beside its training, over all blocks."""
    wall, trained = ([seconds for block in blocks for seconds in block[key]] for key in ("wall", "trained"))
    beside = [whole - training for whole, training in zip(wall, trained, strict=True)]
    return {
        "trials": len(wall),
        "wall_each": statistics.mean(wall),
        "training_each": statistics.mean(trained),
        "beside_each": statistics.mean(beside),
        "beside_median": statistics.median(beside),
        "beside_most": max(beside),
    }


def overheads(sets: Any, words: argparse.Namespace, kept: Kept, folder: Path) -> dict[str, dict[str, float]]:
    """Of each executor what a trial takes beside its training, measured in turns."""
    from cnnlab.studies import ProcessExecutor, RayExecutor

    made: dict[str, Any] = {
        "worker processes": lambda runs: ProcessExecutor(1, runs=runs, sets=sets),
        "Ray, runs shared": lambda runs: RayExecutor(runs=runs, workers=1, sets=sets),
        "Ray, runs brought home": lambda runs: RayExecutor(runs=runs, workers=1, sets=sets, is_shared=False),
    }

    def block(label: str, seeds: range) -> dict[str, Any]:
        with made[label](folder / f"{label} {seeds.start}") as executor:
            return beside_training(executor, seeds, words.epochs)

    blocks: dict[str, list[dict[str, list[float]]]] = {label: [] for label in made}
    for first in range(0, words.trials, BLOCK):
        seeds = range(first, min(first + BLOCK, words.trials))
        for label in made:
            blocks[label].append(kept.get(f"{label}, {words.epochs} epochs, {seeds}", partial(block, label, seeds)))
    return {label: summary(each) for label, each in blocks.items()}


def shares(sets: Any, other: Any, words: argparse.Namespace, kept: Kept, folder: Path) -> dict[str, dict[str, Any]]:
    """What two nodes take of the trials of a study, alike and with one of them slow."""
    from cnnlab.studies import RayExecutor

    trials = max(2, words.trials // 10)

    def taken(label: str, turn: int) -> dict[str, Any]:
        brake = slowed(other) if label == SLOW else nullcontext()
        with RayExecutor(runs=folder / f"{label} {turn}", workers=2, sets=sets) as executor, brake:
            return both_nodes(executor, range(trials), words.epochs)

    found: dict[str, list[dict[str, Any]]] = {ALIKE: [], SLOW: []}
    for turn, label in itertools.product(range(TURNS), found):
        key = f"{label}, {trials} of {words.epochs} epochs, turn {turn}"
        found[label].append(kept.get(key, partial(taken, label, turn)))
    return {label: {**middle(each), "turns": each} for label, each in found.items()}


def middle(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the turns; what each node took with the one that took more first."""
    shares = [sorted(turn["trials"].values(), reverse=True) for turn in turns]
    return {
        "wall": statistics.median(turn["wall"] for turn in turns),
        "wall_by_halves": statistics.median(turn["wall_by_halves"] for turn in turns),
        "of_halves": statistics.median(turn["wall"] / turn["wall_by_halves"] for turn in turns),
        # A node may be so slow that it took none.
        "trials": [statistics.median(each[place] if place < len(each) else 0 for each in shares) for place in (0, 1)],
    }


def measure(words: argparse.Namespace, kept: Kept, folder: Path) -> dict[str, Any]:
    """All figures."""
    from cnnlab.data import load_data
    from cnnlab.training import Recipe
    from cnnlab.training.prepare import data_key

    sets = {data_key(Recipe.read(RECIPE)): load_data("digits")}
    found: dict[str, Any] = {"measured": time.strftime("%Y-%m-%d"), "machine": machine.describe()}
    found["versions"] = {"Python": platform.python_version(), "cnnlab": "from its source"}
    found["versions"] |= machine.versions("cnnlab", "ray", "torch")
    began = time.perf_counter()
    with cluster_of_two() as other:
        found["cluster_started_in"] = time.perf_counter() - began
        found |= {"beside_training": overheads(sets, words, kept, folder)}
        found |= {"two_nodes": shares(sets, other, words, kept, folder)}
    return found


def page(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    versions = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    lines = [
        "# Trials by this machine's workers and on Ray",
        "",
        f"Measured {record['measured']} on {machine.sentence(record['machine'])}. {versions}. A Ray cluster of two "
        "nodes on this machine.",
        "",
        "## Beside the training",
        "",
        "One worker with one thread, trial after trial; seconds of each, blocks of trials in turns.",
        "",
        "| by | trials | of a trial | of its training | beside it, median | mean | most |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for label, each in record["beside_training"].items():
        lines.append(
            f"| {label} | {each['trials']} | {each['wall_each']:.3f} | {each['training_each']:.3f} "
            f"| {each['beside_median']:.3f} | {each['beside_each']:.3f} | {each['beside_most']:.3f} |"
        )
    lines += [
        "",
        "## Two nodes",
        "",
        "Trials go to each node as it becomes free. Were each given half of them, their training alone, without what "
        "is beside it, would take the slower node as long as the column of halves says. The slow one is stopped for "
        f"{STOPPED:g} of each {STOPPED + RUNNING:g} seconds; medians over {TURNS} turns. Both nodes share the cores of "
        "this machine.",
        "",
        "| nodes | trials of one | of the other | seconds of all | training of half | ratio |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for label, each in record["two_nodes"].items():
        one, other = each["trials"]
        lines.append(
            f"| {label} | {one:g} | {other:g} | {each['wall']:.1f} | {each['wall_by_halves']:.1f} "
            f"| {each['of_halves']:.2f} |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--kept", type=Path, help="a file of measurements that a benchmark goes on from")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=3, help="of each trial; three take about half a second")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = measure(words, Kept(words.kept), Path(name))
    write_results(words.results, "executors", found, page(found))


if __name__ == "__main__":
    main()
