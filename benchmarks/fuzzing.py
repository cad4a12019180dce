"""What coverage-guided fuzzing of parsers, readers and records finds: processor time, inputs, coverage, faults.

    python benchmarks/fuzzing.py --minutes 60 --folder build/fuzz [GROUP ...]

It needs ``pip install atheris``. Each group of targets of ``tests/hostile/fuzz.py`` has so many minutes of one core,
divided equally over its targets; they take turns, whoever has had the least of its share first. What is in the folder
is gone on with; so one process a group may work on one folder. Writes ``fuzzing.json`` and ``fuzzing.md`` under
``benchmarks/results``.
"""

import argparse
import importlib.metadata
import json
import re
import resource
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import machine
from result_files import write_results

HERE = Path(__file__).parent
TURNS = 3
"""In which a target has its share."""
_COUNTS = {"inputs": r"number_of_executed_units: +(\d+)", "peak_mib": r"peak_rss_mb: +(\d+)"}
_STATE = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)/")


def groups() -> dict[str, list[str]]:
    """The names of the targets, by group."""
    sys.path.insert(0, str(HERE.parent))
    from tests.hostile.fuzz import GROUPS

    return GROUPS


def turn(target: str, seconds: float, folder: Path) -> dict[str, Any]:
    """Fuzzes one target for so much processor time: what it did, and the file of a fault if it found one."""
    before, since = _children_seconds(), datetime.now(UTC).timestamp()
    words = [target, "--seconds", f"{seconds:g}", "--corpus", str(folder / target)]
    command = [sys.executable, "-m", "tests.hostile.fuzz", *words]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, errors="replace")
    lines = done.stderr
    (folder / f"{target}.log").write_text(lines[-20_000:])
    states = _STATE.findall(lines)
    if not states:
        raise SystemExit(f"{target} did not begin:\n{lines[-2000:]}")
    found = {name: int(match[1]) if (match := re.search(regex, lines)) else 0 for name, regex in _COUNTS.items()}
    found |= dict(zip(("coverage", "features", "corpus"), map(int, states[-1]), strict=True))
    faults = [path.name for path in folder.glob(f"fault-{target}-*") if path.stat().st_mtime >= since]
    return {"target": target, "cpu_seconds": round(_children_seconds() - before, 1), "faults": sorted(faults), **found}


def together(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """The sums of the turns of one target; coverage is that of the last, which began with all inputs kept."""
    sums = {key: sum(turn[key] for turn in turns) for key in ("cpu_seconds", "inputs")}
    last = {key: turns[-1][key] if turns else 0 for key in ("coverage", "features", "corpus")}
    peak = max((turn["peak_mib"] for turn in turns), default=0)
    return {**sums, **last, "peak_mib": peak, "faults": [fault for turn in turns for fault in turn["faults"]]}


def page(record: dict[str, Any]) -> str:
    """The table by group and target."""
    rows = []
    for group, targets in record["groups"].items():
        sums = {key: sum(target[key] for target in targets.values()) for key in ("cpu_seconds", "inputs")}
        faults = sum(len(target["faults"]) for target in targets.values())
        rows.append(f"| **{group}** | {sums['cpu_seconds'] / 60:.1f} | {sums['inputs']:,} | | | {faults} | |")
        for name, target in targets.items():
            cells = (f"{target['inputs']:,}", target["coverage"], target["features"], len(target["faults"]))
            minutes = target["cpu_seconds"] / 60
            rows.append(f"| {name} | {minutes:.1f} | {' | '.join(map(str, cells))} | {target['peak_mib']:,} |")
    return "\n".join(
        [
            "# Fuzzing\n",
            f"Coverage-guided, by atheris {record['atheris']} (libFuzzer): processor time with the start of each turn, "
            "inputs run, places and features of the code that were reached, turns that ended in a fault. A fault is an "
            "error that is no sentence, an input that takes more than 10 s of the processor, or more than 4 GiB; what "
            "was found was mended, and lies in `tests/hostile/corpus`. "
            f"`{record['command']}`, {record['measured']}, on {machine.sentence(record['machine'])}. "
            f"Python {record['python']}.\n",
            "| target | minutes of the processor | inputs | places | features | faults | most memory, MiB |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
            *rows,
            "",
        ]
    )


def turns_of(kept: Path, names: dict[str, list[str]]) -> dict[str, list[dict[str, Any]]]:
    """All that the file tells, by target; other processes may have added to it."""
    turns: dict[str, list[dict[str, Any]]] = {target: [] for targets in names.values() for target in targets}
    for line in kept.read_text().splitlines() if kept.exists() else []:
        turns[json.loads(line)["target"]].append(json.loads(line))
    return turns


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    names = groups()
    parser = argparse.ArgumentParser(description="Coverage-guided fuzzing, by the hour.")
    parser.add_argument("groups", nargs="*", choices=[*names, []], help="which of them; all, unless named")
    parser.add_argument("--minutes", type=float, default=60, help="of the processor, for each group")
    parser.add_argument("--folder", type=Path, required=True, help="what is found, and how far it has come")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    arguments = parser.parse_args()
    folder, asked = arguments.folder.resolve(), arguments.groups or list(names)
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "turns.jsonl"
    shares = {target: 60 * arguments.minutes / len(names[group]) for group in asked for target in names[group]}
    before = machine.describe()

    def had(target: str) -> float:
        return float(sum(turn["cpu_seconds"] for turn in turns_of(kept, names)[target])) / shares[target]

    while had(target := min(shares, key=had)) < 1:
        with_this = json.dumps(turn(target, shares[target] / TURNS, folder)) + "\n"
        with kept.open("a") as file:
            file.write(with_this)
        turns = turns_of(kept, names)
        record = {
            "command": f"python benchmarks/fuzzing.py --minutes {arguments.minutes:g}",
            "measured": datetime.now(UTC).date().isoformat(),
            "machine": before,
            "python": sys.version.split()[0],
            "atheris": importlib.metadata.version("atheris"),
            "groups": {
                group: {target: together(turns[target]) for target in targets} for group, targets in names.items()
            },
        }
        write_results(arguments.results, "fuzzing", record, page(record))


if __name__ == "__main__":
    main()
