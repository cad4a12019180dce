"""The model that ``show``, ``parts`` and ``draw`` look at, and the pictures it is built for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli.shape import read_shape
from cnnlab.core.errors import UsageError, suggestion

if TYPE_CHECKING:
    from torch import nn

    from cnnlab.models import NetworkSummary

_KEYS = ("data", "model", "objective")
_CLASSES = 10

ModelArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MODEL [data=DATA] [objective=OBJECTIVE]",
        help="A named architecture or a layer string; and the data it is for, in place of --input.",
        show_default=False,
    ),
]
Input = Annotated[
    str | None,
    typer.Option("--input", metavar="C×H×W", help="The pictures' shape, such as 1x28x28.", show_default=False),
]
ClassesOption = Annotated[
    int | None,
    typer.Option("--classes", metavar="N", min=1, help="How many outputs.", show_default="those of the data, or 10"),
]


@dataclass(frozen=True)
class ModelForInput:
    """A model for pictures of one shape and so many outputs."""

    model: str
    shape: tuple[int, int, int]
    outputs: int

    def network(self) -> "nn.Module":
        """The network, without weights."""
        from cnnlab.models import network_without_weights

        return network_without_weights(self.model, self.shape, self.outputs)

    def summary(self) -> "NetworkSummary":
        """Its layers, without weights."""
        from cnnlab.models import summary_without_weights

        return summary_without_weights(self.model, self.shape, self.outputs)


def read_model_for_input(
    words: list[str] | None, shape: str | None, classes: int | None, data_dir: Path | None, offline: bool
) -> ModelForInput:
    """What the words of a command line name.

    :raises UsageError: when the model or the shape is missing, or said twice.
    """
    keys = _keys(words or [])
    if not keys.get("model"):
        raise UsageError("name a model, as in: cnnlab models show vgg-like --input 1x28x28")
    if (shape is None) == ("data" not in keys):
        trouble = "no shape of pictures is" if shape is None else "the shape of the pictures is twice"
        raise UsageError(f"{trouble} given: either --input 1x28x28, or the data that the model is for, data=NAME.")
    if shape is not None:
        if "objective" in keys:
            raise UsageError("objective= needs the data whose targets it is about: data=NAME. Or say --classes N.")
        return ModelForInput(keys["model"], read_shape(shape, "--input"), classes or _CLASSES)
    size, outputs = _of_data(keys, data_dir, offline)
    return ModelForInput(keys["model"], size, classes or outputs)


def _keys(words: list[str]) -> Mapping[str, Any]:
    from cnnlab.cli.words import read_pairs

    # Any word that starts with no key is the model itself: a layer string holds equals signs too.
    starts = tuple(f"{key}=" for key in _KEYS)
    bare = [word for word in words if "=" not in word or not word.partition("=")[0].isidentifier()]
    keys = dict(read_pairs([word for word in words if word not in bare]))
    for key in keys:
        if f"{key}=" not in starts:
            raise UsageError(f"a model is shown without {key}. {suggestion(key, _KEYS)}")
    if len(bare) + ("model" in keys) > 1:
        raise UsageError("one model at a time, please; a layer string with spaces needs quotes.")
    return {**keys, "model": bare[0]} if bare else keys


def _of_data(keys: Mapping[str, Any], data_dir: Path | None, offline: bool) -> tuple[tuple[int, int, int], int]:
    """The pictures' shape and the number of outputs for a data set; a named one need not be there."""
    from cnnlab import data, objectives

    named = {entry.name: entry for entry in data.named_sets()}.get(keys["data"])
    if named is not None and named.shape and named.classes:
        shape, columns = named.shape, {"label": named.classes}
    else:
        dataset = data.load_data(keys["data"], data_dir=data_dir, offline=offline)
        shape = dataset.shape
        columns = {name: dataset.classes.get(name) for name in dataset.train.targets}  # type: ignore[misc]
    return shape, objectives.build_objective(keys.get("objective") or "classes", columns).outputs
