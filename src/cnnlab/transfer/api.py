"""A transfer from start to end: what ``cnnlab transfer`` and :func:`cnnlab.transfer` do."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnnlab.core import memory
from cnnlab.core.devices import check_device
from cnnlab.core.digests import digest
from cnnlab.core.errors import UsageError
from cnnlab.core.feature_cache import Features
from cnnlab.core.messages import announcing, note, showing
from cnnlab.core.sinks import in_short
from cnnlab.runs import RunStore, store_at
from cnnlab.runs.writer import folder_name
from cnnlab.transfer.augmented_draws import AugmentedDraw, check_pipeline
from cnnlab.transfer.backbones import FeatureMaker, read_backbones
from cnnlab.transfer.comparison import Column, check_sizes, compare
from cnnlab.transfer.divisions import Places, divisions
from cnnlab.transfer.extraction import FeatureSource
from cnnlab.transfer.extractor import Extractor
from cnnlab.transfer.feature_memory import check_memory
from cnnlab.transfer.pictures import Pictures, read_pictures
from cnnlab.transfer.request import TransferRequest
from cnnlab.transfer.result import TransferResult
from cnnlab.transfer.storing import store_outcome
from cnnlab.transfer.transfer_file import names_transfer_file, read_transfer_file

SEMANTICS = 1
"""The version of what the keys mean; raised when the same keys would fit or choose something else."""


def transfer(
    data: Any = None,
    /,
    *,
    name: str | None = None,
    runs: str | Path | None = None,
    again: bool = False,
    data_dir: str | Path | None = None,
    offline: bool = False,
    device: str | None = None,
    progress: bool | None = None,
    **keys: Any,
) -> TransferResult:
    """Fits classifiers of scikit-learn to features of pretrained networks, and stores the best of them like a run.

    ``cnnlab.transfer("photos.zip", backbones="efficientnet-lite0, squeezenet1_1", classifiers="all")``. Features are
    computed once for each picture and kept in the cache. The best is chosen on validation, and it alone is scored on
    test. The same request on the same data is the same transfer: one that is there is returned, unless another name is
    given.

    :param data: as for :func:`cnnlab.load_data`, which may be given as ``data=`` too; or a YAML file of keys, or the
        name of one that comes with cnnlab, such as ``examples/classifiers``: ``keys`` are put over it.
    :param keys: those of :class:`~cnnlab.transfer.request.TransferRequest`: ``backbones``, ``layer``, ``classifiers``,
        ``search``, ``subsample``, ``cv``, ``metric``, ``objective``, ``augment``, ``views``, ``validation``,
        ``test``, ``subset``, ``seed``, ``repeats``, ``vary``, ``precision``.
    :param name: what to call the run; otherwise its data and ``transfer``.
    :param runs: the folder of runs; ``CNNLAB_RUNS`` or ``runs/`` otherwise.
    :param again: make another one beside that which is there.
    :param device: on which features are computed; the processor unless given.
    :param progress: bars and what is worth knowing are shown in a terminal or a notebook; otherwise as for
        :func:`cnnlab.train`.
    :raises UsageError: for a request that cannot be meant; nothing is written then.
    """
    file = data if names_transfer_file(data) else None
    given = keys if data is None or file is not None else {"data": data, **keys}
    given |= {key: value for key, value in (("name", name), ("device", device)) if value is not None}
    with showing(progress):
        return made_transfer(file, given, runs=runs, again=again, data_dir=data_dir, offline=offline)


def made_transfer(
    file: str | Path | None,
    keys: Mapping[str, Any],
    *,
    runs: str | Path | None = None,
    again: bool = False,
    data_dir: str | Path | None = None,
    offline: bool = False,
) -> TransferResult:
    """The same, of keys that are put over those of a file, where there is one."""
    given = {**(read_transfer_file(file) if file is not None else {}), **keys}
    name, device = (_word(key, given.pop(key, None)) for key in ("name", "device"))
    request = TransferRequest.read(given)
    if name is not None:
        folder_name(name, "")
    if device is not None:
        check_device(device, "Leave it out to take the processor.")
    memory.ask_for_large_pages()
    return _transfer(request, store_at(runs), name, again, data_dir, offline, device or "cpu")


def _word(key: str, value: Any) -> str | None:
    if value is not None and not (isinstance(value, str) and value):
        raise UsageError(
            f"{key} takes a word, in quotes where it could be taken for a number; got {in_short(repr(value))}."
        )
    return value


def _transfer(
    request: TransferRequest,
    store: RunStore,
    name: str | None,
    again: bool,
    data_dir: str | Path | None,
    offline: bool,
    device: str,
) -> TransferResult:
    began = time.perf_counter()
    with announcing("looking for the weights of the backbones"):
        backbones = read_backbones(request.parts.backbones, offline=offline, runs=store.root)
        for backbone in backbones:
            backbone.check(request.parts.layers)
    pictures = [read_pictures(request, backbone, data_dir, offline) for backbone in backbones]
    own = _digest(request, backbones, pictures)
    same = store.by_digest(own)
    title = name or f"{pictures[0].dataset.name}-transfer"
    of_that_name = store.named(title)
    named = [run for run in same if run.status == "finished" and (name is None or run in of_that_name)]
    if named and not again:
        note(f"This transfer is made already: {named[0].folder}. Make another one with --again.")
        return TransferResult(named[0])
    divided = divisions(pictures[0].dataset, pictures[0].labels, request.repeats, request.vary, request.seed)
    check_sizes(request, divided)
    planned = _planned(request, backbones, pictures)
    trained = np.unique(np.concatenate([division.parts["train"] for division in divided]))
    check_memory([each.extractor for each in planned], len(pictures[0].labels), len(trained), len(request.draws))
    columns = [_column(each, request, device, trained) for each in planned]
    outcome = compare(request, columns, pictures[0], divided)
    repeat = max((run.repeat for run in same), default=0) + 1
    run = store_outcome(store, request, outcome, own, title, repeat, device, time.perf_counter() - began)
    return TransferResult(run)


def _digest(request: TransferRequest, backbones: Sequence[FeatureMaker], pictures: Sequence[Pictures]) -> str:
    """What makes two transfers the same: what is asked for, and the content of weights and pictures.

    The number format says how it is carried out: features agree within a stated bound whatever it is.
    """
    parts = request.parts
    content = {
        key: value
        for key, value in request.content.items()
        if key not in ("classifiers", "search", "layer", "precision")
    }
    return digest(
        {
            "transfer": SEMANTICS,
            **content,
            "backbones": [[str(each.spec()), each.weights and each.weights.digest] for each in backbones],
            "layers": list(map(str, parts.layers)),
            "classifiers": list(map(str, parts.classifiers)),
            "search": [[str(call) for call in grid.candidates] for grid in parts.grids],
            "data": [each.dataset.digest for each in pictures],
        }
    )


@dataclass(frozen=True)
class _Planned:
    """A column to be: a backbone, the pictures for it, and the network up to a layer."""

    label: str
    backbone: FeatureMaker
    pictures: Pictures
    extractor: Extractor


def _planned(
    request: TransferRequest, backbones: Sequence[FeatureMaker], pictures: Sequence[Pictures]
) -> list[_Planned]:
    """Every network is built up to every layer before features are made of any."""
    labels = [backbone.label for backbone in backbones]
    found = []
    for place, (backbone, own) in enumerate(zip(backbones, pictures, strict=True)):
        called = backbone.named if labels.count(backbone.label) > 1 else labels[place]
        for layer in request.parts.layers:
            label = called if len(request.parts.layers) == 1 else f"{called} {layer}"
            with announcing(f"building {backbone.label}"):
                extractor = backbone.up_to(layer, own.dataset.shape, own.objective, own.classifier_facts)
            if request.parts.augment is not None:
                check_pipeline(request.parts.augment, own.dataset.shape)
            found.append(_Planned(label, backbone, own, extractor))
    return found


def _column(planned: _Planned, request: TransferRequest, device: str, trained: Places) -> Column:
    """The features of all pictures, and of augmented draws of those that some repeat trains on."""
    source = FeatureSource(planned.label, planned.extractor, device)
    if request.precision != "auto":
        source.choose(request.precision, planned.pictures.dataset.train)
    every = np.arange(len(planned.pictures.labels))
    features = _features(source, planned.pictures, every)
    draws = [_features(source, planned.pictures, trained, draw) for draw in request.draws]
    return Column(planned.label, planned.backbone, planned.pictures, source, features, draws)


def _features(source: FeatureSource, pictures: Pictures, places: Places, draw: AugmentedDraw | None = None) -> Features:
    """N×K, of the pictures at these places among all, in order, zeros elsewhere."""
    result, start = np.zeros((len(pictures.labels), source.exact.width), np.float32), 0
    for _, images in pictures.dataset.parts():
        own = places[(places >= start) & (places < start + len(images))]
        if len(own):
            some = images if len(own) == len(images) else images.select(torch.from_numpy(own - start))
            source.fill(result, own, some, draw)
        start += len(images)
    return result
