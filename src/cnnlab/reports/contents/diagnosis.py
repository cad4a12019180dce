"""Trainings that learned nothing, and what was seen of them."""

from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import Table, TableColumn, listed
from cnnlab.runs.diagnosis import NOTHING_FOUND, Finding
from cnnlab.studies.result import Setting


def diagnosis_table(subject: ReportSubject) -> Table:
    """A row for each kind of finding in each setting, in the words of the first of the repeats in which it was made."""
    columns = (
        *(TableColumn("setting", "setting"), TableColumn("repeats", "repeats")),
        *(TableColumn("found", "found"), TableColumn("seen", "what is seen, and what to do")),
    )
    rows = [row for setting in subject.result.all_settings for row in _rows(subject, setting)]
    return Table("diagnosis", "What learned nothing", columns, tuple(rows))


def _rows(subject: ReportSubject, setting: Setting) -> list[tuple[str, str, str, str]]:
    seen: dict[str, tuple[str, list[int]]] = {}
    for trial, run in subject.runs_of(setting):
        diagnosis = run.diagnosis
        if diagnosis:
            for finding in diagnosis.findings or (Finding("nothing found", f"{diagnosis.seen} {NOTHING_FOUND}."),):
                seen.setdefault(finding.kind, (finding.text, []))[1].append(trial.seed)
    label = subject.label(setting.key)
    return [(label, _named(seeds), kind, text) for kind, (text, seeds) in seen.items()]


def _named(seeds: list[int]) -> str:
    return f"seed{'s'[: len(seeds) > 1]} {listed([str(seed) for seed in seeds])}"
