"""One figure of stored runs or of a study, by its name, with a title and a caption, so that it is fit to print."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from cnnlab.core.counterparts import figures, hint
from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.hooks import run_tool
from cnnlab.evaluation import ClassPredictions, confusion
from cnnlab.reports.colours import LOOKS
from cnnlab.reports.contents.classes import ClassDetails, class_details, column_predictions
from cnnlab.reports.contents.curves import (
    CurveMetric,
    LearningCurves,
    followed,
    learning_curves,
    run_metrics,
    setting_curves,
)
from cnnlab.reports.contents.mistakes import Gallery, farthest_off, gallery
from cnnlab.reports.contents.ranking_curves import ranking_caption, ranking_of, rankings_together
from cnnlab.reports.contents.report_subject import Repeat, ReportSubject
from cnnlab.reports.contents.tables import listed
from cnnlab.reports.figures.class_metrics import draw_confusion_matrices, draw_reliability
from cnnlab.reports.figures.curves import draw_curves
from cnnlab.reports.figures.mistakes import draw_mistakes
from cnnlab.reports.figures.ranking_curves import draw_ranking
from cnnlab.reports.figures.style import png_of, save_figure, style
from cnnlab.reports.figures.titles import entitle
from cnnlab.runs import Run
from cnnlab.studies.result import StudyResult, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FigureKind: TypeAlias = Literal["curves", "confusion", "roc", "precision-recall", "calibration", "mistakes"]
KINDS: tuple[str, ...] = get_args(FigureKind)


@dataclass(frozen=True, eq=False)
class SingleFigure:
    """A figure with its title and its caption above; notebooks show it.

    :param figure: matplotlib's own.
    """

    title: str
    caption: str
    figure: "Figure"

    def save(self, path: str | Path) -> Path:
        """Writes it, whole or not at all; the suffix names the format: pdf, svg, png and others.

        :raises UsageError: for a format that cannot be written.
        """
        return save_figure(self.figure, path)

    def _repr_png_(self) -> bytes:
        return png_of(self.figure)

    def __repr__(self) -> str:
        return f"SingleFigure({self.title})"


@dataclass(frozen=True)
class FigureSubject:
    """What figures are of: runs, each by itself, or the settings of a study with their repeats.

    :param repeats: of each run or setting, by label; those of the one that class by class figures are of come first.
    :param curves: the learning curves, with ``metrics`` the panels.
    """

    name: str
    repeats: Mapping[str, Sequence[Repeat]]
    curves: Sequence[LearningCurves]
    metrics: Sequence[CurveMetric]
    is_study: bool = False
    data_dir: Path | None = None


def figure_of_runs(
    kind: str, runs: Sequence[Run], *, split: str | None = None, column: str | None = None, data_dir: Path | None = None
) -> SingleFigure:
    """One figure of one run, or where its kind allows of several.

    :param kind: ``curves``, ``confusion``, ``roc``, ``precision-recall``, ``calibration`` or ``mistakes``.
    :param split: the stored predictions that it is of; the test split, or where that was not scored, validation.
    :param column: of the targets, where several are predicted.
    :param data_dir: where data is looked for, for the pictures of mistakes; never on the network.
    :raises UsageError: for a kind that there is not, or that these runs have no numbers for.
    """
    _check_kind(kind)
    if not runs:
        raise UsageError("a figure is of at least one run.")
    labels = _labels(runs)
    title = labels[0] if len(labels) == 1 else f"{len(labels)} runs"
    if kind == "curves":
        curves = [learning_curves(run, label) for run, label in zip(runs, labels, strict=True)]
        metrics = {metric.name: metric for run in runs for metric in run_metrics(run)}
        subject = FigureSubject(title, {}, curves, list(metrics.values()), data_dir=data_dir)
    else:
        repeats = {label: [_repeat(run, split)] for run, label in zip(runs, labels, strict=True)}
        subject = FigureSubject(title, repeats, (), (), data_dir=data_dir)
    return _figure(kind, subject, column)


def figure_of_study(
    kind: str,
    result: StudyResult,
    runs: Mapping[str, Run],
    *,
    split: str | None = None,
    column: str | None = None,
    data_dir: Path | None = None,
) -> SingleFigure:
    """One figure of a study: curves, ROC and precision-recall of its settings, the others of its best one.

    Repeats are taken together as in its report: curves are means over them.

    :param runs: the runs that are still there, by the name of their folder; other parameters as for
        :func:`figure_of_runs`.
    :raises UsageError: for a kind that there is not, or where no run is left to draw.
    """
    _check_kind(kind)
    subject = ReportSubject(result, dict(runs), data_dir=data_dir)
    shown = sorted(subject.shown, key=lambda setting: setting is not subject.best)
    repeats = {} if kind == "curves" else {subject.label(s.key): subject.repeats_of(s, split) for s in shown}
    known = {label: some for label, some in repeats.items() if some}
    curves = setting_curves(subject) if kind == "curves" else ()
    if not known and not curves:
        raise UsageError(f"no run of the study {result.name} has what a figure of {kind} is drawn from.")
    return _figure(kind, FigureSubject(result.name, known, curves, followed(subject), True, data_dir), column)


@run_tool("plot")
def plot(run: Run, kind: str = "curves", **options: object) -> SingleFigure:
    """One figure of a run; see :func:`figure_of_runs`."""
    return figure_of_runs(kind, [run], **options)  # type: ignore[arg-type]


@run_tool("save_figures")
def save_figures(run: Run) -> list[Path]:
    """Learning curves and, where classes are predicted, the confusion matrix as PNG in the run's own folder."""
    paths = [plot(run, "curves").save(run.folder / "curves.png")]
    splits = [split for split in ("test", "validation") if split in run.splits]
    if splits:
        for details in class_details([_repeat(run, splits[0])]):
            name = "confusion" if details.column == "label" else f"confusion-{len(paths)}"
            drawn = plot(run, "confusion", column=details.column)
            paths.append(drawn.save(run.folder / f"{name}.png"))
    return paths


def _figure(kind: str, subject: FigureSubject, column: str | None) -> SingleFigure:
    with style():
        title, caption, figure = _DRAWN[kind](subject, column)
        entitle(figure, title, caption)
    return SingleFigure(title, caption, figure)


Drawn: TypeAlias = "tuple[str, str, Figure]"


def _curves(subject: FigureSubject, column: str | None) -> Drawn:
    looks = {curve.key: LOOKS[place % len(LOOKS)] for place, curve in enumerate(subject.curves)}
    metrics = [metric for metric in subject.metrics if any(metric.name in curve.bands for curve in subject.curves)]
    caption = "A dot marks the epoch whose weights were kept."
    phases = {curve.said_of_phases for curve in subject.curves}
    caption += f" {phases.pop()}" if len(phases) == 1 and any(phases) else ""
    caption += " Means over the repeats; bands go from the lowest to the highest of them." if subject.is_study else ""
    return f"Learning curves of {subject.name}", caption, draw_curves(subject.curves, metrics, looks)


def _confusion(subject: FigureSubject, column: str | None) -> Drawn:
    first = dict(list(subject.repeats.items())[:1]) if subject.is_study else subject.repeats
    column = _column(first, column)
    matrices = {label: confusion(_together(parts)) for label, parts in _parts(first, column).items()}
    titled = {f"{label}: accuracy {m.accuracy:.2%}" if len(matrices) > 1 else "": m for label, m in matrices.items()}
    caption = "Percent of the pictures of each true class; shades are stretched so that few mistakes show."
    only = next(iter(matrices.values()))
    accuracy = f" Accuracy {only.accuracy:.2%}." if len(matrices) == 1 else ""
    what = f"Confusion matrix of {_whose(subject, first)}{_of(column)}, {_where(first)}"
    return what, caption + accuracy, draw_confusion_matrices(titled)


def _ranking(kind: Literal["roc", "precision-recall"]) -> Callable[[FigureSubject, str | None], Drawn]:
    name = "ROC curves" if kind == "roc" else "Precision and recall"

    def drawn(subject: FigureSubject, column: str | None) -> Drawn:
        column = _column(subject.repeats, column)
        parts = _parts(subject.repeats, column)
        if len(parts) == 1:
            only = next(iter(parts.values()))
            ranking = ranking_of(kind, only)
            caption = ranking_caption(ranking, len(only))
        else:
            ranking = rankings_together(kind, parts)
            which = "the mean over its classes, each against the rest" if len(ranking.classes) > 2 else ""
            which = which or f"{ranking.classes[1]} against {ranking.classes[0]}"
            caption = f"A curve for each: {which}; in the legend the area under it."
            caption += " Means over the repeats." if subject.is_study else ""
        title = f"{name} of {subject.name}{_of(column)}, {_where(subject.repeats)}"
        return title, caption, draw_ranking(ranking)

    return drawn


def _calibration(subject: FigureSubject, column: str | None) -> Drawn:
    details = _details_of_one(subject, "calibration", column)
    error = details.calibration_error
    sure = "" if error.interval is None else f" (95% interval {error.interval.low:.2%} to {error.interval.high:.2%})"
    caption = (
        f"Expected calibration error in {len(details.calibration.bins)} bins: {error.ece:.2%}{sure}; perfect "
        f"calibration would show {error.by_chance:.2%} by chance. Brier score: {details.calibration.brier:.4f}."
    )
    one = _first(subject)
    title = f"Calibration of {_whose(subject, one)}{_of(details.column)}, {_where(one)}"
    return title, caption, draw_reliability(details.calibration)


def _mistakes(subject: FigureSubject, column: str | None) -> Drawn:
    _refuse_several(subject, "mistakes")
    one = _first(subject)
    repeats = next(iter(one.values()))
    shown = _worst(repeats, column, subject.data_dir)
    if not any(mistake.pixels is not None for mistake in shown.mistakes):
        raise UsageError(shown.trouble or f"{shown.run} makes no mistake on the {shown.split} pictures.")
    sure = "the surest" if shown.size.kind == "share" else "the farthest off"
    caption = f"{sure.capitalize()} {len(shown.mistakes)} of {shown.wrong:,} mistakes on {shown.n:,} pictures."
    return f"Mistakes of {shown.run}{_of(shown.column)}, {_where(one)}", caption, draw_mistakes(shown)


_DRAWN: dict[str, Callable[[FigureSubject, str | None], Drawn]] = {
    "curves": _curves,
    "confusion": _confusion,
    "roc": _ranking("roc"),
    "precision-recall": _ranking("precision-recall"),
    "calibration": _calibration,
    "mistakes": _mistakes,
}


def _worst(repeats: Sequence[Repeat], column: str | None, data_dir: Path | None) -> Gallery:
    """The worst mistakes about a column, of classes or of numbers."""
    names = [column] if column is not None else [*repeats[0].predictions.classes, *repeats[0].predictions.targets]
    for name in dict.fromkeys(names):
        found = gallery(repeats, name, data_dir) if name in repeats[0].predictions.classes else None
        if found is None and name in repeats[0].predictions.targets:
            found = farthest_off(repeats, name, data_dir) if _is_number(repeats, name) else None
        if found is not None:
            return found
    raise UsageError(f"nothing that {repeats[0].run.name} predicts can be mistaken for something else here.")


def _is_number(repeats: Sequence[Repeat], name: str) -> bool:
    from cnnlab.evaluation import number_predictions

    return any(numbers.name == name for numbers in number_predictions(repeats[0].predictions))


def _details_of_one(subject: FigureSubject, kind: str, column: str | None) -> ClassDetails:
    _refuse_several(subject, kind)
    repeats = next(iter(subject.repeats.values()))
    wanted = _column(_first(subject), column)
    return next(details for details in class_details(repeats) if details.column == wanted)


def _first(subject: FigureSubject) -> dict[str, Sequence[Repeat]]:
    return dict(list(subject.repeats.items())[:1])


def _refuse_several(subject: FigureSubject, kind: str) -> None:
    if len(subject.repeats) > 1 and not subject.is_study:
        raise UsageError(f"a figure of {kind} is of one run; curves, confusion, roc and precision-recall take several.")


def _column(series: Mapping[str, Sequence[Repeat]], column: str | None) -> str:
    """The column of classes meant, which all of them predict."""
    first = next(iter(series.values()))
    known = [name for name in first[0].predictions.classes if column_predictions(first, name)]
    if not known:
        name = first[0].run.name
        raise UsageError(f"{name} predicts no classes, so this figure cannot be drawn. Take curves or mistakes.")
    if column is None:
        return known[0]
    if column not in known:
        raise UsageError(f"{first[0].run.name} predicts no classes of {column!r}. {suggestion(column, known)}")
    return column


def _parts(series: Mapping[str, Sequence[Repeat]], column: str) -> dict[str, Sequence[ClassPredictions]]:
    parts: dict[str, Sequence[ClassPredictions]] = {
        label: column_predictions(repeats, column) for label, repeats in series.items()
    }
    lacking = [label for label, some in parts.items() if not some]
    if lacking:
        raise UsageError(f"{listed(lacking)} predicts no classes of {column!r}; draw those alone that do.")
    return parts


def _together(parts: Sequence[ClassPredictions]) -> ClassPredictions:
    import numpy as np

    first = parts[0]
    if len(parts) == 1:
        return first
    joined = (np.concatenate([getattr(p, name) for p in parts]) for name in ("probabilities", "labels", "predicted"))
    probabilities, labels, predicted = joined
    return ClassPredictions(probabilities, labels, first.names, predicted)


def _repeat(run: Run, split: str | None) -> Repeat:
    known = [name for name in ("test", "validation") if name in run.splits]
    predictions = run.predictions(split or (known[0] if known else "test"))
    if not predictions.targets or not len(predictions):
        raise UsageError(f"the targets of {predictions.split} are not known, so nothing can be said of its mistakes.")
    return Repeat(Trial(int(run.recipe.get("seed") or 0), "finished", run.name), run, predictions)


def _labels(runs: Sequence[Run]) -> list[str]:
    """Names of runs; of those in several folders that share one, with the folder."""
    names = [run.name for run in runs]
    return [str(run.folder) if names.count(run.name) > 1 else run.name for run in runs]


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise UsageError(f"there is no figure called {kind!r}. {hint(kind, KINDS, figures.of(kind))}")


def _whose(subject: FigureSubject, series: Mapping[str, Sequence[Repeat]]) -> str:
    return f"{subject.name}: {next(iter(series))}" if subject.is_study else subject.name


def _of(column: str) -> str:
    return "" if column == "label" else f" ({column})"


def _where(series: Mapping[str, Sequence[Repeat]]) -> str:
    predictions = next(iter(series.values()))[0].predictions
    repeats = len(next(iter(series.values())))
    over = f", {repeats} repeats" if repeats > 1 else ""
    return f"{len(predictions):,} {predictions.split} pictures{over}"
