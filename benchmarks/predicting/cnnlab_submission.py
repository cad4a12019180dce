"""cnnlab: a network trained for a moment writes a submission of a folder of pictures; what the parts of that take.

Told one JSON document, answers one. The clock of the whole runs from the call to the file that is there; decoding alone
and the network alone are measured apart, on at most 4,096 pictures.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import cnnlab
from cnnlab.data import find_images
from cnnlab.data.image_files import FoundImages
from cnnlab.evaluation import predictor_of
from cnnlab.evaluation.bulk_prediction.read_ahead import ReadAhead
from cnnlab.models import outputs_of

ALONE = 4096


def trained(precision: str, runs: Path) -> Any:
    """``vgg-like`` for ten classes of pictures 32×32 in colour, after two steps."""
    source = np.random.default_rng(0)
    pictures = source.integers(0, 256, (512, 32, 32, 3), dtype=np.uint8)
    data = {"train": (pictures, source.integers(0, 10, 512)), "test": (pictures[:64], np.arange(64) % 10)}
    recipe = {"data": data, "model": "vgg-like", "epochs": 1, "batch_size": 256, "precision": precision}
    return cnnlab.train(**recipe, runs=runs, progress=False)


def alone(run: Any, folder: Path) -> dict[str, float]:
    """Pictures a second of decoding without the network, and of the network on what is decoded."""
    predictor = predictor_of(run)
    reader = ReadAhead(FoundImages(find_images([folder])[:ALONE]), predictor.classifier)
    began = time.perf_counter()
    batches = [pixels for _, _, pixels in reader.batches(0) if pixels is not None]
    decoded, count = time.perf_counter(), sum(map(len, batches))
    with predictor.placed() as placed:
        outputs_of(placed, batches[:1], precision=predictor.precision)
        warm = time.perf_counter()
        outputs_of(placed, batches, precision=predictor.precision)
    return {"decoding": count / (decoded - began), "network": count / (time.perf_counter() - warm)}


def main() -> None:
    job = json.loads(sys.argv[1])
    folder = Path(job["folder"])
    with tempfile.TemporaryDirectory() as place:
        run = trained(job["precision"], Path(place) / "runs")
        began, used = time.perf_counter(), time.process_time()
        written = cnnlab.predict_to_file(run, folder, Path(place) / "submission.csv", format="kaggle")
        seconds, used = time.perf_counter() - began, time.process_time() - used
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        cnnlab.predict_to_file(run, folder, Path(place) / "submission.csv", format="kaggle")
        again = time.perf_counter() - began
        execution = {key: run.info["execution"][key] for key in ("precision", "threads", "kernels")}
        facts = {"pictures": written.predicted, "seconds": seconds, "processor_seconds": used}
        facts |= {"seconds_again": again, "peak_kib": peak}
        facts["parameters"] = sum(weight.numel() for weight in run.classifier().parameters())
        print(json.dumps({**facts, "execution": execution, "alone": alone(run, folder)}))


if __name__ == "__main__":
    main()
