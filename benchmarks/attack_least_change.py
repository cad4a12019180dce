"""What attacks that look for the least change take and find: cnnlab's, foolbox's, torchattacks' and adv-lib's.

    python benchmarks/attack_least_change.py RUN [--runs FOLDER] [--pictures 64] [--repeats 3]
        [--attacks NAME …] [--peers NAME …]

DeepFool in L∞, FMN, Carlini and Wagner's and the one-pixel attack, on the first test pictures that the run gets right;
the same model, pictures and settings for all, in one process on one thread, in turns. DeepFool in L2 and the
saliency-map attack are in ``attack_speed.py``. What is told is the time of the processor for a picture, the median over
turns, and of the pictures found how many fool the model, as computed and rounded to 8 bits, and how far they are:
medians over those that all of them fool. Those of which a peer takes minutes are fewer (:data:`SHARES`). What is no
library of cnnlab's stands beside it: ``pip install foolbox torchattacks adv-lib``; one that is missing is left out.
Writes ``attack-least-change-KIND.{json,md}`` under ``benchmarks/results``.
"""

import argparse
import importlib
import importlib.metadata
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import machine
from result_files import write_results

HERE = Path(__file__).parent
ATTACKS = ("deepfool linf", "fmn l2", "carlini-wagner", "one-pixel")
Subject = Callable[[Any, Any], Any]
"""From pictures and their classes to the pictures found."""
SHARES = {"carlini-wagner": 4, "one-pixel": 4}
"""One in so many pictures."""
CW = {"steps": 100, "search": 4, "rate": 0.05}


def of_cnnlab(model: Any, spec: str) -> Subject:
    from cnnlab.attacks import perturb

    return lambda pixels, labels: perturb(model, pixels, labels, spec, batch_size=len(pixels)).pixels


def by_cnnlab(model: Any) -> dict[str, dict[str, Subject]]:
    cw = f"carlini-wagner(steps={CW['steps']}, search_steps={CW['search']}, lr={CW['rate']}"
    return {
        "deepfool linf": {
            "cnnlab": of_cnnlab(model, "deepfool(norm=linf, growth=0)"),
        },
        "fmn l2": {
            "cnnlab": of_cnnlab(model, "fmn(growth=0)"),
            "cnnlab, confirmed": of_cnnlab(model, "fmn"),
        },
        "carlini-wagner": {"cnnlab": of_cnnlab(model, f"{cw}, growth=0)")},
        "one-pixel": {"cnnlab": of_cnnlab(model, "one-pixel(population=40, steps=10)")},
    }


def by_foolbox(model: Any) -> dict[str, dict[str, Subject]]:
    foolbox = importlib.import_module("foolbox")
    kinds = foolbox.attacks

    def of(attack: Any) -> Subject:
        wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
        return lambda pixels, labels: attack(wrapped, pixels, labels, epsilons=None)[1].numpy()

    told = {"steps": 50, "candidates": 10, "overshoot": 0.02}
    cw = kinds.L2CarliniWagnerAttack(binary_search_steps=CW["search"], steps=CW["steps"], stepsize=CW["rate"])
    return {
        "deepfool linf": {"foolbox": of(kinds.LinfDeepFoolAttack(**told))},
        "fmn l2": {"foolbox": of(kinds.L2FMNAttack(steps=100))},
        "carlini-wagner": {"foolbox": of(cw)},
    }


def by_torchattacks(model: Any) -> dict[str, dict[str, Subject]]:
    kinds = importlib.import_module("torchattacks")

    attack = kinds.OnePixel(model, pixels=1, steps=10, popsize=40)
    return {"one-pixel": {"torchattacks": lambda pixels, labels: attack(pixels, labels).numpy()}}


def by_adv_lib(model: Any) -> dict[str, dict[str, Subject]]:
    deepfool = importlib.import_module("adv_lib.attacks.deepfool").df
    fmn = importlib.import_module("adv_lib.attacks.fast_minimum_norm").fmn
    cw = importlib.import_module("adv_lib.attacks.carlini_wagner").carlini_wagner_l2

    def of(attack: Callable[..., Any], **told: Any) -> Subject:
        return lambda pixels, labels: attack(model, pixels, labels, **told).detach().numpy()

    told = {"learning_rate": CW["rate"], "binary_search_steps": CW["search"], "max_iterations": CW["steps"]}
    return {
        "deepfool linf": {"adv-lib": of(deepfool, steps=50, norm=float("inf"))},
        "fmn l2": {"adv-lib": of(fmn, norm=2, steps=100)},
        "carlini-wagner": {"adv-lib": of(cw, **told)},
    }


PEERS = {
    "foolbox": by_foolbox,
    "torchattacks": by_torchattacks,
    "adv-lib": by_adv_lib,
}


def subjects(model: Any, peers: Sequence[str]) -> dict[str, dict[str, Subject]]:
    """Attacks, and of each who makes it."""
    found = by_cnnlab(model)
    for peer in peers:
        try:
            for attack, made in PEERS[peer](model).items():
                found[attack] |= made
        except ImportError as error:
            print(f"left out: {error}", file=sys.stderr)
    return found


def pictures(words: argparse.Namespace) -> tuple[Any, Any, Any]:
    """The model, and the first test pictures that it gets right with their classes."""
    import torch

    from cnnlab import load_data, open_model
    from cnnlab.runs import Run

    run = open_model(words.run, runs=words.runs)
    assert isinstance(run, Run)
    model = run.classifier().eval()
    test = load_data(run.recipe["data"]).test
    assert test is not None
    images, columns = test.batch(range(2 * words.pictures))
    pixels, labels = torch.as_tensor(images).float() / 255, torch.as_tensor(columns["label"]).long()
    with torch.no_grad():
        right = (model(pixels).argmax(1) == labels).nonzero()[: words.pictures, 0]
    return model, pixels[right].contiguous(), labels[right]


def measure(words: argparse.Namespace) -> dict[str, Any]:
    import torch

    model, pixels, labels = pictures(words)
    found: dict[str, Any] = {}
    for attack, made in subjects(model, words.peers).items():
        if attack not in words.attacks:
            continue
        count = max(2, len(pixels) // SHARES.get(attack, 1))
        some = pixels[:count], labels[:count]
        seconds: dict[str, list[float]] = {name: [] for name in made}
        given: dict[str, Any] = {}
        for subject in made.values() if words.repeats > 1 else ():
            subject(*(each[:2] for each in some))
        for _ in range(words.repeats):
            for name, subject in made.items():
                torch.manual_seed(0)
                began = time.process_time()
                given[name] = subject(*some)
                seconds[name].append((time.process_time() - began) / count)
        found[attack] = {"pictures": count, "of": told(model, *some, given), "seconds": seconds}
        print(attack, {name: statistics.median(each) for name, each in seconds.items()}, file=sys.stderr, flush=True)
    return found


def told(model: Any, pixels: Any, labels: Any, given: dict[str, Any]) -> dict[str, Any]:
    """What the pictures found come to; the model is asked here, whoever found them."""
    import torch

    from cnnlab.attacks.norms import length
    from cnnlab.attacks.rounding import rounded

    changed = {name: torch.as_tensor(each) for name, each in given.items()}

    def fooled(found: Any) -> Any:
        with torch.no_grad():
            return model(found).argmax(1) != labels

    by_all = torch.stack([fooled(each) for each in changed.values()]).all(0)
    return {
        name: {
            "success": float(fooled(each).float().mean()),
            "success_rounded": float(fooled(rounded(each)).float().mean()),
            "compared": int(by_all.sum()),
            **{norm: float(length(each - pixels, norm)[by_all].median()) for norm in ("l2", "linf", "l0")},
        }
        for name, each in changed.items()
    }


def versions() -> dict[str, str]:
    found = {}
    for name in ("torch", *PEERS):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def page(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    numbers = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    lines = [
        "# What attacks that look for the least change take and find",
        "",
        f"On `{record['model']}`, {record['parameters']:,} weights, pictures of {record['shape']}; milliseconds of the "
        f"processor for a picture, one thread, medians of {record['repeats']} turns. Lengths are medians over the "
        f"pictures that all fool, before rounding. Measured {record['measured']} on "
        f"{machine.sentence(record['machine'])}; {numbers}.",
        "",
        "| attack | by | pictures | ms a picture | times cnnlab | fooled | rounded | L2 | L∞ | pixels |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for attack, found in record["attacks"].items():
        medians = {name: statistics.median(each) for name, each in found["seconds"].items()}
        for name, facts in found["of"].items():
            cells = (
                attack,
                name,
                found["pictures"],
                f"{1000 * medians[name]:.4g}",
                f"{medians[name] / medians['cnnlab']:.2f}",
                f"{facts['success']:.1%}",
                f"{facts['success_rounded']:.1%}",
                f"{facts['l2']:.4f}",
                f"{facts['linf']:.4f}",
                f"{facts['l0']:.0f}",
            )
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run")
    parser.add_argument("--runs", type=Path, help="the folder of runs")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--attacks", nargs="+", choices=ATTACKS, default=ATTACKS)
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    words = parser.parse_args()
    # Peers warn of what they import and of pictures that are fooled already.
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(1)
    model, pixels, _ = pictures(words)
    about = machine.describe()
    record: dict[str, Any] = {
        "measured": time.strftime("%Y-%m-%d"),
        "machine": about,
        "versions": versions(),
        "model": model.model,
        "parameters": sum(each.numel() for each in model.parameters()),
        "shape": "×".join(map(str, pixels.shape[1:])),
        "repeats": words.repeats,
        "attacks": measure(words),
    }
    write_results(words.results, f"attack-least-change-{machine.kind(about)}", record, page(record))


if __name__ == "__main__":
    main()
