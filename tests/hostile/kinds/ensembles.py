"""Ensembles: records that lead elsewhere, and words that say how one is made or what is done to pictures."""

import json

from ..case import Case, Step, kind
from ..mutations import ODD_VALUES
from .operations import over_runs, step
from .words import PIECES, odd_text

_NAMES = (
    "..",
    ".",
    "",
    "../outside",
    "/etc",
    "base/../base",
    "studies",
    "pair",
    "a\\b",
    "a\0b",
    "x" * 5000,
    "\x1b[31m",
    "=cmd|' /C calc'!A0",
    "日本",
    "-y",
    "last",
    "*",
)
_METHODS = (
    "mean",
    "vote",
    "weights",
    "weights(temperature=true)",
    "greedy(size=5, bags=2)",
    "stacking(folds=2)",
    "swarm(particles=4, iterations=3)",
    "soup",
    "average(epochs=[1, 2])",
    "snapshots",
    "tta(flip, views=2)",
    "mean(of=logits)",
)
_PERTURBATIONS = (
    "rotate(15)",
    "gaussian_noise(0.05)",
    "flip|blur(1)",
    "erase(p=0.5)",
    "salt_and_pepper(0.1)",
    "mixup(0.2)",
)


@kind("members of an ensemble")
def members(case: Case) -> list[Step]:
    """Names of members that are no folders beside it; an ensemble of itself; links in the place of a member."""
    runs = case.runs("base", "other", "pair")
    case.photos()
    name = case.random.choice(_NAMES)
    path = runs / "pair" / case.random.choice(("ensemble.json", "run.json"))
    content = json.loads(path.read_text())
    if path.name == "ensemble.json":
        member = case.random.choice(content["members"])
        member["name"] = name if case.random.random() < 0.8 else case.random.choice(ODD_VALUES)
    else:
        key = case.random.choice(("members", "needs", "method"))
        content["ensemble"][key] = name if key == "method" else [name]
    path.write_text(json.dumps(content))
    if case.random.random() < 0.2:
        (runs / "other").rename(case.outside / "other")
        (runs / "other").symlink_to(case.outside / "other")
    return over_runs(case, ("pair", "pair", "base"))


@kind("words of ensembles and perturbations")
def words(case: Case) -> list[Step]:
    case.runs("base", "other", "pair")
    case.photos()
    draw = case.random.random()
    if draw < 0.5:
        text = odd_text(case, case.random.choice(_METHODS), PIECES)
        names = case.random.choice((["base", "other"], ["base"], ["base", "pair"], ["*"], ["base", "base"]))
        return [step("ensemble", *names, f"method={text}", "--name", "new", "-q")]
    if draw < 0.85:
        text = odd_text(case, case.random.choice(_PERTURBATIONS), PIECES)
        return [step("evaluate", case.random.choice(("base", "pair")), f"perturb={text}")]
    text = odd_text(case, case.random.choice(("mnist", "fashion-mnist", "recipe:mnist")), PIECES)
    return [step("recipes", "show", "--", text) if draw < 0.93 else step("train", f"recipe:{text}", "data=photos")]


@kind("places to write to")
def places(case: Case) -> list[Step]:
    """What ``--out`` is not meant to be: folders, links out of the folder, other kinds of file, odd names."""
    case.runs("base")
    case.photos()
    case.write("mine.html", b"<html>mine</html>")
    (case.work / "link").symlink_to(case.work / "photos")
    (case.work / "loop").symlink_to("loop")
    out = case.random.choice(
        (
            "photos",
            "link",
            "loop",
            "loop/x.png",
            "mine.html",
            "mine.html/x.png",
            "new.pdf",
            "p.xlsx",
            "a\0b",
            "x" * 300 + ".png",
            "new/deep/er/x.png",
            "",
            ".",
            "-",
            "\x1b[31m.csv",
        )
    )
    line = case.random.choice(
        (
            ["predict", "base", "photos/cat/0.png"],
            ["report", "base"],
            ["figure", "base", "curves"],
            ["recipes", "show", "mnist"],
            ["models", "draw", "mlp(hidden=[4])", "--input", "1x8x8"],
            ["augment", "preview", "data=photos", "augment=flip", "--count", "2"],
        )
    )
    photos = case.work / "photos"
    # A report is put into the folder that is named, beside what is there.
    case.guarded += [case.work / "mine.html", *(photos.rglob("*.*") if line[0] == "report" else [photos])]
    return [step(*line, "--out", out)]
