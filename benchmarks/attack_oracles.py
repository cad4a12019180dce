"""What cnnlab's attacks find beside others' on the same run, pictures and settings: as many fooled, to a point.

    python benchmarks/attack_oracles.py RUN [--pictures 150] [--linf 0.03] [--l2 0.6] [--l1 6] [--queries 5000]
        [--autoattack FOLDER] [--only PART]

Projected gradient in three norms beside foolbox and torchattacks, with the same budget, steps and step length; the
ensemble beside AutoAttack's own code where FOLDER holds it (a clone of fra31/auto-attack), and torchattacks' copy of it
elsewhere. Robust accuracy is as computed, for the others do not round to 8 bits, and is counted by one function for
all. ``pip install foolbox torchattacks``; one that is missing is left out. Pictures are the first of the run's test
split. Writes ``attack-oracles.{json,md}`` under ``benchmarks/results``; parts that are measured later, by ``--only``,
are added to those of the same run. Some minutes, most of which AutoAttack takes.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import machine
from result_files import write_results

HERE = Path(__file__).parent
STEPS = 40
WORDS = {"linf": "L∞", "l2": "L2", "l1": "L1"}
THEIRS = {"linf": "Linf", "l2": "L2", "l1": "L1"}


def by_cnnlab(classifier: Any, pixels: Any, labels: Any, spec: str) -> Callable[[], Any]:
    import torch

    from cnnlab.attacks import perturb

    return lambda: torch.from_numpy(perturb(classifier, pixels, labels, spec).pixels)


def by_foolbox(classifier: Any, pixels: Any, labels: Any, norm: str, eps: float) -> Callable[[], Any]:
    foolbox = importlib.import_module("foolbox")
    model = foolbox.PyTorchModel(classifier, bounds=(0, 1), device="cpu")
    step = 2.5 * eps / STEPS
    if norm == "l1":
        # Its projected gradient in L1 goes by the whole gradient; this one moves few numbers, as ours does.
        attack = foolbox.attacks.SparseL1DescentAttack(quantile=0.98, abs_stepsize=step, steps=STEPS, random_start=True)
    else:
        kind = {"linf": "LinfPGD", "l2": "L2PGD"}[norm]
        attack = getattr(foolbox.attacks, kind)(abs_stepsize=step, steps=STEPS, random_start=True)
    return lambda: attack(model, pixels, labels, epsilons=eps)[1]


def by_torchattacks(classifier: Any, pixels: Any, labels: Any, norm: str, eps: float) -> Callable[[], Any]:
    library = importlib.import_module("torchattacks")
    if norm == "l1":
        raise ImportError("torchattacks has no projected gradient in L1")
    kind = {"linf": library.PGD, "l2": library.PGDL2}[norm]
    attack = kind(classifier, eps=eps, alpha=2.5 * eps / STEPS, steps=STEPS, random_start=True)
    return lambda: attack(pixels, labels)


def by_autoattack(
    classifier: Any, pixels: Any, labels: Any, norm: str, eps: float, queries: int
) -> tuple[str, Callable[[], Any]]:
    try:
        library = importlib.import_module("autoattack")
    except ImportError:
        copy = importlib.import_module("torchattacks").AutoAttack(
            classifier, norm=THEIRS[norm], eps=eps, version="standard", n_classes=10, seed=0
        )
        return "torchattacks' AutoAttack", lambda: copy(pixels, labels)
    attack = library.AutoAttack(classifier, norm=THEIRS[norm], eps=eps, version="standard", device="cpu", seed=0)
    attack.square.n_queries = queries
    return "AutoAttack", lambda: attack.run_standard_evaluation(pixels, labels, bs=len(pixels))


def robust(classifier: Any, changed: Any, pixels: Any, labels: Any, norm: str, eps: float) -> float:
    """The share that stays right; what lies outside of the budget or of [0, 1] does not count as fooled."""
    import torch

    from cnnlab.attacks.norms import length

    with torch.no_grad():
        right = classifier(changed).argmax(1) == labels
        inside = (length(changed - pixels, norm) <= eps * 1.001) & (changed.flatten(1).amin(1) >= 0)  # type: ignore[arg-type]
        inside &= changed.flatten(1).amax(1) <= 1
        return float((right | ~inside).float().mean())


def measure(words: argparse.Namespace) -> dict[str, Any]:
    """What each finds, part by part."""
    import numpy as np
    import torch

    from cnnlab.evaluation import looking, predictor_of

    if words.arrays:
        stored = np.load(words.arrays)
        pixels, labels = (torch.from_numpy(stored[name][: words.pictures]) for name in ("x", "y"))
    else:
        pixels, labels = test_pictures(words.run, words.pictures)
    given: Any = (pixels.float() / 255, labels)
    predictor = predictor_of(words.run)
    found: dict[str, Any] = {}
    with looking(predictor) as classifier:
        clean = robust(classifier, given[0], *given, "linf", 0.0)
        for norm in WORDS:
            eps = getattr(words, norm)
            parts = {
                f"projected gradient, {WORDS[norm]}": {
                    "cnnlab": partial(
                        by_cnnlab, predictor.classifier, *given, f"pgd(norm={norm}, eps={eps}, steps={STEPS})"
                    ),
                    "foolbox": partial(by_foolbox, classifier, *given, norm, eps),
                    "torchattacks": partial(by_torchattacks, classifier, *given, norm, eps),
                },
                f"ensemble, {WORDS[norm]}": {
                    "cnnlab": partial(
                        by_cnnlab,
                        predictor.classifier,
                        *given,
                        f"auto(norm={norm}, eps={eps}, queries={words.queries})",
                    ),
                    "AutoAttack": partial(by_autoattack, classifier, *given, norm, eps, words.queries),
                },
            }
            for part, subjects in parts.items():
                if words.only is None or words.only in part:
                    shares = dict(shares_of(subjects, classifier, given, norm, eps))
                    found[part] = {"eps": eps, "pictures": len(labels), "clean": clean, "robust_accuracy": shares}
                    print(part, shares, flush=True)
    return found


def shares_of(
    subjects: dict[str, Callable[[], Any]], classifier: Any, given: Any, norm: str, eps: float
) -> Iterator[tuple[str, float]]:
    """The robust accuracy by each that is there."""
    for name, make in subjects.items():
        try:
            made = make()
        except ImportError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        name, call = made if isinstance(made, tuple) else (name, made)
        yield name, robust(classifier, call().detach(), *given, norm, eps)


def test_pictures(run: str, count: int) -> tuple[Any, Any]:
    """The first pictures of the run's test split, uint8, and their classes."""
    import cnnlab

    test = cnnlab.load_data(cnnlab.Run(run).recipe["data"]).test
    assert test is not None
    images, targets = test.batch(range(count))
    return images, next(iter(targets.values()))


def page(record: dict[str, Any]) -> str:
    """The page for people."""
    lines = [
        "# Robust accuracy by cnnlab's attacks and by others'",
        "",
        f"{record['run']}; the same pictures, budgets, steps and step lengths for all. As computed, before rounding to "
        f"8 bits. Projected gradient takes {STEPS} steps from a drawn start, 2.5 times as far as the budget all "
        f"together; squares ask {record['queries']:,} times at most. AutoAttack has FAB as well.",
        "",
        "| attack | budget | pictures | right as they are | robust accuracy by |",
        "|---|---|---|---|---|",
    ]
    for part, found in record["parts"].items():
        shares = ", ".join(f"{name} {share:.1%}" for name, share in found["robust_accuracy"].items())
        lines.append(f"| {part} | {found['eps']:g} | {found['pictures']} | {found['clean']:.1%} | {shares} |")
    above = [
        found["robust_accuracy"]["cnnlab"] - min(found["robust_accuracy"].values())
        for found in record["parts"].values()
    ]
    lines += ["", f"cnnlab's robust accuracy lies at most {100 * max(above):.1f} points above the lowest.", ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--pictures", type=int, default=150)
    parser.add_argument("--linf", type=float, default=0.03)
    parser.add_argument("--l2", type=float, default=0.6)
    parser.add_argument("--l1", type=float, default=6.0)
    parser.add_argument("--queries", type=int, default=5000)
    parser.add_argument("--autoattack", type=Path, help="folder of AutoAttack's own code")
    parser.add_argument("--arrays", type=Path, help="an npz file with uint8 pictures x and classes y, in place of data")
    parser.add_argument("--only", help="words of the parts to be measured")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    words = parser.parse_args()
    if words.autoattack:
        sys.path.insert(0, str(words.autoattack))
    file = words.out / "attack-oracles.json"
    before = json.loads(file.read_text()) if file.is_file() else {}
    run = Path(words.run).name
    parts = before.get("parts", {}) if before.get("run") == run and before.get("queries") == words.queries else {}
    record = {"run": run, "queries": words.queries, "machine": machine.describe(), "parts": parts | measure(words)}
    write_results(words.out, "attack-oracles", record, page(record))


if __name__ == "__main__":
    main()
