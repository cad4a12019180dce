"""What the statistics promise, held against simulated studies of which the truth is known.

    OMP_NUM_THREADS=1 python benchmarks/statistics_error_rates.py

Error rates where there is nothing to find, coverage of intervals, and power, each with the number of studies simulated
and the margin that chance leaves (two standard errors). Every row has a seed of its own, so that equal calls give equal
numbers. A row beyond what is promised is measured anew, with other and ten times as many studies, which are then what
stands. ``--studies`` multiplies the studies of every row; with ``--keep`` one that was interrupted goes on. Writes
``statistics-error-rates.json`` and ``.md``; takes about an hour of one core.
"""

import argparse
import platform
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "error_rates"))

import between_settings
import machine
import of_images
import of_numbers
import of_studies
from kept import Kept
from result_files import write_results
from simulation import Simulation, summary, table

NAME = "statistics-error-rates"
PARTS = (*between_settings.PARTS, *of_numbers.PARTS, *of_images.PARTS, *of_studies.PARTS)
HEADING = """# What the statistics promise, and what they do

Measured by `benchmarks/statistics_error_rates.py` in simulated studies of which the truth is known; nothing is trained.
The margin is two standard errors, in percent. A case beyond what is promised was simulated anew, with other and ten
times as many studies, and stands here by these.
"""


def main() -> None:
    """Measures everything, or the parts named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=", ".join(part.__name__ for part in PARTS))
    parser.add_argument("--studies", type=float, default=1.0)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--keep", type=Path, help="a file of shares as they are measured, to go on from")
    asked = parser.parse_args()
    on, kept, start = machine.describe(), Kept(asked.keep), time.perf_counter()
    simulation = Simulation(asked.studies, kept)
    for part in PARTS:
        if not asked.parts or part.__name__ in asked.parts:
            part(simulation)
    print(f"{time.perf_counter() - start:.0f} seconds")
    if asked.parts or asked.studies < 1:
        return
    rows, taken_over = simulation.rows, len(kept.taken_over)
    versions = {name: version(name) for name in ("numpy", "scipy", "pandas")}
    record = {
        "measured": time.strftime("%Y-%m-%d"),
        "machine": on,
        "python": platform.python_version(),
        "versions": versions,
        "taken_over": taken_over,
        "rows": [asdict(row) for row in rows],
    }
    shown = ", ".join(f"{name} {number}" for name, number in versions.items())
    where = f"{record['measured']} on {machine.sentence(on)}. Python {record['python']}, {shown}."
    where += f" {taken_over} shares were taken over from an earlier start (`--keep`)." if taken_over else ""
    write_results(asked.results, NAME, record, f"{HEADING}\n{where}\n\n{summary(rows)}\n{table(rows)}")


if __name__ == "__main__":
    main()
