"""``cnnlab augment cost``."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli import output
from cnnlab.cli.options import DataDir, Device, Json, Offline, Quiet, Words
from cnnlab.cli.shape import read_shape
from cnnlab.core.errors import UsageError
from cnnlab.core.number_text import counted

if TYPE_CHECKING:
    from cnnlab.augment.cost import PipelineCost

_SHAPE, _BATCH = "3x32x32", 256

Spec = Annotated[str, typer.Argument(metavar="PIPELINE", help="Such as 'flip|rotate(30)|erase'.", show_default=False)]
Size = Annotated[
    str | None,
    typer.Option(
        "--shape",
        metavar="C×H×W",
        help=f"The pictures where no recipe names some, such as 1x28x28; {_SHAPE} unless given.",
        show_default=False,
    ),
]
BatchOption = Annotated[
    int | None,
    typer.Option(
        "--batch", metavar="N", min=1, help=f"Pictures in a batch, likewise; {_BATCH} unless given.", show_default=False
    ),
]
Repeats = Annotated[
    int, typer.Option("--repeats", metavar="N", min=1, help="How often each is timed; medians are shown.")
]


def cost(
    spec: Spec,
    words: Words = None,
    shape: Size = None,
    batch: BatchOption = None,
    repeats: Repeats = 15,
    data_dir: DataDir = None,
    device: Device = None,
    offline: Offline = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure what a pipeline costs: pictures a second for each operation alone and for all together.

    With a recipe (a file, or its keys such as data= and model=), its training step is timed in turns with them, and
    the share of an epoch that goes to augmentation is told.

        cnnlab augment cost 'flip|rotate(30)|erase'

        cnnlab augment cost 'flip|rotate(30)|erase' data=fashion-mnist model=vgg-like
    """
    from cnnlab.cli.words import read_words
    from cnnlab.core.messages import announcing, note, quietly

    with quietly(quiet):
        from cnnlab import augment
        from cnnlab.augment.cost import cost as measure

    pipeline = augment.pipeline(spec)
    how: dict[str, Any] = {}
    if words:
        _refuse_beside_a_recipe(shape, batch)
        with quietly(quiet):
            from cnnlab.training.execution import describe_execution
            from cnnlab.training.timed_step import single_step

        recipe, keys = read_words(words, device=device)
        with quietly(quiet):
            step = single_step(recipe, data_dir=data_dir, offline=offline, **keys)
            note(describe_execution(step.execution, step.choice))
        how = {"execution": step.execution.to_dict(), "precision_choice": step.choice.to_dict()}
        with step.execution.applied(), quietly(quiet), announcing(f"timing {repeats} batches of each operation"):
            place = step.execution.device
            costs = measure(pipeline, step.shape, batch=step.batch, repeats=repeats, device=place, model=step)
    else:
        size = read_shape(shape or _SHAPE)
        with quietly(quiet), announcing(f"timing {repeats} batches of each operation"):
            costs = measure(pipeline, size, batch=batch or _BATCH, repeats=repeats, device=_place(device))
    if as_json:
        output.write_json({"augment": pipeline.spec, **costs.to_dict(), **how})
    else:
        _write(costs)


def _refuse_beside_a_recipe(shape: str | None, batch: int | None) -> None:
    if shape is not None:
        raise UsageError(
            "--shape is for timing without a recipe, whose data= says how large pictures are; leave one out."
        )
    if batch is not None:
        raise UsageError(f"--batch is for timing without a recipe; beside one write batch_size={batch}.")


def _place(device: str | None) -> str:
    """The device asked for, if it is there; the processor otherwise."""
    if device is None:
        return "cpu"
    from cnnlab.training.execution import execution_for

    return execution_for(device=device, threads=None, workers=None, compile=False).device


def _write(costs: "PipelineCost") -> None:
    rows = []
    for label in costs.seconds:
        share = costs.share(label)
        told = [] if share is None else [f"{share:.1%}"]
        rows.append([label, f"{costs.rate(label):,.0f}", f"{costs.seconds[label] * 1e3:.2f}", *told])
    titles = ["operation", "images/s", "ms a batch"]
    output.table(titles if costs.model_seconds is None else [*titles, "of an epoch"], rows)
    output.write()
    facts: list[tuple[str, object]] = [("batch", f"{costs.batch} × {'×'.join(map(str, costs.shape))}")]
    if costs.model_seconds is not None:
        ratio = 1 + costs.seconds["all together"] / costs.model_seconds
        facts += [("training step", f"{costs.model_rate:,.0f} images/s"), ("epoch", f"{ratio:.3f} × that without")]
    output.facts([*facts, ("on", f"{costs.device}, {counted(costs.threads, 'thread')}; medians of {costs.repeats}")])
