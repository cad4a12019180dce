"""What transfers compared, as tables: a row a classifier, columns by backbone."""

from collections.abc import Callable, Iterable, Mapping
from statistics import fmean
from typing import Any

from cnnlab.core.errors import CnnlabError
from cnnlab.core.number_text import counted
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import ColumnKind, IntervalEnds, Table, TableColumn, ends_of, listed, with_unit
from cnnlab.runs import Run
from cnnlab.transfer import TransferResult
from cnnlab.transfer.record import METRICS, RepeatRecord, RowRecord
from cnnlab.transfer.searched import LOSS, searched
from cnnlab.transfer.statistics import score_interval

_CORRECTED = (
    "over divisions of the same pictures, with the variance corrected after Nadeau and Bengio (2003), since these "
    "share most of their training pictures"
)


def transfers(subject: ReportSubject) -> Iterable[tuple[Run, TransferResult]]:
    """Those of the report whose records can be read."""
    for run in subject.runs.values():
        if not run.is_transfer:
            continue
        result = TransferResult(run)
        try:
            result.record  # noqa: B018 (read when it is asked for)
        except CnnlabError:
            continue
        yield run, result


def metric_words(metric: str) -> str:
    """A metric as it is written: ``macro F1``."""
    return metric.replace("_", " ").replace("f1", "F1")


def scores_table(run: Run, result: TransferResult, metric: str) -> Table:
    """The mean metric on validation, with its interval where there is one."""

    def cells(row: RowRecord | None) -> tuple[Any, ...]:
        if row is None:
            return None, None
        interval = score_interval(row, result.record, metric)
        return fmean(each.scores[metric] for each in row.repeats), ends_of(interval)

    name = metric_words(metric)
    note = (
        ""
        if len(result.record.choices) < 2
        else f"Mean of {_repeats(result)}; intervals are at the 95% level{_over(result)}."
    )
    return _by_backbone(
        f"transfer {metric} {run.name}",
        f"{name[:1].upper()}{name[1:]} on validation",
        result,
        (("", name if len(result.record.columns) == 1 else "", "share"), ("_interval", "95% interval", "share")),
        cells,
        note,
    )


def times_table(run: Run, result: TransferResult) -> Table:
    """Seconds to fit, and to predict the validation pictures."""

    def cells(row: RowRecord | None) -> tuple[Any, ...]:
        if row is None:
            return None, None
        return tuple(fmean(getattr(each, name) for each in row.repeats) for name in ("fit_seconds", "predict_seconds"))

    first = result.record.rows[0].repeats[0]
    fitted = counted(first.trained, "training picture")
    note = (
        f"Of {fitted} to fit and {first.pictures:,} to predict, without making features; of what was searched for, the "
        "last fit alone."
    )
    kinds: tuple[tuple[str, str, ColumnKind], ...]
    kinds = (("_fit", "to fit", "seconds"), ("_predict", "to predict", "seconds"))
    return _by_backbone(f"transfer times {run.name}", "Times", result, kinds, cells, note)


def _by_backbone(
    key: str,
    title: str,
    result: TransferResult,
    kinds: tuple[tuple[str, str, ColumnKind], ...],
    cells: Callable[[RowRecord | None], tuple[Any, ...]],
    note: str,
) -> Table:
    """A row a classifier; for each backbone or layer a column of each of these kinds."""
    record = result.record
    several = len(record.columns) > 1
    columns = [
        TableColumn(f"{own.label}{ending}", _heading(own.label, label) if several else label, kind)
        for own in record.columns
        for ending, label, kind in kinds
    ]
    by_place = {(row.classifier, row.column): row for row in record.rows}
    rows = tuple(
        (name, *(cell for place in range(len(record.columns)) for cell in cells(by_place.get((name, place)))))
        for name in dict.fromkeys(row.classifier for row in record.rows)
    )
    return Table(key, title, (TableColumn("classifier", "classifier"), *columns), rows, note=note).without_empty()


def chosen_table(run: Run, result: TransferResult) -> Table:
    """A row a repeat: what was best on its validation pictures, and what that came to on its test pictures."""
    record = result.record
    columns = (
        TableColumn("repeat", "repeat", "count"),
        TableColumn("seed", "seed", "count"),
        TableColumn("classifier", "chosen"),
        *(TableColumn(f"validation_{name}", f"validation {metric_words(name)}", "share") for name in METRICS),
        *(TableColumn(f"test_{name}", f"test {metric_words(name)}", "share") for name in METRICS),
    )
    rows = []
    for number, choice in enumerate(record.choices):
        row = record.rows[choice.row]
        own, test = row.repeats[number], choice.test or {}
        scores = [*(own.scores[name] for name in METRICS), *(test.get(name) for name in METRICS)]
        rows.append((number + 1, choice.seed, _named(result, row, own), *scores))
    note = "Scores on validation flatter what was chosen by them; test pictures were scored once."
    note += " The first is the one that is stored." if len(rows) > 1 else ""
    return Table(f"transfer chosen {run.name}", "What was chosen", columns, tuple(rows), note=note).without_empty()


def differences_table(run: Run, result: TransferResult) -> Table:
    """A row for each other classifier, against the one that is stored."""
    metric = metric_words(result.record.metric)
    columns = (
        TableColumn("classifier", "classifier"),
        TableColumn("difference", f"difference in {metric}", "share", True),
        TableColumn("interval", "95% interval", "share", True),
        TableColumn("p", "p", "p"),
        TableColumn("verdict", "verdict"),
    )
    rows = tuple(
        (
            each.setting,
            each.estimate,
            None if each.interval is None else IntervalEnds(each.interval.low, each.interval.high),
            each.p_value,
            each.verdict,
        )
        for each in result.differences
    )
    test = "Paired t tests" if result.record.vary == "seed" else f"Paired t tests {_CORRECTED}"
    note = (
        f"{test}; p-values are adjusted after Holm, intervals hold for all at once (Bonferroni), and a verdict takes "
        "both. What all are compared with was chosen on these pictures, which flatters it."
    )
    title = f"Against {result.label(result.record.best)}"
    return Table(f"transfer differences {run.name}", title, columns, rows, note=note).without_empty()


def features_table(run: Run, result: TransferResult) -> Table:
    """A row a column of the others: what the features are, and what they took."""
    columns = (
        TableColumn("backbone", "backbone"),
        TableColumn("layer", "layer"),
        TableColumn("numbers", "numbers a picture", "count"),
        TableColumn("pictures", "pictures"),
        TableColumn("computed", "computed", "count"),
        TableColumn("seconds", "in", "seconds"),
        TableColumn("format", "number format"),
        TableColumn("deviation", "deviation from float32", "share"),
    )
    rows = tuple(
        (
            own.label,
            own.layer,
            own.features,
            "×".join(map(str, own.shape)),
            own.computed,
            own.seconds if own.computed else None,
            own.precision if own.kernels == "torch" else f"{own.precision}, {own.kernels} kernels",
            own.deviation,
        )
        for own in result.record.columns
    )
    note = "Computed: those that the cache did not have. Deviation: the largest met on trial, in proportion to length."
    return Table(f"transfer features {run.name}", "The features", columns, rows, note=note).without_empty()


def found_table(run: Run, result: TransferResult) -> Table | None:
    """What searches and probes came to; None where there were none."""
    columns = (
        TableColumn("classifier", "classifier"),
        TableColumn("found", "found"),
        TableColumn("repeats", "in repeats", "count"),
    )
    rows = []
    for row in result.record.rows:
        found = [each.classifier for each in row.repeats if each.tried > 1]
        rows += [(result.label(row), spec, found.count(spec)) for spec in dict.fromkeys(found)]
    note = "By cross-validation inside the training part of each repeat."
    table = Table(f"transfer found {run.name}", "Found by search", columns, tuple(rows), note=note)
    return table if rows else None


def searched_table(run: Run, result: TransferResult) -> Table | None:
    """Every candidate of searches and probes, as it was cross-validated; None where there were none."""
    record, metric = result.record, metric_words(result.record.metric)
    columns = (
        TableColumn("search", "search"),
        TableColumn("candidate", "candidate"),
        TableColumn("pictures", "pictures", "count"),
        TableColumn(record.metric, metric, "share"),
        TableColumn(f"{record.metric}_deviation", f"deviation of {metric}", "share"),
        TableColumn("loss", "log loss", "loss"),
        TableColumn("loss_deviation", "deviation of the loss", "loss"),
        TableColumn("seconds", "in", "seconds"),
        TableColumn("repeats", "repeats", "count"),
        TableColumn("found", "the best in", "count"),
    )
    rows = []
    for each in searched(record):
        own, nothing = (each.mean, each.deviation), (None, None)
        scores = (*nothing, *own) if each.metric == LOSS else (*own, *nothing)
        label = result.label(record.rows[each.row])
        rows.append((label, each.classifier, each.pictures, *scores, each.seconds, each.repeats, each.found))
    note = (
        "By cross-validation inside the training part: the mean over the folds, and the standard deviation over them; "
        "seconds are those of all folds together."
    )
    note += " Over the repeats in which it was judged on so many pictures." if len(record.choices) > 1 else ""
    table = Table(f"transfer searched {run.name}", "What was searched", columns, tuple(rows), note=note)
    return table.without_empty() if rows else None


def question(recipe: Mapping[str, Any]) -> str:
    """What a transfer asks."""
    from cnnlab.transfer.request import listed as specs

    backbones = [str(getattr(call, "name", call)) for call in specs("backbones", recipe.get("backbones"))]
    return f"Which classifier does best on features of {listed(backbones)}?"


def answer(result: TransferResult) -> tuple[str, str]:
    """What came out, and how sure that is."""
    record, best = result.record, result.best
    metric, scores = metric_words(record.metric), result.test_scores
    first = f"{best}, the best of {len(record.rows)} on validation,"
    if not scores:
        first = f"{first} has a {metric} of {with_unit(best.validation[record.metric], 'share')} there."
    elif len(scores) == 1:
        first = f"{first} has a {metric} of {with_unit(scores[0], 'share')} on test."
    else:
        interval = ends_of(result.test_interval)
        sure = (
            ""
            if interval is None
            else f" (95% interval {with_unit(interval.low, 'share')} to {with_unit(interval.high, 'share')})"
        )
        first = (
            f"{first} has a {metric} of {with_unit(scores[0], 'share')} on test; over {_repeats(result)}, what each "
            f"chose for itself has {with_unit(fmean(scores), 'share')}{sure}."
        )
    return first, result.caution


def methods(result: TransferResult) -> str:
    """The paragraph for a paper, but for the data and the machine."""
    record = result.record
    networks = [own for own in record.columns if own.layer]
    names = listed(list(dict.fromkeys(own.label for own in networks)))
    layers = list(dict.fromkeys(own.layer for own in networks))
    where = "the last feature map, averaged over its places" if layers == ["pooled"] else f"the layers {listed(layers)}"
    count = len(dict.fromkeys(row.classifier for row in record.rows))
    first = record.rows[0].repeats[0]
    made = [f"what a pretrained network ({names}) makes of it: {where}"] if networks else []
    made += ["its pixels themselves, in [0, 1]"] if len(networks) < len(record.columns) else []
    parts = [
        f"Features of a picture are {'; or '.join(made)}.",
        f"{counted(count, 'classifier')} of scikit-learn {'was' if count == 1 else 'were'} fitted to them on "
        f"{counted(first.trained, 'training picture')}, and the best by {metric_words(record.metric)} on "
        f"{first.pictures:,} validation pictures was chosen.",
    ]
    parts += ["The test pictures were scored once, by what was chosen."] if result.test_scores else []
    if record.augment is not None:
        drawn = f"{counted(record.views, 'augmented draw')} ({record.augment})"
        parts += [f"They were fitted to features of {drawn} of each training picture as well."]
    if len(record.choices) > 1:
        anew = "the splits were drawn anew, stratified and in the same sizes"
        how = "only the seed by which classifiers draw differed" if record.vary == "seed" else anew
        parts += [
            f"All of this was done {len(record.choices)} times; {how}.",
            f"Intervals are at the 95% level{_over(result)}.",
            "Classifiers were compared by paired t tests, p-values adjusted after Holm.",
        ]
    return " ".join(parts)


def _heading(backbone: str, label: str) -> str:
    return f"{backbone}: {label}" if label else backbone


def status(result: TransferResult) -> list[str]:
    """How much there is of it, in a few words each."""
    count = len(dict.fromkeys(row.classifier for row in result.record.rows))
    columns = len(result.record.columns)
    return [counted(count, "classifier"), f"{columns} kinds of features" if columns > 1 else "", _repeats(result)]


def _named(result: TransferResult, row: RowRecord, repeat: RepeatRecord) -> str:
    label = result.record.columns[row.column].label
    return f"{repeat.classifier} on {label}" if len(result.record.columns) > 1 else repeat.classifier


def _repeats(result: TransferResult) -> str:
    return counted(len(result.record.choices), "repeat")


def _over(result: TransferResult) -> str:
    return "" if result.record.vary == "seed" else f", {_CORRECTED}"
