"""``python -m tests.hostile``: the campaign by hand; leaves with 1 where there was a fault."""

import argparse
import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

# Read when torch is loaded.
os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "THP_MEM_ALLOC_ENABLE": "1"}

import torch

from . import campaign
from .case import KINDS, PLANTED
from .process import Bounds


def main() -> int:
    """Runs what the words of the command line ask for."""
    parser = argparse.ArgumentParser("python -m tests.hostile", description="A campaign of hostile inputs.")
    parser.add_argument("--inputs", type=int, default=500, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="what they are drawn by")
    parser.add_argument("--kinds", nargs="+", help="of these kinds only; those that are planted too", default=None)
    parser.add_argument("--start", type=int, default=0, help="the number of the first, for campaigns in parts")
    parser.add_argument(
        "--only", type=int, help="the one of this number, as a campaign of the same seed and kinds has it"
    )
    parser.add_argument("--jobs", type=int, default=1, help="how many at once")
    parser.add_argument("--seconds", type=float, default=10.0, help="of the processor that a command may take")
    parser.add_argument("--memory", type=int, default=2048, help="MiB that it may take beyond those it begins with")
    parser.add_argument("--keep", type=Path, help="a folder for inputs that found a fault")
    parser.add_argument("--json", type=Path, help="a file for the counts and the findings")
    given = parser.parse_args()
    names = given.kinds or campaign.all_kinds()
    unknown = [name for name in names if name not in KINDS and name not in PLANTED]
    if unknown:
        parser.error(f"there is no kind {unknown[0]!r}; there are {', '.join([*sorted(KINDS), *sorted(PLANTED)])}")
    torch.set_num_threads(1)
    started, since = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hostile-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        home = Path(folder)
        samples = campaign.prepare(home, names)
        numbers = range(given.start, given.start + given.inputs) if given.only is None else [given.only]
        inputs = campaign.plan(numbers, names)
        bounds = Bounds(given.seconds, given.memory << 20)
        found = campaign.run(inputs, given.seed, home, samples, jobs=given.jobs, bounds=bounds, keep=given.keep)
    for finding in found.findings:
        print(json.dumps(finding.to_dict()))
    print(campaign.table(found.counts))
    if given.json is not None:
        record = {
            "started": started,
            "seconds": round(time.monotonic() - since, 1),
            "inputs": given.inputs,
            "seed": given.seed,
            "bounds": {"seconds": given.seconds, "memory_mib": given.memory},
            "counts": {name: found.counts[name].to_dict() for name in sorted(found.counts)},
            "findings": [finding.to_dict() for finding in found.findings],
        }
        given.json.write_text(json.dumps(record, indent=1) + "\n")
    return 1 if found.findings else 0


if __name__ == "__main__":
    sys.exit(main())
