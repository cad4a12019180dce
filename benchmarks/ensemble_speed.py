"""What ensembles of stored members take: cnnlab's methods, scikit-learn's stacking and AutoGluon's greedy selection.

    python benchmarks/ensemble_speed.py [--autogluon PYTHON]

20 made-up members, 10,000 pictures of ten classes on validation and as many on test; for greedy selection 200 members,
too. Each method is fitted on validation and combines both splits: medians of some calls. Besides, what it takes to read
and align the stored files, and a whole ``cnnlab.ensemble`` with all that is found out about it. scikit-learn's
``StackingClassifier`` is fitted on the same probabilities. AutoGluon needs an environment of its own, whose Python is
named by ``--autogluon``: ``pip install autogluon.core`` there; without it that row is left out. Writes
``ensemble-speed.{json,md}`` under ``benchmarks/results``. Three minutes.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import machine
import numpy as np
from result_files import write_results

HERE = Path(__file__).parent
IMAGES, CLASSES, MEMBERS, MANY, SIZE = 10_000, 10, 20, 200, 25
METHODS = {
    "mean": 1.0,
    "mean(of=logits)": 1.0,
    "vote": 1.0,
    "weights": 1.0,
    "mean(temperature=true)": None,
    "greedy": 5.0,
    "greedy(by=error)": 5.0,
    "greedy(bags=10)": 5.0,
    "stacking": 5.0,
    "swarm": 10.0,
    "swarm(kind=attractive-repulsive)": 10.0,
}
"""With the seconds that each is to stay below on two cores."""
LARGE = {"greedy": 5.0, "greedy(by=error)": 5.0}
AUTOGLUON = """
import json, sys, time
import numpy as np
from autogluon.core.metrics import log_loss
from autogluon.core.models.greedy_ensemble.ensemble_selection import EnsembleSelection
with np.load(sys.argv[1]) as stored:
    likely, labels = stored["likely"], stored["labels"]
took = []
for _ in range(int(sys.argv[3])):
    began = time.perf_counter()
    found = EnsembleSelection(int(sys.argv[2]), "multiclass", log_loss)
    found.fit(list(likely), labels)
    took.append(time.perf_counter() - began)
print(json.dumps({"seconds": took, "weights": list(map(float, found.weights_))}))
"""


def logits(members: int, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Of members that see the right class through noise, some of it shared, M×N×K; and the labels."""
    source = np.random.default_rng([members, split == "test"])
    labels, shared = source.integers(0, CLASSES, IMAGES), source.normal(size=(IMAGES, CLASSES))
    each = np.empty((members, IMAGES, CLASSES), dtype=np.float32)
    for place in range(members):
        each[place] = 1.5 * (shared + 1.3 * source.normal(size=shared.shape))
        each[place, np.arange(IMAGES), labels] += 4 + 2 * (place % 7) / 7
    return each, labels


def stored(root: Path, members: int) -> list[Any]:
    """Finished runs whose predictions these are, with a small classifier each."""
    from torch import nn

    from cnnlab.models import Classifier, save_classifier
    from cnnlab.runs import Predictions, Run, RunWriter

    names = {"label": tuple("abcdefghij")}
    parts = {split: logits(members, split) for split in ("validation", "test")}
    head = nn.Sequential()
    head.add_module("flatten", nn.Flatten())
    head.add_module("head", nn.Linear(4, CLASSES))
    runs = []
    for place in range(members):
        recipe = {"data": "made-up", "model": "module(head)", "seed": place}
        with RunWriter.create(root, digest=f"{place:064x}", recipe=recipe, name=f"member-{place}") as writer:
            for split, (each, labels) in parts.items():
                facts = {"objective": "classes(column=label)", "classes": names, "data": "d", "split": split}
                ids = list(map(str, range(IMAGES)))
                writer.predictions(Predictions({"label": each[place]}, {"label": labels}, ids, **facts))
            classifier = Classifier(head, (1, 2, 2), [0.0], [1.0], names, "classes(column=label)", "module(head)")
            save_classifier(writer.path("model.safetensors"), classifier)
            writer.finish({"test": {"accuracy": 0.5, "n": IMAGES}})
        runs.append(Run(writer.folder))
    return runs


def timed(call: Callable[[], Any], calls: int = 5) -> tuple[list[float], Any]:
    """Seconds of each call after one that warmed up, and what the last one gave."""
    result, took = call(), []
    for _ in range(calls):
        began = time.perf_counter()
        result = call()
        took.append(time.perf_counter() - began)
    return took, result


def side_by_side(runs: list[Any]) -> dict[str, Any]:
    """As an ensemble reads them."""
    from cnnlab.ensembles import side_by_side

    names = [run.name for run in runs]
    return {split: side_by_side([run.predictions(split) for run in runs], names) for split in ("validation", "test")}


def of_methods(outputs: dict[str, Any], specs: list[str], calls: int) -> dict[str, Any]:
    from cnnlab.ensembles.methods import methods
    from cnnlab.evaluation import metrics_of

    found = {}
    for spec in specs:
        method = methods.bind(spec).build()
        # Copies know nothing that an earlier method has worked out.
        took, made = timed(
            lambda method=method: method.combined((), {k: replace(v) for k, v in outputs.items()}), calls
        )
        scores = metrics_of(made.predictions["test"])
        found[spec] = {"seconds": took, "accuracy": scores["accuracy"], "loss": scores["loss"]}
    return found


def by_scikit_learn() -> dict[str, Any]:
    """Its stacking of classifiers that look their stored probabilities up: pictures are their places."""
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.ensemble import StackingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    (validation, labels), (test, truth) = (logits(MEMBERS, split) for split in ("validation", "test"))
    both = np.concatenate([validation, test], axis=1).astype(np.float64)
    likely = np.exp(both - both.max(axis=2, keepdims=True))
    likely /= likely.sum(axis=2, keepdims=True)

    class Stored(ClassifierMixin, BaseEstimator):
        def __init__(self, place: int = 0) -> None:
            self.place = place

        def fit(self, x: Any, y: Any) -> "Stored":
            self.classes_ = np.unique(y)
            return self

        def predict_proba(self, x: Any) -> np.ndarray:
            return likely[self.place][x[:, 0]]

    members = [(f"m{place}", Stored(place).fit(None, labels)) for place in range(MEMBERS)]
    places = np.arange(2 * IMAGES)[:, None]
    final = LogisticRegression(max_iter=1000)
    took, fitted = timed(lambda: StackingClassifier(members, final, cv="prefit").fit(places[:IMAGES], labels), 3)
    said = fitted.predict_proba(places[IMAGES:])
    return {"seconds": took, "accuracy": float((said.argmax(1) == truth).mean()), "loss": float(log_loss(truth, said))}


def by_autogluon(python: str, members: int, folder: Path, calls: int) -> dict[str, Any]:
    """Its greedy selection in a process of its own, and what the weights come to on test."""
    validation, labels = logits(members, "validation")
    test, truth = logits(members, "test")

    def likely(rows: np.ndarray) -> np.ndarray:
        raised = np.exp(rows.astype(np.float64) - rows.max(axis=2, keepdims=True))
        return raised / raised.sum(axis=2, keepdims=True)

    path = folder / f"autogluon-{members}.npz"
    np.savez(path, likely=likely(validation), labels=labels)
    words = [python, "-c", AUTOGLUON, str(path), str(SIZE), str(calls)]
    answer = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    mean = np.einsum("mnk,m->nk", likely(test), answer["weights"])
    loss = -np.log(mean[np.arange(IMAGES), truth]).mean()
    return {
        "seconds": answer["seconds"],
        "accuracy": float((mean.argmax(1) == truth).mean()),
        "loss": float(loss),
        "members": sum(weight > 0 for weight in answer["weights"]),
    }


def measure(autogluon: str | None) -> dict[str, Any]:
    import torch

    import cnnlab

    torch.set_num_threads(machine.usable_cores())
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        few, many = stored(root / "few", MEMBERS), stored(root / "many", MANY)
        reading, outputs = timed(lambda: side_by_side(few), 3)
        record: dict[str, Any] = {"methods": of_methods(outputs, list(METHODS), 5)}
        record["reading"] = reading
        record["many"] = of_methods(side_by_side(many), list(LARGE), 3)
        record["whole"] = {
            spec: timed(lambda spec=spec: cnnlab.ensemble(few, spec, again=True), 3)[0]
            for spec in ("mean", "weights", "stacking")
        }
        record["scikit-learn"] = by_scikit_learn()
        if autogluon is not None:
            record["autogluon"] = by_autogluon(autogluon, MEMBERS, root, 3)
            record["autogluon many"] = by_autogluon(autogluon, MANY, root, 1)
    return record


def page(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    lines = [
        "# What ensembles of stored members take",
        "",
        f"{MEMBERS} made-up members, {IMAGES:,} pictures of {CLASSES} classes on validation and as many on test: each "
        "method is fitted on validation and combines both splits; medians, in seconds. Stacking includes five folds. "
        f"Measured {record['measured']} on {machine.sentence(record['machine'])}.",
        "",
        "| by | seconds | at most | accuracy on test | log loss |",
        "| --- | --- | --- | --- | --- |",
    ]
    for spec, found in record["methods"].items():
        most = METHODS[spec]
        lines.append(_row(f"`{spec}`", found, "" if most is None else f"{most:g}"))
    lines.append(_row("scikit-learn `StackingClassifier`, fitted once, no folds", record["scikit-learn"], ""))
    if "autogluon" in record:
        lines.append(_row(f"AutoGluon `EnsembleSelection`, {SIZE} rounds, fitted alone", record["autogluon"], ""))
    lines += ["", f"Of {MANY} members:", "", *lines[4:6]]
    lines += [_row(f"`{spec}`", found, f"{LARGE[spec]:g}") for spec, found in record["many"].items()]
    if "autogluon many" in record:
        lines.append(_row(f"AutoGluon `EnsembleSelection`, {SIZE} rounds, fitted alone", record["autogluon many"], ""))
    whole = ", ".join(f"`{spec}` {statistics.median(took):.2f} s" for spec, took in record["whole"].items())
    lines += [
        "",
        f"Reading and aligning the {2 * MEMBERS} files takes {statistics.median(record['reading']):.2f} s. A whole "
        "`cnnlab.ensemble`, with reading, digests, all that is found out about the members, and writing: "
        f"{whole}.",
        "",
    ]
    return "\n".join(lines)


def _row(name: str, found: dict[str, Any], most: str) -> str:
    seconds = statistics.median(found["seconds"])
    return f"| {name} | {seconds:.2f} | {most} | {found['accuracy']:.4f} | {found['loss']:.4f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--autogluon", metavar="PYTHON", help="the Python of an environment with autogluon.core")
    words = parser.parse_args()
    record = {"measured": time.strftime("%Y-%m-%d"), "machine": machine.describe()} | measure(words.autogluon)
    write_results(words.results, "ensemble-speed", record, page(record))


if __name__ == "__main__":
    main()
