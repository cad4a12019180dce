"""Keras 3 on TensorFlow: ``predict`` over ``image_dataset_from_directory``, in an environment of its own.

Told one JSON document, answers one. The clock runs from the call to the file that is there. In its favour it reads the
size that the pictures have, asks for no progress, and scales pixels on several threads, ahead of the network; all else
is its default.
"""

import csv
import json
import math
import os
import resource
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "training"))
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import tensorflow
from keras_fit import vgg_like


def main() -> None:
    job = json.loads(sys.argv[1])
    if job["precision"] != "float32":
        keras.config.set_dtype_policy(f"mixed_{job['precision']}")
    model, folder = vgg_like((32, 32, 3)), job["folder"]
    began, used = time.perf_counter(), time.process_time()
    images = keras.utils.image_dataset_from_directory(
        folder, labels=None, image_size=(32, 32), batch_size=256, shuffle=False, verbose=False
    )
    names = [Path(path).stem for path in images.file_paths]
    ahead = tensorflow.data.AUTOTUNE
    pixels = images.map(lambda batch: batch / 255, num_parallel_calls=ahead).prefetch(ahead)
    labels = model.predict(pixels, verbose=0).argmax(1)
    with open(job["out"], "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "label"])
        writer.writerows(sorted(zip(names, labels.tolist(), strict=True), key=lambda row: int(row[0])))
    seconds, used = time.perf_counter() - began, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    facts = {"pictures": len(names), "seconds": seconds, "processor_seconds": used, "peak_kib": peak}
    facts["parameters"] = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
