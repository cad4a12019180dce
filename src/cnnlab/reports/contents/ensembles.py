"""What is known of ensembles, as tables."""

from collections.abc import Iterable

from cnnlab.core import metric_names
from cnnlab.core.errors import CnnlabError
from cnnlab.core.measurements import UnitName
from cnnlab.ensembles import EnsembleRecord, read_record
from cnnlab.ensembles.analysis import Analysis
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import IntervalEnds, Table, TableColumn
from cnnlab.runs import Run

MEASURES = {
    "disagreement": "disagreement",
    "q": "Q statistic",
    "double_fault": "double fault",
    "correlation": "correlation of errors",
}


def analysed_ensembles(subject: ReportSubject) -> Iterable[tuple[Run, EnsembleRecord, Analysis]]:
    """Those of the report of which something was found out; of a study those of the first repeat that is made."""
    for run in _ensembles(subject):
        try:
            record = read_record(run)
        except CnnlabError:
            continue
        if record.analysis is not None:
            yield run, record, record.analysis


def _ensembles(subject: ReportSubject) -> list[Run]:
    if not subject.is_study:
        return [run for run in subject.runs.values() if run.is_ensemble]
    made = [subject.runs_of(setting)[:1] for setting in subject.result.settings if setting.members]
    return [run for runs in made for _, run in runs]


def unit(analysis: Analysis) -> UnitName:
    """Of the metric that members are judged by."""
    return metric_names.unit(analysis.metric)


def members_table(run: Run, record: EnsembleRecord, analysis: Analysis) -> Table:
    """A row a member and, last, the ensemble."""
    metric, kind = analysis.metric.replace("_", " "), unit(analysis)
    splits = list(analysis.ensemble.scores)
    shares = [member.share for member in record.members]
    shares = shares if len(shares) == len(analysis.members) else [None] * len(analysis.members)
    columns = [TableColumn("member", "member"), TableColumn("weight", "weight", "number")]
    columns += [TableColumn(f"{split}_{analysis.metric}", f"{split} {metric}", kind) for split in splits]
    columns += [TableColumn("interval", f"95% interval on {analysis.split}", kind)]
    columns += [TableColumn(f"{analysis.split}_loss", f"{analysis.split} loss", "loss")]
    rows = []
    for judged, share in zip((*analysis.members, analysis.ensemble), [*shares, None], strict=True):
        ends = judged.intervals.get(analysis.split)
        scores = [judged.scores.get(split) for split in splits]
        loss = judged.losses.get(analysis.split)
        rows.append((judged.name, share, *scores, None if ends is None else IntervalEnds(*ends), loss))
    return Table(f"ensemble {run.name}", "Members and ensemble", tuple(columns), tuple(rows)).without_empty()


def sizes_table(run: Run, analysis: Analysis) -> Table:
    """A row a size."""
    kind = unit(analysis)
    columns = (
        TableColumn("members", "members", "count"),
        TableColumn("mean", f"mean {analysis.metric.replace('_', ' ')}", kind),
        TableColumn("range", "90% of choices", kind),
        TableColumn("choices", "choices of members", "count"),
    )
    rows = tuple((one.size, one.mean, IntervalEnds(one.low, one.high), one.subsets) for one in analysis.sizes)
    return Table(f"ensemble sizes {run.name}", "By number of members", columns, rows)


def diversity_table(run: Run, analysis: Analysis) -> Table:
    """A row a pair of members."""
    assert analysis.diversity is not None
    found = {name: matrix for name in MEASURES if (matrix := analysis.diversity.matrix(name)) is not None}
    shares = ("disagreement", "double_fault")
    columns = (
        TableColumn("first", "member"),
        TableColumn("second", "and"),
        *(TableColumn(name, MEASURES[name], "share" if name in shares else "number") for name in found),
    )
    names = [member.name for member in analysis.members]
    rows = tuple(
        (names[i], names[j], *(matrix[i][j] for matrix in found.values()))
        for i in range(len(names))
        for j in range(i + 1, len(names))
    )
    return Table(f"ensemble diversity {run.name}", "Diversity by pairs", columns, rows)


def left_out_table(run: Run, analysis: Analysis) -> Table:
    """A row a member that is left out."""
    kind = unit(analysis)
    columns = (
        TableColumn("member", "without"),
        TableColumn("score", analysis.metric.replace("_", " "), kind),
        TableColumn("worth", "worth", kind, is_change=True),
        TableColumn("interval", "95% interval", kind, is_change=True),
    )
    rows = tuple(
        (
            analysis.members[one.member].name,
            one.score,
            one.worth,
            None if one.low is None or one.high is None else IntervalEnds(one.low, one.high),
        )
        for one in analysis.left_out
    )
    note = "Fitted again on the others." if analysis.is_refitted else ""
    return Table(f"ensemble without {run.name}", "What each is worth", columns, rows, note=note).without_empty()


def calibration_table(run: Run, analysis: Analysis) -> Table:
    """A row a member and the ensemble, before and after a temperature of its own."""
    columns = (
        TableColumn("name", "member"),
        TableColumn("error", "calibration error", "share"),
        TableColumn("loss", "log loss", "loss"),
        TableColumn("temperature", "temperature", "number"),
        TableColumn("error_after", "error after", "share"),
        TableColumn("loss_after", "loss after", "loss"),
    )
    rows = tuple(
        (one.name, one.error, one.loss, one.temperature, one.error_after, one.loss_after) for one in analysis.calibrated
    )
    note = "After: with a temperature fitted on validation."
    return Table(f"ensemble calibration {run.name}", "Calibration", columns, rows, note=note).without_empty()


def gains_table(run: Run, analysis: Analysis) -> Table:
    """What fitting gained over equal weights, by split."""
    columns = (
        TableColumn("split", "on"),
        TableColumn("score", analysis.metric.replace("_", " "), unit(analysis), is_change=True),
        TableColumn("loss", "loss", "loss", is_change=True),
    )
    fitted_on = next((gain.split for gain in analysis.gains if not gain.is_held_out), None)
    ways = {True: "cross-fitted", False: "fitted on it"}
    rows = tuple(
        (f"{g.split}, {ways[g.is_held_out]}" if g.split == fitted_on else g.split, g.score, g.loss)
        for g in analysis.gains
    )
    note = f"Above 0 is better. What {fitted_on} shows beyond test is the optimism of what was fitted on it."
    return Table(f"ensemble gains {run.name}", "What fitting gained over equal weights", columns, rows, note=note)
