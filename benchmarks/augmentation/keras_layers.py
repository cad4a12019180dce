"""Keras 3: its layers of augmentation inside ``tf.data``, in an environment of its own.

As its documentation has it: batches are mapped in parallel and read ahead, both as many as TensorFlow thinks best.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf
from batches import DEGREES, FLIP, SHEAR, SHIFT, ZOOM, Job, answer, check, rates
from keras import layers
from machine import usable_cores


def pipeline(job: Job) -> tf.data.Dataset:
    """Endless batches of floats."""
    assert FLIP == 0.5, "RandomFlip knows no other probability"
    augment = keras.Sequential(
        [
            layers.Rescaling(1 / 255),
            layers.RandomFlip("horizontal"),
            layers.RandomRotation(DEGREES / 360),
            layers.RandomTranslation(SHIFT, SHIFT),
            layers.RandomShear(x_factor=float(np.tan(np.radians(SHEAR)))),
            layers.RandomZoom((-ZOOM, ZOOM)),
        ]
    )
    images = np.ascontiguousarray(job.random_images().transpose(0, 2, 3, 1))
    batches = tf.data.Dataset.from_tensor_slices(images).repeat().batch(job.batch, drop_remainder=True)
    mapped = batches.map(lambda batch: augment(batch, training=True), num_parallel_calls=tf.data.AUTOTUNE)
    return mapped.prefetch(tf.data.AUTOTUNE)


def measure(job: Job) -> dict[str, Any]:
    batches: Iterator[Any] = iter(pipeline(job))
    check(next(batches).numpy(), job)
    return {"images_per_second": rates(batches, job), "threads": usable_cores()}


if __name__ == "__main__":
    answer(measure, ("keras", "tensorflow"))
