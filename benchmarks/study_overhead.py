"""What a study costs beside its trainings, and what two trials at once gain.

    python benchmarks/study_overhead.py

Three figures: ``cnnlab study plan`` over 1,000 trials as a whole process; the wall time that each trial of a study
adds to that of its training, after the first; and the images per second of two trainings at once with one thread each,
over those of one after the other with two threads (median of five turns), on networks of two convolutions and
pictures of 28×28. Writes ``study-overhead.json`` under ``benchmarks/results``. About three minutes.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import machine

HERE = Path(__file__).parent
_PLAN_SECONDS, _OVERHEAD_SECONDS, _GAIN = 2.0, 1.5, 1.2
BIG = """question: Does planning keep a person waiting?
name: thousand
base: {data: digits, model: mlp, epochs: 3}
vary:
  augment: [none, flip, shift, rotate, 'flip|rotate', 'flip|shift', erase, zoom(0.2), shear(10), cutout]
  optimizer.lr: [0.001, 0.003, 0.01, 0.03, 0.1]
  batch_size: [32, 64, 128, 256]
repeats: 5
"""
SMALL = """question: What does a trial cost beside its training?
name: small
base: {data: digits, model: 'mlp(hidden=[16])', epochs: 3, batch_size: 32, precision: float32, threads: 1}
vary: {optimizer.lr: [0.001, 0.003, 0.01, 0.03]}
repeats: 5
"""
PAIR: dict[str, Any] = {
    "data": "fashion-mnist",
    "subset": 20000,
    "validation": 500,
    "test": 0,
    "batch_size": 128,
    "epochs": 2,
    "precision": "float32",
}


NETWORKS = {
    "small": "cnn(layers=CPCP, filters=[16, 32], dense=[64])",
    "twice as wide": "cnn(layers=CPCP, filters=[32, 64], dense=[128])",
}


def plan_seconds(folder: Path, times: int = 5) -> list[float]:
    """Wall time of whole ``cnnlab study plan`` processes, after a first one."""
    file = folder / "thousand.yaml"
    file.write_text(BIG)
    command = [str(Path(sys.executable).parent / "cnnlab"), "study", "plan", str(file), "--runs", str(folder / "none")]
    found = []
    for _ in range(times + 1):
        began = time.perf_counter()
        subprocess.run([*command, "--json"], stdout=subprocess.DEVNULL, check=True)
        found.append(time.perf_counter() - began)
    return found[1:]


def overhead_seconds(folder: Path) -> dict[str, float]:
    """Of 20 trials by one worker: wall time a trial beside the time its run says it trained, the first left out."""
    from cnnlab.studies import Study

    file = folder / "small.yaml"
    file.write_text(SMALL)
    study = Study.load(file, runs=folder / "small", **{"vary.optimizer.lr": [0.5], "repeats": 1})
    study.run(workers=1)
    study = Study.load(file, runs=folder / "small")
    study.check()
    began = time.perf_counter()
    result = study.run(workers=1)
    wall = time.perf_counter() - began
    trials = [trial.seconds for setting in result.settings for trial in setting.trials]
    ends = sorted(run.info["finished"] for run in study.runs().values())
    moments = [datetime.fromisoformat(end) for end in ends]
    between = [(b - a).total_seconds() for a, b in itertools.pairwise(moments)]
    return {
        "wall": wall,
        "training_each": statistics.mean(trials),
        "each_after_the_first": statistics.mean(between) - statistics.mean(trials),
    }


def pair_gain(folder: Path, model: str, turns: int = 5) -> dict[str, Any]:
    """Images per second of two at once with one thread each, and of one after the other with two, in turns."""
    from cnnlab.studies import ProcessExecutor

    speeds: dict[int, list[float]] = {1: [], 2: []}
    with (
        ProcessExecutor(1, runs=folder / "pair-1") as alone,
        ProcessExecutor(2, runs=folder / "pair-2") as together,
    ):
        for turn in range(turns + 1):
            for at_once, executor in ((1, alone), (2, together)):
                seconds = _pair_seconds(executor, at_once, turn, model)
                # The first turn also pays for importing torch and loading the data.
                if turn:
                    speeds[at_once].append(2 * PAIR["subset"] * PAIR["epochs"] / seconds)
    gains = [two / one for one, two in zip(speeds[1], speeds[2], strict=True)]
    return {
        "one_after_the_other": speeds[1],
        "two_at_once": speeds[2],
        "gains": gains,
        "gain": statistics.median(gains),
    }


def _pair_seconds(executor: Any, at_once: int, turn: int, model: str) -> float:
    """Until two trainings are done, so many at once on both cores."""
    from cnnlab.studies.execution.executor import Failed, Finished, TrialRequest

    seeds = (2 * turn, 2 * turn + 1)
    waiting = [TrialRequest(seed, {**PAIR, "model": model, "threads": 2 // at_once, "seed": seed}) for seed in seeds]
    began, left, running = time.perf_counter(), len(waiting), 0
    while left:
        while waiting and running < at_once:
            executor.submit(waiting.pop(0))
            running += 1
        for event in executor.events(0.5):
            assert not isinstance(event, Failed), event.reason
            if isinstance(event, Finished):
                left, running = left - 1, running - 1
    return time.perf_counter() - began


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--only", choices=["plan", "overhead", "pair"])
    arguments = parser.parse_args()
    found: dict[str, Any] = {"machine": machine.describe()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.only in (None, "plan"):
            found["plan_of_1000_seconds"] = plan_seconds(folder)
            median = statistics.median(found["plan_of_1000_seconds"])
            print(f"study plan, 1,000 trials: {median:.2f} s (limit {_PLAN_SECONDS})")
        if arguments.only in (None, "overhead"):
            found["overhead"] = overhead_seconds(folder)
            each = found["overhead"]["each_after_the_first"]
            print(f"each trial beside its training: {each:.2f} s (limit {_OVERHEAD_SECONDS})")
        if arguments.only in (None, "pair"):
            found["pair"] = {name: pair_gain(folder, model) for name, model in NETWORKS.items()}
            for name, pair in found["pair"].items():
                print(f"two at once over one after the other, {name}: {pair['gain']:.2f} (at least {_GAIN})")
    arguments.results.mkdir(parents=True, exist_ok=True)
    (arguments.results / "study-overhead.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
