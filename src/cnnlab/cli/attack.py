"""``cnnlab attack``."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli import output
from cnnlab.cli.destinations import destination
from cnnlab.cli.options import DataDir, Device, Json, ModelName, Offline, Quiet, Runs
from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.number_text import counted

if TYPE_CHECKING:
    from cnnlab.reports.attacks.folder import WrittenFigures
    from cnnlab.reports.attacks.write import WrittenAttack, WrittenCurve

KEYS = ("n", "data", "split", "target", "column", "budgets")
_PAIR = re.compile(r"([A-Za-z][\w-]*)=(.*)", re.DOTALL)
Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ATTACK|KEY=VALUE",
        help="An attack, such as 'pgd(norm=l2, eps=0.5)'; `cnnlab list attacks` has all. And n=1000, how many "
        "pictures; data= and split= as for `cnnlab evaluate`; target= a class by its name or number, all, second, "
        "least-likely or random; column= which of several heads. Quote what holds ( ).",
        show_default=False,
    ),
]
Curve = Annotated[
    list[str] | None,
    typer.Option(
        "--curve",
        metavar="ATTACK",
        help="Robust accuracy over budgets, with noise beside it; budgets=2/255,8/255 says which. Given again, that of "
        "all these attacks together too.",
        show_default=False,
    ),
]
Check = Annotated[
    bool,
    typer.Option(
        "--check",
        help="Look for reasons not to trust the attack: twice the steps, a budget without bounds, a black box. Takes "
        "several times as long.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        parser=destination,
        help="The folder that figures are written into.",
        show_default="attacks in the run's own folder",
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", metavar="N", help="By which pictures are chosen, and of what is drawn.", min=0)
]


def attack(
    run: ModelName,
    words: Words = None,
    curve: Curve = None,
    check: Check = False,
    seed: Seed = 0,
    out: Out = None,
    runs: Runs = None,
    data_dir: DataDir = None,
    device: Device = None,
    offline: Offline = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Change pictures a little until RUN takes them for something else, and say how often that works.

    What comes of it is kept beside the run: a second call computes nothing, one that was cut short goes on.

        cnnlab attack last 'pgd(norm=linf, eps=8/255, steps=40)' n=500

        cnnlab attack last 'pgd(norm=l2, eps=1, target=3)'

        cnnlab attack last 'pgd(eps=0.1, steps=10)' --check

        cnnlab attack last --curve 'pgd(norm=l2)'
    """
    from cnnlab.core.messages import quietly

    spec, given = read_words(words or [])
    if curve and spec is not None:
        raise UsageError(f"{spec} and --curve {curve[0]} are two attacks: give one of them, or --curve twice.")
    if curve and check:
        raise UsageError("--check is of one attack within its budget: leave out --curve.")
    if not curve and "budgets" in given:
        raise UsageError("budgets= goes with --curve, as in --curve 'pgd(norm=l2)' budgets=0.5,1.")
    with quietly(quiet):
        from cnnlab.reports import write_attack, write_curve

    options: dict[str, Any] = {"seed": seed, "device": device, "data_dir": data_dir, "offline": offline, **given}
    with quietly(quiet):
        written = (
            write_curve(run, curve, out, runs=runs or "runs", **options)
            if curve
            else write_attack(run, spec or "pgd", out, runs=runs or "runs", check=check, **options)
        )
    if as_json:
        output.write_json(written.to_dict())
    elif curve:
        _write_curve(written)  # type: ignore[arg-type]
    else:
        _write_attack(written)  # type: ignore[arg-type]


def read_words(words: Sequence[str]) -> tuple[str | None, dict[str, Any]]:
    """The attack, where one is named, and the keys.

    :raises UsageError: for a key that there is not, one given twice, and a second attack.
    """
    spec: str | None = None
    given: dict[str, Any] = {}
    for word in words:
        pair = _PAIR.fullmatch(word)
        if pair is None:
            if spec is not None:
                raise UsageError(f"{spec} and {word} are two attacks: give one of them.")
            spec = word
            continue
        key, value = pair.groups()
        if key not in KEYS or not value:
            raise UsageError(f"{word!r} is none of {'=…, '.join(KEYS)}=…. {suggestion(key, KEYS)}")
        if key in given:
            raise UsageError(f"{key} is given twice.")
        given[key] = _READ.get(key, str)(value)
    return spec, given


def whole_number(key: str, text: str) -> int:
    """A count.

    :raises UsageError: for anything else.
    """
    digits = text.replace(",", "").replace("_", "")
    if not digits.isdecimal() or int(digits) < 1:
        raise UsageError(f"{key} is a whole number of at least 1; got {text}.")
    return int(digits)


def numbers(key: str, text: str) -> list[float]:
    """Numbers separated by commas, sums and quotients among them.

    :raises UsageError: for anything else.
    """
    from cnnlab.core.errors import SpecError
    from cnnlab.core.spec import read_one

    try:
        read = read_one(f"numbers([{text}])", "Numbers").args[0]
    except (SpecError, IndexError) as error:
        raise UsageError(f"{key} is numbers separated by commas, as in {key}=2/255,8/255; got {text}.") from error
    if not isinstance(read, list | tuple) or not all(
        isinstance(each, int | float) and not isinstance(each, bool) for each in read
    ):
        raise UsageError(f"{key} is numbers separated by commas, as in {key}=2/255,8/255; got {text}.")
    return [float(each) for each in read]


_READ: dict[str, Any] = {
    "n": lambda text: whole_number("n", text),
    "budgets": lambda text: numbers("budgets", text),
}


def _write_attack(written: "WrittenAttack") -> None:
    found = written.found
    source, interval = found.source, found.interval
    assert source is not None
    targets = "" if found.targets is None else ", each with its target"
    rows: list[tuple[str, Any]] = [
        ("attacked", source.model),
        ("attack", written.spec),
        ("pictures", source.of),
        ("predicted rightly", f"{int(found.right.sum()):,} of {len(found):,}{targets}"),
        ("clean accuracy", output.score(found.clean_accuracy)),
        ("robust accuracy", output.sure_score(found.robust_accuracy, interval)),
        ("unrounded", output.score(found.robust_accuracy_unrounded)),
        ("success", output.score(found.success)),
        ("median change", _change(found)),
        ("passes", f"{found.forwards[found.right].mean():.1f} forward, {found.backwards[found.right].mean():.1f} back"),
        ("in brackets", "95% interval over pictures; all but unrounded after rounding to 8 bits"),
        ("kept in", written.stored or ""),
        ("checked", "\n".join(check.finding for check in found.checks if not check.is_warning)),
        ("doubtful", "\n".join(found.warnings)),
    ]
    output.facts(rows)
    write_figures(written.written)


def _change(found: Any) -> str:
    if not found.fooled.any():
        return ""
    linf, l2, l0 = (found.median_length(norm) for norm in ("linf", "l2", "l0"))
    return f"L∞ {linf:.4f} ({linf * 255:.1f}/255), L2 {l2:.4g}, {counted(round(l0), 'pixel')}"


def _write_curve(written: "WrittenCurve") -> None:
    from cnnlab.attacks.norms import WORDS

    found = written.curve
    source = found.source
    assert source is not None
    output.facts([("attacked", source.model), ("pictures", source.of), ("doubtful", "\n".join(found.warnings))])
    output.heading("Robust accuracy, rounded to 8 bits, with 95% intervals over pictures")
    clean = output.sure_score(found.clean_accuracy, found.clean_interval)
    columns = [(f"budget ({WORDS[found.norm]})", ["0", *(f"{budget:.4g}" for budget in found.budgets)])]
    if len(found.attacks) > 1:
        columns += [
            (name, [output.score(found.clean_accuracy), *map(output.score, each)])
            for name, each in zip(found.attacks, found.by_attack, strict=True)
        ]
    whole = "all together" if len(found.attacks) > 1 else found.attacks[0]
    for name, shares, intervals in (
        (whole, found.robust_accuracy, found.intervals),
        ("uniform-noise", found.noise_accuracy, found.noise_intervals),
    ):
        columns.append((name, [clean, *map(output.sure_score, shares, intervals)]))
    output.table([name for name, _ in columns], list(zip(*(cells for _, cells in columns), strict=True)))
    write_figures(written.written)


def write_figures(written: "WrittenFigures") -> None:
    """What was written, with its files."""
    rows = [(figure.title, png.name) for figure, (png, _) in zip(written.figures, written.files, strict=True)]
    if rows:
        output.heading(f"{counted(len(rows), 'figure')}, each as PNG and SVG, in {written.folder}")
        output.table(("what", "file"), rows, names=2)
