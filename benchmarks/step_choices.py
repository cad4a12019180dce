"""What each choice in a training step on a processor is worth, and what the alternatives to them would be.

    python benchmarks/step_choices.py --precision float32 --like avx2

A step is forward, backward and AdamW over 256 pictures. First the same network with one more of the choices at a time,
then with one thing done otherwise. Each measurement is a process, in turns. ``--like avx2`` has them compute as on a
processor without AVX-512. Writes ``step-choices-PRECISION-KIND.json``, with every single figure, and the page beside it
under ``benchmarks/results``, where KIND is the processor's: ``avx2`` or ``avx512``. About 20 minutes on two cores, of
which what torch compiles takes the half (``--without-compiled``). A measurement during which others took the processor
is made again, one of the file of ``--keep`` too.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "steps"))

import machine
from choices_table import page
from kept import Kept
from measured_step import BATCH
from result_files import write_results
from variants import CHOICES, Job, jobs

from cnnlab.core.digests import digest

HERE = Path(__file__).parent
# Longer than any compilation takes.
_PATIENCE = 300
# How often a second others may take the processor: it is 50 to 170 times where there is nobody but the system, and
# steps during which it was more than 220 times took up to three times as long.
_MOST_PREEMPTED = 200


def measure(job: Job, like: str | None, compiled: Path, repeat: int) -> dict[str, Any]:
    """What the job's process answers.

    :param compiled: a folder for what torch compiles; the first process of a job compiles anew, the others find it.
    """
    cache = compiled / digest([like, job.key])[:16]
    if repeat == 0:
        shutil.rmtree(cache, ignore_errors=True)
    own = {"TORCHINDUCTOR_CACHE_DIR": str(cache.absolute()), **job.environment(like)}
    environment = {key: value for key, value in os.environ.items() if key not in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    command = [sys.executable, str(HERE / "steps" / "measured_step.py"), job.key]
    try:
        done = subprocess.run(command, env=environment | own, capture_output=True, text=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        return {"failed": f"not done after {_PATIENCE} seconds"}
    if done.returncode:
        said = done.stderr.strip().splitlines() or [""]
        return {"failed": f"exit status {done.returncode}: {said[-1]}"}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def is_undisturbed(job: Job, answer: dict[str, Any]) -> bool:
    """Whether the processor was the measurement's own; what failed would fail again."""
    # Two processes take it from one another.
    if "failed" in answer or job.change == "two processes":
        return True
    seconds = sum(BATCH / rate for rate in answer["rates"])
    return bool(answer["preempted"] <= _MOST_PREEMPTED * seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--precision", choices=tuple(CHOICES), default="float32")
    parser.add_argument("--like", choices=["avx2"], help="compute as on this kind of processor")
    parser.add_argument("--repeats", type=int, default=2, help="processes of each variant and case")
    parser.add_argument("--without-compiled", action="store_true", help="leave out what torch compiles, for time")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep measurements there, and go on from them")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    arguments = parser.parse_args()
    here = machine.describe()
    # Whether there are instructions for bfloat16 goes without saying: the format is in the name.
    kind = machine.kind(here, arguments.like).removesuffix("-bf16")
    kept, measured = Kept(arguments.keep), {}
    chosen = [
        job
        for job in jobs(arguments.precision)
        if not (arguments.without_compiled and job.change.startswith("compiled"))
    ]
    with nullcontext(f"{arguments.keep}.compiled") if arguments.keep else tempfile.TemporaryDirectory() as folder:
        for repeat, job in product(range(arguments.repeats), chosen):
            key = f"{kind} {here['family']} {repeat} {job.key}"
            measurement = partial(measure, job, arguments.like, Path(folder), repeat)
            is_sound = partial(is_undisturbed, job)
            measured.setdefault(job.key, []).append(kept.get(key, measurement, is_sound))
    record = {
        "measured": time.strftime("%Y-%m-%d"),
        "machine": here,
        "precision": arguments.precision,
        "like": arguments.like,
        "repeats": arguments.repeats,
        "measurements": [{"job": json.loads(key), "processes": processes} for key, processes in measured.items()],
    }
    name = f"step-choices-{arguments.precision}-{kind}"
    write_results(arguments.results, name, record, page(record))


if __name__ == "__main__":
    main()
