"""Runs that belong to no study as a result: settings are recipes that differ in more than the seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cnnlab.core.digests import canonical_json
from cnnlab.core.errors import SpecError, UsageError
from cnnlab.core.measurements import Measure, MeasuredRuns, Metric, read_measure, usual_names
from cnnlab.core.metric_names import better
from cnnlab.core.number_text import counted
from cnnlab.core.scored_splits import OUT_OF_FOLD, score_name
from cnnlab.core.spec import Call, read
from cnnlab.reports.contents import transfers
from cnnlab.reports.contents.report_subject import is_transfer
from cnnlab.reports.contents.standalone_tests import compare_standalone
from cnnlab.reports.contents.tables import listed
from cnnlab.runs import Run
from cnnlab.studies.result import Axis, AxisValue, Setting, StudyResult, Trial
from cnnlab.studies.statistics.new_images import NewImages, of_one_training
from cnnlab.studies.statistics.tables import Tables, scored_images
from cnnlab.studies.statistics.timing import untimed
from cnnlab.training.short_recipe import short_spec

_CARRIED_OUT = frozenset(
    [
        *("name", "checkpoint_seconds", "keep_checkpoint", "mirror"),
        *("device", "precision", "compile", "threads", "workers", "kernels"),
    ]
)
"""Keys of a recipe that say how a training is carried out or kept, not what it is."""
_LONG = 48


@dataclass(frozen=True)
class _Group:
    """Runs of one recipe apart from the seed, on one data set, one run a seed."""

    recipe: Mapping[str, Any]
    runs: tuple[Run, ...]


def result_of_runs(runs: Sequence[Run]) -> StudyResult:
    """The result that these runs amount to.

    :raises UsageError: when there are none.
    """
    if not runs:
        raise UsageError("a report takes at least one run.")
    unique = list(dict.fromkeys(runs))
    groups, notes = _groups(unique)
    measures = _measures(unique)
    metrics = tuple(measure.metric for measure in measures)
    axes, values = _axes([group.recipe for group in groups])
    settings = tuple(_setting(place, group, values[place], measures) for place, group in enumerate(groups))
    seeds = tuple(sorted({trial.seed for setting in settings for trial in setting.trials}))
    tables = Tables.of(settings, seeds, metrics, together=_together(groups, measures), images=scored_images(unique))
    by_name = {run.name: run for run in unique}
    new_images = NewImages(settings, lambda run, split: by_name[run].predictions(split))
    settings = _named(tuple(_summarised(setting, metrics, tables, new_images, by_name) for setting in settings))
    table, multiplicity, more = compare_standalone(settings, metrics[0], by_name, _digests(unique))
    infos = [run.info for run in unique]
    first = next((info for info in infos if info.get("status") == "finished"), infos[0])
    return StudyResult(
        name=unique[0].name if len(unique) == 1 else counted(len(unique), "run"),
        question=_question(settings, axes),
        design="runs()",
        seeds=seeds,
        base={key: value for key, value in groups[0].recipe.items() if key not in _CARRIED_OUT},
        axes=axes,
        metrics=metrics,
        settings=settings,
        baseline=table.comparisons[0].reference if table and table.kind == "baseline" else None,
        families=(table,) if table else (),
        multiplicity=multiplicity,
        data=first.get("data") or {},
        execution=first.get("execution") or {},
        machine=first.get("environment") or {},
        runs=str(unique[0].folder.parent),
        started=min((run.started for run in unique if run.started), default=None),
        updated=max((str(info.get("updated") or "") for info in infos), default=None) or None,
        finished=_finished(infos),
        training_seconds=sum(run.seconds for run in unique),
        untimed=untimed([run for run in unique if run.status == "finished"]),
        notes=(*notes, *more, *_unlike(infos)),
    )


def _groups(runs: Sequence[Run]) -> tuple[list[_Group], list[str]]:
    by_recipe: dict[str, tuple[Mapping[str, Any], dict[int, Run]]] = {}
    notes = []
    for run in runs:
        recipe = run.recipe
        seed = int(recipe.get("seed") or 0)
        same = {key: value for key, value in recipe.items() if key not in _CARRIED_OUT and key != "seed"}
        identity = canonical_json([same, (run.info.get("data") or {}).get("digest")])
        _, members = by_recipe.setdefault(identity, (recipe, {}))
        if seed in members:
            notes.append(f"{run.name} has the recipe and the seed of {members[seed].name}, and is not counted again.")
        else:
            members[seed] = run
    groups = []
    for stored, members in by_recipe.values():
        kept = {key: value for key, value in stored.items() if key != "seed"}
        groups.append(_Group(kept, tuple(members[seed] for seed in sorted(members))))
    return groups, notes


def _measures(runs: Sequence[Run]) -> tuple[Measure, ...]:
    """Those that every finished run has; first the one to judge by, of test, by which weights were chosen."""
    finished = [run for run in runs if run.status == "finished"]
    scores = [run.info.get("scores") or {} for run in finished]
    splits = ("test", OUT_OF_FOLD, "validation", "train")
    shared = {split: _shared([scored.get(split) or {} for scored in scores]) for split in splits}
    inner = _chosen_by(finished)
    measured = MeasuredRuns(
        {split: names for split, names in shared.items() if names} or {"validation": ["loss"]}, {}, inner, better
    )
    wanted = [score_name(split, name) for name in (inner, "accuracy", "loss") for split in splits]
    known = measured.score_names
    judged = next((name for name in wanted if name in known), known[0])
    return tuple(read_measure(name, measured) for name in dict.fromkeys([judged, *usual_names(measured)]))


def _shared(scores: Sequence[Mapping[str, Any]]) -> list[str]:
    """The metrics that all of these splits are scored by."""
    names = [name for name in (scores[0] if scores else {}) if name != "n"]
    return [name for name in names if all(isinstance(scored.get(name), int | float) for scored in scores)]


def _chosen_by(runs: Sequence[Run]) -> str:
    """The metric by which the weights were chosen, without its split."""
    for run in runs:
        _, _, inner = str((run.info.get("selected") or {}).get("metric") or "").partition("_")
        if inner:
            return inner
    return "accuracy"


def _setting(place: int, group: _Group, values: Mapping[str, str], measures: Sequence[Measure]) -> Setting:
    trials = tuple(_trial(run, measures) for run in group.runs)
    label = ", ".join(f"{axis}={value}" for axis, value in values.items())
    return Setting(_key(place), label, values, group.recipe, trials)


def _key(place: int) -> str:
    return f"s{place}"


def _together(groups: Sequence[_Group], measures: Sequence[Measure]) -> dict[str, dict[str, float]]:
    """By metric and setting the measures of all finished runs of a setting."""
    values: dict[str, dict[str, float]] = {measure.metric.name: {} for measure in measures if measure.is_of_setting}
    for place, group in enumerate(groups):
        finished = [run for run in group.runs if run.status == "finished"]
        for measure in (measure for measure in measures if measure.is_of_setting and finished):
            value = measure.value(finished)
            if value is not None:
                values[measure.metric.name][_key(place)] = value
    return values


def _summarised(
    setting: Setting, metrics: Sequence[Metric], tables: Tables, new_images: NewImages, runs: Mapping[str, Run]
) -> Setting:
    names = [str(trial.run) for trial in setting.finished]
    first = new_images.of_mean(tables.summary(metrics[0], setting.key), metrics[0], setting.key)
    summaries = [first, *(tables.summary(metric, setting.key) for metric in metrics[1:])]
    if len(names) == 1:
        summaries = of_one_training(summaries, runs[names[0]])
    return replace(setting, summaries=tuple(summary for summary in summaries if summary.values))


def _named(settings: tuple[Setting, ...]) -> tuple[Setting, ...]:
    """Settings of one axis are called by its value; those that cannot be told apart so, by their first run."""
    short = [next(iter(s.values.values())) if len(s.values) == 1 else s.label for s in settings]
    labels = [label or str(s.trials[0].run) for label, s in zip(short, settings, strict=True)]
    unclear = any(len(label) > _LONG for label in labels) or len(set(labels)) < len(labels)
    if unclear:
        labels = [str(setting.trials[0].run) for setting in settings]
    if len(set(labels)) < len(labels):
        # Runs of two folders may bear one name.
        labels = [f"{label} ({setting.key})" for label, setting in zip(labels, settings, strict=True)]
    return tuple(replace(setting, label=label) for setting, label in zip(settings, labels, strict=True))


def _trial(run: Run, measures: Sequence[Measure]) -> Trial:
    info = run.info
    seed = int(run.recipe.get("seed") or 0)
    facts: dict[str, Any] = {"run": run.name, "digest": run.digest, "seconds": run.seconds, "epochs": run.epochs_done}
    if run.status == "failed":
        return Trial(seed, "failed", reason=str(info.get("reason") or "unknown"), failure="error", **facts)
    if run.status != "finished":
        reason = f"{run.state} at epoch {run.epochs_done}{f' of {run.epochs}' if run.epochs else ''}"
        return Trial(seed, "missing", reason=reason, **facts)
    values = {measure.metric.name: measure.value(run) for measure in measures if not measure.is_of_setting}
    return Trial(seed, "finished", metrics=values, **facts)


def _axes(recipes: Sequence[Mapping[str, Any]]) -> tuple[tuple[Axis, ...], list[dict[str, str]]]:
    """What differs between the recipes: whole keys, or one argument of a spec where all have it under one name."""
    keys = dict.fromkeys(key for recipe in recipes for key in recipe if key not in _CARRIED_OUT)
    if len({"ensemble" in recipe for recipe in recipes}) > 1:
        # Beside what was trained an ensemble differs in every key, and in one thing: how it came to be.
        keys = dict.fromkeys(["ensemble"])
    columns: dict[str, list[Any]] = {}
    for key in keys:
        values = [recipe.get(key) for recipe in recipes]
        if any(value != values[0] for value in values):
            columns |= _arguments(key, values)
    axes = []
    for name, values in columns.items():
        labels = {_label(name, value): value for value in values}
        axes.append(Axis(name, (name,), tuple(AxisValue(label, value) for label, value in labels.items())))
    return tuple(axes), [
        {name: _label(name, values[i]) for name, values in columns.items()} for i in range(len(recipes))
    ]


def _arguments(key: str, values: Sequence[Any]) -> dict[str, list[Any]]:
    """A column for each argument that differs, where all values are calls of one name; else the key's own."""
    try:
        pipelines = [read(value) for value in values] if all(isinstance(value, str) for value in values) else []
    except SpecError:
        pipelines = []
    calls: list[Call] = [pipeline[0] for pipeline in pipelines if len(pipeline) == 1]
    is_one = bool(calls) and len(calls) == len(values) and len({call.name for call in calls}) == 1
    if not is_one or any(call.args for call in calls):
        return {key: list(values)}
    names = dict.fromkeys(name for call in calls for name in call.kwargs)
    columns = {f"{key}.{name}": [call.kwargs.get(name) for call in calls] for name in names}
    return {name: column for name, column in columns.items() if any(value != column[0] for value in column)}


def _label(name: str, value: Any) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(short_spec(name, value))


def _digests(runs: Sequence[Run]) -> set[str]:
    return {str((run.info.get("data") or {}).get("digest")) for run in runs}


def _question(settings: Sequence[Setting], axes: Sequence[Axis]) -> str:
    if [axis.name for axis in axes] == ["ensemble"]:
        return "What difference does an ensemble make?"
    if len(settings) == 1 and is_transfer(settings[0].recipe):
        return transfers.question(settings[0].recipe)
    if len(settings) == 1:
        return f"How well does {settings[0].label} do?"
    what = listed([axis.name for axis in axes]) if 0 < len(axes) <= 3 else "the recipe"
    return f"What difference {'do' if 1 < len(axes) <= 3 else 'does'} {what} make?"


def _finished(infos: Sequence[Mapping[str, Any]]) -> str | None:
    times = [info.get("finished") for info in infos]
    return max(map(str, times)) if all(times) else None


def _unlike(infos: Sequence[Mapping[str, Any]]) -> list[str]:
    """What else differs between the runs, and may be behind a difference of their scores or times."""
    notes = []
    for part, keys in {"execution": ("device", "precision", "threads"), "environment": ("processor", "code")}.items():
        for key in keys:
            values = {str((info.get(part) or {}).get(key)) for info in infos}
            if len(values) > 1:
                shown = "" if key == "code" else f": {', '.join(sorted(values))}"
                what = "digest of cnnlab's own code" if key == "code" else key
                notes.append(f"The runs differ in their {what}{shown}; times cannot be compared without this in mind.")
    return notes
