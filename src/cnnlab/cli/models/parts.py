"""``cnnlab models parts``."""

from typing import TYPE_CHECKING, Any

from cnnlab.cli import output
from cnnlab.cli.models.model_for_input import ClassesOption, Input, ModelArgument, read_model_for_input
from cnnlab.cli.options import DataDir, Json, Offline, Runs

if TYPE_CHECKING:
    from torch import nn

_ANY = "3x64x64"
"""Parts do not depend on the size of the pictures."""


def parts(
    words: ModelArgument = None,
    shape: Input = None,
    classes: ClassesOption = None,
    data_dir: DataDir = None,
    offline: Offline = False,
    runs: Runs = None,
    as_json: Json = False,
) -> None:
    """List the named parts of a model in order, which train= and rates= of a recipe go by: layers and weights.

    cnnlab models parts efficientnet-lite0

    cnnlab models parts 'conv(32)|relu|pool|dense(64)|relu' data=fashion-mnist

    cnnlab models parts run:pets
    """
    from cnnlab.core.messages import announcing
    from cnnlab.models import parts_of

    target = read_model_for_input(words, shape, classes, data_dir, offline, runs, usual=_ANY)
    with announcing(f"building {target.model}"):
        network = target.network()
        found = [_row(network, part.name, part.layers) for part in parts_of(network, target.shape)]
    if as_json:
        output.write_json({"model": target.canonical, "parts": found})
        return
    output.table(
        ["part", "weights", "layers"], [[row["name"], f"{row['weights']:,}", " ".join(row["layers"])] for row in found]
    )


def _row(network: "nn.Module", name: str, layers: tuple[str, ...]) -> dict[str, Any]:
    weights = dict(network.named_parameters())
    modules = dict(network.named_modules())
    inside = [list(modules[layer].parameters()) if layer in modules else [weights[layer]] for layer in layers]
    return {"name": name, "layers": list(layers), "weights": sum(p.numel() for own in inside for p in own)}
