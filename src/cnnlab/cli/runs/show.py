"""``cnnlab runs show``."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli import output
from cnnlab.cli.options import Json, RunName, Runs
from cnnlab.core.durations import short_duration
from cnnlab.core.number_text import counted, in_units
from cnnlab.core.sinks import in_short

if TYPE_CHECKING:
    from cnnlab.runs import Run

_EPOCHS = 8
_MOST_SAID = 1000
_RATES = ("learning_rate_start", "learning_rate_end")
_TITLES = {"learning_rate_start": "rate at start", "learning_rate_end": "rate at end", "seconds": "training s"}


All = Annotated[bool, typer.Option("--all", help="Also what of the recipe is at its default.")]


def show(run: RunName, runs: Runs = None, whole: All = False, as_json: Json = False) -> None:
    """Show the record of RUN: recipe, scores, why it learned nothing, epochs, how it was carried out, warnings.

    Of an ensemble also its members beside it, how they differ, and what each is worth; of a transfer what was compared.
    """
    from cnnlab.runs import RunStore

    stored = RunStore(runs or "runs").find(run)
    if as_json:
        output.write_json(document(stored))
        return
    _overview(stored)
    _scores(stored)
    _diagnosis(stored)
    if stored.is_ensemble:
        from cnnlab.cli.runs.ensembles import write_findings

        write_findings(stored)
    if stored.is_transfer:
        from cnnlab.cli.runs.transfers import write_findings

        write_findings(stored)
    _recipe(stored, whole)
    _history(stored)
    _execution(stored.info)
    _warnings(stored.info)


def document(run: "Run") -> dict[str, Any]:
    """All that is known of a run, as plain JSON."""
    from cnnlab.evaluation import run_intervals

    ends = {split: {name: one.to_dict() for name, one in found.items()} for split, found in run_intervals(run).items()}
    facts = {**run.to_dict(), "intervals": ends, "history": run.history.to_dict("records")}
    if run.is_ensemble:
        from cnnlab.ensembles import read_record

        facts["ensemble"] = {**facts["ensemble"], **read_record(run).model_dump(exclude={"combination"})}
    if run.is_transfer:
        from cnnlab.transfer import read_record as read_transfer

        facts["transfer"] = {**facts["transfer"], **read_transfer(run).model_dump(mode="json")}
    return facts


def _overview(run: "Run") -> None:
    from cnnlab.runs.run_info import QUICK, WITHOUT_WEIGHTS

    info = run.info
    reason = f": {info['reason']}" if run.state == "failed" and info.get("reason") else ""
    total = info.get("epochs")
    output.facts(
        [
            ("run", run.folder.name),
            ("state", f"{run.state}{reason}"),
            ("quick trial", QUICK if run.is_quick else ""),
            ("data", data_of(info)),
            (
                "epochs",
                ""
                if not run.is_trained
                else f"{run.epochs_done}{f' of {total}' if total and total != run.epochs_done else ''}",
            ),
            ("weights of", selected(info)),
            ("weights", WITHOUT_WEIGHTS if run.came_without_weights else ""),
            ("training time", training_time(run)) if run.is_trained else ("time", short_duration(run.seconds)),
            ("frozen parts", frozen_parts(run)),
            ("parent", info.get("parent")),
            ("digest", run.digest),
            ("folder", run.folder),
        ]
    )


def selected(info: Mapping[str, Any]) -> str:
    """The epoch whose weights were kept, and why that one."""
    chosen = info.get("selected") or {}
    if "epoch" not in chosen:
        return ""
    metric = str(chosen.get("metric") or "last").replace("_", " ")
    return f"epoch {chosen['epoch']}, {'the last' if metric == 'last' else f'by {metric}'}"


def training_time(run: "Run") -> str:
    """How long its steps took, with the frozen parts that were computed once, and what that leaves out."""
    spent = short_duration(run.seconds)
    what = "its steps and its frozen parts" if any(run.frozen_features.values()) else "its steps alone"
    return f"{spent}, {what}, without starting, validation and test" if spent else ""


def frozen_parts(run: "Run") -> str:
    """What computing them once took, phase by phase."""
    told = {number: _computed(facts) for number, facts in run.frozen_features.items()}
    has_phases = bool(run.recipe.get("phases"))
    return "; ".join(f"in phase {number} {text}" if has_phases else text for number, text in told.items())


def _computed(facts: Mapping[str, Any] | None) -> str:
    if facts is None:
        return "computed at each step, for want of room"
    took, size = short_duration(facts.get("seconds")), in_units(int(facts.get("bytes") or 0))
    views = int(facts.get("views") or 1)
    drawn = f"in {views} views that repeat, " if views > 1 else ""
    if facts.get("found"):
        return f"found in the cache up to {facts.get('layer')}, {drawn}{took} when it was computed, {size}"
    return f"computed once up to {facts.get('layer')}, {drawn}{took}, {size} kept"


def data_of(info: Mapping[str, Any]) -> str:
    """The data of a run with the pictures of each split; of a subset also how many there are."""
    data = info.get("data") or {}
    whole = (data.get("source") or {}).get("subset_of") or {}
    sizes = ", ".join(_size(split, count, whole.get(split)) for split, count in (data.get("sizes") or {}).items())
    return f"{data.get('name', '')} ({sizes})" if sizes else str(data.get("name", ""))


def _size(split: str, count: int, whole: int | None) -> str:
    return f"{split} {count:,}" if whole in (None, count) else f"{split} {count:,} of {whole:,}"


def _scores(run: "Run") -> None:
    names_of_splits = dict.fromkeys(("train", "validation", "test", *(run.info.get("scores") or {})))
    splits = {split: run.scores(split) for split in names_of_splits}
    scored = {split: scores for split, scores in splits.items() if scores}
    if not scored:
        return
    from cnnlab.evaluation import run_intervals

    intervals = run_intervals(run)
    names = list(dict.fromkeys(name for scores in scored.values() for name in scores))
    output.heading(f"scores{', in brackets 95% intervals over pictures' if any(intervals.values()) else ''}")
    output.table(
        ["split", "pictures", *(name.replace("_", " ") for name in names)],
        [
            [
                "train, as it trained" if split == "train" else split,
                f"{scores.n:,}" if scores.n else "",
                *(output.sure_score(scores.get(name), intervals[split].get(name)) for name in names),
            ]
            for split, scores in scored.items()
        ],
    )


def _diagnosis(run: "Run") -> None:
    """Why it learned nothing, as it was seen when its training ended."""
    if run.diagnosis:
        output.heading("it learned nothing")
        for line in run.diagnosis.lines:
            output.write(f"- {in_short(line, _MOST_SAID)}")


def _recipe(run: "Run", whole: bool) -> None:
    """What was set first; the rest where it is asked for."""
    own, recipe = run.given, run.recipe
    output.heading("recipe")
    _keys(own)
    rest = {key: value for key, value in recipe.items() if key not in own}
    if whole:
        output.heading("recipe: at their default")
        _keys(rest)
        output.heading("recipe: with every argument")
        _keys({key: recipe[key] for key in own if own[key] != recipe.get(key)})
    elif rest:
        output.write(f"and {counted(len(rest), 'key')} at the default, which --all shows too")


def _keys(keys: Mapping[str, Any]) -> None:
    output.facts([(key, value if isinstance(value, str) else _yaml(value)) for key, value in keys.items()])


def _yaml(value: Any) -> str:
    from cnnlab.core import yaml

    # YAML ends a bare scalar with a line of three dots.
    return yaml.dump(value).removesuffix("...\n").strip()


def _history(run: "Run") -> None:
    history = run.history
    if history.empty:
        return
    judged = str((run.info.get("selected") or {}).get("metric") or "validation_accuracy").partition("_")[2]
    measured = [f"{split}_{metric}" for split in ("train", "validation") for metric in dict.fromkeys(("loss", judged))]
    wanted = ["epoch", "phase", *_RATES, *measured, "seconds", "images_per_second"]
    shown = history[[name for name in wanted if name in history]].tail(_EPOCHS)
    output.heading(f"last {len(shown)} of {len(history)} epochs" if len(shown) < len(history) else "epochs")
    output.table(
        [_TITLES.get(str(name), str(name).replace("_", " ")) for name in shown.columns],
        [[_cell(name, value) for name, value in row.items()] for row in shown.to_dict("records")],
        names=0,
    )


def _cell(name: Any, value: Any) -> str:
    if isinstance(value, int | str):
        return str(value)
    if name == "images_per_second":
        return f"{value:,.0f}"
    if name == "seconds":
        return f"{value:.1f}"
    return f"{value:.3g}" if name in _RATES else output.score(value)


def _execution(info: Mapping[str, Any]) -> None:
    execution, environment = info.get("execution") or {}, info.get("environment") or {}
    if not execution and not environment:
        return
    output.heading("execution")
    why = (info.get("precision_choice") or {}).get("why")
    compiled = ("kernels compiled by", _build(info.get("kernels_build") or {}))
    nodes = ", ".join(f"{node['node']} from step {node.get('step') or 0}" for node in info.get("nodes") or [])
    rows = [*execution.items(), ("precision because", why), compiled, ("nodes", nodes or None), *environment.items()]
    output.facts([(in_short(key.replace("_", " ")), _plain(value)) for key, value in rows if value is not None])


def _build(build: Mapping[str, Any]) -> str | None:
    if not build:
        return None
    seconds = build.get("seconds")
    return f"{build.get('version')}, " + ("found in the cache" if seconds is None else f"in {seconds:.2g} s")


def _plain(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else in_short(str(value))


def _warnings(info: Mapping[str, Any]) -> None:
    warnings = info.get("warnings") or []
    if warnings:
        output.heading("warnings")
        for text in warnings:
            output.write(f"- {in_short(text, _MOST_SAID)}")
