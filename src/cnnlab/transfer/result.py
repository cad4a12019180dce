"""A transfer that is there: its table, its best classifier, and how sure both are."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from cnnlab.core.displays import html_facts, html_table
from cnnlab.core.hooks import open_stored
from cnnlab.core.number_text import counted, fixed
from cnnlab.evaluation.comparison.results import Difference
from cnnlab.evaluation.intervals import Interval
from cnnlab.runs import Run, store_at
from cnnlab.transfer.record import METRICS, RowRecord, TransferRecord, read_record
from cnnlab.transfer.searched import SearchedCandidate, searched
from cnnlab.transfer.statistics import ONE_REPEAT, differences, score_interval, test_interval

if TYPE_CHECKING:
    import pandas as pd

    from cnnlab.transfer.classifier import TransferClassifier

_DIGITS = 4


@dataclass(frozen=True)
class BestClassifier:
    """What was chosen on validation, and is stored.

    :param classifier: its spec; of a search what that found.
    :param validation: scores on validation, ``test`` on test, of the first repeat, which is the one stored.
    """

    backbone: str
    layer: str
    classifier: str
    validation: dict[str, float]
    test: dict[str, float] | None

    def __str__(self) -> str:
        at = "" if self.layer in ("", "pooled") else f" at {self.layer}"
        return f"{self.classifier} on {self.backbone}{at}"


class TransferResult:
    """A transfer as it is stored.

    :param run: its run, or the name or folder of one.
    :raises UsageError: for a run that is none.
    """

    def __init__(self, run: Run | str | Path, *, runs: str | Path | None = None) -> None:
        self.run = run if isinstance(run, Run) else store_at(runs).find(run)

    @cached_property
    def record(self) -> TransferRecord:
        """All that is stored of it."""
        return read_record(self.run)

    @property
    def best(self) -> BestClassifier:
        """What was chosen on validation, and is stored."""
        record, row = self.record, self.record.best
        column, first = record.best_column, row.repeats[0]
        return BestClassifier(
            column.network, column.layer, first.classifier, dict(first.scores), record.choices[0].test
        )

    def classifier(self) -> "TransferClassifier":
        """The best as a model, which everything that predicts takes."""
        found: TransferClassifier = open_stored("transfer", self.run)
        return found

    def predict(self, images: Any, **options: Any) -> Any:
        """What the best says of pictures: :func:`cnnlab.predict` of its run, with the same options."""
        return self.run.predict(images, **options)

    @cached_property
    def table(self) -> "pd.DataFrame":
        """A row a classifier, a column the features of a backbone or layer: the mean metric on validation."""
        return self._pivot([fmean(values) for values in self._values(self.record.metric)])

    @cached_property
    def details(self) -> "pd.DataFrame":
        """A row for each classifier on each column: scores with intervals, times, and what a search found."""
        import pandas as pd

        rows = []
        for row in self.record.rows:
            facts: dict[str, Any] = {"features": self.record.columns[row.column].label, "classifier": row.classifier}
            for metric in METRICS:
                interval = score_interval(row, self.record, metric)
                facts[metric] = fmean(each.scores[metric] for each in row.repeats)
                facts |= {f"{metric}_low": interval and interval.low, f"{metric}_high": interval and interval.high}
            facts["fit_seconds"] = fmean(each.fit_seconds for each in row.repeats)
            facts["predict_seconds"] = fmean(each.predict_seconds for each in row.repeats)
            facts["fitted"] = "; ".join(dict.fromkeys(each.classifier for each in row.repeats))
            rows.append(facts)
        return pd.DataFrame(rows)

    @cached_property
    def searched(self) -> "pd.DataFrame":
        """A row for each candidate of each search, on a part of the training pictures or on all, the best first."""
        import pandas as pd

        rows = []
        for each in searched(self.record):
            row = self.record.rows[each.row]
            facts = {"features": self.record.columns[row.column].label, "search": row.classifier, **asdict(each)}
            rows.append({key: value for key, value in facts.items() if key != "row"})
        own = [each.name for each in fields(SearchedCandidate) if each.name != "row"]
        return pd.DataFrame(rows, columns=["features", "search", *own])

    @cached_property
    def differences(self) -> Sequence[Difference]:
        """Each other row against the stored one, repeat by repeat; none is called better or worse from one repeat."""
        return differences(self.record, [self.label(row) for row in self.record.rows])

    @property
    def test_interval(self) -> Interval | None:
        """Of the metric on test, over what was chosen in each repeat; None with one repeat."""
        return test_interval(self.record, self.record.metric)

    @property
    def test_scores(self) -> list[float]:
        """The metric on test of what was chosen in each repeat."""
        return [choice.test[self.record.metric] for choice in self.record.choices if choice.test is not None]

    def label(self, row: RowRecord) -> str:
        """What a row is called."""
        several = len(self.record.columns) > 1
        return f"{row.classifier} on {self.record.columns[row.column].label}" if several else row.classifier

    def cell(self, row: RowRecord, metric: str | None = None) -> str:
        """A row's score as tables have it, with its interval where there is one."""
        metric = metric or self.record.metric
        text = fixed(fmean(each.scores[metric] for each in row.repeats), _DIGITS)
        interval = score_interval(row, self.record, metric)
        return text if interval is None else f"{text} ({interval})"

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON."""
        return {
            "run": self.run.name,
            "folder": str(self.run.folder),
            "best": vars(self.best),
            "test": self.test_scores,
            "test_interval": self.test_interval and self.test_interval.to_dict(),
            "record": self.record.model_dump(mode="json"),
            "details": self.details.astype(object).where(self.details.notna(), None).to_dict("records"),
            "differences": [difference.to_dict() for difference in self.differences],
        }

    def _values(self, metric: str) -> list[list[float]]:
        return [[each.scores[metric] for each in row.repeats] for row in self.record.rows]

    def _pivot(self, values: Sequence[Any]) -> "pd.DataFrame":
        import pandas as pd

        columns = [column.label for column in self.record.columns]
        names = list(dict.fromkeys(row.classifier for row in self.record.rows))
        cells = {name: dict.fromkeys(columns) for name in names}
        for row, value in zip(self.record.rows, values, strict=True):
            cells[row.classifier][columns[row.column]] = value
        return pd.DataFrame.from_dict(cells, orient="index", columns=columns).rename_axis("classifier")

    @property
    def rows_as_text(self) -> tuple[list[str], list[list[str]]]:
        """The table as a person reads it: headings, and a line for each classifier."""
        frame = self._pivot([self.cell(row) for row in self.record.rows])
        return ["classifier", *frame.columns], [[str(name), *map(str, line)] for name, line in frame.iterrows()]

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What a person wants to know of it at a glance."""
        metric, best = self.record.metric.replace("_", " "), self.best
        repeats = len(self.record.choices)
        rows = [("transfer", self.run.name), ("best", str(best))]
        if self.record.augment is not None:
            drawn = counted(self.record.views, "draw")
            rows.append(("augmented", f"{self.record.augment}, {drawn} of each training picture besides itself"))
        rows += [(split, _scores(values)) for split, values in (("validation", best.validation), ("test", best.test))]
        if repeats > 1 and self.test_scores:
            interval = self.test_interval
            sure = f" ({interval})" if interval else ""
            mean = fixed(fmean(self.test_scores), _DIGITS)
            rows.append((f"test, {repeats} repeats", f"{metric} {mean}{sure}, what each repeat chose for itself"))
        return [row for row in rows if row[1]]

    @property
    def caution(self) -> str:
        """What a reader should know of the table."""
        if len(self.record.choices) == 1:
            return f"Differences are not tested: {ONE_REPEAT}."
        decided = [each.sentence for each in self.differences if each.verdict in ("better", "worse")]
        rest = len(self.differences) - len(decided)
        kinds = " or ".join(sorted({each.verdict for each in self.differences} & {"better", "worse"}))
        verb = "is" if len(decided) == 1 else "are"
        found = f"{len(decided)} {verb} surely {kinds or 'better or worse'} than the best"
        told = f"Of {counted(len(self.differences), 'other')}, {found}"
        return f"{told}; of {rest} these repeats do not tell." if self.differences else ""

    def __repr__(self) -> str:
        return f"TransferResult({self.run.name}: {self.best})"

    def __str__(self) -> str:
        return f"{self.best}\n\n{self.table.to_string()}\n\n{self.caution}"

    def _repr_html_(self) -> str:
        heads, lines = self.rows_as_text
        return f"{html_facts(self.facts)}{html_table(heads, lines, most=100)}<p>{self.caution}</p>"


def _scores(values: dict[str, float] | None) -> str:
    shown = {name: value for name, value in (values or {}).items() if name in METRICS}
    return ", ".join(f"{name.replace('_', ' ')} {fixed(value, _DIGITS)}" for name, value in shown.items())
