"""Coverage-guided fuzzing of what reads text and files, one target at a time, by atheris.

    python -m tests.hostile.fuzz spec --seconds 3600 --corpus build/fuzz/spec

It needs ``pip install atheris``. What it found worth keeping lies in ``corpus/`` and is read again by the tests, which
do without it. ``benchmarks/fuzzing.py`` takes all targets in turn.
"""

import argparse
import importlib
import os
import pkgutil
import re
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parent / "corpus"
_SCRATCH = Path(tempfile.gettempdir()) / f"fuzz-{os.getpid()}"
_INSTRUMENTED = ["cnnlab", "yaml", "zipfile", "tarfile", "gzip", "csv", "pickle", "numpy.lib._format_impl"]
_ROOMS = ("core", "objectives", "data", "augment", "runs", "models", "training", "evaluation", "studies")
Target = Callable[[bytes], None]
TARGETS: dict[str, Target] = {}
"""What is fuzzed, by name: each takes the bytes of a file or text, and raises only for a fault."""
PLAIN: dict[str, Target] = {}
"""The same, which let refusals through."""
GROUPS: dict[str, list[str]] = {}
"""The names of targets that are of a kind: what parses words, what reads data, what reads records."""
_MOST_SECONDS = 10.0
"""Of the processor, for one input."""


def target(name: str, group: str) -> Callable[[Target], Target]:
    """Registers what takes the bytes of an input; a refusal is what it should end in."""

    def register(function: Target) -> Target:
        def refusing(content: bytes) -> None:
            from cnnlab.core.errors import CnnlabError

            began = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    function(content)
                except CnnlabError as error:
                    _check_sentence(str(error))
            assert time.process_time() - began < _MOST_SECONDS, "it takes too long"

        TARGETS[name], PLAIN[name] = refusing, function
        GROUPS.setdefault(group, []).append(name)
        return function

    return register


def _check_sentence(text: str) -> None:
    """A message is something that can be shown to a person."""
    assert text.strip() and "\x1b" not in text and "\x00" not in text, ascii(text)[:300]


@target("spec", "words")
def spec(content: bytes) -> None:
    """The grammar, and what reads back what it writes."""
    from cnnlab.core.spec import format_calls, read

    text = content.decode(errors="surrogateescape")
    calls = read(text)
    assert read(format_calls(calls)) == calls, text


@target("recipe-words", "words")
def recipe_words(content: bytes) -> None:
    """``key=value`` words, a line each, over a recipe."""
    from cnnlab.training import Recipe, parse_pairs

    words = content.decode(errors="surrogateescape").split("\n")
    recipe = Recipe.read({"data": "digits"}, **parse_pairs(words))
    assert Recipe.read(recipe.to_dict()).to_dict() == recipe.to_dict()


@target("yaml", "words")
def yaml_text(content: bytes) -> None:
    """A recipe file."""
    from cnnlab.training import Recipe

    Recipe.read(_file("recipe.yaml", content))


@target("study", "words")
def study(content: bytes) -> None:
    """A study file, and its claims."""
    from cnnlab.studies.study_file import read_study

    read_study(_file("study.yaml", content))


@target("claim", "words")
def claim(content: bytes) -> None:
    from cnnlab.studies.claim_grammar import read_claim

    read_claim(content.decode(errors="surrogateescape"))


@target("run-record", "records")
def run_record(content: bytes) -> None:
    """``run.json``, and whoever lists it."""
    from cnnlab.runs import Run
    from cnnlab.runs.record import parse_info

    info = parse_info(content, _SCRATCH)
    folder = _file("run/run.json", content).parent
    assert str(Run(folder)) and Run(folder).info == info


@target("history", "records")
def history(content: bytes) -> None:
    """The lines of a run, of epochs and of steps."""
    from cnnlab.runs import Run

    _file("run/run.json", (CORPUS / "run-record" / "run.json").read_bytes())
    is_live = content.lstrip()[:1] in (b"{", b"[")
    _file("run/live.jsonl", content if is_live else b"")
    _file("run/history.csv", b"epoch\n1\n" if is_live else content)
    run = Run(_SCRATCH / "run")
    list(run.live)
    run.history.to_dict()


@target("predictions", "records")
def predictions(content: bytes) -> None:
    from cnnlab.runs import Predictions

    Predictions.load(_file("predictions.safetensors", content))


@target("model", "records")
def model(content: bytes) -> None:
    from cnnlab.models.classifier_files import load_classifier

    load_classifier(_file("model.safetensors", content))


@target("picture", "readers")
def picture(content: bytes) -> None:
    from cnnlab.data.formats.decode import Form, decode

    decode(content, Form(size=(8, 8), channels=3))


@target("pickle", "readers")
def pickled(content: bytes) -> None:
    """What reads CIFAR's pickles says ValueError, and its reader a sentence."""
    import io

    from cnnlab.data.formats.safe_pickle import load_pickle

    with suppress(ValueError):
        load_pickle(io.BytesIO(content))


def _reader(name: str, file: str, beside: Sequence[str] = ()) -> None:
    """:param beside: pictures that the file names."""

    @target(name, "readers")
    def read(content: bytes) -> None:
        for picture in beside:
            if not (_SCRATCH / picture).exists():
                _file(picture, (CORPUS / "picture" / "png").read_bytes())
        _read(f"{name.partition('-')[0]}(path='{_file(file, content)}')")


_reader("npz", "data.npz")
_reader("hdf5", "data.h5")
_reader("idx", "train-images-idx3-ubyte")
_reader("csv", "table.csv", beside=("a.png", "b.png", "1.png", "2.png"))
_reader("folder-zip", "photos.zip")
_reader("folder-tar", "photos.tar")


def _read(text: str) -> None:
    """Content as a reader gives it, with a few pictures loaded."""
    from cnnlab.data.formats.decode import Form, WhiteUnknownError
    from cnnlab.data.loading import parse_data
    from cnnlab.data.reading import SearchPath

    content = parse_data(text).build(place=SearchPath.at(None, True)).source.read()
    for split in content.parts.values():
        count = min(2, len(split.images.ids))
        # Of numbers of more than 8 bits it is asked first which of them is white.
        with suppress(WhiteUnknownError):
            split.images.load(range(count), Form(size=(8, 8), channels=3))


def _file(name: str, content: bytes) -> Path:
    path = _SCRATCH / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _dictionary(name: str) -> Path:
    """The words of the inputs that there are, for what parses words of the documents too, as libFuzzer takes them."""
    seeds = [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]
    pages = sorted((CORPUS.parents[2] / "docs").glob("*.md")) if name in GROUPS["words"] else []
    quoted = [part for page in pages for part in re.findall(rb"`[^`\n]+`", page.read_bytes())]
    words = {word for text in (*seeds, *quoted) for word in re.findall(rb"[A-Za-z_][\w-]{2,30}|[^\w\s]", text)}
    escaped = ["".join(map("\\x{:02x}".format, word)) for word in sorted(words)[:2000]]
    return _file("words.dict", "".join(f'"{word}"\n' for word in escaped).encode())


def main() -> None:
    """Fuzzes one target until the time is over or a fault is found, which is left as a file."""
    parser = argparse.ArgumentParser("python -m tests.hostile.fuzz", description="Coverage-guided fuzzing.")
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=float, default=60, help="of the processor")
    parser.add_argument("--corpus", type=Path, required=True, help="a folder of inputs, which grows")
    given = parser.parse_args()
    atheris: Any = importlib.import_module("atheris")
    os.environ["CNNLAB_CACHE"] = str(_SCRATCH / "cache")
    given.corpus.mkdir(parents=True, exist_ok=True)
    with atheris.instrument_imports(include=_INSTRUMENTED):
        # All of it now: what is first imported while an input runs would be seen by nobody.
        import cnnlab

        for room in _ROOMS:
            for module in pkgutil.walk_packages([str(Path(cnnlab.__path__[0], room))], f"cnnlab.{room}."):
                importlib.import_module(module.name)
    # By the clock an input may take long where others use the processor; what it takes of it the targets look at.
    flags = ["-timeout=600", "-report_slow_units=600", "-rss_limit_mb=4096", "-max_len=20000", "-print_final_stats=1"]
    flags += [f"-dict={_dictionary(given.target)}", f"-artifact_prefix={given.corpus.parent}/fault-{given.target}-"]
    folders = [str(given.corpus), *([str(CORPUS / given.target)] if (CORPUS / given.target).is_dir() else [])]
    until = time.process_time() + given.seconds

    def one_input(content: bytes) -> None:
        TARGETS[given.target](content)
        if time.process_time() > until:
            os.kill(os.getpid(), signal.SIGUSR1)  # by which libFuzzer stops after an input

    atheris.Setup([sys.argv[0], *flags, *folders], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
