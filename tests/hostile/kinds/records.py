"""Records of runs and studies that are damaged, or say what cannot be."""

import json
from pathlib import Path

from ..case import Case, Step, kind
from ..mutations import damaged, odd_json
from .operations import over_runs, step

_RUNS = ("base", "other", "stopped")


@kind("run.json")
def run_json(case: Case) -> list[Step]:
    """The facts of a run, replaced one by one; every run beside it must stay usable."""
    runs = case.runs(*_RUNS)
    case.photos()
    name = case.random.choice(_RUNS)
    path = runs / name / "run.json"
    path.write_bytes(odd_json(json.loads(path.read_text()), case.random))
    return over_runs(case, (name, name, "base", "last"))


@kind("files of a run")
def run_files(case: Case) -> list[Step]:
    """Any file of a run, damaged, missing, empty, or a folder."""
    runs = case.runs(*_RUNS)
    case.photos()
    name = case.random.choice(_RUNS)
    path = case.random.choice([path for path in sorted((runs / name).rglob("*")) if path.is_file()])
    draw = case.random.random()
    content = path.read_bytes()
    path.unlink()
    if draw < 0.75:
        path.write_bytes(damaged(content, case.random))
    elif draw < 0.85:
        path.mkdir()
    elif draw < 0.9:
        path.write_bytes(b"")
    return over_runs(case, (name, name, "base", "last"))


@kind("ensemble.json")
def ensemble_json(case: Case) -> list[Step]:
    """What an ensemble is made of, replaced one by one or damaged; or a member that is gone."""
    runs = case.runs("base", "other", "pair")
    case.photos()
    path = runs / "pair" / "ensemble.json"
    draw = case.random.random()
    if draw < 0.7:
        path.write_bytes(odd_json(json.loads(path.read_text()), case.random))
    elif draw < 0.85:
        path.write_bytes(damaged(path.read_bytes(), case.random))
    else:
        (runs / "other" / "model.safetensors").unlink()
    return over_runs(case, ("pair", "pair", "pair", "base"))


@kind("recipe.yaml of a run")
def run_recipe(case: Case) -> list[Step]:
    runs = case.runs(*_RUNS)
    case.photos()
    name = case.random.choice(_RUNS)
    path = runs / name / "recipe.yaml"
    path.write_bytes(damaged(path.read_bytes(), case.random))
    return over_runs(case, (name, name, "base"))


@kind("lines of a run")
def run_lines(case: Case) -> list[Step]:
    """The history and the log of steps, line by line."""
    runs = case.runs(*_RUNS)
    case.photos()
    name = case.random.choice(_RUNS)
    path = runs / name / case.random.choice(("history.csv", "live.jsonl"))
    lines = path.read_bytes().splitlines()
    place = case.random.randrange(len(lines))
    draw = case.random.random()
    if path.name == "live.jsonl" and draw < 0.4:
        lines[place] = odd_json(json.loads(lines[place]), case.random)
    elif draw < 0.5:
        lines[place] = damaged(lines[place], case.random)
    elif draw < 0.7:
        lines.insert(place, lines[case.random.randrange(len(lines))])
    else:
        lines[place] = case.random.choice(
            (b"", b"{}", b"[]", b"null", b"1", b"a,b", b'"', b"\xff", b"," * 5000, b"{" * 5000)
        )
    path.write_bytes(b"\n".join(lines) + case.random.choice((b"\n", b"")))
    return over_runs(case, (name, name, "base"))


@kind("what lies in the store")
def odd_store(case: Case) -> list[Step]:
    """Folders and files among the runs that are none, and names that lead out of the store."""
    runs = case.runs(*_RUNS)
    case.photos()
    case.guarded.append(case.photos("runs/thesis"))
    _strew(case, runs)
    names = ("..", ".", "", "thesis", "../photos", "../../outside", str(case.outside), "base/", "./base", "studies",
             "last", "base", "runs/base", "link", "copy", "\x00", "x" * 5000, "*", ".index.sqlite", "-y")  # fmt: skip
    name = case.random.choice(names)
    if case.random.random() < 0.6:
        verb = case.random.choice((["delete", "-y"], ["delete", "-y"], ["restore"], ["show"], ["compare"]))
        return [step("runs", *verb, "--", *case.random.sample(names, 2), name), step("runs", "list")]
    return over_runs(case, (name, "base"))


def _strew(case: Case, runs: Path) -> None:
    (runs / "notes.txt").write_text("mine")
    (runs / "empty").mkdir()
    (runs / "link").symlink_to(case.random.choice((case.outside / "folder", runs / "base", runs, "link", "none")))
    (case.outside / "folder" / "run.json").write_text('{"format": 1}')
    (runs / "copy").mkdir()
    (runs / "copy" / "run.json").write_text(
        case.random.choice(('{"format":1}', "{}", "[]", "", '{"format": 2, "name": ".."}'))
    )
    index = runs / ".index.sqlite"
    if case.random.random() < 0.5:
        index.write_bytes(
            case.random.choice((b"", b"SQLite format 3\x00" + b"\xff" * 4000, b"no database", b"\x00" * 100))
        )
    if case.random.random() < 0.2:
        case.random.choice((runs / ".trash", runs / "trash", runs / ".deleted", runs / "studies")).write_text("a file")


@kind("records of a study")
def study_records(case: Case) -> list[Step]:
    """The files of a study that was run, damaged or odd."""
    runs = case.runs()
    case.photos()
    folder = runs / "studies" / "small"
    path = case.random.choice([path for path in sorted(folder.iterdir()) if path.suffix in (".json", ".yaml")])
    if path.suffix == ".json" and case.random.random() < 0.7:
        path.write_bytes(odd_json(json.loads(path.read_text()), case.random))
    else:
        path.write_bytes(damaged(path.read_bytes(), case.random))
    verb = case.random.choice(("show", "show", "plan", "report", "list", "run"))
    return [step("study", verb, *([] if verb == "list" else ["small"]))]


@kind("runs of a study")
def study_runs(case: Case) -> list[Step]:
    """A damaged run among those of a study."""
    runs = case.runs()
    case.photos()
    trials = [path for path in sorted(runs.iterdir()) if path.is_dir() and path.name not in (*_RUNS, "studies")]
    files = [path for path in case.random.choice(trials).rglob("*") if path.is_file()]
    path = case.random.choice(sorted(files))
    content = path.read_bytes()
    if path.name == "run.json" and content:
        path.write_bytes(odd_json(json.loads(content), case.random))
    else:
        path.write_bytes(damaged(content, case.random))
    return [step("study", case.random.choice(("show", "plan", "report")), "small")]
