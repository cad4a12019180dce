"""``cnnlab runs compare``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli import output
from cnnlab.cli.options import Json, Runs, runs_so_far
from cnnlab.core.durations import short_duration
from cnnlab.core.errors import CnnlabError

if TYPE_CHECKING:
    from cnnlab.core.spec import Call
    from cnnlab.evaluation import McNemarResult
    from cnnlab.runs import RunComparison, RunStore

_LONG = 32
_NOT_THE_EXPERIMENT = ("name",)
Names = Annotated[
    list[str],
    typer.Argument(metavar="RUN RUN...", help="Two or more runs.", autocompletion=runs_so_far, show_default=False),
]


def compare(names: Names, runs: Runs = None, as_json: Json = False) -> None:
    """Show runs side by side: what differs between them, and their scores.

    Of two runs also whether one has more test pictures right than chance would give it, by McNemar's exact test. A
    difference between two runs is no proof that one recipe is better: another seed differs too.
    """
    from cnnlab.runs import RunStore

    store = RunStore(runs or "runs")
    comparison = store.compare(names)
    paired, refusal = _image_by_image(store, comparison.runs)
    if as_json:
        test = paired.to_dict() if paired else {"refused": refusal}
        output.write_json(comparison.to_dict() | ({"mcnemar": test} if paired or refusal else {}))
        return
    write_comparison(comparison)
    if paired or refusal:
        from cnnlab.evaluation.comparison.mcnemar import ONLY_REPEATS

        output.heading("picture by picture")
        output.write(f"{paired.sentence} {ONLY_REPEATS}" if paired else f"not compared: {refusal}")


def _image_by_image(store: "RunStore", names: Sequence[str]) -> "tuple[McNemarResult | None, str]":
    """Two runs on the same test pictures, or the reason why not; neither of more runs, or of one twice."""
    from cnnlab.evaluation import compare_predictions

    if len(set(names)) != 2 or len(names) != 2:
        return None, ""
    try:
        first, second = (store.find(name).predictions("test") for name in names)
        return compare_predictions(first, second, names=(names[0], names[1])), ""
    except CnnlabError as error:
        return None, str(error)


def write_comparison(comparison: "RunComparison") -> None:
    """The comparison for a person: a column a run; what came out, then what differs."""
    lines: list[list[str]] = [
        ["state", *comparison.states],
        ["epochs", *(str(epochs or "-") for epochs in comparison.epochs)],
        ["weights of epoch", *map(_shown, comparison.selected)],
    ]
    for key, values in comparison.scores.items():
        if not key.startswith("train."):
            lines.append([key.replace(".", " ").replace("_", " "), *(output.score(value) or "-" for value in values)])
    lines.append(["training time", *map(short_duration, comparison.seconds)])
    output.table(["", *comparison.runs], lines)
    recipe = {key: values for key, values in comparison.recipe.items() if key not in _NOT_THE_EXPERIMENT}
    _differences("recipe", {key: unlike(key, values) for key, values in recipe.items()}, comparison.runs)
    _differences("execution", comparison.execution, comparison.runs)
    if not recipe:
        output.write("\nTheir recipes are the same.")


def unlike(key: str, values: Sequence[Any]) -> list[Any]:
    """Specs of one name without the arguments that all of them have alike, others without those at their default.

    :param key: of the recipe; values of it that are no specs are given back as they are.
    """
    from cnnlab.core.spec import Call, read

    try:
        pipelines = [read(value) for value in values]
    except CnnlabError:
        return list(values)
    calls = [calls[0] for calls in pipelines if len(calls) == 1]
    if len(calls) < len(pipelines) or len({call.name for call in calls}) > 1:
        from cnnlab.training.short_recipe import short_spec

        return [short_spec(key, value) for value in values]
    same = {key for key in calls[0].kwargs if all(_has(call, key, calls[0].kwargs[key]) for call in calls)}
    return [Call(call.name, call.args, {k: v for k, v in call.kwargs.items() if k not in same}) for call in calls]


def _has(call: "Call", key: str, value: Any) -> bool:
    return key in call.kwargs and call.kwargs[key] == value


def _differences(what: str, differing: dict[str, list[Any]], runs: Sequence[str]) -> None:
    """A table of what is short, and under it what is long, a line a run."""
    texts = {key: list(map(_shown, values)) for key, values in differing.items()}
    long = {key: values for key, values in texts.items() if max(map(len, values)) > _LONG}
    short = [[key, *values] for key, values in texts.items() if key not in long]
    if differing:
        output.heading(f"{what}: what differs")
    if short:
        output.table(["", *runs], short)
    for key, values in long.items():
        output.write(key)
        output.facts(list(zip(runs, values, strict=True)), indent=2)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return str(value).lower() if isinstance(value, bool) else str(value)
