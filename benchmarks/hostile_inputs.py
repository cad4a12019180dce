"""What becomes of hostile inputs by the thousand: how many were refused, and the faults, by kind.

    python benchmarks/hostile_inputs.py --kept hostile-parts.jsonl

Runs the campaign of ``tests/hostile`` in parts, each a process of its own, and goes on after the last whole part where
it was interrupted. Writes ``hostile-inputs.json`` and ``hostile-inputs.md`` under ``benchmarks/results``. About an hour
on one core.
"""

import argparse
import importlib.metadata
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import machine
from kept import Kept
from result_files import write_results

HERE = Path(__file__).parent
_FAULTS = ("traceback", "hang", "memory", "outside", "code", "lost", "unclear")
_SUMS = ("inputs", "refused", *_FAULTS, "seconds")
_MOSTS = ("longest_seconds", "most_memory_mib")
_VERSIONS = ("torch", "numpy", "pillow", "h5py", "pyyaml", "safetensors", "pydantic")


def part(start: int, inputs: int, seed: int) -> dict[str, Any]:
    """The record of one part of the campaign."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part.json"
        words = ["--inputs", str(inputs), "--start", str(start), "--seed", str(seed), "--json", str(path)]
        done = subprocess.run([sys.executable, "-m", "tests.hostile", *words], cwd=HERE.parent, stdout=sys.stderr)
        if not path.exists():
            raise SystemExit(f"the part from {start} ended with {done.returncode}")
        record: dict[str, Any] = json.loads(path.read_text())
        return record


def together(parts: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The counts of all parts, by kind."""
    counts: dict[str, dict[str, Any]] = {}
    for record in parts:
        for kind, count in record["counts"].items():
            sums = counts.setdefault(kind, dict.fromkeys((*_SUMS, *_MOSTS), 0))
            sums.update({key: sums[key] + count[key] for key in _SUMS})
            sums.update({key: max(sums[key], count[key]) for key in _MOSTS})
    return dict(sorted(counts.items()))


def page(record: dict[str, Any]) -> str:
    """The table by kind."""
    bounds, versions = record["bounds"], ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    counts = record["counts"]
    total = {key: sum(count[key] for count in counts.values()) for key in _SUMS}
    total |= {key: max(count[key] for count in counts.values()) for key in _MOSTS}
    titles = ["kind", "inputs", "refused", *_FAULTS, "longest, s", "most memory, MiB"]
    faults = ", ".join(f"{total[fault]} {fault}" for fault in _FAULTS)
    return "\n".join(
        [
            "# Hostile inputs\n",
            f"{total['inputs']:,} inputs drawn by seed {record['seed']}; a command refused {total['refused']:,}, and "
            f"the others were read, or had done what they could. Faults: {faults}.{_mended(record['mended'])}\n",
            f"Each command ran in a process of its own, for {bounds['seconds']:g} s at most and with "
            f"{bounds['memory_mib']:,} MiB beyond what it began with. What each fault is stands in "
            "`tests/hostile/judge.py`, what each kind is in `tests/hostile/kinds`. "
            f"`{record['command']}`, {record['measured']}, on "
            f"{machine.sentence(record['machine'])}. Python {record['python']}, {versions}.\n",
            f"| {' | '.join(titles)} |",
            f"| --- |{' ---: |' * (len(titles) - 1)}",
            *(_row(kind, count) for kind, count in counts.items()),
            _row("**all**", total),
            "",
        ]
    )


def _row(kind: str, count: dict[str, Any]) -> str:
    cells = [kind, *(f"{count[key]:,}" for key in ("inputs", "refused", *_FAULTS))]
    return f"| {' | '.join(cells)} | {count['longest_seconds']:.1f} | {count['most_memory_mib']:,} |"


def mended(path: Path | None) -> list[dict[str, Any]]:
    """What was found in parts of a kept file that were run anew since, each finding once."""
    lines = [] if path is None else [json.loads(line) for line in path.read_text().splitlines()[1:]]
    last = {key: place for place, (key, _) in enumerate(lines)}
    earlier = (record["findings"] for place, (key, record) in enumerate(lines) if place != last[key])
    return list({finding["number"]: finding for findings in earlier for finding in findings}.values())


def _mended(findings: list[dict[str, Any]]) -> str:
    """What was found first, where parts were run anew."""
    if not findings:
        return ""
    told = "; ".join(
        f"{', '.join(finding['faults'])} in {finding['kind']} ({finding['number']})" for finding in findings
    )
    return f" The parts in which faults were found at first were run anew once these were mended: {told}."


def main() -> None:
    parser = argparse.ArgumentParser(description="What becomes of hostile inputs by the thousand.")
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--part", type=int, default=500, help="inputs of one process")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kept", type=Path, help="a file for parts that are done")
    parser.add_argument("--again", action="store_true", help="run kept parts anew that found faults, once mended")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    arguments = parser.parse_args()
    before, kept = machine.describe(), Kept(arguments.kept, any_code=arguments.again)
    if arguments.again:
        kept.found = {key: record for key, record in kept.found.items() if not record["findings"]}
    parts = []
    for start in range(0, arguments.inputs, arguments.part):
        inputs = min(arguments.part, arguments.inputs - start)
        parts.append(
            kept.get(f"{arguments.seed}/{start}/{inputs}", lambda s=start, n=inputs: part(s, n, arguments.seed))
        )
    record = {
        "command": f"python benchmarks/hostile_inputs.py --inputs {arguments.inputs} --seed {arguments.seed}",
        "measured": datetime.now(UTC).date().isoformat(),
        "machine": before,
        "python": sys.version.split()[0],
        "versions": {name: importlib.metadata.version(name) for name in _VERSIONS},
        "seed": arguments.seed,
        "bounds": parts[0]["bounds"],
        "counts": together(parts),
        "findings": [finding for record in parts for finding in record["findings"]],
        "mended": mended(arguments.kept),
    }
    write_results(arguments.results, "hostile-inputs", record, page(record))


if __name__ == "__main__":
    main()
