"""``cnnlab study plan``."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.options import DataDir, Json, Offline, Quick, Runs
from cnnlab.cli.study.options import Keys, StudyName, load_study
from cnnlab.core.durations import short_duration

if TYPE_CHECKING:
    from cnnlab.studies import StudyPlan

_MOST_LINES = 60
Probe = Annotated[bool, typer.Option("--probe", help="Time a few steps, and say how long the rest would take.")]


def plan(
    study: StudyName,
    words: Keys = None,
    runs: Runs = None,
    data_dir: DataDir = None,
    probe: Probe = False,
    offline: Offline = False,
    quick: Quick = False,
    as_json: Json = False,
) -> None:
    """Show what a study would train and what is there already; nothing is trained."""
    from cnnlab.cli.words import tried_quickly

    loaded = load_study(study, tried_quickly(words, quick), runs, data_dir, offline)
    from cnnlab.studies.planning import estimate

    planned = loaded.plan()
    if probe:
        planned = replace(planned, estimate=estimate(planned, loaded.study_settings, loaded.trials, loaded.record))
    if as_json:
        output.write_json(planned.to_dict())
        return
    _overview(planned)
    _table(planned)


def _overview(plan: "StudyPlan") -> None:
    from cnnlab.studies.planning import STATES

    counts = [f"{plan.count(state)} {state}" for state in STATES if plan.count(state)]
    made = [f"{count} {state}" for state in STATES if (count := sum(e.state == state for e in plan.ensembles))]
    time = None
    if plan.estimate is not None:
        at_once = plan.estimate.trials_at_once
        time = f"{short_duration(plan.estimate.seconds) or '0 s'} ({at_once} trial{'s'[: at_once > 1]} at once)"
    output.facts(
        [
            ("study", plan.name),
            ("question", plan.question),
            ("design", plan.design),
            ("settings", plan.settings),
            ("to choose", plan.still_to_choose or None),
            ("repeats", plan.adds_repeats),
            ("trials", f"{len(plan.trials)}: {', '.join(counts)}" if counts else len(plan.trials)),
            ("ensembles", f"{len(plan.ensembles)}: {', '.join(made)}" if made else None),
            ("epochs left", f"{plan.epochs_left:,}"),
            ("time left", time),
            ("timed", None if plan.estimate is None else "; ".join(plan.estimate.computed) or None),
        ]
    )


def _table(plan: "StudyPlan") -> None:
    """A line a setting, with the state of each of its trials."""
    by_setting: dict[str, list[str]] = {}
    for trial in (*plan.trials, *plan.ensembles):
        by_setting.setdefault(trial.label, []).append(f"{trial.seed} {trial.state}")
    if not by_setting:
        return
    output.heading("settings")
    rows = [[label, ", ".join(states)] for label, states in by_setting.items()]
    output.table(["setting", "trials by seed"], rows[:_MOST_LINES])
    if len(rows) > _MOST_LINES:
        output.write(f"… and {len(rows) - _MOST_LINES:,} more; --json lists all.")
