"""How long a report takes: over 200 runs as a study, and over 200 that belong to none.

    python benchmarks/report_speed.py

The runs are copies of one real training on digits whose seeds, rates, scores and histories differ: 40 settings by 5
seeds. Wall and processor time of the whole process each, and the size of the page; 20 s and 3 MB are the limits. Writes
``report-speed.json`` and ``report-speed.md`` under ``benchmarks/results``. About a minute.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import machine
import numpy as np

HERE = Path(__file__).parent
SETTINGS, SEEDS = 40, 5
LIMIT_SECONDS, LIMIT_BYTES = 20.0, 3_000_000


def populate(root: Path) -> None:
    """Fills ``root`` with runs."""
    import cnnlab
    from cnnlab.core import yaml
    from cnnlab.core.digests import digest

    first = cnnlab.train(data="digits", model="mlp(hidden=[16])", epochs=20, runs=root.parent / "first").folder
    info = json.loads((first / "run.json").read_text())
    recipe = yaml.load((first / "recipe.yaml").read_text(), "recipe")
    random = np.random.default_rng(0)
    for place in range(SETTINGS * SEEDS):
        rate, seed = float(f"{10 ** (-4 + 3 * (place // SEEDS) / SETTINGS):.3g}"), place % SEEDS
        content = {**recipe, "optimizer": f"adamw(lr={rate})", "seed": seed}
        name = digest([rate, seed])
        folder = root / f"copy-{name[:8]}"
        shutil.copytree(first, folder)
        scores = {k: {**v, "accuracy": v["accuracy"] - 0.05 * random.random()} for k, v in info["scores"].items()}
        (folder / "recipe.yaml").write_text(yaml.dump(content))
        changed = {"digest": name, "name": folder.name, "scores": scores, "seconds": 1 + random.random()}
        (folder / "run.json").write_text(json.dumps({**info, **changed}))


def report(kind: str, root: Path, out: Path) -> None:
    """One report, in this process."""
    from cnnlab.reports import write_runs_report, write_study_report
    from cnnlab.reports.contents.standalone_runs import result_of_runs
    from cnnlab.runs import Run

    runs = [Run(folder) for folder in sorted(root.iterdir())]
    if kind == "runs":
        write_runs_report(runs, out)
        return
    # What a study hands over: the result is there already, of five metrics a trial.
    stored = root.parent / "result.json"
    if not stored.exists():
        stored.write_text(json.dumps(result_of_runs(runs).to_dict()))
    from cnnlab.studies.result import StudyResult

    result = replace(StudyResult.from_dict(json.loads(stored.read_text())), name="copies")
    write_study_report(result, {run.name: run for run in runs}, out)


def measured(kind: str, root: Path) -> dict[str, Any]:
    """A report by a process of its own."""
    out = root.parent / f"out-{kind}"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run([sys.executable, __file__, "--report", kind, str(root), str(out)], check=True)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    size = (out / "report.html").stat().st_size
    return {"report": kind, "seconds": round(wall, 2), "processor_seconds": round(spent, 2), "bytes": size}


def write(rows: list[dict[str, Any]], on: dict[str, Any], folder: Path) -> None:
    """The results as JSON and as a table."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report-speed.json").write_text(json.dumps({"machine": on, "rows": rows}, indent=2) + "\n")
    lines = [f"# A report over {SETTINGS * SEEDS} runs", "", f"On {machine.sentence(on)}.", ""]
    lines += ["| of | seconds | processor seconds | page, MB |", "| --- | ---: | ---: | ---: |"]
    for row in rows:
        size = row["bytes"] / 1e6
        lines.append(f"| {row['report']} | {row['seconds']:.1f} | {row['processor_seconds']:.1f} | {size:.2f} |")
    text = "\n".join(lines) + "\n"
    (folder / "report-speed.md").write_text(text)
    print(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", nargs=3, metavar=("KIND", "RUNS", "OUT"), help=argparse.SUPPRESS)
    parser.add_argument("--results", type=Path, default=HERE / "results")
    arguments = parser.parse_args()
    if arguments.report:
        kind, runs, out = arguments.report
        report(kind, Path(runs), Path(out))
        return
    on = machine.describe()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "runs"
        root.mkdir()
        populate(root)
        report("study", root, Path(temporary) / "warm")
        rows = [measured(kind, root) for kind in ("study", "runs")]
    write(rows, on, arguments.results)
    over = [row for row in rows if row["processor_seconds"] > LIMIT_SECONDS or row["bytes"] > LIMIT_BYTES]
    sys.exit(f"over the limit: {over}" if over else 0)


if __name__ == "__main__":
    main()
