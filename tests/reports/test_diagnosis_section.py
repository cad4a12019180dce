"""Trainings that learned nothing in reports."""

from cnnlab.reports.contents.diagnosis import diagnosis_table
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.standalone_runs import result_of_runs
from cnnlab.reports.sections import sections_of
from cnnlab.runs import Diagnosis, Finding, RunWriter

DEAD, HIGH = Finding("dead units", "all 8 units of conv1"), Finding("learning rate too high", "30")


def diagnosed(run, *findings):
    with RunWriter.open(run.folder) as writer:
        writer.update(diagnosis=Diagnosis("accuracy 0.1." if findings else "", findings).to_dict())
    return run


def subject_of(runs):
    return ReportSubject(result_of_runs(runs), {run.name: run for run in runs}, is_study=False)


def test_each_kind_of_finding_is_told_once_for_the_repeats_of_a_setting(make_run):
    runs = [diagnosed(make_run(rate=30, seed=0), DEAD, HIGH), diagnosed(make_run(rate=30, seed=1), HIGH)]
    runs += [diagnosed(make_run(rate=0.1, seed=0)), make_run(rate=0.1, seed=1)]
    subject = subject_of(runs)
    label = subject.label(next(s.key for s in subject.result.settings if len(subject.runs_of(s)) and s.label == "30"))
    assert diagnosis_table(subject).rows == (
        (label, "seed 0", "dead units", "all 8 units of conv1"),
        (label, "seeds 0 and 1", "learning rate too high", "30"),
    )
    assert "diagnosis" in [part.key for part in sections_of(subject)]


def test_runs_that_learned_have_no_such_section(make_run):
    subject = subject_of([diagnosed(make_run(seed=0)), make_run(seed=1)])
    assert "diagnosis" not in [part.key for part in sections_of(subject)]
