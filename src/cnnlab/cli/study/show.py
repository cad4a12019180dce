"""``cnnlab study show``, and how a result is written for a person."""

from pathlib import Path
from typing import TYPE_CHECKING

from cnnlab.cli import output
from cnnlab.cli.options import DataDir, Json, Offline, Quick, Runs
from cnnlab.cli.study.ensembles import write_ensembles
from cnnlab.cli.study.options import Keys, StudyName, command, deletion, load_study, study_command
from cnnlab.core.durations import short_duration
from cnnlab.core.messages import first_few, is_quiet
from cnnlab.core.number_text import fixed

if TYPE_CHECKING:
    from cnnlab.core.measurements import Metric
    from cnnlab.studies import StudyResult
    from cnnlab.studies.result import PublishedRow, Setting
    from cnnlab.studies.search_record import SearchStep

_MOST_COMPARISONS = 12
_INTERVALS = ("95% interval over repeats", "of one training, on new pictures", "over repeats, on new pictures")
_OPTIONAL = (*_INTERVALS, "left out")


def show(
    study: StudyName,
    words: Keys = None,
    runs: Runs = None,
    data_dir: DataDir = None,
    offline: Offline = False,
    quick: Quick = False,
    as_json: Json = False,
) -> None:
    """Show what can be said of a study now: its settings, comparisons, claims and published numbers."""
    from cnnlab.cli.words import tried_quickly
    from cnnlab.studies.known_results import known_result

    words = tried_quickly(words, quick)
    known = known_result(study_command(study, words, runs, data_dir, offline))
    result = known or load_study(study, words, runs, data_dir, offline).result()
    if as_json:
        output.write_json(result.to_dict())
    else:
        write_result(result, command("run", study, words, runs, data_dir, offline), runs)


def write_result(result: "StudyResult", again: str, runs: Path | None) -> None:
    """The result in tables and sentences.

    :param again: what to type to have what is missing trained, over the folder ``runs``.
    """
    from cnnlab.runs.run_info import QUICK

    trials = [trial for setting in result.trained for trial in setting.trials]
    counts = {status: sum(trial.status == status for trial in trials) for status in ("finished", "pruned", "failed")}
    others = "".join(f", {count} {status}" for status, count in counts.items() if count and status != "finished")
    output.facts(
        [
            ("study", result.name),
            ("question", result.question),
            ("quick trial", QUICK if result.is_quick else None),
            ("trials", f"{counts['finished']} of {len(trials)} finished{others}"),
            ("ensembles", _made(result)),
            ("training steps", short_duration(result.training_seconds)),
            ("folder", result.folder),
        ]
    )
    _settings(result)
    write_ensembles(result)
    _comparisons(result)
    _claims(result)
    _published(result)
    _search(result)
    _missing(result, again, runs)
    for note in result.notes:
        output.write(f"\nNote: {note}")


def _made(result: "StudyResult") -> str | None:
    """How many of the ensembles are there."""
    trials = [trial for setting in result.settings if setting.members for trial in setting.trials]
    return f"{sum(trial.status == 'finished' for trial in trials)} of {len(trials)} made" if trials else None


def _settings(result: "StudyResult") -> None:
    metric = result.metric
    are_single = all(len(setting.finished) < 2 for setting in result.settings)
    how = "one training each, intervals by its pictures alone" if are_single else "mean over repeats"
    output.heading(f"{metric.label}, {how}")
    ranked = sorted(result.settings, key=lambda setting: _rank(setting, metric))
    lines = [_line(setting, metric) for setting in ranked]
    headings = ["setting", "repeats", metric.label, "SD", *_INTERVALS, "training s", "left out"]
    kept = [place for place, name in enumerate(headings) if name not in _OPTIONAL or any(line[place] for line in lines)]
    output.table([headings[k] for k in kept], [[line[k] for k in kept] for line in lines], keep=4)
    alone = [setting.label for setting in ranked if (one := setting.summary(metric.name)) is not None and one.n == 1]
    if alone and not are_single:
        output.write(f"No SD of {first_few(alone)}: there is one repeat so far, and a spread takes two or more.")


def _rank(setting: "Setting", metric: "Metric") -> tuple[int, float]:
    """Settings of which trainings diverged come last, and then those without numbers."""
    summary = setting.summary(metric.name)
    if summary is None or summary.mean is None:
        return len(setting.trials) + 1, 0.0
    return len(setting.diverged), -summary.mean if metric.better == "higher" else summary.mean


def _line(setting: "Setting", metric: "Metric") -> list[object]:
    summary, seconds = setting.summary(metric.name), setting.summary("seconds")
    left_out = _left_out(setting)
    if summary is None:
        return [setting.label, 0, *[""] * 6, left_out]
    interval, new = _ends(summary.low, summary.high), _ends(summary.new_low, summary.new_high)
    intervals = ("", interval) if summary.n == 1 else (interval, "")
    mean = None if seconds is None else seconds.mean
    time = "" if mean is None else fixed(mean, 2 if mean < 1 else 1)
    return [
        setting.label,
        summary.n,
        output.score(summary.mean),
        output.score(summary.std),
        *intervals,
        new,
        time,
        left_out,
    ]


def _left_out(setting: "Setting") -> str:
    """The trials without numbers, in words, for which statistics are loaded only where there are some."""
    others = [trial for trial in setting.trials if trial.status != "finished"]
    if not others:
        return ""
    from cnnlab.studies.statistics.wording import named

    return named(others)


def _ends(low: float | None, high: float | None) -> str:
    return "" if low is None else f"{output.score(low)} to {output.score(high)}"


def _comparisons(result: "StudyResult") -> None:
    labels = {metric.name: metric.label for metric in result.metrics}
    for family in result.families:
        output.heading(f"{labels[family.metric]}: {family.method}")
        for comparison in family.comparisons[:_MOST_COMPARISONS]:
            output.write(f"- {comparison.sentence}")
        if len(family.comparisons) > _MOST_COMPARISONS:
            output.write(f"- … and {len(family.comparisons) - _MOST_COMPARISONS} more; --json lists all.")
        for text in (family.why, *family.cautions):
            output.write(text)
    if result.multiplicity:
        output.write(f"\n{result.multiplicity}")


def _claims(result: "StudyResult") -> None:
    if result.claims:
        output.heading("claims")
    for claim in result.claims:
        output.write(f"- {claim.verdict}: {claim.text}\n  {claim.why}")


def _published(result: "StudyResult") -> None:
    for table in result.published:
        output.heading(f"published: {table.source}")
        output.table(
            ["setting", "published", "measured", "difference", "95% interval", "verdict"],
            [_published_line(row) for row in table.rows],
        )


def _published_line(row: "PublishedRow") -> list[object]:
    from cnnlab.evaluation.units import NUMBER

    interval = "" if row.low is None or row.high is None else NUMBER.range(row.low, row.high, sign=True)
    difference = "" if row.difference is None else NUMBER.signed(row.difference)
    word = f"{row.word}: {row.reason}" if row.reason else row.word
    return [row.label, output.score(row.value), output.score(row.measured), difference, interval, word]


def _search(result: "StudyResult") -> None:
    if result.search is None:
        return
    labels = {setting.key: setting.label for setting in result.settings}
    output.heading(f"search, led by {result.search.metric.replace('_', ' ')}")
    output.table(
        ["setting", "step", "value", "state"],
        [[labels[step.setting], step.number, output.score(step.value), _state(step)] for step in result.search.steps],
    )


def _state(step: "SearchStep") -> str:
    return f"{step.state} after epoch {step.epochs}" if step.epochs else step.state


def _missing(result: "StudyResult", again: str, runs: Path | None) -> None:
    if not result.missing:
        return
    output.heading("missing")
    for setting, trial in result.missing:
        output.write(f"- {setting.label}, seed {trial.seed}: {trial.status}, {trial.reason}")
    if not is_quiet():
        for remedy in _remedies(result, again, runs):
            output.write(remedy)


def _remedies(result: "StudyResult", again: str, runs: Path | None) -> list[str]:
    """How to have tried again what is missing."""
    lost = [trial for _, trial in result.missing if trial.failure == "nan"]
    remedies = []
    if len(lost) < len(result.missing):
        remedies.append(f"Run the study again to have them trained: {again}")
    if lost:
        run = next((trial.run for trial in lost if trial.run), "RUN")
        remedies.append(
            "A loss that stopped being a number would do so again, so such a trial is not begun anew unless its run is "
            f"deleted: {deletion(run, runs)}"
        )
    return remedies
