"""How long commands keep a person waiting: ``cnnlab --help``, and ``cnnlab runs list`` over thousands of runs.

    python benchmarks/command_speed.py

Wall time of whole processes, after a first one that fills the system's file cache. The runs are copies of one real
training whose names, digests, times, seeds and numbers of hidden units differ. Writes ``command-speed.json`` and
``command-speed.md`` under ``benchmarks/results``. About two minutes.
"""

import argparse
import hashlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import machine
from result_files import write_results

HERE = Path(__file__).parent
_INDEX = ".index.sqlite"
_HELP_SECONDS = 0.4
_LIST_SECONDS = 1.0


def seconds(words: list[str]) -> float:
    """Wall time of one ``cnnlab`` process."""
    command = [str(Path(sys.executable).parent / "cnnlab"), *words]
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
    return time.perf_counter() - began


def timed(what: str, words: list[str], repeats: int, limit: float | None = None) -> dict[str, Any]:
    """Several times the same command."""
    seconds(words)
    found = [seconds(words) for _ in range(repeats)]
    return _row(what, found, limit)


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
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "runs"
        populate(root, arguments.runs)
        (root / _INDEX).unlink(missing_ok=True)
        listing = ["runs", "list", "--runs", str(root)]
        over = f"over {arguments.runs:,} runs"
        rows.append(_row(f"cnnlab runs list {over}, making the index", [seconds(listing)], None))
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
    return rows


def table(record: dict[str, Any]) -> str:
    """The page."""
    lines = [
        "# Speed of commands\n",
        f"Wall time of whole processes, measured {record['measured']} on {machine.sentence(record['machine'])}. "
        f"Python {record['python']}.\n",
        "| command | median, s | fastest–slowest | n | to reach |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in record["commands"]:
        wanted = "" if row["limit"] is None else f"under {row['limit']:g} s: {'met' if row['met'] else '**missed**'}"
        spread = f"{row['low']:.2f}–{row['high']:.2f}"
        lines.append(f"| `{row['what']}` | {row['median']:.2f} | {spread} | {row['n']} | {wanted} |")
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


def _row(what: str, found: list[float], limit: float | None) -> dict[str, Any]:
    median = statistics.median(found)
    spread = {"median": median, "low": min(found), "high": max(found), "n": len(found)}
    return {"what": what, **spread, "limit": limit, "met": None if limit is None else median < limit}


if __name__ == "__main__":
    main()
