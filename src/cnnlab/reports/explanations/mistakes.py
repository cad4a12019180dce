"""The mistakes of a run: galleries, confused classes, doubtful labels, what was learned late, doubles."""

from collections.abc import Sequence
from functools import partial

from cnnlab.core.errors import UsageError
from cnnlab.explain import Mistakes, mistakes_of
from cnnlab.models import heads_of
from cnnlab.reports.contents import explain_mistakes as contents
from cnnlab.reports.contents.explain_mistakes import PictureGroup
from cnnlab.reports.contents.tables import Table
from cnnlab.reports.explanations.base import EXPLANATIONS, ExplainedFigure, Explanation, Kind, figure_with_title
from cnnlab.reports.explanations.subject import ExplainSubject
from cnnlab.reports.figures.class_metrics import draw_confusion_matrices
from cnnlab.reports.figures.explain_mistakes import draw_picture_groups

_MEANING = (
    "What the run gets wrong, the surest first, with labels that may themselves be wrong. A gallery shows what was "
    "picked by a rule, not how common it is: the counts stand in the captions."
)


@EXPLANATIONS.register("mistakes")
class MistakeFigures(Kind):
    """What the run gets wrong, and what may be behind it: labels, doubles in two splits, what was learned late."""

    name = "mistakes"
    takes = frozenset({"images", "column"})

    def explain(self, subject: ExplainSubject) -> Explanation:
        """On the test split, or the one that is named."""
        run = subject.own_run("mistakes are")
        if not any(head.has_classes for head in heads_of(subject.predictor.classifier)[1]):
            raise UsageError(f"mistakes are of classes, and {subject.name} predicts numbers alone.")
        found = mistakes_of(run, subject.scored_split(run), column=subject.column, **subject.where)
        figures, tables = _figures(found, subject.name, subject.pixel_order())
        numbers = {
            "mistakes": found.surest.wrong,
            "pictures": found.surest.count,
            "column": found.surest.column,
            "doubtful labels": {split: len(errors) for split, errors in found.label_errors.items()},
            "near duplicates": None if found.duplicates is None else len(found.duplicates),
            "thresholds": None if found.duplicates is None else list(found.duplicates.thresholds),
        }
        notes = tuple(f"No {what}: {why}" for what, why in found.missing.items())
        return Explanation(
            "mistakes", "Mistakes", {"mistakes": _MEANING}, figures, tables, numbers=numbers, notes=notes
        )


def _figures(
    found: Mistakes, name: str, pixel_order: str = ""
) -> tuple[tuple[ExplainedFigure, ...], tuple[Table, ...]]:
    figures: list[ExplainedFigure] = []
    tables: list[Table] = []

    def add(key: str, title: str, caption: str, groups: Sequence[PictureGroup], table: Table) -> None:
        if groups:
            said = f"{caption} {pixel_order}".rstrip()
            figures.append(figure_with_title(key, title, said, partial(draw_picture_groups, groups)))
        if table.rows:
            tables.append(table)

    of = found.surest.of
    add(
        "mistakes",
        f"Mistakes that {name} is surest of",
        contents.mistakes_caption(found.surest),
        contents.mistake_groups(found.surest),
        contents.mistakes_table(found.surest),
    )
    add(
        "mistakes by pair",
        f"Mistakes of {name} by pair of classes",
        contents.mistakes_caption(found.by_pair),
        contents.mistake_groups(found.by_pair),
        Table("", "", (), ()),
    )
    caption = (
        "Percent of the pictures of each true class, classes that are confused beside each other; shades are stretched "
        f"so that few mistakes show. {of}."
    )
    draw = partial(draw_confusion_matrices, {"": found.confusion})
    figures.append(figure_with_title("mistakes confusion", f"Confused classes of {name}", caption, draw))
    for split, errors in found.label_errors.items():
        add(
            f"mistakes labels {split}",
            f"{split.capitalize()} labels that may be wrong, by {name}",
            contents.label_errors_caption(errors),
            contents.label_error_groups(errors),
            contents.label_errors_table(errors),
        )
    if found.learning is not None:
        add(
            "mistakes learning",
            f"Learned late or forgotten by {name}",
            contents.learning_caption(found.learning),
            contents.learning_groups(found.learning),
            contents.learning_table(found.learning),
        )
    if found.duplicates is not None:
        add(
            "mistakes duplicates",
            f"Pictures that may be in two splits of {found.duplicates.data}",
            contents.duplicates_caption(found.duplicates),
            contents.duplicate_groups(found.duplicates),
            contents.duplicates_table(found.duplicates),
        )
    return tuple(figures), tuple(tables)
