"""The numbers of docs/explain.md: doubtful labels, near duplicates, and what maps and mistakes of 10,000 pictures take.

    python benchmarks/explain_numbers.py [labels duplicates tsne mistakes] [--run FOLDER]

``labels``: 5% of the labels of 10,000 training pictures of Fashion-MNIST are changed for another class, drawn evenly;
networks of three folds (``mlp(hidden=[128])``, ten epochs) say which may be wrong. Precision is the share of these
that were changed, recall the share of those changed that are among them.

``duplicates``: test pictures are replaced by changed copies of training pictures, a hundred of each change, among
those of Fashion-MNIST, CIFAR-10 in JPEG, cats and dogs. Recall is the share that is found with the picture it was
made of; what is found of the others counts as false, though a data set may have doubles of its own.

``tsne``, ``mistakes``: what a map of 10,000 test pictures of Fashion-MNIST and ``cnnlab explain RUN --what mistakes``
take for a small ``cnn`` trained for three epochs, in seconds of the processor and of the clock.

Writes ``explain-numbers-KIND.{json,md}`` under ``benchmarks/results``; parts that are not named stay as they are. Six
minutes of the processor. ``--run`` takes a training that is there already for ``tsne`` and ``mistakes``.
"""

import argparse
import io
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import machine
import numpy as np
from result_files import write_results

HERE = Path(__file__).parent
CHANGED, PICTURES = 0.05, 10_000
SMALL = "cnn(filters=[16, 32], dense=[128])"
SHORT: dict[str, Any] = {"model": SMALL, "epochs": 3, "subset": 0.25, "snapshots": [0, 1, 2], "batch_size": 256}
SETS = ("fashion-mnist", "cifar10-jpeg", "cats-vs-dogs")


@contextmanager
def timed(found: dict[str, Any]) -> Iterator[None]:
    """A block whose seconds are noted: those of the processor in all threads, and those of the clock."""
    processor, clock = time.process_time(), time.perf_counter()
    yield
    found["processor_s"], found["clock_s"] = time.process_time() - processor, time.perf_counter() - clock


def of_labels(folder: Path) -> dict[str, Any]:
    """Precision and recall of labels that were changed on purpose."""
    import cnnlab
    from cnnlab.explain import label_errors

    data = cnnlab.load_data("fashion-mnist")
    assert data.test is not None
    draw = np.random.default_rng(0)
    chosen = draw.permutation(len(data.train))[:PICTURES]
    truth = data.train.targets["label"].numpy()[chosen]
    is_changed = draw.random(PICTURES) < CHANGED
    labels = np.where(is_changed, (truth + draw.integers(1, 10, PICTURES)) % 10, truth)
    parts = {"train": (data.train, chosen, labels)}
    parts["test"] = (data.test, np.arange(1000), data.test.targets["label"].numpy()[:1000])
    arrays = {}
    for name, (images, places, known) in parts.items():
        arrays |= {f"x_{name}": images.batch(places.tolist())[0][:, 0].numpy(), f"y_{name}": known}
    np.savez(folder / "changed.npz", **arrays)
    run = cnnlab.train(
        data=str(folder / "changed.npz"),
        model="mlp(hidden=[128])",
        folds=3,
        epochs=10,
        batch_size=64,
        runs=folder,
        precision="float32",
    )
    found = label_errors(run, "train")
    # A part of train is set aside for validation: of these no label is asked about.
    asked = np.array([int(name) for name in run.predictions("train@out-of-fold").ids])
    named = np.array([int(name) for name in found.ids])
    return {
        "pictures": len(asked),
        "changed": int(is_changed[asked].sum()),
        "named": len(named),
        "right": int(is_changed[named].sum()),
        "precision": float(is_changed[named].mean()),
        "recall": float(is_changed[named].sum() / is_changed[asked].sum()),
        "estimated": found.estimated,
        "first_hundred": float(is_changed[named[:100]].mean()),
        "accuracy": float((run.predictions("train@out-of-fold").outputs["label"].argmax(1) == truth[asked]).mean()),
    }


def moved(pixels: np.ndarray) -> np.ndarray:
    return np.concatenate([pixels[:, :, :1], pixels[:, :, :-1]], axis=2)


def compressed(pixels: np.ndarray) -> np.ndarray:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0) if len(pixels) == 3 else pixels[0]).save(content, "JPEG", quality=50)
    read = np.asarray(Image.open(content))
    return read.transpose(2, 0, 1) if read.ndim == 3 else read[None]


def darker(pixels: np.ndarray) -> np.ndarray:
    return (0.7 * pixels + 25).clip(0, 255).astype(np.uint8)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "moved by a pixel": moved,
    "JPEG, quality 50": compressed,
    "mirrored": lambda pixels: pixels[:, :, ::-1],
    "darker": darker,
    "moved, darker, JPEG": lambda pixels: compressed(darker(moved(pixels))),
}
EACH = 100


def of_duplicates(folder: Path) -> dict[str, Any]:
    """By data set, what is found of planted doubles."""
    return {spec: planted(spec) for spec in SETS}


def planted(spec: str) -> dict[str, Any]:
    import torch

    import cnnlab
    from cnnlab.data import Dataset, TensorImages
    from cnnlab.explain import near_duplicates

    data = cnnlab.load_data(spec)
    assert data.test is not None
    train, test = (torch.cat(list(part.chunks())) for part in (data.train, data.test))
    draw = np.random.default_rng(0)
    each = min(EACH, len(test) // 20)
    sources = draw.permutation(len(train))[: each * len(CHANGES)].tolist()
    places = draw.permutation(len(test))[: each * len(CHANGES)].tolist()
    made = dict(zip(places, zip(sources, list(CHANGES) * each, strict=True), strict=True))
    for place, (source, change) in made.items():
        test[place] = torch.from_numpy(CHANGES[change](train[source].numpy()).copy())

    def images(pixels: Any) -> TensorImages:
        return TensorImages(pixels, {"label": torch.zeros(len(pixels), dtype=torch.int64)}, {"label": ("any", "none")})

    found: dict[str, Any] = {"train": len(train), "test": len(test), "planted of each": each}
    with timed(found):
        pairs = near_duplicates(Dataset(spec, images(train), None, images(test)))
    right = {pair.place for pair in pairs.pairs if made.get(pair.place, (None,))[0] == pair.other_place}
    others = [pair for pair in pairs.pairs if pair.place not in made]
    found["threshold"] = pairs.thresholds[0]
    found["recall"] = {
        change: float(np.mean([place in right for place, (_, own) in made.items() if own == change]))
        for change in CHANGES
    }
    found["found"], found["of others"], found["of others, equal"] = (
        len(pairs),
        len(others),
        sum(p.is_exact for p in others),
    )
    found["precision"] = len(right) / max(1, len(pairs))
    return found


GIVEN: list[str] = []


def short_run(folder: Path, **keys: Any) -> Any:
    """A short training on Fashion-MNIST."""
    import cnnlab

    if GIVEN and not keys:
        return cnnlab.open_model(GIVEN[0])
    return cnnlab.train(data="fashion-mnist", runs=folder, threads=1, **(SHORT | keys))


def of_tsne(folder: Path) -> dict[str, Any]:
    """A map of 10,000 pictures."""
    from cnnlab.explain import embed

    run, found = short_run(folder), dict[str, Any]()
    with timed(found):
        made = embed(run)
    return found | {"pictures": len(made), "codes": made.space, "trustworthiness": made.quality.trustworthiness}


def of_mistakes(folder: Path) -> dict[str, Any]:
    """All figures of mistakes."""
    from cnnlab.reports import write_explanations

    run, found = short_run(folder), dict[str, Any]()
    with timed(found):
        written = write_explanations(run, "mistakes", folder / "out")
    return found | written.explanations[0].numbers


PARTS = {"labels": of_labels, "duplicates": of_duplicates, "tsne": of_tsne, "mistakes": of_mistakes}


def page(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    lines = ["# Numbers of the page on seeing inside", "", f"On {machine.sentence(record['machine'])}.", ""]
    for name in PARTS:
        if name in record:
            found = json.dumps(record[name], indent=1, ensure_ascii=False)
            lines += [f"## {name}", "", "```json", found, "```", ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--run", help="the folder of a training on Fashion-MNIST, in the place of one made here")
    words = parser.parse_args()
    GIVEN.extend([words.run] if words.run else [])
    about = machine.describe()
    kind = machine.kind(about)
    file = words.results / f"explain-numbers-{kind}.json"
    made = {}
    for part in words.parts or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            made[part] = PARTS[part](Path(folder))
    record: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    record |= {"measured": time.strftime("%Y-%m-%d"), "machine": about, "kind": kind, **made}
    write_results(words.results, f"explain-numbers-{kind}", record, page(record))


if __name__ == "__main__":
    main()
