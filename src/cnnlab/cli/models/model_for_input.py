"""The model that ``show``, ``parts`` and ``draw`` look at, and the pictures it is built for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli.shape import read_shape
from cnnlab.core.errors import RunNotFoundError, SpecError, UsageError, suggestion

if TYPE_CHECKING:
    from torch import nn

    from cnnlab.models import Classifier, NetworkSummary

_KEYS = ("data", "model", "objective")
_CLASSES = 10
_STORED = ("run:", "classifier:")

ModelArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MODEL [data=DATA] [objective=OBJECTIVE]",
        help="A named architecture or a layer string, and the data it is for, in place of --input; or a run, run:NAME, "
        "for the network that it trained.",
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
    """A model for pictures of one shape and so many outputs.

    :param stored: the network of a run, where that is meant.
    """

    model: str
    shape: tuple[int, int, int]
    outputs: int
    stored: "nn.Module | None" = None

    @property
    def canonical(self) -> str:
        """The model with all its arguments; a network of one's own as the record of its run has it."""
        from cnnlab.models import canonical_model

        return self.model if self.stored is not None else canonical_model(self.model)

    def network(self) -> "nn.Module":
        """The network, without weights where it is not stored."""
        from cnnlab.models import network_without_weights

        return self.stored or network_without_weights(self.model, self.shape, self.outputs)

    def summary(self) -> "NetworkSummary":
        """Its layers."""
        from cnnlab.models import summary, summary_without_weights

        if self.stored is not None:
            return summary(self.stored, self.shape)
        return summary_without_weights(self.model, self.shape, self.outputs)


def read_model_for_input(
    words: list[str] | None,
    shape: str | None,
    classes: int | None,
    data_dir: Path | None,
    offline: bool,
    runs: Path | None,
    *,
    usual: str | None = None,
) -> ModelForInput:
    """What the words of a command line name.

    :param usual: the shape that is taken where none is given.
    :raises UsageError: when the model or the shape is missing, or said twice.
    """
    keys = _keys(words or [])
    if not keys.get("model"):
        raise UsageError("name a model, as in: cnnlab models show vgg-like --input 1x28x28")
    stored = _stored(keys["model"], runs)
    if stored is not None:
        if shape is not None or classes is not None or len(keys) > 1:
            raise UsageError(
                f"{keys['model']} is a stored network, for pictures of {'×'.join(map(str, stored.shape))} and with "
                f"{stored.outputs} outputs. Leave --input, --classes and data= out."
            )
        return ModelForInput(stored.model, stored.shape, stored.outputs or 0, stored.network)
    shape = usual if shape is None and "data" not in keys else shape
    if (shape is None) == ("data" not in keys):
        trouble = "no shape of pictures is" if shape is None else "the shape of the pictures is twice"
        raise UsageError(f"{trouble} given: either --input 1x28x28, or the data that the model is for, data=NAME.")
    if shape is not None:
        if "objective" in keys:
            raise UsageError("objective= needs the data whose targets it is about: data=NAME. Or say --classes N.")
        return ModelForInput(keys["model"], read_shape(shape, "--input"), classes or _CLASSES)
    size, outputs = _of_data(keys, data_dir, offline)
    return ModelForInput(keys["model"], size, classes or outputs)


def _stored(name: str, runs: Path | None) -> "Classifier | None":
    """The classifier that a run, or a file, holds; None for the spec of a model.

    :raises UsageError: for what is neither, and for an ensemble.
    """
    from cnnlab.evaluation import open_model
    from cnnlab.models import Classifier, parse_model
    from cnnlab.runs import Run

    no_model = None
    if not name.startswith(_STORED):
        try:
            parse_model(name)
            return None
        except SpecError as error:
            no_model = error
    try:
        found = open_model(name, runs=runs)
    except RunNotFoundError as error:
        raise no_model or error from None
    model = found.classifier() if isinstance(found, Run) else found
    # Of a transfer it is the network whose features are taken.
    model = getattr(model, "backbone", model)
    if not isinstance(model, Classifier):
        raise UsageError(
            f"{name} is an ensemble of several networks. As one network it is ensemble:{name.removeprefix('run:')}."
        )
    return model


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
