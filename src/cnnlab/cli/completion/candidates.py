"""What may stand next on a command line: commands, options, keys and their values, runs, studies, files."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cnnlab.cli.completion.specs import KINDS, within
from cnnlab.cli.completion.words import Candidate, arguments, names, words

_RUNS = "runs"
_SPLITS = ("train", "validation", "test", "all")
_METRICS = ("accuracy", "loss", "balanced_accuracy", "macro_f1", "last")
_DEVICES = ("cpu", "cuda", "mps")
_PARTS = ("head", "all-stem")

TAKES: Mapping[str, tuple[str, ...]] = {
    "train": ("recipe",),
    "find-lr": ("recipe",),
    "resume": ("run",),
    "extend": ("run", "recipe keys"),
    "evaluate": ("model", "evaluated"),
    "predict": ("model", "files"),
    "export": ("model", "files"),
    "serve": ("model",),
    "ensemble": ("member",),
    "transfer": ("transfer",),
    "report": ("run or study",),
    "figure": ("run or study or figure",),
    "explain": ("model",),
    "attack": ("model", "attack"),
    "fool": ("model", "fooled"),
    "list": ("kind of words", "name of that kind"),
    "runs list": ("condition",),
    "runs show": ("run",),
    "runs compare": ("run",),
    "runs delete": ("run or condition",),
    "runs restore": ("deleted run",),
    "runs export": ("run or condition",),
    "runs import": ("files",),
    "runs mirror": ("run or condition",),
    "study plan": ("study", "study keys"),
    "study run": ("study", "study keys"),
    "study show": ("study", "study keys"),
    "study report": ("study", "study keys"),
    "paper list": ("paper",),
    "paper show": ("paper or entry",),
    "paper run": ("paper or entry", "scale"),
    "paper report": ("paper or scale",),
    "paper new": ("files",),
    "recipes show": ("name of a recipe",),
    "data show": ("data",),
    "data check": ("data",),
    "augment list": ("name of an augmentation",),
    "augment preview": ("previewed",),
    "augment cost": ("pipeline", "recipe"),
    "models list": ("name of a model's part",),
    "models show": ("model's spec",),
    "models parts": ("model's spec",),
    "models draw": ("model's spec",),
    "cache clear": ("part of the cache",),
    "completion": ("shell",),
    "arithmetic conv": ("number",),
    "arithmetic pool": ("number",),
    "arithmetic dense": ("number",),
}
"""By command what its words are, in order; the last also of all that follow."""


def candidates(typed: Sequence[str], word: str) -> list[Candidate]:
    """What may stand in the place of ``word``, the last of a command line; those that begin with it.

    :param typed: the words before it, without that of the program.
    """
    line = _Line(typed)
    found: Iterable[Candidate]
    if line.waits_for is not None:
        found = _option_values(line, line.waits_for, word)
    elif word.startswith("-"):
        found = _options(line, word)
    elif "commands" in line.command:
        found = (Candidate(name, about["about"]) for name, about in line.command["commands"].items())
    else:
        takes = TAKES.get(" ".join(line.path), ("files",))
        found = _WORDS[takes[min(len(line.placed), len(takes) - 1)]](line, word)
    return list(dict.fromkeys(each for each in found if each.text.startswith(word) and each.text.isprintable()))


class _Line:
    """The words before the one that is being typed.

    :ivar path: the command, as in ``["runs", "show"]``, and ``command`` what is known of it.
    :ivar placed: its words so far, without options.
    :ivar options: those given, with their values.
    :ivar waits_for: the option whose value comes next.
    """

    def __init__(self, typed: Sequence[str]) -> None:
        self.path: list[str] = []
        self.placed: list[str] = []
        self.options: dict[str, str | None] = {}
        self.command: Mapping[str, Any] = words()["commands"]
        self.waits_for: str | None = None
        for word in typed:
            self._take(word)

    def _take(self, word: str) -> None:
        if self.waits_for is not None:
            self.options[self.waits_for], self.waits_for = word, None
        elif word.startswith("--"):
            name, equals, value = word.partition("=")
            self.options[name] = value if equals else None
            about = self.command["options"].get(name)
            self.waits_for = name if about is not None and about[1] is not None and not equals else None
        elif word in self.command.get("commands", {}):
            self.path.append(word)
            self.command = self.command["commands"][word]
        elif not word.startswith("-"):
            self.placed.append(word)

    @property
    def pairs(self) -> dict[str, str]:
        """The ``key=value`` words."""
        return dict(word.split("=", 1) for word in self.placed if "=" in word)

    @property
    def runs(self) -> Path:
        """The folder of runs."""
        return Path(self.options.get("--runs") or os.environ.get("CNNLAB_RUNS") or _RUNS).expanduser()


def _options(line: _Line, word: str) -> Iterator[Candidate]:
    name, equals, value = word.partition("=")
    if equals:
        yield from (found.after(f"{name}=") for found in _option_values(line, name, value))
        return
    for option, (about, _) in line.command["options"].items():
        if option not in line.options:
            yield Candidate(option, about)


def _option_values(line: _Line, option: str, word: str) -> Iterator[Candidate]:
    if option == "--device":
        yield from map(Candidate, _DEVICES)
    elif option == "--split":
        yield from map(Candidate, _SPLITS)
    elif option == "--what":
        yield from within(("attribution", "explanation"), word, _files)
        yield Candidate("all", "a page of everything")
    elif option == "--beside":
        yield from _runs(line, word)
        yield from within(("data set",), word, _files)
    elif option == "--curve":
        yield from within(("attack",), word, _files)
    elif option == "--images":
        yield from (Candidate(f"{split}:", f"pictures of {split}", is_final=False) for split in _SPLITS[:3])
        yield from _files(word)
    elif option == "--study":
        yield from _studies_run(line, word)
    elif option == "--paper":
        yield from (Candidate(name) for name in _folders(line.runs / "papers", "verdict.json"))
    elif option in ("--sort", "--by"):
        yield from map(Candidate, [*words()["lists"]["facts"], *words()["keys"], "test_accuracy"])
    elif (line.command["options"].get(option) or ["", None])[1] in ("DIR", "FILE", "PATH"):
        yield from _files(word)


def _files(word: str) -> Iterator[Candidate]:
    """Files and folders that go on with a path; hidden ones where a dot is typed."""
    folder, _, begun = word.rpartition("/")
    before = f"{folder}/" if "/" in word else ""
    with suppress(OSError, ValueError, RuntimeError):
        for entry in sorted(os.scandir(Path(before or ".").expanduser()), key=lambda entry: entry.name):
            if entry.name.startswith(begun) and (begun or not entry.name.startswith(".")):
                is_folder = entry.is_dir()
                yield Candidate(f"{before}{entry.name}{'/' if is_folder else ''}", is_final=not is_folder)


def _of_files(*endings: str) -> Callable[[_Line, str], Iterator[Candidate]]:
    def found(line: _Line, word: str) -> Iterator[Candidate]:
        return (each for each in _files(word) if not each.is_final or each.text.endswith(endings or ""))

    return found


def _runs(line: _Line, word: str) -> Iterator[Candidate]:
    """Runs that were not named yet, the one written to last first."""
    folders = _folders(line.runs, "run.json")
    if folders and "last" not in line.placed:
        yield Candidate("last", "the run started last")
    yield from (Candidate(name) for name in folders if name not in line.placed)


def _folders(root: Path, marker: str) -> list[str]:
    """The folders that hold a file of this name, the latest first."""
    times = {}
    with suppress(OSError):
        for entry in os.scandir(root):
            with suppress(OSError):
                times[entry.name] = os.stat(os.path.join(entry.path, marker)).st_mtime
    return sorted(times, key=lambda name: -times[name])


def _entries(parts: Sequence[str]) -> Iterator[Candidate]:
    """Papers that come with cnnlab, and with ``/`` among the parts their entries too."""
    for paper, about in words()["papers"].items():
        yield Candidate(paper, about["about"])
        if "/" in parts:
            yield from (Candidate(f"{paper}/{name}", title) for name, title in about["entries"].items())


def _scales() -> Iterator[Candidate]:
    """How much of a paper is run."""
    yield from (Candidate(f"scale={name}", about) for name, about in words()["scales"].items())


def _deleted(line: _Line, word: str) -> Iterator[Candidate]:
    return (Candidate(name) for name in _folders(line.runs / ".trash", "run.json") if name not in line.placed)


def _studies_run(line: _Line, word: str) -> Iterator[Candidate]:
    return (Candidate(name, "a study that was run") for name in _folders(line.runs / "studies", "study.yaml"))


def _studies(line: _Line, word: str) -> Iterator[Candidate]:
    yield from _of_files(".yaml", ".yml")(line, word)
    yield from _studies_run(line, word)
    yield from (Candidate(name, "comes with cnnlab") for name in words()["studies"])


def _models(line: _Line, word: str) -> Iterator[Candidate]:
    yield from _runs(line, word)
    for name, about, _ in names("architecture"):
        if any(argument.name == "weights" for argument in arguments(("architecture",), name)):
            yield Candidate(f"pretrained:{name}", about)
    yield from _of_files(".safetensors")(line, word)


def _recipe(line: _Line, word: str) -> Iterator[Candidate]:
    if not line.placed:
        yield from (Candidate(f"recipe:{name}", "comes with cnnlab") for name in words()["recipes"])
        yield from _of_files(".yaml", ".yml")(line, word)
    yield from _recipe_keys(line, word)


def _recipe_keys(line: _Line, word: str) -> Iterator[Candidate]:
    return _pairs(line, word, words()["keys"])


def _transfer(line: _Line, word: str) -> Iterator[Candidate]:
    if not line.placed:
        yield from (Candidate(name, "comes with cnnlab") for name in words()["transfers"])
        yield from _of_files(".yaml", ".yml")(line, word)
    yield from _pairs(line, word, words()["transfer"])


def _study_keys(line: _Line, word: str) -> Iterator[Candidate]:
    if word.startswith("vary."):
        return (found.after("vary.") for found in _pairs(line, word.removeprefix("vary."), words()["keys"]))
    return _pairs(line, word, {**words()["study"], **words()["keys"]})


def _pairs(line: _Line, word: str, keys: Mapping[str, Any]) -> Iterator[Candidate]:
    """``key=``, dotted keys that reach into a spec, and values."""
    key, equals, value = word.partition("=")
    spec, dot, argument = key.partition(".")
    if dot and spec in KINDS:
        yield from _dotted(line, spec, argument, value if equals else None)
    elif equals:
        yield from (found.after(f"{key}=") for found in _values(key, value, keys.get(key, {})))
    else:
        for name, about in keys.items():
            if name not in line.pairs:
                yield Candidate(f"{name}=", _about_key(about), is_final=False)


def _about_key(about: Mapping[str, Any]) -> str:
    default = about.get("default")
    return about["about"] if default is None else f"{about['about']}, default {default}"


def _dotted(line: _Line, spec: str, argument: str, value: str | None) -> Iterator[Candidate]:
    """Arguments of the spec that stands on the line, or else is the default."""
    given = line.pairs.get(spec) or words()["keys"].get(spec, {}).get("default") or ""
    for takes in arguments(KINDS[spec], given.partition("(")[0]):
        if value is None:
            yield Candidate(f"{spec}.{takes.name}=", takes.about, is_final=False)
        elif takes.name == argument:
            found = [*takes.choices, *([takes.default] if takes.default not in (None, *takes.choices) else [])]
            yield from (Candidate(f"{spec}.{argument}={each}", takes.what) for each in found)


def _values(key: str, value: str, about: Mapping[str, Any]) -> Iterator[Candidate]:
    if key in KINDS:
        yield from within(KINDS[key], value, _files)
        if key == "data" and "(" not in value:
            yield from _files(value)
        if key in ("augment", "adversary", "normalize"):
            yield Candidate("none", "nothing")
    yield from map(Candidate, about.get("choices", ()))
    more = {
        "select": _METRICS,
        "device": _DEVICES,
        "train": _PARTS,
        "split": _SPLITS,
        "metrics": ("test_accuracy",),
    }
    yield from map(Candidate, more.get(key, ()))
    default = about.get("default")
    if default is not None and key not in KINDS and default not in about["choices"]:
        yield Candidate(default, "the default")


def _only(*keys: str) -> Callable[[_Line, str], Iterator[Candidate]]:
    """Pairs of these keys."""

    def found(line: _Line, word: str) -> Iterator[Candidate]:
        return _pairs(line, word, {key: words()["keys"].get(key, {"about": ""}) for key in keys})

    return found


def _fooled(line: _Line, word: str) -> Iterator[Candidate]:
    if word.startswith("from="):
        yield from (Candidate(f"from={each}") for each in ("noise", "pattern", "universal"))
        yield from (found.after("from=") for found in _files(word.removeprefix("from=")))
        return
    keys = ("from", "target", "confidence", "n", "steps", "norm", "eps", "attack", "generations", "rate", "passes")
    yield from _only(*keys, "data", "split", "column")(line, word)


def _condition(line: _Line, word: str) -> Iterator[Candidate]:
    known = {**{fact: {"about": "of the run"} for fact in words()["lists"]["facts"]}, **words()["keys"]}
    if word.partition("=")[0] == "study":
        return (found.after("study=") for found in _studies_run(line, word))
    return _pairs(line, word, known)


def _spec(*kinds: str) -> Callable[[_Line, str], Iterator[Candidate]]:
    return lambda line, word: within(kinds, word, _files)


def _name_of(*kinds: str) -> Callable[[_Line, str], Iterator[Candidate]]:
    return lambda line, word: (Candidate(name, about) for kind in kinds for name, about, _ in names(kind))


def _name_of_listed_kind(line: _Line, word: str) -> Iterator[Candidate]:
    kind = line.placed[0].removesuffix("s") if line.placed else ""
    return _name_of(kind)(line, word) if kind in words()["kinds"] else iter(())


def _listed(kind: str) -> Callable[[_Line, str], Iterator[Candidate]]:
    return lambda line, word: map(Candidate, words()["lists"][kind])


def _first(
    first: Callable[[_Line, str], Iterable[Candidate]], then: Callable[[_Line, str], Iterable[Candidate]]
) -> Any:
    return lambda line, word: then(line, word) if line.placed else first(line, word)


def _several(*parts: Callable[[_Line, str], Iterable[Candidate]]) -> Callable[[_Line, str], Iterator[Candidate]]:
    return lambda line, word: (found for part in parts for found in part(line, word))


_WORDS: Mapping[str, Callable[[_Line, str], Iterable[Candidate]]] = {
    "recipe": _recipe,
    "recipe keys": _recipe_keys,
    "run": _runs,
    "model": _models,
    "evaluated": _only("data", "split", "perturb"),
    "attack": _several(_spec("attack"), _only("n", "data", "split", "target", "column", "budgets")),
    "fooled": _fooled,
    "files": lambda line, word: _files(word),
    "member": _several(_runs, _only("method")),
    "run or study": _several(_runs, _studies_run),
    "run or study or figure": _several(_runs, _studies_run, _listed("figure")),
    "kind of words": _listed("list"),
    "name of that kind": _name_of_listed_kind,
    "condition": _condition,
    "run or condition": _several(_runs, _condition),
    "deleted run": _deleted,
    "study": _studies,
    "study keys": _study_keys,
    "name of a recipe": lambda line, word: map(Candidate, words()["recipes"]),
    "paper": lambda line, word: (*_entries(("",)), *_files(word)),
    "paper or entry": lambda line, word: (*_entries(("", "/")), *_files(word)),
    "scale": lambda line, word: _scales(),
    "paper or scale": lambda line, word: (*_entries(("",)), *_scales(), *_files(word)),
    "data": _several(_spec("data set"), lambda line, word: _files(word)),
    "name of an augmentation": _name_of("augmentation"),
    "previewed": _only("data", "augment", "seed"),
    "pipeline": _spec("augmentation"),
    "name of a model's part": _name_of("architecture", "layer", "initialiser", "objective"),
    "model's spec": _first(_spec("architecture", "layer"), _only("data", "objective")),
    "shell": lambda line, word: map(Candidate, ("bash", "zsh", "fish")),
    "transfer": _transfer,
    "part of the cache": lambda line, word: map(Candidate, ("features", "decoded")),
    "number": lambda line, word: (),
}
