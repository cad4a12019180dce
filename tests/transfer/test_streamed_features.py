"""Features of pictures that are read batch by batch take no more memory for more pictures."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FEW, MANY, SIDE = 200, 1600, 64
PROGRAM = """
import json, os, re, sys, threading, time
import torch
from cnnlab.data import load_data
from cnnlab.models import Classifier
from cnnlab.transfer.extractor import Extractor, FeatureLayer
from cnnlab.transfer.extraction import FeatureSource
from cnnlab.transfer.number_format import NumberFormat


def held():
    with open("/proc/self/status") as file:
        return int(re.search(r"RssAnon:\\s+(\\d+)", file.read())[1]) * 1024


def peak_of(work):
    most, stop = [held()], threading.Event()

    def watch():
        while not stop.wait(0.002):
            most[0] = max(most[0], held())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        stop.set()
        watcher.join()
    return most[0]


def features(images, name):
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 8, stride=8))
    classifier = Classifier(network, images.shape, [0.5] * 3, [0.5] * 3, images.classes, "classes", "module").eval()
    extractor = Extractor(classifier, "0", FeatureLayer("0"), name)
    return FeatureSource("conv", extractor, chosen=NumberFormat()).of(images)


def held_all(images):
    return [images.batch(range(start, start + 8))[0] for start in range(0, len(images), 8)]


torch.set_num_threads(1)
few, many = (load_data(f"folder(path={path}, cache=encoded)", validation=0, test=0).train for path in sys.argv[1:])
features(few, "first")
found = {"few": peak_of(lambda: features(few, "few")), "many": peak_of(lambda: features(many, "many"))}
print(json.dumps({**found, "held": peak_of(lambda: held_all(many))}))
"""


def _pictures(folder: Path, count: int) -> Path:
    random = np.random.default_rng(count)
    for number in range(count):
        path = folder / "ab"[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(path)
    return folder


@pytest.mark.slow(6)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells what a process holds")
def test_memory_does_not_grow_with_the_pictures(tmp_path: Path) -> None:
    folders = [_pictures(tmp_path / str(count), count) for count in (FEW, MANY)]
    command = [sys.executable, "-c", PROGRAM, *map(str, folders)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CNNLAB_CACHE": str(tmp_path / "cache")}
    found = json.loads(subprocess.run(command, capture_output=True, check=True, text=True, env=environment).stdout)
    pixels = (MANY - FEW) * 3 * SIDE * SIDE
    # 16 numbers a picture and its digest are next to nothing.
    assert found["many"] - found["few"] < pixels / 8
    # The comparison sees pictures that are held.
    assert found["held"] - found["few"] > pixels / 4
