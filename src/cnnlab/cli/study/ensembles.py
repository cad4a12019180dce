"""The ensembles of a study beside their members, written for a person."""

from typing import TYPE_CHECKING

from cnnlab.cli import output
from cnnlab.core.number_text import fixed

if TYPE_CHECKING:
    from cnnlab.studies import StudyResult
    from cnnlab.studies.result import EnsembleSummary, Setting, SpreadRatio


def write_ensembles(result: "StudyResult") -> None:
    """A table for each, with the comparison with its best member and what the spreads tell."""
    for summary in result.ensembles:
        _ensemble(result, summary)
    for words in dict.fromkeys(summary.words for summary in result.ensembles):
        output.write(words)


def _ensemble(result: "StudyResult", summary: "EnsembleSummary") -> None:
    setting, best = result.setting(summary.setting), summary.best
    output.heading(f"{setting.label} beside its members, {result.metric.label}")
    spreads = {spread.member: spread for spread in summary.spreads}
    beside = [*(result.setting(key) for key in summary.members), *([best] if best is not None else [])]
    rows = [_line(result, each, spreads.get(each.key)) for each in (*beside, setting)]
    output.table(["", "repeats", "mean", "SD", "95% interval", "ratio of SDs", "95% interval", "p"], rows, keep=4)
    if best is not None:
        chosen_by = summary.chosen_by.replace("_", " ")
        output.write(
            f"The best member is chosen in each repeat by {chosen_by}. {setting.label} is above it in {summary.above} "
            f"of {summary.repeats} repeats."
        )
    if summary.comparison is not None:
        output.write(f"- {summary.comparison.sentence}")


def _line(result: "StudyResult", setting: "Setting", spread: "SpreadRatio | None") -> list[object]:
    summary = setting.summary(result.metric.name)
    numbers: list[object] = [0, "", "", ""]
    if summary is not None:
        numbers = [summary.n, output.score(summary.mean), output.score(summary.std), _ends(summary.low, summary.high)]
    ratio, ends, p = "", "", ""
    if spread is not None and spread.ratio is not None and spread.low is not None and spread.high is not None:
        ratio, ends = fixed(spread.ratio, 2), f"{fixed(spread.low, 2)} to {fixed(spread.high, 2)}"
        p = "" if spread.p is None else fixed(spread.p, 2)
    return [setting.label, *numbers, ratio, ends, p]


def _ends(low: float | None, high: float | None) -> str:
    return "" if low is None else f"{output.score(low)} to {output.score(high)}"
