"""``cnnlab runs mirror``."""

from typing import Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.options import Json, Quiet, Runs, RunsOrConditions
from cnnlab.cli.runs.conditions import fitting
from cnnlab.core.messages import quietly

To = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="MIRROR",
        help="tensorboard, mlflow, or either with arguments, such as mlflow(experiment=depth).",
    ),
]


def mirror(names: RunsOrConditions, to: To, runs: Runs = None, quiet: Quiet = False, as_json: Json = False) -> None:
    """Copy the records of runs into TensorBoard or MLflow.

    What is there already stays, so that the same command brings a mirror up to date. mirror= in a recipe does it while
    a run is trained.

    cnnlab runs mirror last --to tensorboard

    cnnlab runs mirror study=depth --to 'mlflow(experiment=depth)'
    """
    from cnnlab.core.messages import track
    from cnnlab.runs import Run, RunStore
    from cnnlab.runs.mirrors import mirror_run, mirrors

    store = RunStore(runs or "runs")
    bound = mirrors.bind(to)
    bound.build().check()
    chosen = [Run(run.folder) for run in fitting(store, names, store.list(), "Mirror") or map(store.find, names)]
    with quietly(quiet or as_json):
        for run in track(chosen, f"mirroring in {bound.name}", len(chosen)):
            mirror_run(run, bound)
    if as_json:
        output.write_json({"mirrored": [run.name for run in chosen], "to": str(bound.call)})
    else:
        for run in chosen:
            output.write(f"mirrored {run.folder}")
