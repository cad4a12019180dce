"""Keras 3 on TensorFlow: ``fit`` as a person writes it, in an environment of its own.

In its favour: pictures are float32 in [0, 1] before the clock starts, are not normalised further, and no progress is
shown. Everything else is Keras's default; whether it compiles just in time is left to it, and noted.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

from job import Job, answer, rates

sys.path.append(str(Path(__file__).parents[1]))
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow
from keras import layers
from machine import usable_cores


def vgg_like(shape: tuple[int, int, int]) -> keras.Model:
    """Nine convolutions with batch normalisation, a pool after each group, two dense layers."""
    parts: list[Any] = [keras.Input(shape)]
    for filters in ((32, 32), (64, 64), (128, 128), (256, 256, 256)):
        for count in filters:
            parts += [layers.Conv2D(count, 3, padding="same", use_bias=False), layers.BatchNormalization()]
            parts += [layers.ReLU()]
        parts += [layers.MaxPooling2D(2)]
    return keras.Sequential([*parts, *head(512)])


def convnet(shape: tuple[int, int, int]) -> keras.Model:
    """Four convolutions, pools that round up, two dense layers."""
    parts: list[Any] = [keras.Input(shape)]
    for filters in ((64,), (128,), (256, 256)):
        for count in filters:
            parts += [layers.Conv2D(count, 3, padding="same", activation="relu")]
        parts += [layers.MaxPooling2D(2, padding="same")]
    return keras.Sequential([*parts, *head(1024)])


def head(units: int) -> list[Any]:
    dense = [layers.Dense(units, activation="relu") for _ in range(2)]
    return [layers.Flatten(), *dense, layers.Dense(10, dtype="float32")]


class Clock(keras.callbacks.Callback):
    """The seconds of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the clock."""
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stops it."""
        self.seconds.append(time.perf_counter() - self.began)


def measure(job: Job) -> dict[str, Any]:
    if job.precision != "default":
        keras.config.set_dtype_policy(job.precision)
    images, labels = job.random_images()
    pixels = images.astype("float32") / 255
    model = {"vgg-like": vgg_like, "convnet": convnet}[job.net](job.shape)
    model.compile(
        optimizer=keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    warm = min(job.images, 10 * job.batch_size)
    model.fit(pixels[:warm], labels[:warm], batch_size=job.batch_size, verbose=0)
    clock = Clock()
    model.fit(pixels, labels, batch_size=job.batch_size, epochs=job.epochs, verbose=0, callbacks=[clock])
    threading = tensorflow.config.threading
    return {
        "images_per_second": rates(job.images, clock.seconds),
        "weights": sum(int(np.prod(weights.shape)) for weights in model.trainable_weights),
        "threads": threading.get_intra_op_parallelism_threads() or usable_cores(),
        "jit_compile": model.jit_compile,
    }


if __name__ == "__main__":
    answer(measure, ("keras", "tensorflow", "numpy"))
