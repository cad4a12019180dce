"""``cnnlab evaluate``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli import output
from cnnlab.cli.options import DataDir, Device, Json, ModelName, Offline, Quiet, Runs
from cnnlab.core.errors import UsageError, suggestion

if TYPE_CHECKING:
    from cnnlab.evaluation import Evaluation

_KEYS = ("data", "split", "perturb")
On = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="data=OTHER|split=SPLIT|perturb=CHANGE",
        help="Other data than the run's own; train, validation, test or all, and of runs with subset=bootstrap "
        "out-of-bag, with folds out-of-fold. By default test, or all of other data that has no test split. The run's "
        "own data, named again, is divided as for its training. What is done to the pictures first: any augmentation, "
        "as in perturb='rotate(15)|blur'; `cnnlab list perturbations` has all.",
        show_default=False,
    ),
]


def evaluate(
    run: ModelName,
    words: On = None,
    runs: Runs = None,
    data_dir: DataDir = None,
    device: Device = None,
    offline: Offline = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Score the stored classifier of RUN on other data, or on another split.

    Pictures are brought to the classifier's size and channels, and classes are matched by their names.

        cnnlab evaluate last split=validation

        cnnlab evaluate last data=photos/

        cnnlab evaluate last 'perturb=gaussian_noise(0.1)'
    """
    from cnnlab.core.messages import quietly

    with quietly(quiet):
        from cnnlab import evaluation

    wanted = read_choice(words or [])
    with quietly(quiet):
        result = evaluation.evaluate(
            evaluation.open_model(run, runs=runs or "runs", offline=offline),
            wanted.get("data"),
            wanted.get("split"),
            perturb=wanted.get("perturb"),
            device=device,
            data_dir=data_dir,
            offline=offline,
        )
    if as_json:
        output.write_json(result.to_dict())
    else:
        _write(result)


def read_choice(words: Sequence[str]) -> dict[str, str]:
    """``data``, ``split`` and ``perturb`` as they are given.

    :raises UsageError: for any other word.
    """
    wanted: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key not in _KEYS or not value:
            raise UsageError(f"{word!r} is not data=…, split=… or perturb=…. {suggestion(key, _KEYS)}")
        if key in wanted:
            raise UsageError(f"{key} is given twice.")
        wanted[key] = value
    return wanted


def _write(result: "Evaluation") -> None:
    count = len(result.predictions)
    rows: list[tuple[str, Any]] = [("evaluated", result.label), ("data", result.data)]
    rows += [("split", f"{result.split}, {count:,} picture{'' if count == 1 else 's'}")]
    values = {**result.scores, **{name: one.value for name, one in result.class_estimates.items()}}
    rows += [
        (name.replace("_", " "), output.sure_score(value, result.intervals.get(name)))
        for name, value in values.items()
        if name != "n"
    ]
    rows += [("in brackets", f"95% intervals over {result.split} pictures")] if result.intervals else []
    output.facts(rows)
    if not result.scores:
        output.write("These pictures have no targets, so there is nothing to score.")
