"""How long commands keep a person waiting that have little to compute.

    ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 python benchmarks/command_speed.py

They are help, what a shell asks for when Tab is pressed, lists of thousands of runs, a training and a study that are
finished already, and a network that is only looked at. Wall and processor time of whole processes, after a first one
that fills the system's file cache: wall time counts what else the machine does, processor time (user and system) does
not, and limits are held against it. The runs listed are copies of one real training whose names, digests, times, seeds
and numbers of hidden units differ. Writes ``command-speed.json`` and ``command-speed.md`` under ``benchmarks/results``.
Two minutes.
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import machine
from result_files import write_results

HERE = Path(__file__).parent
_INDEX = ".index.sqlite"
_HELP_SECONDS = 0.4
_TAB_SECONDS = 0.2
_LIST_SECONDS = 1.0
_AGAIN_SECONDS = 1.0
_SHOW_SECONDS = 3.0
_TRAIN = ["data=digits", "model=mlp(hidden=[8])", "epochs=2"]
_STUDY = """
question: Do flips help?
base: {data: digits, model: "mlp(hidden=[8])", epochs: 2, threads: 1}
vary: {augment: [none, flip]}
repeats: 3
"""


@dataclass(frozen=True)
class Spent:
    """What one process took, in seconds."""

    wall: float
    processor: float


def spent(words: list[str], **environment: str) -> Spent:
    """The time of one ``cnnlab`` process, with these variables of the environment beside those of this one."""
    command = [str(Path(sys.executable).parent / "cnnlab"), *words]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    surroundings = {**os.environ, **environment}
    subprocess.run(command, env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Spent(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def timed(what: str, words: list[str], repeats: int, limit: float | None = None, **environment: str) -> dict[str, Any]:
    """Several times the same command."""
    spent(words, **environment)
    found = [spent(words, **environment) for _ in range(repeats)]
    return _row(what, found, limit)


def tab(line: str, repeats: int, over: str = "", **environment: str) -> dict[str, Any]:
    """What comes after a line, as fish asks for it."""
    return timed(f"{line}⇥{over}", [line], repeats, _TAB_SECONDS, _CNNLAB_COMPLETE="fish", **environment)


def populate(root: Path, count: int) -> None:
    """Fills ``root`` with runs."""
    import cnnlab

    first = cnnlab.train(data="digits", model="mlp(hidden=[8])", epochs=2, runs=root).folder
    info = json.loads((first / "run.json").read_text())
    recipe_text = (first / "recipe.yaml").read_text()
    started = datetime.fromisoformat(info["started"])
    for number in range(1, count):
        digest = hashlib.sha256(f"{number}".encode()).hexdigest()
        folder = root / f"digits-mlp-{digest[:8]}"
        folder.mkdir()
        for name in ("history.csv", "live.jsonl"):
            shutil.copyfile(first / name, folder / name)
        recipe = recipe_text.replace("hidden=[8]", f"hidden=[{8 + number % 50}]")
        (folder / "recipe.yaml").write_text(recipe.replace("seed: 0", f"seed: {number // 50}"))
        times = {key: (started - timedelta(minutes=number)).isoformat() for key in ("started", "updated", "finished")}
        (folder / "run.json").write_text(json.dumps(info | times | {"digest": digest, "name": folder.name}))


def measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Every command's times."""
    rows = [timed("cnnlab --help", ["--help"], arguments.repeats, _HELP_SECONDS)]
    rows.append(timed("cnnlab train --help", ["train", "--help"], arguments.repeats))
    rows.append(tab("cnnlab train optimizer=s", arguments.repeats))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "runs"
        populate(root, arguments.runs)
        (root / _INDEX).unlink(missing_ok=True)
        listing = ["runs", "list", "--runs", str(root)]
        over = f"over {arguments.runs:,} runs"
        rows.append(tab("cnnlab runs show digits", arguments.repeats, f" {over}", CNNLAB_RUNS=str(root)))
        rows.append(_row(f"cnnlab runs list {over}, making the index", [spent(listing)], None))
        rows.append(timed(f"cnnlab runs list {over}", listing, arguments.repeats, _LIST_SECONDS))
        rows.append(timed(f"cnnlab runs list --json {over}", [*listing, "--json"], arguments.repeats))
        rows.append(
            timed(
                f"cnnlab runs list 'model~mlp' 'test_accuracy>=1%' --sort test_accuracy {over}",
                [*listing, "model~mlp", "test_accuracy>=1%", "--sort", "test_accuracy"],
                arguments.repeats,
                _LIST_SECONDS,
            )
        )
        rows.append(timed(f"cnnlab runs list --by seed {over}", [*listing, "--by", "seed"], arguments.repeats))
        rows.append(timed(f"cnnlab runs list --limit 20 {over}", [*listing, "--limit", "20"], arguments.repeats))
    return [*rows, *there_already(arguments.repeats)]


def there_already(repeats: int) -> list[dict[str, Any]]:
    """What was trained before, and a network that is only looked at."""
    with tempfile.TemporaryDirectory() as folder:
        study, where = Path(folder) / "study.yaml", ["--runs", str(Path(folder) / "runs")]
        study.write_text(_STUDY)
        return [
            timed("cnnlab train, of a finished run", ["train", *_TRAIN, *where], repeats, _AGAIN_SECONDS),
            timed(
                "cnnlab study run, of a finished study", ["study", "run", str(study), *where], repeats, _AGAIN_SECONDS
            ),
            timed(
                "cnnlab models show resnet50v2",
                ["models", "show", "resnet50v2", "--input", "3x224x224"],
                repeats,
                _SHOW_SECONDS,
            ),
        ]


def table(record: dict[str, Any]) -> str:
    """The page."""
    lines = [
        "# Speed of commands\n",
        "Wall time of whole processes, and the processor time (user and system) in it, medians; measured "
        f"{record['measured']} on {machine.sentence(record['machine'])}. Python {record['python']}. The commands "
        "compute on one thread, so processor time is about the wall time where nothing else runs; limits are held "
        "against it.\n",
        "| command | median, s | fastest–slowest | processor, s | n | to reach |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in record["commands"]:
        wanted = "" if row["limit"] is None else f"under {row['limit']:g} s: {'met' if row['met'] else '**missed**'}"
        spread = f"{row['low']:.2f}–{row['high']:.2f}"
        lines.append(
            f"| `{row['what']}` | {row['median']:.2f} | {spread} | {row['processor']:.2f} | {row['n']} | {wanted} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="How long commands keep a person waiting.")
    parser.add_argument("--runs", type=int, default=5_000)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--results", type=Path, default=HERE / "results")
    arguments = parser.parse_args()
    record = {
        "measured": datetime.now(UTC).date().isoformat(),
        "machine": machine.describe(),
        "python": sys.version.split()[0],
        "commands": measure(arguments),
    }
    write_results(arguments.results, "command-speed", record, table(record))


def _row(what: str, found: list[Spent], limit: float | None) -> dict[str, Any]:
    walls = [one.wall for one in found]
    median = statistics.median(walls)
    processor = statistics.median(one.processor for one in found)
    spread = {"median": median, "low": min(walls), "high": max(walls), "processor": processor, "n": len(found)}
    # Of other work on the machine, which only wall time counts, a limit says nothing.
    return {"what": what, **spread, "limit": limit, "met": None if limit is None else processor < limit}


if __name__ == "__main__":
    main()
