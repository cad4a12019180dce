"""What threads of computation and of reading are worth: how many of each train how many images a second.

    python benchmarks/threads_and_workers.py --like avx2

``threads`` compute; ``workers`` decode images that do not lie in memory as pixels. Cases: two networks on arrays in
memory, and one on JPEG files of 256×256 decoded at each use. Each measurement is a process with an epoch to warm up and
two that count, in turns. Writes ``threads-and-workers-KIND.{json,md}`` under ``benchmarks/results``. About six minutes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import machine
import numpy as np
from kept import Kept
from result_files import write_results

HERE = Path(__file__).parent
_SEED = 0


def cases() -> dict[str, dict[str, Any]]:
    """What is trained, by its name."""
    return {
        "vgg-like on arrays, 28×28×1, batch 256": {"model": "vgg-like", "shape": [28, 28, 1], "images": 2560},
        "small cnn on arrays, 8×8×1, batch 32": {
            "model": "cnn(filters=[16, 32], dense=[64])",
            "shape": [8, 8, 1],
            "images": 12800,
            "batch_size": 32,
        },
        "convnet on JPEG, 64×64×3, batch 64": {
            "model": "convnet",
            "shape": [64, 64, 3],
            "images": 640,
            "batch_size": 64,
        },
    }


def choices(name: str, cores: int) -> list[dict[str, int]]:
    """The numbers of threads and workers that make a difference to a case."""
    counts = sorted({1, cores})
    if "JPEG" not in name:
        return [{"threads": count} for count in counts]
    return [{"threads": threads, "workers": workers} for threads in counts for workers in sorted({1, cores, 2 * cores})]


def measure(job: dict[str, Any], like: str | None) -> dict[str, Any]:
    """What a process of its own finds."""
    environment = {key: value for key, value in os.environ.items() if key not in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    environment |= machine.AS_AVX2 if like else {}
    command = [sys.executable, __file__, "--job", json.dumps(job)]
    process = subprocess.run(command, env=environment, capture_output=True, text=True)
    if process.returncode:
        raise SystemExit(process.stderr)
    rates: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return rates


def train(job: dict[str, Any]) -> dict[str, Any]:
    """Images a second of two epochs, the time between their ends counted."""
    import cnnlab

    ends: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        data = _files(job, Path(folder)) if "workers" in job["choice"] else _arrays(job)
        run = cnnlab.train(
            data=data,
            model=job["model"],
            batch_size=job.get("batch_size", 256),
            validation=0,
            test=0,
            epochs=3,
            runs=f"{folder}/runs",
            callbacks=[lambda end: ends.append(time.perf_counter())],
            **job["choice"],
        )
        execution = run.info["execution"]
    return {"rates": [job["images"] / each for each in np.diff(ends)], "execution": execution}


def _arrays(job: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    source = np.random.default_rng(_SEED)
    images = source.integers(0, 256, (job["images"], *job["shape"]), dtype=np.uint8)
    return images, source.integers(0, 10, job["images"])


def _files(job: dict[str, Any], folder: Path) -> str:
    """JPEG files with the sizes of bytes of photographs: noise, made smooth."""
    from PIL import Image

    source = np.random.default_rng(_SEED)
    for number in range(job["images"]):
        place = folder / "images" / f"class{number % 10}"
        place.mkdir(parents=True, exist_ok=True)
        rough = Image.fromarray(source.integers(0, 256, (32, 32, 3), dtype=np.uint8))
        rough.resize((256, 256), Image.Resampling.BICUBIC).save(place / f"{number}.jpg", quality=85)
    return f"folder(path={folder / 'images'}, size={job['shape'][0]}, cache=encoded)"


def page(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    processes = [each for row in record["measurements"] for each in row["processes"]]
    formats = " and ".join(sorted({each["execution"]["precision"] for each in processes}))
    like = " as a processor without AVX-512 computes" if record["like"] else ""
    lines = [
        "# Threads and workers",
        "",
        f"Images a second in training in {formats}{like}; medians of {record['repeats']} processes × 2 epochs, "
        f"measured {record['measured']} on {machine.sentence(record['machine'])}. The defaults are as many "
        "threads, and as many workers, as there are cores.",
        "",
        "| case | threads | workers | images a second | against the default |",
        "| --- | --- | --- | --- | --- |",
    ]
    cores = record["machine"]["cores"]
    for name in cases():
        rows = [row for row in record["measurements"] if row["case"] == name]
        medians = [statistics.median(rate for each in row["processes"] for rate in each["rates"]) for row in rows]
        default = next(
            median for row, median in zip(rows, medians, strict=True) if set(row["choice"].values()) == {cores}
        )
        for row, median in zip(rows, medians, strict=True):
            workers = row["choice"].get("workers", "")
            gain = "" if median == default else f"{median / default - 1:+.0%}"
            lines.append(f"| {name} | {row['choice']['threads']} | {workers} | {median:,.0f} | {gain} |")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--like", choices=["avx2"], help="compute as on this kind of processor")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep measurements there, and go on from them")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        print(json.dumps(train(json.loads(arguments.job))))
        return
    here, kept, rows = machine.describe(), Kept(arguments.keep), {}
    jobs = [
        (name, case | {"choice": choice}) for name, case in cases().items() for choice in choices(name, here["cores"])
    ]
    for repeat, (name, job) in product(range(arguments.repeats), jobs):
        key = f"{arguments.like} {repeat} {json.dumps(job)}"
        row = rows.setdefault(json.dumps(job), {"case": name, "choice": job["choice"], "processes": []})
        row["processes"].append(kept.get(key, partial(measure, job, arguments.like)))
    record = {
        "measured": time.strftime("%Y-%m-%d"),
        "machine": here,
        "like": arguments.like,
        "repeats": arguments.repeats,
        "measurements": list(rows.values()),
    }
    name = f"threads-and-workers-{machine.kind(here, arguments.like)}"
    write_results(arguments.results, name, record, page(record))


if __name__ == "__main__":
    main()
