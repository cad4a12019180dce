"""A submission of many small pictures, decoding included: cnnlab beside Keras, one machine, one run, a process each.

    python benchmarks/bulk_prediction.py --peer-python PATH
    python benchmarks/bulk_prediction.py --peer-python PATH --pictures 300000 --turns 1
    python benchmarks/bulk_prediction.py --peer-python PATH --pictures 30000 --as-avx2

Made-up PNG files of 32×32 in colour, 1.png on, in a temporary folder, as Kaggle's CIFAR-10 test has them; ``vgg-like``
says what is in each, and a CSV is written. PATH is the Python of an environment that has ``tensorflow`` and ``keras``;
without it Keras is left out. Each in float32, and in bfloat16 too where that is native; they take turns, and figures
are medians over these. Each process has all cores, and files that were just written or read, which the system holds in
memory. Every process is kept in the file ``--kept``, from which an interrupted benchmark goes on. Writes
``bulk-prediction-KIND.json`` and the page beside it under ``benchmarks/results``, where KIND is the processor's.

Three turns of 100,000 pictures take as long as one of 300,000: half an hour on two cores. The page says how many there
were.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import machine
import numpy as np
from kept import Kept
from PIL import Image
from result_files import write_results

HERE = Path(__file__).parent
_SCRIPTS = HERE / "predicting"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
WHOLE, PICTURES, TURNS = 300_000, 100_000, 3
AT_MOST = {"float32": 7 * 60, "bfloat16": 3 * 60}
"""Seconds that so many pictures are to stay below on two cores."""
_PEERS = "numpy", "pillow", "torch"
_VERSIONS = """
import importlib.metadata as metadata, json, platform, sys
found = {name: list(metadata.distributions(name=name)) for name in sys.argv[1:]}
own = {"Python of Keras": platform.python_version()}
print(json.dumps(own | {name: each[0].version for name, each in found.items() if each}))
"""


def write_pictures(folder: Path, count: int) -> int:
    """Smooth pictures with some noise, which are packed about as well as photos; their bytes in all."""
    source, size = np.random.default_rng(0), 0
    for number in range(1, count + 1):
        coarse = Image.fromarray(source.integers(0, 256, (5, 5, 3), dtype=np.uint8)).resize((32, 32))
        noisy = np.asarray(coarse, np.int16) + source.integers(-6, 7, (32, 32, 3))
        path = folder / f"{number}.png"
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path)
        size += path.stat().st_size
    return size


def run(script: str, python: str, job: dict[str, Any]) -> dict[str, Any]:
    """One process; what it found."""
    environment = {key: value for key, value in os.environ.items() if key not in _THREADS}
    command = [python, "-W", "ignore", str(_SCRIPTS / script), json.dumps(job)]
    process = subprocess.run(command, env=environment, capture_output=True, text=True)
    if process.returncode:
        sys.exit(f"{script} failed on {job}:\n{process.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    print(f"  {script:24} {job['precision']:9} {found['seconds']:8.1f} s", file=sys.stderr)
    return found | {"precision": job["precision"]}


def measure(words: argparse.Namespace, formats: list[str], kept: Kept) -> dict[str, Any]:
    """All of both, in turns; medians over these."""
    subjects = [("cnnlab", "cnnlab_submission.py", sys.executable)]
    subjects += [("keras", "keras_submission.py", words.peer_python)] if words.peer_python else []
    turns: dict[tuple[str, str], list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "test"
        folder.mkdir()
        size = write_pictures(folder, words.pictures)
        for turn in range(words.turns):
            for precision in formats:
                for name, script, python in subjects:
                    job = {"folder": str(folder), "out": f"{place}/{name}.csv", "precision": precision}
                    key = f"{name}, {precision}, {words.pictures} pictures, turn {turn}"
                    found = kept.get(key, partial(run, script, python, job))
                    turns.setdefault((name, precision), []).append(found)
    if len({found["parameters"] for each in turns.values() for found in each}) > 1:
        sys.exit("the networks have not as many parameters as one another: they are not the same.")
    rows = [{"subject": name, **median_of(each)} for (name, _), each in turns.items()]
    return {"bytes_a_picture": size / words.pictures, "turns": words.turns, "measurements": rows}


def median_of(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """The turn of the median time, with the least and most seconds of all."""
    seconds = [found["seconds"] for found in turns]
    middle = statistics.median_low(seconds)
    return turns[seconds.index(middle)] | {"low": min(seconds), "high": max(seconds)}


def page(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    first = record["measurements"][0]
    lines = [
        "# A submission of many small pictures",
        "",
        f"{first['pictures']:,} PNG files of 32×32 in colour, {record['bytes_a_picture']:,.0f} bytes each, in one "
        f"folder; `vgg-like` with ten classes, {first['parameters']:,} parameters; from the call to the CSV file, "
        f"decoding included, Python not started. The median of {record['turns']} in turns. "
        f"Measured {record['measured']} on {machine.sentence(record['machine'])}"
        f"{', which was told to compute as one without AVX-512' if record['as_avx2'] else ''}. "
        f"{', '.join(f'{name} {number}' for name, number in record['versions'].items())}.",
        "",
        "| by | format | seconds | fastest–slowest | of processor time | pictures a second "
        f"| minutes for {WHOLE:,} | at most | memory at most, MiB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in record["measurements"]:
        rate, is_ours = one["pictures"] / one["seconds"], one["subject"] == "cnnlab"
        most = f"{AT_MOST[one['precision']] / 60:g}" if is_ours else ""
        lines.append(
            f"| {one['subject']} | {one['precision']} | {one['seconds']:.1f} "
            f"| {one['low']:.1f}–{one['high']:.1f} | {one['processor_seconds']:.1f} "
            f"| {rate:,.0f} | {WHOLE / rate / 60:.1f} | {most} | {one['peak_kib'] / 1024:,.0f} |"
        )
    if first["pictures"] != WHOLE:
        lines += ["", f"Minutes for {WHOLE:,} are reckoned from the rate of {first['pictures']:,}."]
    lines += ["", "Of cnnlab, in pictures a second: decoding alone, the network alone; seconds of a second call.", ""]
    lines += [
        "| format | kernels | threads | decoding | network | second call |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for one in record["measurements"]:
        if one["subject"] == "cnnlab":
            execution, alone = one["execution"], one["alone"]
            lines.append(
                f"| {execution['precision']} | {execution['kernels']} | {execution['threads']} | "
                f"{alone['decoding']:,.0f} | {alone['network']:,.0f} | {one['seconds_again']:.2f} |"
            )
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--kept", type=Path, help="a file of measurements that a benchmark goes on from")
    parser.add_argument("--peer-python", help="the Python of an environment with tensorflow and keras")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--as-avx2", action="store_true", help="as a processor without AVX-512 computes")
    words = parser.parse_args()
    os.environ.update(machine.AS_AVX2 if words.as_avx2 else {})
    facts = machine.describe()
    kind = machine.kind(facts, "avx2" if words.as_avx2 else None)
    record: dict[str, Any] = {"measured": time.strftime("%Y-%m-%d"), "machine": facts, "as_avx2": words.as_avx2}
    record["versions"] = {"Python": platform.python_version(), "cnnlab": "from its source"} | machine.versions("cnnlab")
    record["versions"] |= machine.versions(*_PEERS)
    if words.peer_python:
        asked = [words.peer_python, "-c", _VERSIONS, "keras", "tensorflow", "tensorflow-cpu"]
        answer = subprocess.run(asked, check=True, capture_output=True, text=True)
        record["versions"] |= json.loads(answer.stdout)
    record |= measure(words, ["float32", *(["bfloat16"] if kind.endswith("bf16") else [])], Kept(words.kept))
    write_results(words.results, f"bulk-prediction-{kind}", record, page(record))


if __name__ == "__main__":
    main()
