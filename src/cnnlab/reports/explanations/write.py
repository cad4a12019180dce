"""Explanations of a model made and written: figures as PNG and SVG, and of all of them one page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.core.files import make_folder, write_text
from cnnlab.core.messages import announcing
from cnnlab.core.registry import BoundCall
from cnnlab.models import Predictable
from cnnlab.reports.explanations.asked import Asked, read_what
from cnnlab.reports.explanations.attributions import explain_by_attributions
from cnnlab.reports.explanations.base import Explanation, Kind
from cnnlab.reports.explanations.folder import FOLDER, PAGE, ExplanationFolder, StoredExplanation, StoredFigure
from cnnlab.reports.explanations.subject import ExplainSubject, explain_subject
from cnnlab.reports.figures.style import save_figure, style
from cnnlab.reports.writing.explain_page import explain_page
from cnnlab.reports.writing.svg import svg_of
from cnnlab.reports.writing.tables import slug
from cnnlab.runs import Run

DEFAULT = ("grad-cam",)
HONESTY = "honesty"


@dataclass(frozen=True)
class WrittenExplanations:
    """What was written.

    :param folder: that it lies in; ``page`` the page on all of it, where all was asked for.
    :param explanations: what was made; ``files`` by the key of each figure its PNG and its SVG.
    :param left_out: what could not be made of this model, with the reason.
    """

    name: str
    folder: Path
    explanations: tuple[Explanation, ...]
    files: dict[str, tuple[Path, Path]]
    page: Path | None = None
    left_out: dict[str, str] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: files, captions and numbers."""
        return {
            "explained": self.name,
            "folder": self.folder,
            "page": self.page,
            "explanations": [
                {
                    "explanation": one.key,
                    "figures": [
                        {
                            "title": figure.title,
                            "caption": figure.caption,
                            "png": self.files[figure.key][0],
                            "svg": self.files[figure.key][1],
                        }
                        for figure in one.figures
                    ],
                    "notes": list(one.notes),
                    **one.numbers,
                }
                for one in self.explanations
            ],
            "left_out": self.left_out or {},
        }


def write_explanations(
    model: Run | Predictable | str | Path,
    what: Sequence[str] | str = DEFAULT,
    out: Path | str | None = None,
    *,
    images: Sequence[str | Path] = (),
    layer: str | None = None,
    targets: Sequence[str] = (),
    channels: Sequence[int] = (),
    beside: Sequence[str | Path] = (),
    raw: bool = False,
    seed: int = 0,
    runs: Path | str | None = None,
    device: str | None = None,
    data_dir: Path | None = None,
    offline: bool = False,
) -> WrittenExplanations:
    """Makes explanations of a model and writes their figures; of ``all`` also a page, ``explain.html``.

    Files that an earlier call has written there are replaced, and no others are.

    :param model: as :func:`cnnlab.open_model` takes it.
    :param what: specs: any attribution, any of ``cnnlab list explanations``, or ``all``.
    :param out: the folder; ``explain`` in the run's own folder unless given, or here for a model by itself.
    :param images: words for pictures, see :func:`~cnnlab.explain.chosen_pictures.chosen_pictures`.
    :param layer: by its name in the summary; ``targets`` classes by name or number; ``channels`` of the layer.
    :param beside: other trainings of the recipe, or for a map of pictures another run or data set.
    :param raw: draws raw maps, signed, beside those for the eye.
    :raises UsageError: for anything that there is not, and for files that were written by somebody else.
    :raises StorageError: when they cannot be written.
    """
    asked = read_what([what] if isinstance(what, str) else what)
    given = {"layer": layer is not None, "channels": bool(channels), "beside": bool(beside)}
    asked = asked.with_options(**given)
    _check_taken(asked, images=bool(images), target=bool(targets), raw=raw, **given)
    subject = explain_subject(
        model,
        images=images,
        layer=layer,
        targets=targets,
        channels=channels,
        beside=beside,
        raw=raw,
        is_all=asked.is_all,
        methods=asked.attributions,
        seed=seed,
        runs=runs,
        device=device,
        data_dir=data_dir,
        offline=offline,
    )
    return _write_all(subject, asked, ExplanationFolder(Path(out) if out is not None else _usual_folder(subject)))


def _write_all(subject: ExplainSubject, asked: Asked, place: ExplanationFolder) -> WrittenExplanations:
    """Everything asked for, each written as soon as it is made."""
    names = [slug(name) for name in asked.names]
    place.check_figures([*names, *(["attributions"] if len(asked.attributions) > 1 else [])])
    place.check([PAGE] if asked.is_all else [])
    made: list[Explanation] = []
    files: dict[str, tuple[Path, Path]] = {}
    left_out: dict[str, str] = {}
    for name, one in _made(subject, asked):
        if isinstance(one, CnnlabError):
            left_out[name] = str(one)
        else:
            files.update(_written(one, subject.name, place))
            made.append(one)
    if not made:
        raise UsageError("; ".join(f"{name}: {why}" for name, why in left_out.items()))
    page = place.add_page(explain_page(subject.name, made, left_out)) if asked.is_all else None
    return WrittenExplanations(subject.name, place.path, tuple(made), files, page, left_out)


def _made(subject: ExplainSubject, asked: Asked) -> Iterator[tuple[str, Explanation | CnnlabError]]:
    """One after another; where all is asked for, what cannot be made gives its reason."""
    # Captions of maps say what their tests have shown.
    yield from (_of_kind(subject, asked, bound) for bound in asked.kinds if bound.name == HONESTY)
    if asked.attributions:
        name = asked.attributions[0].name if len(asked.attributions) == 1 else "attributions"
        with announcing(f"explaining {subject.name} by {', '.join(one.name for one in asked.attributions)}"):
            yield name, _tried(lambda: explain_by_attributions(subject, asked.attributions), asked)
    yield from (_of_kind(subject, asked, bound) for bound in asked.kinds if bound.name != HONESTY)


def _of_kind(subject: ExplainSubject, asked: Asked, bound: BoundCall[Kind]) -> tuple[str, Explanation | CnnlabError]:
    with announcing(f"explaining {subject.name}: {bound.name}"):
        return bound.name, _tried(lambda: bound.build().explain(subject), asked)


def _tried(make: Any, asked: Asked) -> Explanation | CnnlabError:
    try:
        found: Explanation = make()
    except CnnlabError as error:
        if not asked.is_all:
            raise
        return error
    return found


def _check_taken(asked: Asked, **given: bool) -> None:
    """Refuses an option that nothing goes by.

    :raises UsageError: naming it.
    """
    takes = asked.takes | ({"raw"} if asked.attributions else set())
    for option, is_given in given.items():
        if is_given and option not in takes:
            raise UsageError(f"{', '.join(asked.names)} goes by no {option}: leave --{option} out.")


def _usual_folder(subject: ExplainSubject) -> Path:
    return Path(FOLDER) if subject.run is None else subject.run.folder / FOLDER


def _written(one: Explanation, model: str, place: ExplanationFolder) -> dict[str, tuple[Path, Path]]:
    """Its figures as files, and on record."""
    keys = {figure.key: slug(figure.key) for figure in one.figures}
    place.check_figures(list(keys.values()))
    stored = tuple(StoredFigure(keys[figure.key], figure.title, figure.caption) for figure in one.figures)
    make_folder(place.path)
    # On record before they are written: what is cut short is known as our own.
    place.add(StoredExplanation(one.key, one.title, model, dict(one.meanings), stored))
    files = {}
    for figure in one.figures:
        png, svg = (place.path / f"{keys[figure.key]}{end}" for end in (".png", ".svg"))
        with style():
            drawn = figure.draw(True)
        save_figure(drawn, png)
        write_text(svg, svg_of(drawn))
        files[figure.key] = (png, svg)
    return files
