"""Training speed of cnnlab beside Keras and a bare PyTorch loop: one machine, one run, each measurement a process.

    python benchmarks/training_speed.py --peer-python PATH

PATH is the Python of an environment that has ``tensorflow`` and ``keras``; cnnlab and the bare loop run in this one.
Without it, and on an accelerator, the bare loop is the only peer. Repeats are interleaved: every subject is measured
once before any is measured again, so that a machine that slows down slows all. ``--like avx2`` has everybody compute as
on a processor without AVX-512. Writes ``training-speed-KIND.json``, with every single figure, and the page beside it
under ``benchmarks/results``, where KIND is the processor's: ``avx2``, ``avx512-bf16`` … About 40 minutes on two cores,
twice that where bfloat16 is native and each format is measured too; fewer images and repeats take less, and the page
says how many there were. A file of ``--keep`` of another processor or code is refused.

    python benchmarks/training_speed.py --page benchmarks/results/training-speed-avx2.json

writes the page of a record anew, of an older version too.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "training"))

import machine
from job import Job
from kept import Kept
from result_files import write_results
from training_table import summarise, table, upgraded

HERE = Path(__file__).parent
NETS = ("vgg-like", "convnet")
FORMATS = ("float32", "bfloat16")
SHAPES = ((28, 28, 1), (32, 32, 3))
_SCRIPTS = HERE / "training"
# What would keep a subject from its own choice of threads.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@dataclass(frozen=True)
class Subject:
    """Someone who is measured: a script, the Python it needs, and the precision asked for."""

    name: str
    script: str
    python: str
    precision: str = "default"
    environment: dict[str, str] = field(default_factory=dict)


def subjects(peer_python: str | None, kind: str, device: str) -> list[Subject]:
    """Everyone, cnnlab first; where two formats are native, cnnlab and the bare loop in each of them too."""
    both = FORMATS if device == "cpu" and kind.endswith("bf16") else ()
    found = [Subject("cnnlab", "cnnlab_train.py", sys.executable)]
    found += [Subject(f"cnnlab-{name}", "cnnlab_train.py", sys.executable, name) for name in both]
    if peer_python and device == "cpu":
        found.append(Subject("keras", "keras_fit.py", peer_python))
        if both:
            found.append(Subject("keras-bfloat16", "keras_fit.py", peer_python, "mixed_bfloat16"))
        if kind == "avx2":
            # Not its default there; who knows of the switch may turn it.
            found.append(
                Subject("keras-onednn", "keras_fit.py", peer_python, environment={"TF_ENABLE_ONEDNN_OPTS": "1"})
            )
    if both:
        return [*found, *(Subject(f"torch-{name}", "torch_loop.py", sys.executable, name) for name in both)]
    # It computes in what cnnlab has chosen.
    return [*found, Subject("torch", "torch_loop.py", sys.executable, "as cnnlab")]


def run(subject: Subject, job: Job, like: str | None) -> dict[str, Any]:
    """One process; what it found, with how long it took as a whole."""
    environment = {key: value for key, value in os.environ.items() if key not in _THREADS}
    environment |= (machine.AS_AVX2 if like else {}) | subject.environment
    command = [subject.python, str(_SCRIPTS / subject.script), job.dumps()]
    began = time.monotonic()
    process = subprocess.run(command, env=environment, capture_output=True, text=True)
    if process.returncode:
        sys.exit(f"{subject.name} failed on {job}:\n{process.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    print(f"  {subject.name:16} {_shown(found):42} {time.monotonic() - began:6.0f} s", file=sys.stderr)
    return found | {"subject": subject.name, "net": job.net, "shape": list(job.shape), "precision": job.precision}


def measure(arguments: argparse.Namespace, kept: Kept) -> list[dict[str, Any]]:
    """Every measurement, in the order in which they were made."""
    everyone = subjects(arguments.peer_python, arguments.kind, arguments.device)
    found = []
    for repeat, (net, shape) in product(range(arguments.repeats), _cases(arguments)):
        print(f"repeat {repeat + 1} of {arguments.repeats}: {net} at {_size(shape)}", file=sys.stderr)
        job = Job(net, shape, arguments.images, arguments.epochs, arguments.device)
        chosen = "default"
        for subject in everyone:
            asked = chosen if subject.precision == "as cnnlab" else subject.precision
            one = replace(job, precision=asked)
            found.append(
                kept.get(f"{repeat} {subject.name} {one.dumps()}", partial(run, subject, one, arguments.like))
                | {"repeat": repeat}
            )
            chosen = found[-1].get("execution", {}).get("precision", chosen)
    return found


def measure_alone(arguments: argparse.Namespace, kept: Kept) -> dict[str, Any]:
    """The best rate of convolutions, and the loop's own cost."""
    rate = Subject("convolutions", "convolution_rate.py", sys.executable)
    loop = Subject("loop", "loop_cost.py", sys.executable)
    job = Job("vgg-like", SHAPES[0], arguments.loop_images, arguments.epochs, arguments.device)
    print("convolutions and loop", file=sys.stderr)
    jobs = [replace(job, net=net, shape=shape) for net, shape in _cases(arguments)]
    costs = [kept.get(f"loop {one.dumps()}", partial(run, loop, one, arguments.like)) for one in jobs]
    # A format that is not native would take minutes a convolution.
    formats = FORMATS if arguments.device != "cpu" or arguments.kind.endswith("bf16") else FORMATS[:1]
    rates = {
        name: kept.get(f"convolutions {name}", partial(run, rate, replace(job, precision=name), arguments.like))
        for name in formats
    }
    return {"convolutions": rates, "loop": costs}


def main() -> None:
    arguments = _parser().parse_args()
    if arguments.page:
        record = upgraded(json.loads(arguments.page.read_text()))
        arguments.page.with_suffix(".md").write_text(table(record | {"summary": summarise(record)}))
        return
    machine_facts = machine.describe()
    arguments.kind = machine.kind(machine_facts, arguments.like)
    settings = {
        key: value for key, value in vars(arguments).items() if key not in {"peer_python", "results", "keep", "page"}
    }
    kept = Kept(arguments.keep)
    alone = measure_alone(arguments, kept)
    record = {
        "measured": time.strftime("%Y-%m-%d"),
        "machine": machine_facts,
        "settings": settings,
        **alone,
        "measurements": measure(arguments, kept),
    }
    record["summary"] = summarise(record)
    name = f"training-speed-{arguments.kind if arguments.device == 'cpu' else arguments.device}"
    write_results(arguments.results, name, record, table(record))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Training speed beside Keras and a bare PyTorch loop.")
    parser.add_argument("--peer-python", help="the Python of an environment with tensorflow and keras")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for the bare loop alone as a peer")
    parser.add_argument("--like", choices=["avx2"], help="compute as on a processor without AVX-512")
    parser.add_argument("--repeats", type=int, default=3, help="processes of each subject and case")
    parser.add_argument("--epochs", type=int, default=2, help="epochs measured in each process, after a warm-up")
    parser.add_argument("--images", type=int, default=20_480, help="pictures an epoch")
    parser.add_argument("--loop-images", type=int, default=51_200, help="pictures an epoch where the loop is measured")
    parser.add_argument("--nets", nargs="+", choices=NETS, default=NETS)
    parser.add_argument("--shapes", nargs="+", choices=[_size(s) for s in SHAPES], default=[_size(s) for s in SHAPES])
    parser.add_argument("--keep", type=Path, help="a file of measurements, to go on after an interruption")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--page", type=Path, metavar="RECORD", help="measure nothing; write the page of this record")
    return parser


def _cases(arguments: argparse.Namespace) -> list[tuple[str, tuple[int, int, int]]]:
    return [(net, shape) for net, shape in product(arguments.nets, SHAPES) if _size(shape) in arguments.shapes]


def _shown(found: dict[str, Any]) -> str:
    if "images_per_second" in found:
        each = ", ".join(f"{rate:,.0f}" for rate in found["images_per_second"])
        precision = found.get("execution", {}).get("precision")
        return f"{each} images/s{f' ({precision})' if precision else ''}"
    if "best" in found:
        return f"{found['best']['forward'] / 1e9:,.0f} GFLOP/s forward"
    return f"{found['whole']:.1%} the loop's, {found['beside']:.1%} by comparison"


def _size(shape: tuple[int, int, int]) -> str:
    return "x".join(map(str, shape))


if __name__ == "__main__":
    main()
