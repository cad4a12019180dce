"""Requests on loopback: how many a second, how long they take, and whether a server grows.

    python benchmarks/serving.py
    python benchmarks/serving.py --minutes 10

The first asks ``cnnlab serve`` and a plain FastAPI with the same network for what is in a PNG of 32×32, with 1 to 64
clients that each ask again when they were answered, and takes eight minutes. The second asks ``cnnlab serve`` for so
long, hostile requests among the others, and watches its memory. Servers and clients share the cores of the machine.
Writes ``serving-KIND.json`` or ``serving-memory-KIND.json`` and the page beside it under ``benchmarks/results``, where
KIND is the processor's.
"""

import argparse
import base64
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import machine
import numpy as np
from PIL import Image
from result_files import write_results

HERE = Path(__file__).parent
TOKEN = "a-token-of-the-benchmark"
CLIENTS = (1, 4, 16, 64)
MODELS = ("cnn", "vgg-like")
_LOAD = HERE / "load"
_VERSIONS = "cnnlab", "torch", "fastapi", "uvicorn", "h11", "pillow"
_HOSTILE_EVERY = 7


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
def serving(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """A block in which a server answers: its process, its port, and what it calls itself."""
    environment = {**os.environ, "CNNLAB_TOKEN": TOKEN}
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
    text = urllib.request.urlopen(asked).read().decode()
    told = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return float(told["cnnlab_batch_pictures_sum"]), float(told["cnnlab_batch_pictures_count"])


def measured(command: list[str], seconds: float, *, by_tensors: bool = False, is_ours: bool = True) -> Iterator[Any]:
    """What each number of clients found of a server."""
    with serving(command) as (_, port, name):
        bodies = [tensors(port, name, n) if by_tensors else request(port, "/predict", png(n)) for n in range(16)]
        load(port, 4, min(1.0, seconds), bodies)
        for clients in CLIENTS:
            before = batches(port) if is_ours else (0.0, 0.0)
            found = load(port, clients, seconds, bodies)
            if is_ours:
                pictures, count = (now - then for now, then in zip(batches(port), before, strict=True))
                found["pictures_a_batch"] = pictures / count
            yield {"clients": clients, **found}


def measure(seconds: float) -> list[dict[str, Any]]:
    """All servers, one after another, of each model."""
    found = []
    with tempfile.TemporaryDirectory() as place:
        for model in MODELS:
            run = trained(model, Path(place) / "runs")
            ours = ["-m", "cnnlab", "serve", str(run.folder), "--port", "0", "--quiet"]
            plain = [str(_LOAD / "plain_fastapi.py"), str(run.folder), str(run.info["execution"]["threads"])]
            servers: dict[str, Iterator[Any]] = {
                "cnnlab": measured(ours, seconds),
                "cnnlab, one at a time": measured([*ours, "--max-batch", "1"], seconds),
                "cnnlab, batches filled": measured([*ours, "--max-batch", "8", "--fill-batches"], seconds),
                "cnnlab, tensors as bytes": measured(ours, seconds, by_tensors=True),
                "plain FastAPI": measured(plain, seconds, is_ours=False),
            }
            for server, each in servers.items():
                for row in each:
                    found.append({"model": model, "server": server, **row})
                    print(f"  {model:9} {server:26} {row['clients']:3} {row['a_second']:8.1f}/s", file=sys.stderr)
    return found


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
            found = load(port, 16, minutes * 60, mixed)
            is_over.set()
            sampling.join()
    return {"minutes": minutes, **found, "resident_mib": samples, **growth(samples)}


def growth(samples: list[tuple[float, float]]) -> dict[str, float]:
    """MiB an hour over the latter four fifths, and the medians of their first and last fourth."""
    late = np.array(samples[len(samples) // 5 :])
    quarter = max(1, len(late) // 4)
    slope = np.polyfit(late[:, 0], late[:, 1], 1)[0] * 3600 if len(late) > 1 else 0.0
    first, last = np.median(late[:quarter, 1]), np.median(late[-quarter:, 1])
    return {"mib_an_hour": float(slope), "first_mib": float(first), "last_mib": float(last)}


def page(record: dict[str, Any]) -> str:
    """The load test as Markdown."""
    lines = [*_head(record, "Requests on loopback")]
    lines += [
        "A picture of 32×32 in a PNG file each, by `POST /predict`; as tensors by the Open Inference Protocol where "
        f"that is said. Clients ask again when they were answered, for {record['seconds']:g} seconds, and share the "
        "cores with the server. The plain server computes each picture by itself in a pool of threads, with PyTorch's "
        "kernels.",
        "",
    ]
    for model in dict.fromkeys(row["model"] for row in record["measurements"]):
        lines += [
            f"## `{model}`",
            "",
            "| server | clients | requests a second | p50, ms | p99, ms | pictures a batch |",
        ]
        lines += ["| --- | --- | --- | --- | --- | --- |"]
        for row in record["measurements"]:
            if row["model"] == model:
                together = f"{row['pictures_a_batch']:.1f}" if "pictures_a_batch" in row else ""
                failed = sum(count for code, count in row["codes"].items() if code != "200")
                said = f" ({failed} refused)" if failed else ""
                lines.append(
                    f"| {row['server']} | {row['clients']} | {row['a_second']:,.0f}{said} | {1000 * row['p50']:.1f} "
                    f"| {1000 * row['p99']:.1f} | {together} |"
                )
        lines.append("")
    return "\n".join(lines)


def memory_page(record: dict[str, Any]) -> str:
    """What memory did, as Markdown."""
    codes = ", ".join(f"{count:,} with {code}" for code, count in sorted(record["codes"].items()))
    return "\n".join(
        [
            *_head(record, "Memory of a server"),
            f"`cnn`, asked by 16 clients for {record['minutes']:g} minutes, every seventh request a hostile one: "
            f"{record['requests']:,} requests, {record['a_second']:,.0f} a second, answered {codes}. "
            f"p50 {1000 * record['p50']:.1f} ms, p99 {1000 * record['p99']:.1f} ms.",
            "",
            f"After the first fifth of the time the process held {record['first_mib']:,.0f} MiB, at the end "
            f"{record['last_mib']:,.0f} MiB (medians of a fourth of the rest each); by the line through these samples "
            f"that is {record['mib_an_hour']:+,.0f} MiB an hour.".replace("-", "−"),
            "",
        ]
    )


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
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--minutes", type=float, help="watch memory for so long, and measure nothing else")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    words = parser.parse_args()
    facts = machine.describe()
    record: dict[str, Any] = {"measured": time.strftime("%Y-%m-%d"), "machine": facts}
    record["versions"] = {"cnnlab": "from its source"} | machine.versions(*_VERSIONS)
    if words.minutes:
        record |= watch(words.minutes)
        write_results(words.results, f"serving-memory-{machine.kind(facts)}", record, memory_page(record))
    else:
        record |= {"seconds": words.seconds, "measurements": measure(words.seconds)}
        write_results(words.results, f"serving-{machine.kind(facts)}", record, page(record))


if __name__ == "__main__":
    main()
