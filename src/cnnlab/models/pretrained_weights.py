"""The weights that a network may start from: ImageNet's, a file, or those of an earlier run."""

import importlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cnnlab.core.digests import file_digest
from cnnlab.core.errors import ModelFileError, SpecError, UsageError
from cnnlab.core.files import cache_folder, make_folder, user_path
from cnnlab.core.hooks import open_stored
from cnnlab.core.messages import note
from cnnlab.core.registry import BoundCall
from cnnlab.models import efficientnet_lite
from cnnlab.models.backbone import Backbone, Moments, Origin, timm_settings
from cnnlab.models.classifier_files import refuse_foreign, stored_moments
from cnnlab.models.initialisers import unmark_heads
from cnnlab.models.networks import parse_model
from cnnlab.models.shapes import format_shape
from cnnlab.models.vision_libraries import vision_library

IN_TIMM = {"resnet50v2": "resnetv2_50", "efficientnetv2-b0": "tf_efficientnetv2_b0"}
_RUN = "run:"
_LISTED = 4
_REMEDY = "Give weights as safetensors, which safetensors.torch.save_file writes from a mapping of tensors."


@dataclass(frozen=True)
class StartingWeights:
    """A file of weights.

    :param named: as a spec names them: ``imagenet``, a path, or ``run:NAME``.
    :param digest: SHA-256 of the file.
    """

    named: str
    path: Path
    digest: str


class _Tensors(NamedTuple):
    held: dict[str, Tensor]
    is_ours: bool


def starting_weights(spec: object, *, offline: bool = False, runs: Path | str | None = None) -> StartingWeights | None:
    """The file of weights that a model's spec names, downloaded if it must be; None where it names none.

    :param runs: the folder in which ``run:NAME`` is looked for.
    :raises UsageError: when they cannot be had, naming the file and where to put it.
    """
    bound = parse_model(spec).bound
    if not isinstance(bound, BoundCall) or bound.arguments.get("weights") is None:
        return None
    name = str(bound.arguments.get("name", IN_TIMM.get(bound.name, bound.name)))
    library = "timm" if bound.name == "timm" or bound.name in IN_TIMM else "torchvision"
    library = efficientnet_lite.LIBRARY if bound.name in efficientnet_lite.IN_TIMM else library
    return find_for(library, name, bound.arguments["weights"], offline=offline, runs=runs)


def find_for(
    library: str, name: str, named: str, *, offline: bool = False, runs: Path | str | None = None
) -> StartingWeights:
    """The file behind ``weights=named`` for a network of one of the libraries."""
    if named != "imagenet":
        return own_weights(named, runs=runs)
    path = _imagenet_file(library, name, offline)
    return StartingWeights(named, path, file_digest(path))


def run_named(weights: str | None) -> str | None:
    """The run whose weights ``weights=run:NAME`` names; None where it names others, or none."""
    return weights.removeprefix(_RUN) if weights is not None and weights.startswith(_RUN) else None


def own_weights(named: str, *, runs: Path | str | None = None) -> StartingWeights:
    """The weights of an earlier run, ``run:NAME``, or in a file of safetensors.

    :raises UsageError: where there are none.
    """
    name = run_named(named)
    if name is not None:
        run = open_stored("run", name, runs=runs)
        path = run.folder / "model.safetensors"
        if run.is_transfer:
            raise ModelFileError(
                f"{run.name} was made by cnnlab transfer: a classifier of scikit-learn was fitted to features of a "
                "network, and no weights were trained to start from. Train the network itself, in phases: cnnlab train "
                "'model=efficientnet-lite0(weights=imagenet)' 'phases=[{train: head, epochs: 5}, {epochs: 5}]'"
            )
        run.check_weights()
        if run.is_ensemble and not path.is_file():
            raise ModelFileError(
                f"{run.name} is an ensemble, whose networks have their weights each. Train all of them on as one: "
                f"model=ensemble:{run.name}"
            )
    else:
        path = file_of(named)
    refuse_foreign(path, _REMEDY)
    return StartingWeights(named, path, file_digest(path))


def _imagenet_file(library: str, name: str, offline: bool) -> Path:
    if library == efficientnet_lite.LIBRARY:
        return efficientnet_lite.packaged_weights(name)
    return _torchvision_file(name, offline) if library == "torchvision" else _timm_file(name, offline)


def file_of(named: str) -> Path:
    """The file that ``weights=PATH`` names.

    :raises ModelFileError: where there is none.
    """
    path = user_path(named)
    if not os.path.exists(path):
        raise ModelFileError(
            f"there is no model file {path}. Check the path; or write weights=imagenet, or weights=run:NAME for "
            "those of an earlier run."
        )
    return path


def is_path(named: str | None) -> bool:
    """Whether ``weights=`` names a file, and neither ImageNet's weights nor a run."""
    return named is not None and named != "imagenet" and not named.startswith(_RUN)


def are_published(named: str | None) -> bool:
    """Whether ``weights=`` names those that came with a network, ImageNet's or a file, and not those of a run."""
    return named is not None and not named.startswith(_RUN)


def load_into(network: Backbone, weights: StartingWeights) -> None:
    """Fills a network with weights; a head of another size stays as it was drawn, which is said.

    :raises ModelFileError: when they are those of another network, naming some of what does not fit.
    """
    held, is_ours = _tensors(network, weights)
    names = {name: name for name in held} if is_ours else network.origin.renamed(held)
    fitted = {names.get(name, name): tensor for name, tensor in held.items()}
    wanted = network.state_dict()
    first = {network.origin.renamed([f"{name}.weight"])[f"{name}.weight"] for name in network.origin.first}
    for name in set(fitted) & set(wanted):
        fitted[name] = _shaped(fitted[name], wanted[name], name in first)
    about_head = _drop_other_head(fitted, wanted, is_foreign=not is_ours)
    there = {here: name for name, here in names.items()}
    if not is_ours:
        there |= {name: there.get(name, _name_there(name, network.origin)) for name in wanted}
    _check(fitted, wanted, there, network, weights)
    if about_head is None:
        unmark_heads(network)
    else:
        note(f"Starting from {weights.path.name}. {about_head}")
    with torch.no_grad():
        for name, tensor in fitted.items():
            wanted[name].copy_(tensor)


def count_of_classes(network: Backbone, weights: StartingWeights) -> int:
    """How many outputs the head has with which the weights were trained."""
    held, is_ours = _tensors(network, weights)
    names = {name: name for name in held} if is_ours else network.origin.renamed(held)
    for name, tensor in held.items():
        if names.get(name) in ("head.weight", "head.conv.weight", "head.head.weight"):
            return len(tensor)
    raise ModelFileError(f"{weights.path} has no head, and so no classes. Train one: cnnlab train model=…")


def moments_for(network: Backbone, weights: StartingWeights, channels: int) -> Moments:
    """Mean and deviation of the pictures that the weights were trained on; grey ones take the average over colours."""
    stored = stored_moments(weights.path) if weights.path.suffix == ".safetensors" else None
    return for_channels(stored or network.origin.moments, channels)


def for_channels(moments: Moments, channels: int) -> Moments:
    """Mean and deviation for pictures of so many channels, averaged over the colours where these are others."""
    mean, std = moments
    if len(mean) == channels:
        return mean, std
    return (sum(mean) / len(mean),) * channels, (sum(std) / len(std),) * channels


def _tensors(network: Backbone, weights: StartingWeights) -> _Tensors:
    if weights.named == "imagenet" and network.origin.library == "timm":
        # timm brings what it stores to the form that its networks have now.
        library = vision_library("timm")
        overlay = {"file": str(weights.path)}
        whole = library.create_model(network.origin.name, pretrained=True, pretrained_cfg_overlay=overlay)
        return _Tensors(dict(whole.state_dict()), False)
    if weights.named == "imagenet" and network.origin.library == efficientnet_lite.LIBRARY:
        return _Tensors(efficientnet_lite.tensors_of(weights.path), False)
    if weights.named == "imagenet" and weights.path.suffix != ".safetensors":
        # Torchvision's own format is a pickle. Its checksum was compared, and torch reads nothing but tensors from it.
        return _Tensors(torch.load(weights.path, map_location="cpu", weights_only=True), False)
    return _stored(weights.path)


def stored_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of safetensors by name.

    :raises ModelFileError: when it is damaged.
    """
    return _stored(path).held


def _stored(path: Path) -> _Tensors:
    try:
        with safe_open(path, framework="pt") as file:
            is_ours = "cnnlab" in (file.metadata() or {})
            return _Tensors({name: file.get_tensor(name) for name in file.keys()}, is_ours)  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelFileError(f"{path} is damaged or cut short ({error}). Take a whole copy of it.") from error


def _shaped(tensor: Tensor, wanted: Tensor, is_first: bool) -> Tensor:
    """The tensor as it is held here: a 1×1 convolution as a dense layer, a first layer summed over colours."""
    if tensor.dim() == 4 and wanted.dim() == 2 and tensor.shape[2:] == (1, 1):
        return tensor.flatten(1)
    if is_first and tensor.dim() == 4 and tensor.shape[1] == 3 and wanted.shape[1] == 1:
        return tensor.sum(1, keepdim=True)
    return tensor


def _name_there(name: str, origin: Origin) -> str:
    """What a tensor of ours is called in the library that the network comes from."""
    parts = sorted(origin.names.items(), key=lambda part: len(part[1]), reverse=True)
    for there, here in parts:
        if name.startswith(f"{here}."):
            rest = name.removeprefix(f"{here}.")
            return f"{there}.{rest}" if there else rest
    return name


def _drop_other_head(fitted: dict[str, Tensor], wanted: Mapping[str, Tensor], *, is_foreign: bool) -> str | None:
    """Puts the head that was drawn in the place of one of another size; what to say of it where that was done."""
    own = [name for name in wanted if name.startswith("head.")]
    # An ending that has no counterpart here is still called as it is there; that of ours begins with dense layers.
    endings = ("head.", "classifier.") if is_foreign else ("head.", "dense")
    theirs = [name for name in fitted if name.startswith(endings) and name not in wanted]
    theirs += [name for name in own if name in fitted]
    if all(name in fitted and fitted[name].shape == wanted[name].shape for name in own):
        return None
    held = [len(fitted[name]) for name in theirs if name.endswith("bias")]
    for name in theirs:
        del fitted[name]
    outputs = len(wanted[own[-1]])
    about = f"Its head, for {held[-1]} outputs, was left out" if held else "It has no head"
    fitted.update({name: wanted[name].clone() for name in own})
    return f"{about}; a new one for {outputs} is drawn."


def _check(
    fitted: Mapping[str, Tensor],
    wanted: Mapping[str, Tensor],
    there: Mapping[str, str],
    network: Backbone,
    weights: StartingWeights,
) -> None:
    """Compares names and shapes; ``there`` are the names in the file, by those here."""
    # Counters of batches, which some files go without, change nothing in a network.
    missing = [there.get(n, n) for n in wanted if n not in fitted and not n.endswith("num_batches_tracked")]
    unknown = [there.get(n, n) for n in fitted if n not in wanted]
    other = [n for n in wanted if n in fitted and wanted[n].shape != fitted[n].shape]
    reasons = [
        *([f"it lacks {_some(missing)}"] if missing else []),
        *([f"there is no {_some(unknown)} in the network"] if unknown else []),
        *(f"{there.get(n, n)} is {_size(fitted[n])} and should be {_size(wanted[n])}" for n in other[:_LISTED]),
    ]
    if reasons:
        raise ModelFileError(
            f"the weights in {weights.path} are not those of {network.origin.name} for these pictures: "
            f"{'; '.join(reasons)}. Give the weights of that network, under the names of {network.origin.library} "
            "or of cnnlab."
        )


def _size(tensor: Tensor) -> str:
    return format_shape(tuple(tensor.shape))


def _some(names: list[str]) -> str:
    rest = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {rest} more" if rest > 0 else "")


def _torchvision_file(name: str, offline: bool) -> Path:
    """The file of torchvision, where it keeps it; its name ends in the start of its SHA-256, which is compared.

    Or the same weights as safetensors, put into cnnlab's cache by hand.
    """
    url = torchvision_url(name)
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    checksum = re.search(r"-([0-9a-f]{8,})\.", path.name)
    if not path.is_file() and (by_hand := _by_hand(name)).is_file():
        return by_hand
    if not path.is_file():
        if offline:
            raise _missing(name, url, path, "there was no looking for it on the network")
        make_folder(path.parent)
        note(f"Downloading {url}.")
        try:
            torch.hub.download_url_to_file(url, str(path), checksum and checksum[1], progress=False)
        except (OSError, RuntimeError) as error:
            raise _missing(name, url, path, str(error)) from error
    if checksum and not file_digest(path).startswith(checksum[1]):
        raise ModelFileError(f"{path} is not the file of {url}: its SHA-256 is another. Delete it to get it again.")
    return path


def torchvision_url(name: str) -> str:
    """Where torchvision has the ImageNet weights of a network."""
    return str(vision_library("torchvision.models").get_model_weights(name).IMAGENET1K_V1.url)


def _timm_file(name: str, offline: bool) -> Path:
    """The file of timm from the hub, through its own client and its cache, or put into cnnlab's cache by hand."""
    settings = timm_settings(vision_library("timm"), name)
    if not settings.hf_hub_id:
        raise SpecError(f"timm has no weights for {name}. Leave weights out, or take another network.")
    hub = importlib.import_module("huggingface_hub")
    repository = f"{settings.hf_hub_id}{name}" if settings.hf_hub_id.endswith("/") else settings.hf_hub_id
    by_hand = _by_hand(repository.rpartition("/")[2])
    if by_hand.is_file():
        return by_hand
    try:
        is_offline = offline or bool(os.environ.get("HF_HUB_OFFLINE"))
        file = hub.hf_hub_download(repository, "model.safetensors", local_files_only=is_offline)
    except Exception as error:  # the client has dozens of its own, and those of what it is made of
        reason = "there was no looking for it on the network" if offline else str(error).partition("\n")[0]
        raise _missing(name, hub.hf_hub_url(repository, "model.safetensors"), by_hand, reason) from error
    return Path(file)


def _by_hand(name: str) -> Path:
    """Where a person puts weights that cannot be downloaded."""
    return cache_folder() / "weights" / f"{name}.safetensors"


def _missing(name: str, url: str, path: Path, reason: str) -> UsageError:
    ours = next((word for word, there in IN_TIMM.items() if there == name), None)
    called = f"{ours} ({name} of timm)" if ours else name
    also = "" if path.suffix == ".safetensors" else f", or put it at {_by_hand(name)}"
    return UsageError(
        f"the ImageNet weights of {called} are not on this machine, and could not be downloaded "
        f"({reason.rstrip('.')}). Fetch {url} on another machine and put it at {path}; or name a file of "
        f"safetensors with weights=PATH{also}."
    )
