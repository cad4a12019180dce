"""``cnnlab models show``."""

from typing import TYPE_CHECKING

from cnnlab.cli import output
from cnnlab.cli.models.model_for_input import ClassesOption, Input, ModelArgument, ModelForInput, read_model_for_input
from cnnlab.cli.options import DataDir, Json, Offline, Runs

if TYPE_CHECKING:
    from cnnlab.models import NetworkSummary

_COLUMNS = ("layer", "kind", "output", "kernel", "weights", "biases", "multiply-adds", "sees")


def show(
    words: ModelArgument = None,
    shape: Input = None,
    classes: ClassesOption = None,
    data_dir: DataDir = None,
    offline: Offline = False,
    runs: Runs = None,
    as_json: Json = False,
) -> None:
    """Show a model layer by layer: shapes, kernels, parameters, multiply-adds, receptive fields, and the totals.

    cnnlab models show vgg-like --input 1x28x28

    cnnlab models show 'conv(32)|relu|pool|dense(64)|relu' data=fashion-mnist
    """
    from cnnlab.core.messages import announcing

    target = read_model_for_input(words, shape, classes, data_dir, offline, runs)
    with announcing(f"building {target.model}"):
        summary = target.summary()
    if as_json:
        about = {"model": target.canonical, "outputs": target.outputs}
        output.write_json({**about, **summary.to_dict()})
    else:
        _write(target, summary)


def _write(target: ModelForInput, summary: "NetworkSummary") -> None:
    from cnnlab.models.summaries import cells

    output.table(_COLUMNS, [cells(row) for row in summary.rows], keep=5)
    output.write()
    output.facts(
        [
            ("model", target.model),
            ("pictures", "×".join(map(str, target.shape))),
            ("outputs", target.outputs),
            ("parameters", f"{summary.parameters:,} ({summary.weights:,} weights, {summary.biases:,} biases)"),
            ("besides", f"{summary.buffers:,} numbers kept but not trained" if summary.buffers else None),
            ("multiply-adds", f"{summary.multiply_adds:,} a picture"),
        ]
    )
