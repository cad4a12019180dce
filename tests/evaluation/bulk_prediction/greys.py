"""A classifier that can be reckoned by hand, and pictures of one brightness each."""

import io
import time
import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from cnnlab.models import Classifier

CLASSES = ("dark", "middle", "light")
GREYS = {"dark": 10, "middle": 130, "light": 250}


class Nearest(nn.Module):
    """Logits fall with the distance of the brightness from 0, 1/2 and 1: -8 |b - k/2|. Counts what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = 0

    def forward(self, pixels: Tensor) -> Tensor:
        self.shown += len(pixels)
        distance = (pixels.mean((1, 2, 3))[:, None] - torch.tensor([0.0, 0.5, 1.0])).abs()
        return -8 * distance


def png(grey: int, side: int = 6) -> bytes:
    """A picture of one brightness."""
    packed = io.BytesIO()
    Image.fromarray(np.full((side, side), grey, np.uint8)).save(packed, "PNG")
    return packed.getvalue()


def zip_of(path: Path, count: int, side: int = 6) -> Path:
    """An archive of so many pictures, 0.png on, whose brightness goes through dark, middle and light."""
    greys = list(GREYS.values())
    files = [png(grey, side) for grey in greys]
    with zipfile.ZipFile(path, "w") as archive:
        for place in range(count):
            archive.writestr(f"{place}.png", files[place % 3])
    return path


class Logged(Nearest):
    """Writes down how many pictures it is shown, wherever that is, and takes its time."""

    def __init__(self, log: Path, seconds: float = 0.0) -> None:
        super().__init__()
        self.log, self.seconds = str(log), seconds

    def forward(self, pixels: Tensor) -> Tensor:
        with open(self.log, "a") as file:
            file.write(f"{len(pixels)}\n")
        time.sleep(self.seconds)
        return super().forward(pixels)


def classifier_of(network: nn.Module, side: int = 6) -> Classifier:
    """Tells the three apart by such a network."""
    return Classifier(network, (1, side, side), [0.0], [1.0], {"label": CLASSES}, "classes(column=label)", "own")
