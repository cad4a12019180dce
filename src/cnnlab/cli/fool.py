"""``cnnlab fool``."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli import output
from cnnlab.cli.attack import Out, Seed, numbers, whole_number, write_figures
from cnnlab.cli.options import DataDir, Device, Json, ModelName, Offline, Quiet, Runs
from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.number_text import deciding_digits, fixed

if TYPE_CHECKING:
    from cnnlab.attacks import Fooled, Universal
    from cnnlab.reports.attacks.fooling import WrittenFooling

KEYS = (
    *("from", "target", "confidence", "n", "steps", "norm", "eps", "attack", "generations", "rate", "passes"),
    *("data", "split", "column"),
)
_NORMS = ("linf", "l2", "l1")
Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="from=ORIGIN|KEY=VALUE",
        help="from=noise, pattern, universal, or a picture's file; target= the class to be seen; confidence=0.99; n= "
        "how many pictures of noise, or how many a universal perturbation is made on; steps=, norm= and attack= for a "
        "picture; generations= for patterns; norm=, eps=, rate=, passes=, data= and split= for a universal one.",
        show_default=False,
    ),
]


def fool(
    run: ModelName,
    words: Words = None,
    seed: Seed = 0,
    out: Out = None,
    runs: Runs = None,
    data_dir: DataDir = None,
    device: Device = None,
    offline: Offline = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Make pictures that RUN is sure about and wrong: from noise, from a photo that looks the same, from patterns.

    Each is written as PNG, of which `cnnlab predict` says the same.

        cnnlab fool last from=noise target=3

        cnnlab fool last from=photo.jpg target=3

        cnnlab fool last from=pattern target=all

        cnnlab fool last from=universal eps=0.1
    """
    from cnnlab.core.messages import quietly

    given = read_words(words or [])
    with quietly(quiet):
        from cnnlab.reports import write_fooling

    with quietly(quiet):
        written = write_fooling(
            run,
            given.pop("from", "noise"),
            out,
            runs=runs or "runs",
            seed=seed,
            device=device,
            data_dir=data_dir,
            offline=offline,
            **given,
        )
    if as_json:
        output.write_json(written.to_dict())
    else:
        _write(written)


def read_words(words: Sequence[str]) -> dict[str, Any]:
    """The keys as they are given.

    :raises UsageError: for any that there is not, or whose value is none.
    """
    given: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key not in KEYS or not value:
            raise UsageError(
                f"{word!r} is no key=value of cnnlab fool, as in from=noise target=3. {suggestion(key, KEYS)}"
            )
        if key in given:
            raise UsageError(f"{key} is given twice.")
        given[key] = _READ[key](value) if key in _READ else value
    return given


def _number(key: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        found = numbers(key, text)
        if len(found) != 1:
            raise UsageError(f"{key} is one number; got {text}.")
        return found[0]

    return read


def _norm(text: str) -> str:
    if text not in _NORMS:
        raise UsageError(f"norm is {', '.join(_NORMS)}; got {text}. {suggestion(text, _NORMS)}")
    return text


def _count(key: str) -> Callable[[str], int]:
    return lambda text: whole_number(key, text)


_READ: dict[str, Callable[[str], Any]] = {
    **{key: _count(key) for key in ("n", "steps", "generations", "passes")},
    **{key: _number(key) for key in ("confidence", "eps", "rate")},
    "norm": _norm,
}


def _write(written: "WrittenFooling") -> None:
    from cnnlab.attacks import Universal

    found = written.found
    if isinstance(found, Universal):
        _write_universal(found)
    else:
        _write_fooled(found)
    write_figures(written.written)
    if written.written.pictures:
        output.heading("Files")
        for path in written.written.pictures:
            output.write(f"  {path}")


def _write_fooled(found: "Fooled") -> None:
    output.facts(
        [
            ("fooled", found.model),
            ("from", found.way),
            ("reached", f"{int(found.reached.sum())} of {len(found)} at a confidence of {found.confidence:g} or more"),
        ]
    )
    rows = [
        (
            found.classes[found.targets[place]],
            "" if found.before is None else found.classes[found.before.predicted[place]],
            found.classes[found.after.predicted[place]],
            _share(float(found.likelihood[place])),
            int(found.steps[place]),
        )
        for place in range(len(found))
    ]
    output.heading("Pictures, rounded to 8 bits")
    steps = "generation" if found.way == "pattern" else "steps"
    output.table(("wanted", "before", "now", "confidence in what was wanted", steps), rows, names=3)


def _write_universal(found: "Universal") -> None:
    from cnnlab.reports.contents.attacks import budget_text

    output.facts(
        [
            ("fooled", found.source.model),
            ("perturbation", f"{budget_text(found.norm, found.eps)}, made on {found.made_on:,} pictures"),
            ("judged on", f"{len(found.labels):,} other {found.source.split} pictures of {found.source.data}"),
            ("taken for another", output.sure_score(found.fooling_rate, found.interval)),
            ("clean accuracy", output.score(found.clean_accuracy)),
            ("robust accuracy", output.score(found.robust_accuracy)),
            ("in brackets", "95% interval over pictures"),
        ]
    )


def _share(value: float) -> str:
    """Three digits, or as many as show that it is not certainty."""
    return fixed(value, deciding_digits([value], [1.0], 3))
