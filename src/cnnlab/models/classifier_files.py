"""Classifiers as files: safetensors, with all that rebuilds the classifier in one metadata key. Never a pickle."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from cnnlab.core.digests import canonical_json
from cnnlab.core.errors import ModelFileError, UsageError
from cnnlab.core.files import open_regular, write_bytes
from cnnlab.core.given_objects import NotFoundHereError, identity
from cnnlab.core.hooks import opener
from cnnlab.core.seeds import scope
from cnnlab.core.sinks import visible
from cnnlab.models.classifier import Classifier
from cnnlab.models.networks import build_network, is_built_in
from cnnlab.models.own_networks import (
    OwnNetwork,
    fresh_network,
    made_network,
    materialised,
    recalled_network,
    where_to_give,
)
from cnnlab.models.predictable import Resampling, ResizeMode
from cnnlab.models.shapes import format_shape
from cnnlab.objectives import restore_objective

FORMAT = 1
"""Counts up whenever an older cnnlab could not read what is written."""
_KEY = "cnnlab"
_MOST_SAID = 200
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_PICKLE_SUFFIXES = {".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"}


class WeightsMismatchError(ModelFileError):
    """Weights that are those of a network of other layers."""


class _Facts(BaseModel):
    """What the file says besides the weights."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    format: int
    shape: list[Annotated[int, Field(ge=1)]] = Field(min_length=3, max_length=3)
    mean: list[float]
    std: list[float]
    classes: dict[str, list[str]]
    objective: str
    model: str
    outputs: int | None
    permute: int | None
    resize: ResizeMode
    extra: dict[str, Any]
    white: Annotated[int, Field(ge=1)] | None = None
    float_white: Annotated[float, Field(gt=0)] | None = None
    resampling: Resampling = "bilinear"


def save_classifier(path: Path | str, classifier: Classifier, extra: Mapping[str, Any] | None = None) -> None:
    """Writes a classifier that :func:`load_classifier` rebuilds, whole or not at all.

    The same classifier gives the same bytes. ``extra`` is plain JSON that comes back as ``classifier.extra``.
    """
    state = classifier.network.state_dict()
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise UsageError(f"the network keeps {name} in its state, which is no tensor and cannot be stored.")
    tensors = {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in state.items()}
    facts = _Facts(
        format=FORMAT,
        shape=list(classifier.shape),
        mean=list(classifier.mean),
        std=list(classifier.std),
        classes={column: list(names) for column, names in classifier.classes.items()},
        objective=classifier.objective,
        model=classifier.model,
        outputs=classifier.outputs,
        permute=classifier.permute,
        resize=classifier.resize,
        extra={**classifier.extra, **(extra or {})},
        white=classifier.white,
        float_white=classifier.float_white,
        resampling=classifier.resampling,
    )
    try:
        text = canonical_json(facts.model_dump(exclude_defaults=True))
    except (TypeError, ValueError) as error:
        raise UsageError(f"extra holds what plain JSON cannot ({error}).") from error
    write_bytes(Path(path), save(tensors, metadata={_KEY: text}))


_given_once: dict[str, OwnNetwork] = {}
"""Networks that were given to open a file, by the specs that stand for them."""


@opener("classifier")
def _open_classifier(
    name: str, *, network: OwnNetwork | None = None, model: str | None = None, **unused: Any
) -> Classifier:
    return load_classifier(name, network, model)


def load_classifier(path: Path | str, network: OwnNetwork | None = None, model: str | None = None) -> Classifier:
    """The classifier of a file, in evaluation mode, on the CPU, channels last; from the file alone.

    A network of one's own that the file holds the weights of is the one given to this process, here or when it was
    trained, or is imported.

    :param network: that network, or what makes it, where it is neither; a module is filled with the weights.
    :param model: the spec of the network on record elsewhere, which may know since then where it is imported from.
    :raises ModelFileError: for anything that is not a whole classifier of ours; a pickle is never opened.
    :raises MisfitError: when the network is not that of the weights.
    """
    path = Path(path)
    refuse_foreign(path)
    try:
        with safe_open(path, framework="pt") as file:
            facts = _facts(path, file.metadata())
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelFileError(f"{path} is damaged or cut short ({error}). Take a whole copy of it.") from error
    try:
        what = f"the network {facts.model}" if network is None else "the network given"
        rebuilt = _rebuilt(path, facts, model) if network is None else _given(network, facts)
        _fill(path, rebuilt, tensors, what)
        arguments = facts.model_dump(exclude={"format", "outputs", "extra"})
        # They may be anybody's words.
        arguments["classes"] = {name: list(map(visible, words)) for name, words in facts.classes.items()}
        classifier = Classifier(rebuilt, **arguments)
        _check_outputs(path, facts, classifier)
        if network is not None:
            _given_once[facts.model] = network
    except UsageError as error:
        raise ModelFileError(f"{path} cannot be rebuilt: {error}") from error
    classifier.extra = facts.extra
    # Channels last is how networks are trained; another layout gives other roundings.
    classifier.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return classifier.eval()


def _check_outputs(path: Path, facts: _Facts, classifier: Classifier) -> None:
    """Refuses an objective that expects another number of outputs than the network has."""
    try:
        wanted = sum(restore_objective(facts.objective, classifier.classes).heads.values())
    except UsageError:
        # Of another package's making, perhaps: it is asked for when the outputs are to be understood.
        return
    if facts.outputs not in (None, wanted):
        raise ModelFileError(
            f"{path} holds a network of {facts.outputs} outputs, and its objective, {facts.objective[:80]}, is for "
            f"{wanted}. Take a whole copy of it."
        )


def stored_moments(path: Path) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """The mean and deviation in a file that cnnlab wrote; None for weights of another origin."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    if not metadata or _KEY not in metadata:
        return None
    facts = _facts(path, metadata)
    return tuple(facts.mean), tuple(facts.std)


def stored_shape(path: Path) -> tuple[int, int, int]:
    """Channels, height and width of the pictures that a stored classifier takes, without its weights being read.

    :raises ModelFileError: when it is no classifier of ours.
    """
    channels, height, width = _stored_facts(path).shape
    return channels, height, width


def stored_resampling(path: Path) -> Resampling:
    """How pictures were brought to that size; errors as of :func:`stored_shape`."""
    return _stored_facts(path).resampling


def _stored_facts(path: Path) -> _Facts:
    refuse_foreign(path)
    try:
        with safe_open(path, framework="pt") as file:
            return _facts(path, file.metadata())
    except (SafetensorError, OSError) as error:
        raise ModelFileError(f"{path} is damaged or cut short ({error}). Take a whole copy of it.") from error


def refuse_foreign(path: Path, remedy: str = "Give a model.safetensors that cnnlab wrote.") -> None:
    """Refuses what is no safetensors file, without opening it further.

    :raises ModelFileError: naming what it is; a pickle is never opened.
    """
    if os.path.isdir(path):
        raise ModelFileError(f"{path} is a folder; name the model.safetensors in it.")
    try:
        with open_regular(path) as file:
            start = file.read(9)
    except FileNotFoundError as error:
        raise ModelFileError(f"there is no model file {path}.") from error
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}.") from error
    # A safetensors file opens with the length of its header, 8 bytes, and the header's brace.
    is_foreign = start[8:] != b"{"
    if is_foreign and (start.startswith(_PICKLE_STARTS) or path.suffix.lower() in _PICKLE_SUFFIXES):
        raise ModelFileError(
            f"{path} is a pickle, or an archive around one, such as torch.save writes. A pickle can run any program "
            f"when it is read, so it was not opened. {remedy}"
        )
    if is_foreign:
        raise ModelFileError(f"{path} is no safetensors file, or cut short. {remedy}")


def _facts(path: Path, metadata: Mapping[str, str] | None) -> _Facts:
    if not metadata or _KEY not in metadata:
        raise ModelFileError(
            f"{path} holds weights that cnnlab did not write: it does not say which network they are for. Give the "
            f"model.safetensors of a run."
        )
    try:
        content = json.loads(metadata[_KEY])
        version = content.get("format")
        if isinstance(version, int) and version > FORMAT:
            raise ModelFileError(
                f"{path} has format {version}, from a newer cnnlab; this one reads up to {FORMAT}. Update cnnlab."
            )
        return _Facts.model_validate(content)
    except (ValueError, AttributeError, RecursionError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ModelFileError(f"{path} is damaged: what it says about its network makes no sense ({reason}).") from error


def _rebuilt(path: Path, facts: _Facts, model: str | None) -> nn.Module:
    if not is_built_in(facts.model):
        return _known(path, facts, model)
    if facts.outputs is None or facts.outputs < 1:
        raise ModelFileError(f"{path} is damaged: it does not say how many outputs its network has.")
    # On no device nothing is allocated or drawn; the weights of the file take their places.
    try:
        with torch.device("meta"):
            return build_network(facts.model, tuple(facts.shape), facts.outputs)
    except (RuntimeError, ValueError, TypeError, OverflowError, MemoryError) as error:
        # Sizes that no tensor can have, for instance.
        raise ModelFileError(f"{path} is damaged: its network cannot be built ({str(error)[:_MOST_SAID]}).") from error


def _given(network: OwnNetwork, facts: _Facts) -> nn.Module:
    with scope(0, "rebuild"):
        return materialised(made_network(network), tuple(facts.shape))


def _known(path: Path, facts: _Facts, model: str | None) -> nn.Module:
    """The network of one's own that the file is of, as this process was given it or can import it."""
    is_same = model is not None and identity(model) == identity(facts.model)
    try:
        # What was given to open a file need not be what was trained, so no training begins with it.
        given = _given_once.get(facts.model) or recalled_network(model if is_same else facts.model)[0]
    except NotFoundHereError as error:
        name = error.name if error.name.isidentifier() else "Net"
        line = (
            f"run.classifier(network={name}), cnnlab.evaluate(run, network={name}), cnnlab.predict(…, network={name})"
        )
        raise ModelFileError(f"{path} cannot be rebuilt: {where_to_give(error, line)}") from error
    with scope(0, "rebuild"):
        return fresh_network(given, tuple(facts.shape))


def _fill(path: Path, network: nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    wanted = network.state_dict()
    for name in dict.fromkeys([*wanted, *tensors]):
        if name not in tensors or name not in wanted:
            place = "the file lacks it" if name not in tensors else "the network has no such tensor"
            raise WeightsMismatchError(f"the weights in {path} do not fit {what}: {name}: {place}.")
        if wanted[name].shape != tensors[name].shape or wanted[name].is_floating_point() != (
            tensors[name].is_floating_point()
        ):
            held, needed = (f"{format_shape(tuple(t.shape)) or 'one'} {t.dtype}" for t in (tensors[name], wanted[name]))
            raise WeightsMismatchError(
                f"the weights in {path} do not fit {what}: {name} is {held} and should be {needed}."
            )
    is_empty = any(tensor.is_meta for tensor in wanted.values())
    fitting = {name: tensor.to(wanted[name].dtype) for name, tensor in tensors.items()}
    network.load_state_dict(fitting, assign=is_empty)
