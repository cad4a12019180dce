"""An attack carried out, and its figures written as PNG and SVG."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cnnlab.attacks import ATTACKS, Adversarial, Curve, curve
from cnnlab.attacks.api import USUAL, attack
from cnnlab.attacks.norms import WORDS
from cnnlab.core.messages import announcing
from cnnlab.evaluation import open_model
from cnnlab.models import Predictable
from cnnlab.reports.attacks.folder import AttackFigures, WrittenFigures, usual_folder
from cnnlab.reports.contents import attacks as contents
from cnnlab.reports.contents.tables import capital
from cnnlab.reports.explanations.base import ExplainedFigure, figure_with_title
from cnnlab.reports.figures.attack_curves import draw_class_matrix, draw_curve, draw_lengths
from cnnlab.reports.figures.attack_examples import draw_examples
from cnnlab.reports.figures.explain_grid import Scale, draw_grid
from cnnlab.runs import Run


@dataclass(frozen=True)
class WrittenAttack:
    """What an attack came to, and the figures of it.

    :param found: the pictures and the numbers.
    :param spec: the attack as a person would write it.
    """

    found: Adversarial
    spec: str
    written: WrittenFigures
    stored: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: numbers, captions and files."""
        return {**self.found.to_dict(), "stored": self.stored, **self.written.to_dict()}


@dataclass(frozen=True)
class WrittenCurve:
    """Robust accuracy over budgets, and the figure of it."""

    curve: Curve
    written: WrittenFigures

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: numbers, captions and files."""
        return {**self.curve.to_dict(), **self.written.to_dict()}


def write_attack(
    model: Run | Predictable | str | Path,
    spec: object = USUAL,
    out: Path | str | None = None,
    *,
    runs: Path | str | None = None,
    offline: bool = False,
    **options: Any,
) -> WrittenAttack:
    """Attacks a model, or reads what is on record of that, and writes the figures.

    :param out: the folder; ``attacks`` in the run's own folder unless given, or here for a model by itself.
    :param options: as of :func:`cnnlab.attack`.
    :raises UsageError: for anything that there is not, and for files that were written by somebody else.
    :raises StorageError: when they cannot be written.
    """
    bound = ATTACKS.bind(spec)
    opened = open_model(model, runs=runs, offline=offline)
    place = AttackFigures(Path(out) if out is not None else usual_folder(opened))
    found = attack(_as_named(model, opened), bound, offline=offline, **options)
    assert found.source is not None
    name = contents.attack_words(found.attack)
    stored = opened.folder / "attacks" / found.source.name if isinstance(opened, Run) else None
    with announcing(f"drawing what {bound.name} came to"):
        figures = tuple(attack_figures(found, name))
        written = place.write(found.source.name, name, found.source.model, figures)
    return WrittenAttack(found, name, written, stored)


def write_curve(
    model: Run | Predictable | str | Path,
    spec: object | Sequence[object] = USUAL,
    out: Path | str | None = None,
    *,
    budgets: Sequence[float] | None = None,
    runs: Path | str | None = None,
    offline: bool = False,
    **options: Any,
) -> WrittenCurve:
    """Robust accuracy over budgets, with noise beside it; arguments and errors as of :func:`write_attack`.

    :param spec: an attack or several.
    :param budgets: above 0; some about the usual one unless given.
    """
    opened = open_model(model, runs=runs, offline=offline)
    place = AttackFigures(Path(out) if out is not None else usual_folder(opened))
    found = curve(_as_named(model, opened), spec, budgets, offline=offline, **options)
    source = found.source
    assert source is not None
    title = capital(f"{source.model} against {' and '.join(found.attacks)}")
    together = " The thick line is of all of them together." if len(found.attacks) > 1 else ""
    caption = (
        f"Accuracy by budget in {WORDS[found.norm]}, what is found rounded to 8 bits: at each budget a picture counts "
        f"as fooled where it is within that or a smaller one.{together} Bands are 95% intervals over pictures. In grey "
        f"even noise within the same budgets. {capital(source.of)}."
    )
    figure = figure_with_title("curve", title, caption, partial(draw_curve, found))
    key = f"curve-{'-'.join(found.attacks)}-{found.norm}"
    return WrittenCurve(found, place.write(key, title, source.model, (figure,)))


def _as_named(model: Any, opened: Run | Predictable) -> Any:
    """A run as it was opened; of a model by itself its name, which captions say."""
    return opened if isinstance(opened, Run) or not isinstance(model, str | Path) else model


def attack_figures(found: Adversarial, name: str) -> Iterator[ExplainedFigure]:
    """The figures that there are of an attack.

    :param name: the attack as a person would write it.
    """
    model = "" if found.source is None else f" of {found.source.model}"
    sheet = contents.example_sheet(found)
    caption = contents.examples_caption(found, name, sheet)
    yield ExplainedFigure(
        "examples",
        f"Pictures{model} after {name}",
        caption,
        lambda with_words: draw_examples(sheet, caption * with_words),
    )
    shares = contents.class_shares(found)
    if shares is not None:
        text = contents.class_shares_caption(found, name)
        title = f"What classes{model} become"
        draw = partial(draw_class_matrix, shares, is_targeted=found.targets is not None)
        yield figure_with_title("classes", title, text, draw)
    norm, lengths = contents.least_lengths(found)
    if found.eps is None and len(lengths):
        of = "" if found.source is None else f" {found.source.of}."
        text = f"{name}: how far each picture that fools the model was changed, rounded to 8 bits.{of}"
        yield figure_with_title("lengths", f"Least changes{model}", text, partial(draw_lengths, lengths, norm))
    pixels = contents.changed_pixels(found)
    if pixels is not None:
        maps, words = pixels
        text = contents.changed_pixels_caption(found, name)
        scale = Scale(0.0, float(maps.max()), "share of pictures")
        yield ExplainedFigure(
            "pixels",
            f"Pixels that {name} changes",
            text,
            lambda with_words: draw_grid(maps, words, text * with_words, scale=scale),
        )
