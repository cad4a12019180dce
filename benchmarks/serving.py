"""Requests on loopback: how many a second, how long they take, and whether a server grows.

    python benchmarks/serving.py
    python benchmarks/serving.py --minutes 10

The first asks ``cnnlab serve`` and a plain FastAPI with the same network for what is in a PNG of 32×32, with 1 to 64
clients that each ask again when they were answered. All servers of a network are up at once and take turns, after each
was warmed up and all were seen to say the same; figures are medians over the turns. Ten minutes. The second asks
``cnnlab serve`` for so long, hostile requests among the others, and watches its memory. Servers and clients share the
cores of the machine, and threads are as many as there are cores, whatever ``OMP_NUM_THREADS`` says. A request that is
not answered within 30 seconds has failed, and the second leaves with 1 where memory grew by more than is allowed. Each
turn is kept in the file ``--kept``, from which an interrupted benchmark goes on. Writes ``serving-KIND.json`` or
``serving-memory-KIND.json`` and the page beside it under ``benchmarks/results``, where KIND is the processor's.
"""

import argparse
import base64
import io
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import machine
import numpy as np
from kept import Kept
from PIL import Image
from result_files import write_results

HERE = Path(__file__).parent
TOKEN = "a-token-of-the-benchmark"
CLIENTS = (1, 4, 16, 64)
MODELS = ("cnn", "vgg-like")
_LOAD = HERE / "load"
_VERSIONS = "cnnlab", "torch", "fastapi", "uvicorn", "h11", "pillow"
_HOSTILE_EVERY = 7
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
PICTURES, WARM_UP, SAME = 16, 2.0, 1e-3
"""How many there are, seconds before the clock starts, and how far servers' confidences may be apart."""
LONGEST = 30.0
"""Seconds that a request of this process may take; the clients have the same."""
MOST_GROWTH = 16.0
"""MiB that a server may hold more at the end than after the first fifth."""


@dataclass(frozen=True)
class Asked:
    """A server, by its port, and the requests that it is sent."""

    port: int
    bodies: list[str]


def trained(model: str, runs: Path) -> Any:
    """A network for ten classes of pictures 32×32 in colour, after two steps, in float32."""
    import cnnlab

    source = np.random.default_rng(0)
    pictures = source.integers(0, 256, (512, 32, 32, 3), dtype=np.uint8)
    data = {"train": (pictures, source.integers(0, 10, 512)), "test": (pictures[:64], np.arange(64) % 10)}
    recipe = {"data": data, "model": model, "epochs": 1, "batch_size": 256, "precision": "float32"}
    return cnnlab.train(**recipe, runs=runs, progress=False)


def png(number: int) -> bytes:
    """A smooth picture with some noise."""
    source, file = np.random.default_rng(number), io.BytesIO()
    coarse = Image.fromarray(source.integers(0, 256, (5, 5, 3), dtype=np.uint8)).resize((32, 32))
    noisy = np.asarray(coarse, np.int16) + source.integers(-6, 7, (32, 32, 3))
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def request(port: int, path: str, body: bytes, kind: str = "image/png", **headers: str) -> str:
    """A request as it goes over the wire, for a document of JSON."""
    head = {"Host": f"127.0.0.1:{port}", "Authorization": f"Bearer {TOKEN}", "Content-Type": kind, **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    whole = f"POST {path} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body
    return base64.b64encode(whole).decode()


def tensors(port: int, name: str, number: int) -> str:
    """The same by the Open Inference Protocol, a picture as bytes."""
    pixels = np.random.default_rng(number).integers(0, 256, 3 * 32 * 32, dtype=np.uint8).tobytes()
    given = {"name": "images", "datatype": "UINT8", "shape": [1, 3, 32, 32]}
    wanted = [{"name": "probabilities", "parameters": {"binary_data": True}}]
    head = json.dumps(
        {"inputs": [given | {"parameters": {"binary_data_size": len(pixels)}}], "outputs": wanted}
    ).encode()
    length = {"Inference-Header-Content-Length": str(len(head))}
    return request(port, f"/v2/models/{name}/infer", head + pixels, "application/octet-stream", **length)


@contextmanager
def serving(command: list[str], threads: int | None = None) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """A block in which a server answers: its process, its port, and what it calls itself.

    :param threads: of the processor, for the libraries below torch, which only a variable tells all threads of.
    """
    environment = os.environ | {"CNNLAB_TOKEN": TOKEN}
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", *command], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        found = re.match(r"(\S+) answers at http://127\.0\.0\.1:(\d+)", line)
        if found is None:
            sys.exit(f"{' '.join(command)} did not start: {line}")
        yield process, int(found[2]), found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        if process.returncode not in (0, -signal.SIGTERM):
            sys.exit(f"{' '.join(command)} left with {process.returncode}.")


def load(port: int, clients: int, seconds: float, requests: list[str]) -> dict[str, Any]:
    """What so many clients found in that time."""
    job = json.dumps({"port": port, "clients": clients, "seconds": seconds, "requests": requests})
    done = subprocess.run([sys.executable, str(_LOAD / "clients.py")], input=job, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"the clients failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def batches(port: int) -> tuple[float, float]:
    """How many pictures were computed so far, and in how many batches."""
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    text = urllib.request.urlopen(asked, timeout=LONGEST).read().decode()
    told = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return float(told["cnnlab_batch_pictures_sum"]), float(told["cnnlab_batch_pictures_count"])


@contextmanager
def answering(run: Any) -> Iterator[dict[str, Asked]]:
    """A block in which all servers of one network are up; those that nobody asks do nothing."""
    folder, threads = str(run.folder), run.info["execution"]["threads"]
    ours, plain = ["-m", "cnnlab", "serve", folder, "--port", "0", "--quiet"], str(_LOAD / "plain_fastapi.py")
    commands: dict[str, tuple[list[str], int | None]] = {
        "cnnlab": (ours, None),
        "cnnlab, one at a time": ([*ours, "--max-batch", "1"], None),
        "cnnlab, batches filled": ([*ours, "--max-batch", "8", "--fill-batches"], None),
        "plain FastAPI": ([plain, folder, str(threads)], threads),
        "plain FastAPI, a thread a picture": ([plain, folder, "1"], 1),
    }
    with ExitStack() as up:
        found = {}
        for label, (command, limit) in commands.items():
            _, port, name = up.enter_context(serving(command, limit))
            found[label] = Asked(port, [request(port, "/predict", png(n)) for n in range(PICTURES)])
            if label == "cnnlab":
                bodies = [tensors(port, name, n) for n in range(PICTURES)]
                found["cnnlab, tensors as bytes"] = Asked(port, bodies)
        check_answers(found)
        for each in found.values():
            # As many at once as there will be, so that kernels for batches of all sizes are at hand.
            load(each.port, max(CLIENTS), WARM_UP, each.bodies)
        yield found


def check_answers(servers: dict[str, Asked]) -> None:
    """Ends the benchmark where two servers do not say the same of a picture."""
    for number in range(PICTURES):
        said = {label: confidence(each.port, png(number)) for label, each in servers.items()}
        if max(said.values()) - min(said.values()) > SAME:
            sys.exit(f"servers are not of the same network: of picture {number} they are as sure as {said}.")


def confidence(port: int, body: bytes) -> float:
    """How sure a server is of a picture."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "image/png"}
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/predict", body, headers)
    return float(json.load(urllib.request.urlopen(asked, timeout=LONGEST))["confidence"])


def turn(servers: dict[str, Asked], clients: int, seconds: float) -> dict[str, Any]:
    """What so many clients find of each server, one server after another."""
    found = {}
    for label, each in servers.items():
        is_ours = label.startswith("cnnlab")
        before = batches(each.port) if is_ours else (0.0, 0.0)
        found[label] = load(each.port, clients, seconds, each.bodies)
        if is_ours:
            pictures, count = (now - then for now, then in zip(batches(each.port), before, strict=True))
            found[label]["pictures_a_batch"] = pictures / count
    return found


def measure(words: argparse.Namespace, kept: Kept) -> dict[str, Any]:
    """All servers in turns, of each network by each number of clients; medians over the turns."""
    rows, execution = [], {}
    with tempfile.TemporaryDirectory() as place:
        for model in MODELS:
            run = trained(model, Path(place) / "runs")
            execution[model] = {key: run.info["execution"][key] for key in ("precision", "threads", "kernels")}
            with answering(run) as servers:
                for clients in CLIENTS:
                    key = f"{model}, {clients} clients, {words.seconds:g} s, turn"
                    one = partial(turn, servers, clients, words.seconds)
                    turns = [kept.get(f"{key} {number}", one) for number in range(words.turns)]
                    rows += [{"model": model, "clients": clients, **row} for row in medians(turns)]
    return {"execution": execution, "measurements": rows}


def medians(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each server over the turns, with the least and most requests a second, and how many times the plain one's."""
    rows = []
    for label in turns[0]:
        each = [found[label] for found in turns]
        rates = [found["a_second"] for found in each]
        counts: dict[str, Counter[str]] = {"codes": Counter(), "failed": Counter()}
        for found, (kind, count) in product(each, counts.items()):
            count.update(found[kind])
        numbers = [key for key in each[0] if key not in (*counts, "requests")]
        row = {key: statistics.median(found[key] for found in each) for key in numbers}
        row |= {"low": min(rates), "high": max(rates), "turns": len(turns), **counts}
        row["of_plain"] = statistics.median(
            found[label]["a_second"] / found["plain FastAPI"]["a_second"] for found in turns
        )
        rows.append({"server": label, **row})
        print(f"  {label:34} {row['a_second']:8.1f}/s, {row['of_plain']:.2f} of the plain", file=sys.stderr)
    return rows


def resident(process: int) -> float:
    """MiB that a process holds."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def watch(minutes: float) -> dict[str, Any]:
    """Memory of a server that is asked for so long, by 16 clients."""
    samples: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as place:
        run = trained("cnn", Path(place) / "runs")
        with serving(["-m", "cnnlab", "serve", str(run.folder), "--port", "0", "--quiet"]) as (process, port, name):
            good = [request(port, "/predict", png(n)) for n in range(16)] + [tensors(port, name, n) for n in range(16)]
            infer = f"/v2/models/{name}/infer"
            hostile = [
                request(port, "/predict", b"no picture" * 1000),
                request(port, infer, b"[" * 100_000, "application/json"),
                request(port, infer, b'{"inputs": [' + b"0," * 500_000 + b"0]}", "application/json"),
                request(port, "/predict", png(0)[:300]),
                request(port, f"/{'x' * 2000}", b"{}"),
            ]
            mixed = [hostile[n % len(hostile)] if n % _HOSTILE_EVERY == 0 else good[n % len(good)] for n in range(105)]
            began, is_over = time.monotonic(), threading.Event()

            def sample() -> None:
                while not is_over.wait(min(2.0, minutes * 60 / 20)):
                    samples.append((time.monotonic() - began, resident(process.pid)))

            sampling = threading.Thread(target=sample)
            sampling.start()
            try:
                found = load(port, 16, minutes * 60, mixed)
            finally:
                is_over.set()
                sampling.join()
    return {"minutes": minutes, **found, "resident_mib": samples, **growth(samples)}


def growth(samples: list[tuple[float, float]]) -> dict[str, float]:
    """MiB an hour over the latter four fifths, and the medians of their first and last fourth."""
    late = np.array(samples[len(samples) // 5 :])
    quarter = max(1, len(late) // 4)
    slope = np.polyfit(late[:, 0], late[:, 1], 1)[0] * 3600 if len(late) > 1 else 0.0
    first, last = np.median(late[:quarter, 1]), np.median(late[-quarter:, 1])
    grown = float(last - first)
    return {
        "mib_an_hour": float(slope),
        "first_mib": float(first),
        "last_mib": float(last),
        "grown_mib": grown,
        "most_mib": MOST_GROWTH,
        "met": grown <= MOST_GROWTH,
    }


def page(record: dict[str, Any]) -> str:
    """The load test as Markdown."""
    lines = [*_head(record, "Requests on loopback")]
    lines += [
        "A picture of 32×32 in a PNG file each, by `POST /predict`; as tensors by the Open Inference Protocol where "
        "that is said. Clients ask again when they were answered, and share the cores with the server. Servers took "
        f"turns: medians over {record['turns']} of {record['seconds']:g} seconds each. The plain server computes each "
        "picture by itself in a pool of threads, with PyTorch's kernels, on as many threads of the processor as cnnlab "
        "or on one; it asks for no token, and tells one class where cnnlab tells five.",
        "",
    ]
    for model in dict.fromkeys(row["model"] for row in record["measurements"]):
        lines += [
            f"## `{model}`",
            "",
            "By cnnlab with {kernels} kernels in {precision} on {threads} threads.".format(
                **record["execution"][model]
            ),
            "",
            "| server | clients | requests a second | slowest–fastest | of the plain one's "
            "| p50, ms | p99, ms | pictures a batch |",
        ]
        lines += ["| --- | --- | --- | --- | --- | --- | --- | --- |"]
        for row in record["measurements"]:
            if row["model"] == model:
                together = f"{row['pictures_a_batch']:.1f}" if "pictures_a_batch" in row else ""
                refused = sum(count for code, count in row["codes"].items() if code != "200")
                told = [*([f"{refused} refused"] if refused else []), *_failures(row["failed"])]
                said = f" ({', '.join(told)})" if told else ""
                lines.append(
                    f"| {row['server']} | {row['clients']} | {row['a_second']:,.0f}{said} "
                    f"| {row['low']:,.0f}–{row['high']:,.0f} | {row['of_plain']:.2f} | {1000 * row['p50']:.1f} "
                    f"| {1000 * row['p99']:.1f} | {together} |"
                )
        lines.append("")
    return "\n".join(lines)


def memory_page(record: dict[str, Any]) -> str:
    """What memory did, as Markdown."""
    answered = [f"{count:,} with {code}" for code, count in sorted(record["codes"].items())]
    codes = ", ".join([*answered, *_failures(record["failed"])])
    return "\n".join(
        [
            *_head(record, "Memory of a server"),
            f"`cnn`, asked by 16 clients for {record['minutes']:g} minutes, every seventh request a hostile one: "
            f"{record['requests']:,} requests, {record['a_second']:,.0f} a second, answered {codes}. "
            f"p50 {1000 * record['p50']:.1f} ms, p99 {1000 * record['p99']:.1f} ms.",
            "",
            f"After the first fifth of the time the process held {record['first_mib']:,.0f} MiB, at the end "
            f"{record['last_mib']:,.0f} MiB (medians of a fourth of the rest each); by the line through these samples "
            f"that is {record['mib_an_hour']:+,.0f} MiB an hour.".replace("-", "−")
            + f" At most {record['most_mib']:g} MiB more were to be held: {'met' if record['met'] else '**missed**'}.",
            "",
        ]
    )


def _failures(failed: dict[str, int]) -> list[str]:
    """How many were not answered, in words."""
    return [f"{count:,} {reason}" for reason, count in sorted(failed.items())]


def _head(record: dict[str, Any], title: str) -> list[str]:
    versions = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    return [
        f"# {title}",
        "",
        f"Measured {record['measured']} on {machine.sentence(record['machine'])}. {versions}.",
        "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=1.5, help="of each turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--kept", type=Path, help="a file of measurements that a benchmark goes on from")
    parser.add_argument("--minutes", type=float, help="watch memory for so long, and measure nothing else")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    words = parser.parse_args()
    facts = machine.describe()
    record: dict[str, Any] = {"measured": time.strftime("%Y-%m-%d"), "machine": facts}
    record["versions"] = {"Python": platform.python_version(), "cnnlab": "from its source"}
    record["versions"] |= machine.versions(*_VERSIONS)
    for name in _THREADS:
        os.environ.pop(name, None)
    if words.minutes:
        record |= watch(words.minutes)
        write_results(words.results, f"serving-memory-{machine.kind(facts)}", record, memory_page(record))
        if not record["met"]:
            sys.exit(f"the server grew by {record['grown_mib']:.0f} MiB, and at most {MOST_GROWTH:g} are allowed.")
    else:
        record |= {"seconds": words.seconds, "turns": words.turns, **measure(words, Kept(words.kept))}
        write_results(words.results, f"serving-{machine.kind(facts)}", record, page(record))


if __name__ == "__main__":
    main()
