"""A submission of many small pictures, decoding included: cnnlab beside Keras, one machine, one run, a process each.

    python benchmarks/bulk_prediction.py --pictures 300000 --peer-python PATH

Made-up PNG files of 32×32 in colour, 1.png on, in a temporary folder, as Kaggle's CIFAR-10 test has them; ``vgg-like``
says what is in each, and a CSV is written. PATH is the Python of an environment that has ``tensorflow`` and ``keras``;
without it Keras is left out. Each in float32, and in bfloat16 too where that is native. Writes
``bulk-prediction-KIND.json`` and the page beside it under ``benchmarks/results``, where KIND is the processor's. Half
an hour on two cores; fewer pictures take less, and the page says how many there were.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import machine
import numpy as np
from PIL import Image
from result_files import write_results

HERE = Path(__file__).parent
_SCRIPTS = HERE / "predicting"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
WHOLE = 300_000
AT_MOST = {"float32": 7 * 60, "bfloat16": 3 * 60}
"""Seconds that so many pictures are to stay below on two cores."""
_PEERS = "numpy", "pillow", "torch"
_VERSIONS = """
import importlib.metadata as metadata, json, sys
found = {name: list(metadata.distributions(name=name)) for name in sys.argv[1:]}
print(json.dumps({name: each[0].version for name, each in found.items() if each}))
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


def measure(pictures: int, formats: list[str], peer: str | None) -> dict[str, Any]:
    subjects = [("cnnlab", "cnnlab_submission.py", sys.executable)]
    subjects += [("keras", "keras_submission.py", peer)] if peer else []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "test"
        folder.mkdir()
        size = write_pictures(folder, pictures)
        found = [
            run(script, python, {"folder": str(folder), "out": f"{place}/{name}.csv", "precision": precision})
            | {"subject": name}
            for precision in formats
            for name, script, python in subjects
        ]
    return {"bytes_a_picture": size / pictures, "measurements": found}


def page(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    first = record["measurements"][0]
    lines = [
        "# A submission of many small pictures",
        "",
        f"{first['pictures']:,} PNG files of 32×32 in colour, {record['bytes_a_picture']:,.0f} bytes each, in one "
        "folder; `vgg-like` with ten classes; from the call to the CSV file, decoding included, Python "
        "not started. "
        f"Measured {record['measured']} on {machine.sentence(record['machine'])}. "
        f"{', '.join(f'{name} {number}' for name, number in record['versions'].items())}.",
        "",
        "| by | format | seconds | of processor time | pictures a second "
        f"| minutes for {WHOLE:,} | at most | memory at most, MiB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in record["measurements"]:
        rate, is_ours = one["pictures"] / one["seconds"], one["subject"] == "cnnlab"
        most = f"{AT_MOST[one['precision']] / 60:g}" if is_ours else ""
        lines.append(
            f"| {one['subject']} | {one['precision']} | {one['seconds']:.1f} | {one['processor_seconds']:.1f} "
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
    parser.add_argument("--pictures", type=int, default=WHOLE)
    parser.add_argument("--peer-python", help="the Python of an environment with tensorflow and keras")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    words = parser.parse_args()
    facts = machine.describe()
    kind = machine.kind(facts)
    record: dict[str, Any] = {"measured": time.strftime("%Y-%m-%d"), "machine": facts}
    record["versions"] = {"cnnlab": machine.versions("cnnlab").get("cnnlab", "from its source")}
    record["versions"] |= machine.versions(*_PEERS)
    if words.peer_python:
        asked = [words.peer_python, "-c", _VERSIONS, "keras", "tensorflow", "tensorflow-cpu"]
        answer = subprocess.run(asked, check=True, capture_output=True, text=True)
        record["versions"] |= json.loads(answer.stdout)
    record |= measure(words.pictures, ["float32", *(["bfloat16"] if kind.endswith("bf16") else [])], words.peer_python)
    write_results(words.results, f"bulk-prediction-{kind}", record, page(record))


if __name__ == "__main__":
    main()
