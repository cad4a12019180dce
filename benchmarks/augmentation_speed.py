"""Speed of augmentation in cnnlab beside torchvision, kornia and Keras: one machine, one run, a process each.

    python benchmarks/augmentation_speed.py --peer-python PATH

PATH is the Python of an environment that has ``tensorflow`` and ``keras``; the others run in this one. Without it,
Keras is left out; on an accelerator, cnnlab and kornia alone are measured. Repeats are interleaved: every subject is
measured once before any is measured again. Then epochs of training with augmentation and without, in turns. Writes
``augmentation-speed.json``, with every single figure, and ``augmentation-speed.md`` under ``benchmarks/results``.
About 15 minutes on two cores.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "augmentation"))

import machine
from augmentation_table import summarise, table
from batches import Job
from kept import Kept
from result_files import write_results

HERE = Path(__file__).parent
CASES = (((3, 32, 32), 256), ((1, 28, 28), 256), ((3, 150, 150), 64))
_ON_ACCELERATOR = (((3, 32, 32), 256), ((3, 32, 32), 1024), ((3, 32, 32), 4096), ((3, 150, 150), 256))
_EPOCHS = (((3, 32, 32), 256), ((1, 28, 28), 256))
_SCRIPTS = HERE / "augmentation"
# What would keep a subject from its own choice of threads.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def subjects(arguments: argparse.Namespace) -> dict[str, tuple[str, str]]:
    """Everyone, cnnlab first: the script and the Python it needs."""
    here = sys.executable
    everyone = {"cnnlab": ("cnnlab_pipeline.py", here), "kornia": ("kornia_batch.py", here)}
    if arguments.device == "cpu":
        everyone["torchvision"] = ("torchvision_loader.py", here)
        if arguments.peer_python:
            everyone["keras"] = ("keras_layers.py", arguments.peer_python)
    return everyone


def run(name: str, script: str, python: str, job: Job) -> dict[str, Any]:
    """One process; what it found."""
    environment = {key: value for key, value in os.environ.items() if key not in _THREADS}
    command = [python, "-W", "ignore", str(_SCRIPTS / script), job.dumps()]
    process = subprocess.run(command, env=environment, capture_output=True, text=True)
    if process.returncode:
        sys.exit(f"{name} failed on {job}:\n{process.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    print(f"  {name:12} {_shown(found)}", file=sys.stderr)
    return found | {"subject": name, "shape": list(job.shape), "batch": job.batch}


def measure(arguments: argparse.Namespace, kept: Kept) -> list[dict[str, Any]]:
    """Every measurement, in the order in which they were made."""
    cases = CASES if arguments.device == "cpu" else _ON_ACCELERATOR
    found = []
    for repeat, (shape, batch) in product(range(arguments.repeats), cases):
        print(f"repeat {repeat + 1} of {arguments.repeats}: {batch} × {shape}", file=sys.stderr)
        job = Job(shape, batch, arguments.seconds, arguments.device)
        for name, (script, python) in subjects(arguments).items():
            key = f"{repeat} {name} {job.dumps()}"
            found.append(kept.get(key, partial(run, name, script, python, job)) | {"repeat": repeat})
    return found


def main() -> None:
    arguments = _parser().parse_args()
    facts = machine.describe()
    settings = {key: value for key, value in vars(arguments).items() if key not in {"peer_python", "results", "keep"}}
    record: dict[str, Any] = {"measured": time.strftime("%Y-%m-%d"), "machine": facts, "settings": settings}
    kept = Kept(arguments.keep)
    record["measurements"] = measure(arguments, kept)
    jobs = [Job(shape, batch, 0, arguments.device) for shape, batch in _EPOCHS if not arguments.no_epochs]
    record["epochs"] = [
        kept.get(f"epochs {job.dumps()}", partial(run, "epochs", "epoch_ratio.py", sys.executable, job)) for job in jobs
    ]
    record["summary"] = summarise(record)
    name = "augmentation-speed" if arguments.device == "cpu" else f"augmentation-speed-{arguments.device}"
    write_results(arguments.results, name, record, table(record))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Augmentation speed beside torchvision, kornia and Keras.")
    parser.add_argument("--peer-python", help="the Python of an environment with tensorflow and keras")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for cnnlab and kornia alone")
    parser.add_argument("--repeats", type=int, default=3, help="processes of each subject and case")
    parser.add_argument("--seconds", type=float, default=6.0, help="measured in each process and way")
    parser.add_argument("--no-epochs", action="store_true", help="leave out the epochs of training")
    parser.add_argument("--keep", type=Path, help="a file of measurements, to go on after an interruption")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    return parser


def _shown(found: dict[str, Any]) -> str:
    if "seconds" in found:
        return "; ".join(f"{sorted(seconds)[len(seconds) // 2]:.3f} s" for seconds in found["seconds"].values())
    ways = found.get("ways") or {"": found["images_per_second"]}
    return "; ".join(f"{way} {sorted(rates)[len(rates) // 2]:,.0f} images/s".strip() for way, rates in ways.items())


if __name__ == "__main__":
    main()
