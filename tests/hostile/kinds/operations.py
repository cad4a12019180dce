"""What is done to an input: the command lines that read it."""

from collections.abc import Sequence

from ..case import Case, Step
from ..samples import TRAINING


def step(*words: str) -> Step:
    """A command line to be run as it is."""
    return Step(words)


def over_data(case: Case, data: str) -> list[Step]:
    """Something that reads data, drawn; ``data`` is a path or a spec."""
    draw = case.random.random()
    if draw < 0.6:
        return [step("data", "check", data, *flags(case))]
    if draw < 0.8:
        case.runs("base")
        return [step("evaluate", "base", f"data={data}", *flags(case))]
    return [step("train", f"data={data}", "epochs=1", "--name", "new", *TRAINING, *flags(case))]


def over_pictures(case: Case, *paths: str) -> list[Step]:
    """A prediction, in one of its forms."""
    case.runs("base")
    more = case.random.choice(([], ["--out", "out.csv"], ["--skip-bad"], ["--skip-bad", "--out", "out.csv"]))
    return [step("predict", "base", *more, *flags(case), "--", *paths)]


def over_model(case: Case, path: str) -> list[Step]:
    """Something that opens a file of a classifier."""
    case.photos()
    draw = case.random.random()
    if draw < 0.5:
        return [step("predict", path, "photos", *flags(case))]
    if draw < 0.75:
        return [step("evaluate", path, "data=photos", *flags(case))]
    return [step("predict", f"classifier:{path}", "photos", *flags(case))]


def over_runs(case: Case, names: Sequence[str]) -> list[Step]:
    """One or two things that are done with runs, drawn."""
    return [_over_runs(case, names) for _ in range(case.random.choice((1, 1, 2)))]


def _over_runs(case: Case, names: Sequence[str]) -> Step:
    name, other = case.random.choice(names), case.random.choice(names)
    lines = (
        ["runs", "list"],
        ["runs", "list"],
        ["runs", "show", name],
        ["runs", "show", name],
        ["runs", "compare", name, other],
        ["runs", "delete", name, "--yes"],
        ["report", name],
        ["report", name, other],
        ["resume", name],
        ["resume", name],
        ["evaluate", name, "split=validation"],
        ["predict", name, "photos"],
        ["extend", name, "epochs=+1"],
        ["ensemble", name, other, "--name", "new"],
        ["figure", name, case.random.choice(("curves", "confusion", "roc", "mistakes"))],
    )
    return step(*case.random.choice(lines), *_json(case))


def flags(case: Case) -> list[str]:
    """Now and then a flag that changes the way of what is said."""
    return [*case.random.choice(([], [], ["--quiet"])), *_json(case)]


def _json(case: Case) -> list[str]:
    return case.random.choice(([], [], ["--json"]))
