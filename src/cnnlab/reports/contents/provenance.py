"""What was run on what, in enough detail to run it again, and the paragraph on methods for a paper."""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlab.core import yaml
from cnnlab.core.durations import duration_in_words
from cnnlab.core.number_text import counted
from cnnlab.data.division import is_drawn
from cnnlab.reports.contents import transfers
from cnnlab.reports.contents.report_subject import ReportSubject, is_transfer
from cnnlab.reports.contents.tables import listed
from cnnlab.runs.record import flattened, json_value
from cnnlab.studies.result import Setting
from cnnlab.training.short_recipe import given, short_spec, shortened

_STUDY_FILE = "study.yaml"
_DESIGNS = {
    "grid": "every combination of",
    "one-at-a-time": "one at a time, the others as in the baseline:",
    "zip": "in step:",
    "leave-one-out": "with one part left out at a time:",
}
_SOURCE = ("spec", "homepage", "url", "citation", "licence", "license", "note")


@dataclass(frozen=True)
class RecipeFile:
    """The recipe of one setting, in a file of its own.

    :param name: of the file.
    :param text: YAML, what was set before what is at its default.
    :param own: the part of it that was set, ``rest`` the other.
    :param commands: one for each seed, to be typed beside the file.
    """

    label: str
    name: str
    text: str
    own: str
    rest: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Provenance:
    """Everything needed to run it again.

    :param study_file: the text of the study file, where there is a study and its folder is still there.
    :param facts: groups of labels and values: data, machine, execution, times.
    :param methods: a paragraph for a paper.
    """

    study_file: str
    recipes: tuple[RecipeFile, ...]
    facts: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    methods: str


def is_ensemble(recipe: Mapping[str, Any]) -> bool:
    """Whether this is the recipe of an ensemble, which was made and not trained."""
    return "ensemble" in recipe


def provenance(subject: ReportSubject) -> Provenance:
    """Of a study, or of runs that belong to none."""
    result = subject.result
    path = Path(result.folder) / _STUDY_FILE
    text = path.read_text(encoding="utf-8") if subject.is_study and result.folder and path.is_file() else ""
    recipes = tuple(_recipe_file(subject, setting) for setting in result.settings)
    return Provenance(text, recipes, _facts(subject), methods(subject))


def methods(subject: ReportSubject) -> str:
    """The paragraph: what was compared, on what, how trained, repeated, tested, on which machine."""
    if subject.is_of_transfers:
        made = [transfers.methods(result) for _, result in transfers.transfers(subject)]
        compared = f"Classifiers were compared on {_data(subject.result.data)}."
        return " ".join([compared, *dict.fromkeys(made), _carried_out(subject)])
    parts = (_compared(subject), _trained(subject), _repeated(subject), _chosen(subject), *_combined(subject))
    parts = (*parts, _tested(subject))
    return " ".join(part for part in (*parts, _carried_out(subject)) if part)


def _recipe_file(subject: ReportSubject, setting: Setting) -> RecipeFile:
    recipe = {key: value for key, value in shortened(setting.recipe).items() if key != "seed"}
    set_keys = given(setting.recipe).keys()
    own = _yaml({key: value for key, value in recipe.items() if key in set_keys})
    rest = _yaml({key: value for key, value in recipe.items() if key not in set_keys})
    name = f"{setting.key}.yaml"
    if is_ensemble(setting.recipe):
        made = [(run.info.get("ensemble") or {}).get("members") or () for _, run in subject.runs_of(setting)]
        words = [["cnnlab", "ensemble", *members, f"method={setting.recipe['ensemble']}"] for members in made]
        return RecipeFile(subject.label(setting.key), name, own + rest, own, rest, tuple(map(shlex.join, words)))
    alike = [s for s in (setting, *subject.result.further) if s.key.partition("-")[0] == setting.key]
    seeds = [trial.seed + each.seeds_added for each in alike for trial in each.trials]
    verb = "transfer" if is_transfer(setting.recipe) else "train"
    commands = tuple(f"cnnlab {verb} recipes/{name} seed={seed}" for seed in seeds)
    return RecipeFile(subject.label(setting.key), name, own + rest, own, rest, commands)


def _yaml(recipe: Mapping[str, Any]) -> str:
    return yaml.dump(json_value(recipe)) if recipe else ""


def _facts(subject: ReportSubject) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    result = subject.result
    trials = [trial for setting in result.trained or result.settings for trial in setting.trials]
    done = sum(trial.status == "finished" for trial in trials)
    times = {
        "trials": f"{done:,} of {len(trials):,} finished",
        "started": result.started,
        "finished": result.finished,
    }
    spent = {
        "features, fitting and scoring"
        if subject.is_of_transfers
        else "training steps, all trials together": result.training_seconds,
        "at work on it, scoring included": result.wall_seconds,
    }
    times |= {what: duration_in_words(seconds) for what, seconds in spent.items() if seconds}
    data = {key: value for key, value in result.data.items() if key not in ("source", "notes")}
    source = result.data.get("source") or {}
    data |= {key: source[key] for key in _SOURCE if source.get(key)} if isinstance(source, Mapping) else {}
    groups = {"Data": data, "Machine": result.machine, "Execution": result.execution, "Times": times}
    return tuple((title, _lines(facts)) for title, facts in groups.items() if _lines(facts))


def _lines(facts: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((str(key), _text(value)) for key, value in flattened(facts).items() if value not in (None, "", [], {}))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return str(value)


def _compared(subject: ReportSubject) -> str:
    result = subject.result
    # Ensembles are told of one by one.
    axes = [axis for axis in result.axes if axis.name != "ensemble"]
    varied = [f"{axis.name} ({listed([value.label for value in axis.values])})" for axis in axes]
    design = result.design.partition("(")[0]
    how = _DESIGNS.get(design, f"{design} search over" if result.search else "differing in")
    how = "differing in" if len(axes) == 1 and not result.search else how
    what = counted(len(result.settings), "setting")
    varying = f", {how} {listed(varied)}," if varied and sum(len(a.values) for a in axes) <= 40 else ""
    if varied and not varying:
        varying = f", {how} {listed([axis.name for axis in axes])},"
    made = "was made of runs trained" if is_ensemble(result.settings[0].recipe) else "was trained"
    verb = made if len(result.settings) == 1 else "were compared"
    return f"{what[:1].upper()}{what[1:]}{varying} {verb} on {_data(result.data)}."


def _data(data: Mapping[str, Any]) -> str:
    sizes = data.get("sizes") or {}
    names = {"train": "training", "validation": "validation", "test": "test"}
    parts = [f"{sizes[split]:,} {names[split]}" for split in names if sizes.get(split)]
    return f"{data.get('name') or 'data'}{f' ({listed(parts)} pictures)' if parts else ''}"


def _trained(subject: ReportSubject) -> str:
    """The parts of the recipe that all settings share."""
    recipes = [setting.recipe for setting in subject.result.settings]
    same = (
        {k: short_spec(k, v) for k, v in recipes[0].items() if all(r.get(k) == v for r in recipes)} if recipes else {}
    )
    words = {
        "model": "the network {}",
        "objective": "the objective {}",
        "optimizer": "the optimiser {}",
        "schedule": "the schedule {}",
        "augment": "the augmentation {}",
        "batch_size": "batches of {} pictures",
        "epochs": "training for {}",
        "steps": "training for {}",
        "label_smoothing": "label smoothing {}",
        "ema": "an average of the weights with decay {}",
        "subset": "{}",
    }
    same |= {"epochs": 1, "steps": 0} if same.get("quick") else {}
    same |= {"subset": _subset(same["subset"])} if same.get("subset") is not None else {}
    same |= {key: counted(same[key], key[:-1]) for key in ("epochs", "steps") if same.get(key)}
    parts = [text.format(same[key]) for key, text in words.items() if same.get(key) not in (None, "none", "", 0, 0.0)]
    if same.get("phases"):
        parts.append(counted(len(same["phases"]), "phase"))
    if not parts:
        return ""
    first = "All used" if len(recipes) > 1 else "It used"
    return f"{first} {listed(parts)}."


def _subset(subset: Any) -> str:
    """What of the data was used."""
    if isinstance(subset, int):
        return f"a subset of {counted(subset, 'training picture')}, and of the other splits in proportion"
    return f"{subset} of the training pictures" if isinstance(subset, float) else f"a subset: {subset}"


def _repeated(subject: ReportSubject) -> str:
    seeds = subject.result.seeds
    ensembles = [is_ensemble(setting.recipe) for setting in subject.result.settings]
    if not seeds or all(ensembles):
        return ""
    shown = listed([str(seed) for seed in seeds]) if len(seeds) <= 12 else f"{seeds[0]} to {seeds[-1]}"
    text = (
        f"Each{' that is no ensemble' if any(ensembles) else ''} was trained {_times(len(seeds))} {shown}; the "
        f"seed decides on initial weights, the order of the pictures and random augmentation{_drawn(subject)}."
    )
    text += _trained_further(subject)
    trials = [trial for setting in subject.result.all_settings for trial in setting.trials]
    for status, words in (("failed", "failed"), ("pruned", "stopped early"), ("missing", "not finished")):
        count = sum(trial.status == status for trial in trials)
        verb = "" if status == "failed" else "was " if count == 1 else "were "
        text += f" {counted(count, 'trial')} {verb}{words}." if count else ""
    left = sum(trial.status != "finished" for trial in trials)
    diverged = sum(trial.failure == "nan" for trial in trials)
    text += " Means leave them out." if left > 1 else " Means leave it out." if left else ""
    text += f" Where a training diverged ({diverged:,}), it comes last in comparisons." if diverged else ""
    return text


def _trained_further(subject: ReportSubject) -> str:
    """What was trained more than once in a repeat, for ensembles."""
    added = dict.fromkeys(setting.seeds_added for setting in subject.result.further)
    if not added:
        return ""
    more = listed([f"{seeds:,}" for seeds in added])
    return f" Members of ensembles were trained further times in every repeat, with seeds higher by {more}."


def _times(count: int) -> str:
    return {1: "once, with seed", 2: "twice, with seeds"}.get(count, f"{count} times, with seeds")


def _chosen(subject: ReportSubject) -> str:
    runs: Iterable[Any] = subject.runs.values()
    trained = [run for run in runs if not run.is_ensemble]
    chosen = next((info for run in trained if (info := run.info.get("selected"))), None) or {}
    metric = str(chosen.get("metric") or "")
    if not metric:
        return ""
    if metric == "last":
        return "The weights of the last epoch were scored."
    scored = " The test pictures were scored once, at the end, with these weights." if _has_test(subject) else ""
    return f"The weights of the epoch with the best {metric.replace('_', ' ')} were kept.{scored}"


def _has_test(subject: ReportSubject) -> bool:
    return any(metric.name.startswith("test_") for metric in subject.result.metrics)


def _combined(subject: ReportSubject) -> list[str]:
    """A sentence for each ensemble: of what it was made, and how."""
    return [
        f"{subject.label(setting.key)} is an ensemble of {listed(setting.recipe.get('members', ()))} by "
        f"{setting.recipe['ensemble']}; what was fitted for it was fitted on "
        f"{'pictures out of fold' if 'out-of-fold' in setting.recipe['ensemble'] else 'validation'}."
        for setting in subject.result.settings
        if is_ensemble(setting.recipe)
    ]


def _drawn(subject: ReportSubject) -> str:
    """What of the data repeats share, and what the seed draws of it."""
    recipes = [setting.recipe for setting in subject.result.settings]
    parts = ["which training pictures are drawn"] if any(is_drawn(each.get("subset")) for each in recipes) else []
    parts += ["how they are divided into folds"] if any(each.get("folds") for each in recipes) else []
    if not parts:
        return ", and the splits of the data stay the same"
    return f", and on {listed(parts)}; validation and test stay the same"


def _tested(subject: ReportSubject) -> str:
    result, judged = subject.result, subject.metric
    kinds = dict.fromkeys(
        summary.interval for s in result.settings if (summary := subject.summary(s)) and summary.low is not None
    )
    intervals = f"Intervals of the {judged.label} are at the 95% level ({'; '.join(kinds)})." if kinds else ""
    family = next((candidate for candidate in result.families if candidate.metric == judged.name), None)
    if family is None or not family.comparisons:
        return intervals
    kind = "with the baseline" if family.kind == "baseline" else "with each other"
    tested = f"Settings were compared {kind} ({family.method}). {family.why} {result.multiplicity}"
    return f"{intervals} {tested}".strip()


def _carried_out(subject: ReportSubject) -> str:
    machine, execution, result = subject.result.machine, subject.result.execution, subject.result
    device = str(execution.get("device") or "")
    where = [str(machine["processor"])] if machine.get("processor") else []
    where += [f"{machine['cores']} cores"] if machine.get("cores") else []
    how = [f"device {device}"] if device else []
    how += [str(execution["precision"])] if execution.get("precision") else []
    how += [counted(int(execution["threads"]), "thread")] if execution.get("threads") else []
    at_once = int(execution.get("trials_at_once") or 1)
    how += [f"{at_once} trainings at a time"] if at_once > 1 else []
    versions = [f"{name} {machine[name]}" for name in ("cnnlab", "torch", "python") if machine.get(name)]
    what = "All of it" if subject.is_of_transfers else "Training"
    text = f"{what} ran on {', '.join([*where, *how])}" if where or how else ""
    text += f" with {listed(versions)}" if versions and text else ""
    took = f" and took {duration_in_words(result.training_seconds)} in all" if result.training_seconds and text else ""
    return f"{text}{took}." if text else ""
