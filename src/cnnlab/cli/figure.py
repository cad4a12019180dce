"""``cnnlab figure``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.destinations import check_file, destination
from cnnlab.cli.options import DataDir, Json, Runs, runs_so_far
from cnnlab.core.counterparts import figures, hint
from cnnlab.core.errors import CnnlabError, RunNotFoundError, UsageError

if TYPE_CHECKING:
    from cnnlab.reports.single_figures import SingleFigure
    from cnnlab.runs import Run

_KINDS = ("curves", "confusion", "roc", "precision-recall", "calibration", "mistakes")


def _words_so_far(context: typer.Context, incomplete: str) -> list[str]:
    return [*_KINDS, *runs_so_far(context, incomplete)]


Names = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN... KIND",
        help=f"Runs, or one study by its name; and last the figure: {', '.join(_KINDS)}.",
        autocompletion=_words_so_far,
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FILE", parser=destination, help="The figure: .pdf, .svg or .png.", show_default="KIND.png"
    ),
]
Split = Annotated[
    str | None,
    typer.Option("--split", metavar="SPLIT", help="Of which predictions.", show_default="test, else validation"),
]
Column = Annotated[
    str | None,
    typer.Option("--column", metavar="NAME", help="Of which target, where there are several.", show_default=False),
]


def figure(
    words: Names,
    out: Out = None,
    split: Split = None,
    column: Column = None,
    runs: Runs = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Draw one figure of RUN, with a title and a caption, as PDF, SVG or PNG.

    Curves, confusion, roc and precision-recall take several runs. Of a study, curves, roc and precision-recall are of
    its settings, with their repeats together, and the others of its best setting.

        cnnlab figure last curves --out curves.pdf

        cnnlab figure last confusion --out confusion.svg
    """
    from cnnlab.core.messages import announcing

    names, kind = _read(words)
    path = out or Path(f"{kind}.png")
    check_file(path, "a figure is written")
    with announcing(f"drawing {kind}"):
        drawn = _drawn(kind, names, runs or Path("runs"), split, column, data_dir)
        drawn.save(path)
    if as_json:
        output.write_json({"image": path, "figure": kind, "title": drawn.title, "caption": drawn.caption})
    else:
        output.facts([("figure", drawn.title), ("drawn", path)])


def _read(words: list[str]) -> tuple[list[str], str]:
    """The names and the kind of figure, which may also come first."""
    for place in (-1, 0):
        if words[place] in _KINDS and len(words) > 1:
            return [word for number, word in enumerate(words) if number != place % len(words)], words[place]
    if words[0] in _KINDS:
        raise UsageError(f"say what the figure is of, as in: cnnlab figure last {words[0]}")
    meant = hint(words[-1], _KINDS, figures.of(words[-1]))
    raise UsageError(f"the last word says what is drawn, and there is no figure called {words[-1]!r}. {meant}")


def _drawn(
    kind: str, names: list[str], root: Path, split: str | None, column: str | None, data_dir: Path | None
) -> "SingleFigure":
    from cnnlab.runs import RunStore
    from cnnlab.studies.catalogue import studies_under, study_folder
    from cnnlab.studies.record import StudyRecord

    store = RunStore(root)
    try:
        found = [store.find(name) for name in names]
    except RunNotFoundError:
        if len(names) > 1 or names[0] not in studies_under(root):
            raise
        result = StudyRecord(study_folder(root, names[0])).read_result()
        trials = {trial.run for setting in result.all_settings for trial in setting.trials if trial.run is not None}
        known = {name: run for name in sorted(trials) if (run := _still_there(store.root / name)) is not None}
        from cnnlab.reports import figure_of_study

        return figure_of_study(kind, result, known, split=split, column=column, data_dir=data_dir)
    # What draws takes seconds to load, and a wrong name is told of at once.
    from cnnlab.reports import figure_of_runs

    return figure_of_runs(kind, found, split=split, column=column, data_dir=data_dir)


def _still_there(folder: Path) -> "Run | None":
    from cnnlab.runs import Run

    try:
        return Run(folder)
    except CnnlabError:
        return None
