"""What attacks take: cnnlab's, foolbox's, torchattacks', ART's and adv-lib's, in one process and in turns.

    python benchmarks/attack_speed.py [--only pgd] [--network NAME] [--pictures 256] [--repeats 5] [--threads 2]

The VGG-like network on Fashion-MNIST and on CIFAR-10 in JPEG, each as it is trained usually and as it is trained
against attacks, on the same pictures, all of which are predicted rightly, in one batch and with the same settings.
PGD of 40 steps within 8/255 (grey pictures: 0.06) in L∞ from a drawn start; its step by itself, as the difference
between 21 steps and one within a budget in which nothing is fooled, so that all have all pictures to the end. DeepFool
in L2, 50 steps; the saliency-map attack on pairs towards the next class, of which 14.5% of pixels may change. Medians
of wall and processor seconds of calls in turns, after one that warmed up; what the attacks come to is judged alike for
all, after rounding to 8 bits.

What is no library of cnnlab's stands beside it: ``pip install foolbox torchattacks adversarial-robustness-toolbox
adv-lib``; one that is missing is left out. Networks are trained once, in
some minutes, and kept under ``--runs``; measurements are kept in ``--kept``, so that a benchmark that was interrupted
goes on. Writes ``attack-speed-KIND.{json,md}`` under ``benchmarks/results``.
"""

import argparse
import importlib
import importlib.metadata
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import machine
from kept import Kept
from result_files import write_results

HERE = Path(__file__).parent
DATA = {"fashion-mnist": ("fashion-mnist", 0.06), "cifar10-jpeg": ("cifar10-jpeg", 8 / 255)}
"""Of each network its data and the budget in L∞."""
TRAINED = {"plain": "none", "robust": "fast(eps={eps}, warmup=2)"}
STEPS, LONG, TINY, DEEPFOOL_STEPS, GAMMA = 40, 21, 1e-4, 50, 0.145
FEW = {
    ("fashion-mnist", "jsma"): 32,
    ("cifar10-jpeg", "jsma"): 16,
    ("cifar10-jpeg", "deepfool"): 64,
}
"""Pictures for what takes some libraries seconds for each."""
ANY = "the fastest"
LEAST: dict[str, dict[str, float]] = {
    "step": {ANY: 1.0},
    "pgd": {ANY: 1.5},
    "deepfool": {"adv-lib": 1.0, "foolbox": 3.0},
    "jsma": {"torchattacks": 20.0},
}
"""How many times as fast as which of the others it is to be; the whole of PGD on the plain network alone."""
VARIANTS = {"deepfool": "growth=0", "jsma": "of=logits"}
"""cnnlab's with one word other than by default, as most others have it."""
LIBRARIES = {
    "foolbox": "foolbox",
    "torchattacks": "torchattacks",
    "ART": "adversarial-robustness-toolbox",
    "adv-lib": "adv-lib",
}
COLUMNS = (
    "network",
    "attack",
    "pictures",
    "cnnlab",
    "others",
    "times as fast",
    "at least",
    "in 8 bits",
    "fooled",
    "change",
)
Subject = Callable[[], Any]


def by_cnnlab(attack: str, given: Any, steps: int, eps: float, word: str = "") -> Subject:
    from cnnlab.attacks import perturb

    more = f", {word}" if word else ""
    spec = f"deepfool(steps={steps}{more})" if attack == "deepfool" else f"jsma(gamma={GAMMA}, target=none{more})"
    if attack == "pgd":
        spec = f"pgd(eps={eps}, steps={steps}, step={2.5 * eps / steps})"
    pixels, labels = given.pixels, given.labels
    targets = given.targets if attack == "jsma" else None

    def call() -> Any:
        found = perturb(given.classifier, pixels, labels, spec, targets=targets, batch_size=len(pixels))
        return given.torch.from_numpy(found.pixels)

    return call


def by_foolbox(attack: str, given: Any, steps: int, eps: float) -> Subject:
    foolbox = importlib.import_module("foolbox")
    model = foolbox.PyTorchModel(given.classifier, bounds=(0, 1), device="cpu")
    if attack == "pgd":
        made = foolbox.attacks.LinfPGD(abs_stepsize=2.5 * eps / steps, steps=steps, random_start=True)
        return lambda: made(model, given.pixels, given.labels, epsilons=eps)[1]
    if attack != "deepfool":
        raise NotImplementedError
    deep = foolbox.attacks.L2DeepFoolAttack(steps=steps, candidates=10, overshoot=0.02)
    return lambda: deep(model, given.pixels, given.labels, epsilons=None)[1]


def by_torchattacks(attack: str, given: Any, steps: int, eps: float) -> Subject:
    torchattacks = importlib.import_module("torchattacks")
    if attack == "pgd":
        made = torchattacks.PGD(given.classifier, eps=eps, alpha=2.5 * eps / steps, steps=steps, random_start=True)
    elif attack == "deepfool":
        made = torchattacks.DeepFool(given.classifier, steps=steps, overshoot=0.02)
    else:
        made = torchattacks.JSMA(given.classifier, theta=1.0, gamma=GAMMA)
    # Without other words its saliency-map attack goes towards the next class.
    return lambda: made(given.pixels, given.labels)


def by_art(attack: str, given: Any, steps: int, eps: float) -> Subject:
    torch, evasion = given.torch, importlib.import_module("art.attacks.evasion")
    estimators = importlib.import_module("art.estimators.classification")
    shape, classes = tuple(given.pixels.shape[1:]), given.classes
    loss = torch.nn.CrossEntropyLoss()
    model = estimators.PyTorchClassifier(given.classifier, loss, shape, classes, clip_values=(0.0, 1.0))
    size = len(given.pixels)
    given_to_it, label_rows = given.pixels.numpy(), torch.eye(classes)[given.labels].numpy()
    if attack == "pgd":
        made = evasion.ProjectedGradientDescentPyTorch(
            model,
            eps=eps,
            eps_step=2.5 * eps / steps,
            max_iter=steps,
            num_random_init=1,
            batch_size=size,
            verbose=False,
        )
    elif attack == "deepfool":
        made = evasion.DeepFool(model, max_iter=steps, epsilon=0.02, nb_grads=10, batch_size=size, verbose=False)
    else:
        made = evasion.SaliencyMapMethod(model, theta=1.0, gamma=GAMMA, batch_size=size, verbose=False)
        label_rows = torch.eye(classes)[given.targets].numpy()
    return lambda: torch.from_numpy(made.generate(given_to_it, label_rows)).float()


def by_adv_lib(attack: str, given: Any, steps: int, eps: float) -> Subject:
    if attack == "pgd":
        pgd = importlib.import_module("adv_lib.attacks").pgd_linf
        step = 2.5 * eps / steps
        return lambda: pgd(given.classifier, given.pixels, given.labels, eps, steps=steps, absolute_step_size=step)
    if attack != "deepfool":
        raise NotImplementedError
    deep = importlib.import_module("adv_lib.attacks.deepfool").df
    return lambda: deep(given.classifier, given.pixels, given.labels, steps=steps, overshoot=0.02).detach()


MAKERS = {
    "cnnlab": by_cnnlab,
    "foolbox": by_foolbox,
    "torchattacks": by_torchattacks,
    "ART": by_art,
    "adv-lib": by_adv_lib,
}


class Given:
    """A network, and pictures of the test split that it predicts rightly, the first of them."""

    def __init__(self, run: Any, count: int) -> None:
        import torch

        from cnnlab import data
        from cnnlab.models import to_float

        self.torch, self.classifier = torch, run.classifier().eval().requires_grad_(False)
        test = data.load_data(run.recipe["data"]).test
        images, targets = test.batch(torch.arange(min(len(test), 4 * count + 200)))
        labels, pixels = next(iter(targets.values())), to_float(images)
        with torch.no_grad():
            right = (self.classifier(pixels).argmax(1) == labels).nonzero()[:count, 0]
        self.pixels, self.labels = pixels[right].contiguous(), labels[right]
        self.classes = len(next(iter(self.classifier.classes.values())))

    @property
    def targets(self) -> Any:
        """The class after the right one, of which each picture is to be."""
        return (self.labels + 1) % self.classes

    def first(self, count: int) -> "Given":
        """The first pictures alone; all where there are no more."""
        some: Given = object.__new__(Given)
        some.__dict__.update(self.__dict__)
        some.pixels, some.labels = self.pixels[:count], self.labels[:count]
        return some

    def judged(self, attack: str, changed: Any) -> dict[str, float | None]:
        """How many pictures fool the network, rounded and as computed; the median change of those that do."""
        torch, found = self.torch, {}
        for name, pixels in (("rounded", (changed * 255).round() / 255), ("unrounded", changed)):
            with torch.no_grad():
                said = self.classifier(pixels).argmax(1)
            fooled = said == self.targets if attack == "jsma" else said != self.labels
            apart = (pixels - self.pixels)[fooled].flatten(1)
            found[name] = float(fooled.float().mean())
            lengths = {"l2": apart.norm(dim=1), "linf": apart.abs().amax(1), "l0": (apart != 0).float().mean(1)}
            found |= {f"{norm} {name}": float(of.median()) if len(of) else None for norm, of in lengths.items()}
        return found


def timed(subjects: Mapping[str, Subject], repeats: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Wall and processor seconds of each call, all in turns, and what each gave."""
    values = {name: call() for name, call in subjects.items()}
    seconds: dict[str, Any] = {name: {"wall": [], "processor": []} for name in subjects}
    for _ in range(repeats):
        for name, call in subjects.items():
            wall, processor = time.perf_counter(), time.process_time()
            values[name] = call()
            seconds[name]["wall"].append(time.perf_counter() - wall)
            seconds[name]["processor"].append(time.process_time() - processor)
    return seconds, values


def subjects_of(attack: str, given: Given, steps: int, eps: float, only: list[str]) -> dict[str, Subject]:
    """What can be called, by the name of the library."""
    found = {}
    for name, make in MAKERS.items():
        if only and name not in (*only, "cnnlab"):
            continue
        try:
            found[name] = make(attack, given, steps, eps)
        except NotImplementedError:
            continue
        except Exception as error:
            print(f"{name}: {attack} is left out: {error}", file=sys.stderr)
    return found


def measure(given: Given, attack: str, network: str, words: argparse.Namespace) -> dict[str, Any]:
    """Of one attack on one network."""
    eps = DATA[network][1]
    if attack == "step":
        rows: dict[str, Any] = {}
        for steps in (1, LONG):
            seconds, _ = timed(subjects_of("pgd", given, steps, TINY, words.library), words.repeats)
            rows[str(steps)] = seconds
        return {"pictures": len(given.pixels), "rows": rows}
    some = given.first(FEW.get((network, attack), len(given.pixels)))
    steps = {"pgd": STEPS, "deepfool": DEEPFOOL_STEPS, "jsma": 0}[attack]
    seconds, values = timed(subjects_of(attack, some, steps, eps, words.library), words.repeats)
    judged = {name: some.judged(attack, changed) for name, changed in values.items()}
    return {"pictures": len(some.pixels), "seconds": seconds, "judged": judged}


def variant(attack: str, given: Given, repeats: int) -> dict[str, Any]:
    """Seconds of cnnlab's attack as others have it, by itself, and what it comes to."""
    name = f"cnnlab ({VARIANTS[attack]})"
    subject = by_cnnlab(attack, given, DEEPFOOL_STEPS, 0, VARIANTS[attack])
    seconds, values = timed({name: subject}, repeats)
    return {"seconds": seconds, "judged": {name: given.judged(attack, values[name])}}


def trained(network: str, kind: str, runs: Path, keys: Mapping[str, Any]) -> Any:
    """The run of a network, trained now where it is not there."""
    import cnnlab

    data, eps = DATA[network]
    own = {"data": data, "model": "vgg-like", "adversary": TRAINED[kind].format(eps=eps), "name": f"{network}-{kind}"}
    return cnnlab.train({**own, "validation": 1000, **keys}, runs=runs)


def medians(found: Mapping[str, Any], attack: str, clock: str) -> dict[str, float]:
    """Seconds of each library."""
    if attack != "step":
        return {name: statistics.median(each[clock]) for name, each in found["seconds"].items()}
    one, many = (found["rows"][str(steps)] for steps in (1, LONG))
    apart = {name: [b - a for a, b in zip(one[name][clock], many[name][clock], strict=True)] for name in many}
    return {name: statistics.median(each) / (LONG - 1) for name, each in apart.items()}


def calls(found: Mapping[str, Any]) -> str:
    """How many calls medians are of: fewer where a benchmark went on with fewer."""
    rows = [
        row for each in found.values() for row in (each["rows"]["1"] if "rows" in each else each["seconds"]).values()
    ]
    counts = {len(row["wall"]) for row in rows}
    return " to ".join(map(str, sorted({min(counts), max(counts)})))


def page(record: Mapping[str, Any]) -> str:
    """The record as Markdown."""
    from cnnlab.core.number_text import counted

    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    lines = [
        "# What attacks take",
        "",
        f"Processor seconds, and wall seconds in brackets, medians of {calls(record['found'])} calls in turns, "
        f"{counted(record['threads'], 'thread')}; how many times as fast cnnlab is, and as it is to "
        f"be. {versions}. Measured {record['measured']} on {machine.sentence(record['machine'])}.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{' --- |' * len(COLUMNS)}",
    ]
    for key, found in record["found"].items():
        network, attack = key.rsplit(" ", 1)
        processor, wall = (medians(found, attack, clock) for clock in ("processor", "wall"))
        told = {name: f"{processor[name]:.3g} ({wall[name]:.3g})" for name in processor}
        others = {name: seconds for name, seconds in processor.items() if name != "cnnlab"}
        beside = others | ({ANY: min(others.values())} if others else {})
        wanted = {name: least for name, least in LEAST[attack].items() if name in beside}
        ratio = "; ".join(f"{name} {beside[name] / processor['cnnlab']:.2f}" for name in wanted)
        is_open = attack == "pgd" and network.endswith("robust")
        least = "" if is_open else "; ".join(f"{name} {times:g}" for name, times in wanted.items())
        judged = found.get("judged", {})
        norm = {"pgd": "linf", "deepfool": "l2", "jsma": "l0"}.get(attack, "")
        cells = [network, attack, found["pictures"], told.pop("cnnlab", ""), "; ".join(map(" ".join, told.items()))]
        cells += [ratio, least]
        other = found.get("variant", {"seconds": {}, "judged": {}})
        for name in other["seconds"]:
            mine = {clock: medians(other, attack, clock)[name] for clock in ("processor", "wall")}
            cells[3] += f"; {name.partition(' ')[2]} {mine['processor']:.3g} ({mine['wall']:.3g})"
        judged = judged | other["judged"]
        cells += [
            "; ".join(f"{name} {each[what]:.1%}" for name, each in judged.items()) for what in ("rounded", "unrounded")
        ]
        changes = {name: each[f"{norm} unrounded"] for name, each in judged.items()}
        cells.append("; ".join(f"{name} {change:.3g}" for name, change in changes.items() if change is not None))
        lines.append(f"| {' | '.join(map(str, cells))} |")
    lines += [
        "",
        "`step` is one step of PGD with all pictures. `pgd` is the whole, `robust` a network that was trained against "
        "attacks. A change is the median over pictures that fool the network, as computed: in L∞ of PGD, in L2 of "
        "DeepFool, as the share of numbers that are other ones of the saliency-map attack (`jsma`). cnnlab's DeepFool "
        "goes on until the picture fools in 8 bits too, where the others end before, as it does with `growth=0`. "
        "torchattacks' saliency map is of logits and its pair the best; ART's takes the two pixels best by themselves; "
        "cnnlab's is of probabilities, or with `of=logits` of logits, and its pair the best. What stands in brackets "
        "with a word of its own was timed by itself, not in turns.",
        "",
    ]
    return "\n".join(lines)


def versions_of() -> dict[str, str]:
    """Of all that is measured."""
    found = {name: importlib.metadata.version(name) for name in ("cnnlab", "torch")}
    for name, package in LIBRARIES.items():
        try:
            found[name] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            print(f"{name} is not installed and left out", file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the networks are kept")
    parser.add_argument("--kept", type=Path, help="a file of measurements that a benchmark goes on from")
    parser.add_argument("--only", choices=LEAST, action="append", help="that attack alone, or those")
    parser.add_argument("--network", choices=DATA, help="that alone")
    parser.add_argument("--library", choices=LIBRARIES, action="append", default=[], help="that alone beside cnnlab")
    parser.add_argument("--pictures", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=machine.usable_cores())
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--subset", type=int, default=10000, help="how many pictures the networks are trained on")
    words = parser.parse_args()
    import torch

    from cnnlab.attacks import ATTACKS

    ATTACKS.complete()
    known = {entry.name for entry in ATTACKS}
    warnings.simplefilter("ignore")
    about = machine.describe()
    kind, kept, found = machine.kind(about), Kept(words.kept), {}
    for network in [words.network] if words.network else DATA:
        for how in TRAINED:
            run = trained(network, how, words.runs, {"epochs": words.epochs, "subset": words.subset})
            torch.set_num_threads(words.threads)
            given = Given(run, words.pictures)
            for attack in words.only or LEAST:
                if attack == "step" and how == "robust":
                    continue
                if attack in ("deepfool", "jsma") and attack not in known:
                    print(f"{attack} is left out: cnnlab has none", file=sys.stderr)
                    continue
                key = f"{network} {how} {attack}"
                found[key] = kept.get(key, lambda: measure(given, attack, network, words))  # noqa: B023
                if attack in VARIANTS:
                    some = given.first(FEW.get((network, attack), len(given.pixels)))
                    found[key]["variant"] = kept.get(f"{key} variant", lambda: variant(attack, some, words.repeats))  # noqa: B023
                print(key, medians(found[key], attack, "processor"), file=sys.stderr)
    record = {"measured": time.strftime("%Y-%m-%d"), "machine": about, "kind": kind, "versions": versions_of()}
    record |= {"threads": words.threads, "found": found}
    write_results(words.results, f"attack-speed-{kind}", record, page(record))


if __name__ == "__main__":
    main()
