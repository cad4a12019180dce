"""What a person names to be predicted with, explained or attacked, found by its kind."""

import os
from pathlib import Path
from typing import Any

from cnnlab.core.hooks import kinds, open_stored
from cnnlab.models import OwnNetwork, Predictable
from cnnlab.runs import Run


def open_model(
    name: "str | Path | Run | Predictable",
    *,
    runs: Path | str | None = None,
    network: OwnNetwork | None = None,
    offline: bool = False,
) -> Run | Predictable:
    """The run, or the model by itself, that is meant.

    ========================= ==============================================================================
    ``first``, ``last``       a run, by anything that :meth:`cnnlab.RunStore.find` takes; or ``run:first``
    ``cats.safetensors``      a classifier from its file; or ``classifier:cats.safetensors``
    ``pretrained:vgg16``      a network as it was trained elsewhere, by the spec of a model that takes weights
    ``KIND:NAME``             whatever else a package of cnnlab knows how to open
    ========================= ==============================================================================

    :param name: what is no text is given back.
    :param runs: the folder of runs; ``CNNLAB_RUNS`` or ``runs/`` otherwise.
    :param network: the network of one's own whose weights are meant, or what makes it, where this process does not know
        it.
    :param offline: never tries the network for weights.
    :raises RunNotFoundError: when there is neither a run nor a file of that name.
    :raises ModelFileError: for a file that holds no classifier of ours.
    """
    if isinstance(name, Run | Predictable):
        return name
    options: dict[str, Any] = {"runs": runs, "network": network, "offline": offline}
    kind, colon, rest = str(name).partition(":")
    if colon and kind in kinds():
        return _opened(kind, rest, options)
    if os.path.isfile(str(name)):
        return _opened("classifier", str(name), options)
    return _opened("run", str(name), options)


def _opened(kind: str, name: str, options: dict[str, Any]) -> Run | Predictable:
    model: Run | Predictable = open_stored(kind, name, **options)
    return model
