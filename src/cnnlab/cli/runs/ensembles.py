"""What is known of an ensemble, for a person: its members and itself, and what was found out about them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnnlab.cli import output
from cnnlab.core.durations import short_duration
from cnnlab.core.number_text import fixed

if TYPE_CHECKING:
    from cnnlab.ensembles.analysis import Analysis
    from cnnlab.ensembles.analysis.findings import Judged
    from cnnlab.ensembles.cross_validation import CrossValidation
    from cnnlab.ensembles.record import EnsembleRecord
    from cnnlab.evaluation import Unit
    from cnnlab.runs import Run

MEASURES = {
    "disagreement": "right and wrong apart (disagreement)",
    "q": "Q statistic",
    "double_fault": "both wrong (double fault)",
    "correlation": "correlation of errors",
}
_SHARES = ("disagreement", "double_fault")


def write_brief(run: "Run") -> None:
    """The ensemble beside its members, and what that comes to."""
    from cnnlab.ensembles import read_record

    record = read_record(run)
    output.facts(
        [
            ("ensemble", run.folder.name),
            ("method", record.method),
            ("members", _members(record)),
            ("time", short_duration(run.seconds)),
            ("folder", run.folder),
        ]
    )
    if record.analysis is not None:
        _beside(record, record.analysis)
        _diversity(record.analysis)
        _gains(record.analysis)
    _notes(record)


def write_findings(run: "Run") -> None:
    """All that was found out when it was made."""
    from cnnlab.ensembles import read_record

    record = read_record(run)
    if record.cross_validation is not None:
        write_cross_validation(record.cross_validation)
    if record.analysis is None:
        return
    analysis = record.analysis
    _beside(record, analysis)
    _diversity(analysis)
    _sizes(analysis)
    _left_out(analysis)
    _calibration(analysis)
    _gains(analysis)


def write_cross_validation(found: "CrossValidation") -> None:
    """The scores of the folds, and what the recipe comes to by them."""
    judged = list(dict.fromkeys(name for name in (found.metric, "loss") if name in found.scores))
    words = [name.replace("_", " ") for name in judged]
    output.heading("cross-validation: each fold by the network that was not trained on it")
    output.table(
        ["fold", "trained on", "pictures", *words],
        [
            [
                number + 1,
                f"{found.trained[number]:,}",
                f"{found.held_out[number]:,}",
                *(output.score(found.scores[name].folds[number]) for name in judged),
            ]
            for number in range(len(found.held_out))
        ],
        names=0,
    )
    rows = []
    for name, score in found.scores.items():
        ends = "" if score.low is None or score.high is None else f" ({fixed(score.low, 4)} to {fixed(score.high, 4)})"
        rows.append((name.replace("_", " "), f"{output.score(score.value)}{ends}"))
    output.heading("cross-validated, in brackets 95% intervals over trainings and pictures")
    output.facts(rows)
    output.write()
    output.write(found.sentence)
    output.write(found.how_chosen)


def _members(record: "EnsembleRecord") -> str:
    names = [member.name if member.epoch is None else f"epoch {member.epoch}" for member in record.members]
    own = record.members[0].name if record.members[0].epoch is not None else ""
    views = "" if record.views is None else f", {record.views.count} views by {record.views.pipeline}"
    return f"{own}{': ' if own else ''}{', '.join(names)}{views}"


def _beside(record: "EnsembleRecord", analysis: "Analysis") -> None:
    shares = [member.share for member in record.members]
    has_shares = len(shares) == len(analysis.members) and any(share is not None for share in shares)
    splits = list(analysis.ensemble.scores)
    metric = analysis.metric.replace("_", " ")
    titles = [
        "",
        *(["weight"] if has_shares else []),
        *(f"{split} {metric}" for split in splits),
        f"{analysis.split} loss",
    ]
    rows = []
    for place, judged in enumerate(analysis.members):
        weight = [f"{shares[place]:.3f}"] if has_shares else []
        rows.append([judged.name, *weight, *_scores(judged, splits, analysis.split)])
    own = [""] if has_shares else []
    rows.append([analysis.ensemble.name, *own, *_scores(analysis.ensemble, splits, analysis.split)])
    in_brackets = ", in brackets 95% intervals over pictures" if analysis.ensemble.intervals else ""
    output.heading(f"members and ensemble{in_brackets}")
    output.table(titles, rows)
    if analysis.against is not None:
        output.write(f"\nAgainst {analysis.against.why}: {analysis.against.sentence}")


def _scores(judged: "Judged", splits: Sequence[str], last: str) -> list[str]:
    cells = []
    for split in splits:
        ends = judged.intervals.get(split) if split == last else None
        text = output.score(judged.scores.get(split))
        cells.append(f"{text} ({ends[0]:.4f} to {ends[1]:.4f})" if ends and text else text)
    return [*cells, output.score(judged.losses.get(last))]


def _diversity(analysis: "Analysis") -> None:
    found = analysis.diversity
    if found is None:
        return
    output.heading(f"diversity of the members, means over their pairs on {found.split}")
    rows = [(MEASURES[name], _measure(name, value)) for name, value in found.means.items() if value is not None]
    output.facts(rows)


def _measure(name: str, value: float) -> str:
    return f"{value:.2%}" if name in _SHARES else f"{value:.3f}"


def _sizes(analysis: "Analysis") -> None:
    if len(analysis.sizes) < 2:
        return
    unit = _unit(analysis)
    output.heading(f"{analysis.metric.replace('_', ' ')} of the mean of so many members on {analysis.split}")
    output.table(
        ["members", "mean", "90% of choices from", "to", "choices"],
        [
            [point.size, unit.value(point.mean), unit.value(point.low), unit.value(point.high), point.subsets]
            for point in analysis.sizes
        ],
        names=0,
    )


def _left_out(analysis: "Analysis") -> None:
    if not analysis.left_out:
        return
    unit = _unit(analysis)
    how = ", fitted again on the others" if analysis.is_refitted else ""
    output.heading(f"what each member is worth: the ensemble without it on {analysis.split}{how}")
    rows = []
    for one in analysis.left_out:
        ends = (
            ""
            if one.low is None or one.high is None
            else f"{unit.number(one.low, sign=True)} to {unit.signed(one.high)}"
        )
        rows.append([analysis.members[one.member].name, unit.value(one.score), unit.signed(one.worth), ends])
    has_ends = any(row[3] for row in rows)
    titles = ["member", "without it", "worth", *(["95% interval"] if has_ends else [])]
    output.table(titles, [row if has_ends else row[:3] for row in rows])


def _calibration(analysis: "Analysis") -> None:
    if not analysis.calibrated:
        return
    output.heading(f"calibration on {analysis.split}: as it is, and after a temperature fitted on validation")
    rows = [
        [
            one.name,
            f"{one.error:.2%}",
            output.score(one.loss),
            output.score(one.temperature),
            "" if one.error_after is None else f"{one.error_after:.2%}",
            output.score(one.loss_after),
        ]
        for one in analysis.calibrated
    ]
    output.table(["", "calibration error", "log loss", "temperature", "error after", "loss after"], rows)


def _gains(analysis: "Analysis") -> None:
    if not analysis.gains:
        return
    unit = _unit(analysis)
    output.heading("what fitting gained over equal weights; above 0 is better")
    fitted_on = next((gain.split for gain in analysis.gains if not gain.is_held_out), None)
    rows = [
        [
            f"{gain.split}, cross-fitted" if gain.split == fitted_on and gain.is_held_out else gain.split,
            unit.signed(gain.score),
            fixed(gain.loss, 4, sign=True),
        ]
        for gain in analysis.gains
    ]
    output.table(["on", analysis.metric.replace("_", " "), "loss"], rows)
    by_split = {gain.split: gain for gain in reversed(analysis.gains)}
    if fitted_on is not None and "test" in by_split:
        first, second = by_split[fitted_on], by_split["test"]
        output.write(
            "Optimism, the gain on the pictures fitted on less that on test: "
            f"{unit.signed(first.score - second.score)}, {fixed(first.loss - second.loss, 4, sign=True)} in loss."
        )


def _notes(record: "EnsembleRecord") -> None:
    if record.notes:
        output.write()
    for text in record.notes:
        output.write(f"- {text}")


def _unit(analysis: "Analysis") -> "Unit":
    from cnnlab.evaluation import unit_of

    return unit_of(analysis.metric)
