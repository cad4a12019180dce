"""What the statistics promise, held against simulated studies of which the truth is known.

    OMP_NUM_THREADS=1 python benchmarks/statistics_error_rates.py

Error rates where there is nothing to find, coverage of intervals, and power, each with the number of studies simulated
and the margin that chance leaves (two standard errors). Every row has a seed of its own, so that equal calls give equal
numbers. ``--studies`` multiplies the studies of every row; with ``--keep`` one
that was interrupted goes on. Writes ``statistics-error-rates.json`` and ``.md`` under
``benchmarks/results``.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "error_rates"))

import between_settings
import of_numbers
import of_studies
from kept import Kept
from simulation import Simulation, summary, table

TARGET = Path(__file__).parent / "results" / "statistics-error-rates"
PARTS = (*between_settings.PARTS, *of_numbers.PARTS, *of_studies.PARTS)
HEADING = """# What the statistics promise, and what they do

Measured by `benchmarks/statistics_error_rates.py` in simulated studies of which the truth is known; nothing is trained.
The margin is two standard errors, in percent.

"""


def main() -> None:
    """Measures everything, or the parts named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=", ".join(part.__name__ for part in PARTS))
    parser.add_argument("--studies", type=float, default=1.0)
    parser.add_argument("--keep", type=Path, help="a file of shares as they are measured, to go on from")
    asked = parser.parse_args()
    simulation, start = Simulation(asked.studies, Kept(asked.keep)), time.perf_counter()
    for part in PARTS:
        if not asked.parts or part.__name__ in asked.parts:
            part(simulation)
    print(f"{time.perf_counter() - start:.0f} seconds")
    if asked.parts or asked.studies < 1:
        return
    rows = simulation.rows
    TARGET.with_suffix(".json").write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    TARGET.with_suffix(".md").write_text(HEADING + summary(rows) + "\n" + table(rows))


if __name__ == "__main__":
    main()
