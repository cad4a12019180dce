"""``cnnlab.attack``: a run, an ensemble or a model by itself attacked on the pictures of a data set."""

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cnnlab.attacks.adversarial import Adversarial, Row
from cnnlab.attacks.aims import RULES
from cnnlab.attacks.attack import ATTACKS, Attack
from cnnlab.attacks.attack_check import check_attack
from cnnlab.attacks.chosen_pictures import ChosenPictures, chosen_pictures
from cnnlab.attacks.perturbed import (
    Attacked,
    attacked_in_batches,
    check_attacked,
    class_head,
    model_name,
    usual_batch,
    victim,
)
from cnnlab.attacks.stored import FORMAT, AttackFolder, folder_name
from cnnlab.attacks.trials import Trials
from cnnlab.core.digests import digest
from cnnlab.core.errors import UsageError
from cnnlab.core.messages import track
from cnnlab.core.registry import BoundCall
from cnnlab.evaluation import Predictor, open_model, predictor_of
from cnnlab.models import Head, class_index, require_gradient, weights_digest
from cnnlab.runs import Run

USUAL = "pgd"
PICTURES = 1000
_SECONDS = 10.0
"""Of work that is lost at most when an attack is cut short, but for the batch that it is at."""


def attack(
    model: Attacked,
    attack: object = USUAL,
    data: Any = None,
    split: str | None = None,
    *,
    n: int = PICTURES,
    target: str | int | None = None,
    column: str | None = None,
    seed: int = 0,
    check: bool = False,
    batch_size: int | None = None,
    device: str | None = None,
    data_dir: str | Path | None = None,
    offline: bool = False,
) -> Adversarial:
    """Attacks a model on pictures of its data, or of other data.

    Pictures are the first ``n`` of a split in an order drawn by the seed, the same for all attacks and all models on
    the same data, and a larger ``n`` adds to those of a smaller one. What comes of a run or an ensemble is kept in its
    folder, under ``attacks/``: asked again, nothing is computed; cut short, it goes on where it was. Of a model by
    itself nothing is kept.

    :param model: a run, a model by itself, or the name of either, as :func:`cnnlab.open_model` takes it.
    :param attack: a spec, such as ``pgd(norm=l2, eps=0.5)``.
    :param data: other data than that of the run, as :func:`cnnlab.evaluate` takes it; ``split`` which part, test
        unless given, or all of other data that has no test split.
    :param n: how many pictures at most.
    :param target: the class that pictures are to be taken for, in place of what the spec says: its name or number,
        ``all``, ``second``, ``least-likely`` or ``random``.
    :param column: of several heads with classes, which is attacked; the first unless given.
    :param seed: by which pictures are chosen, and by which attacks draw.
    :param check: whether to look for reasons not to trust what comes of it, by further attacks; see
        :func:`cnnlab.attacks.check_attack`.
    :param batch_size: how many are attacked at once; as many as are quick unless given.
    :raises UsageError: for an attack, class or split that there is not; for a model without a gradient where the attack
        goes by it, or without classes; when no picture is predicted rightly as it is.
    :raises DataError: when the data cannot be read, or is not of the model's classes.
    """
    bound = aimed_at(ATTACKS.bind(attack), target)
    options: dict[str, Any] = {"column": column, "seed": seed, "batch_size": batch_size, "device": device}
    pictures = DataPictures(model, data, split, n=n, data_dir=data_dir, offline=offline, **options)
    return pictures.attacked(bound, check=check)


class DataPictures(Trials):
    """A model and pictures of a data set, on which several attacks are tried; what comes of each is kept beside a run.

    Arguments and errors as of :func:`attack`.
    """

    def __init__(
        self,
        model: Attacked,
        data: Any = None,
        split: str | None = None,
        *,
        n: int = PICTURES,
        column: str | None = None,
        seed: int = 0,
        batch_size: int | None = None,
        device: str | None = None,
        data_dir: str | Path | None = None,
        offline: bool = False,
    ) -> None:
        if n < 1:
            raise UsageError(f"n is how many pictures are attacked, at least 1; got {n}.")
        self.opened = open_model(model, offline=offline) if isinstance(model, str | Path) else model
        self.predictor = predictor_of(self.opened, device=device, offline=offline)
        self.head = class_head(self.predictor.classifier, column)
        self.batch_size = batch_size
        self._name = model_name(model, self.opened, self.predictor)
        self._wanted = data, split
        self._options: dict[str, Any] = {"count": n, "seed": seed, "data_dir": data_dir, "offline": offline}

    @cached_property
    def pictures(self) -> ChosenPictures:
        """Those that are attacked, read when the first attack is known to be one that the model allows."""
        return chosen_pictures(self.opened, self.predictor, self.head, *self._wanted, name=self._name, **self._options)

    @cached_property
    def _weights(self) -> str:
        return weights_digest(self.predictor.classifier)

    def __len__(self) -> int:
        return len(self.pictures)

    def __call__(self, spec: BoundCall[Attack], rows: Row) -> Adversarial:
        """On all pictures, for that is what is kept, and of these the rows that are wanted."""
        found = self.attacked(spec)
        return found.take(np.isin(found.places, rows))

    def attacked(self, spec: BoundCall[Attack], *, check: bool = False) -> Adversarial:
        """What an attack comes to on all pictures."""
        bound = _by_name(spec, self.head)
        built: Attack = bound.build()
        if built.needs_gradient:
            require_gradient(self.predictor.classifier, f"{built.name} goes by the gradient")
        key = self._key(bound)
        known_as = folder_name(bound.name, key)
        pictures = replace(self.pictures, source=replace(self.pictures.source, name=known_as))
        folder = AttackFolder(self.opened, known_as, key) if isinstance(self.opened, Run) else None
        found = _found(self.predictor, built, bound, self.head, pictures, folder, self.batch_size)
        check_attacked(found, len(pictures))
        checks = None if folder is None else folder.checks(len(pictures))
        if check and checks is None:
            checks = check_attack(self.predictor, found, column=self.head.name, batch_size=self.batch_size).checks
            if folder is not None:
                folder.write_checks(checks, len(pictures))
        return replace(found, checks=checks or ())

    def _key(self, bound: BoundCall[Attack]) -> str:
        """Of all that what an attack comes to depends on."""
        source = self.pictures.source
        recipe = self.opened.digest if isinstance(self.opened, Run) else self.predictor.classifier.objective
        return digest([FORMAT, recipe, self._weights, self.pictures.digest, str(bound), source.seed, source.column])


def _found(
    predictor: Predictor,
    built: Attack,
    bound: BoundCall[Attack],
    head: Head,
    pictures: ChosenPictures,
    folder: AttackFolder | None,
    batch_size: int | None,
) -> Adversarial:
    """What is known of the pictures, and what comes of the others now."""
    known = None if folder is None else folder.read(len(pictures))
    source = pictures.source
    done = 0 if known is None or known.source is None else len(known.source.places)
    if known is not None and done >= len(pictures):
        # The key says that all is the same but what things are called.
        return replace(known, source=source)
    parts = [] if known is None else [known]
    with victim(predictor, head.name) as placed:
        size = usual_batch(placed, batch_size)
        batches = attacked_in_batches(
            placed,
            built,
            pictures.pixels(done),
            pictures.labels[done:].to(predictor.device),
            None,
            source.places[done:],
            seed=source.seed,
            size=size,
            start=done,
        )
        shown = track(batches, bound.name, math.ceil((len(pictures) - done) / size))
        for first, batch in _collected(shown, size, done):
            whole = Adversarial.joined(batch, str(bound), built, head.names)
            last = min(first + size * len(batch), len(pictures))
            own = replace(source, places=source.places[first:last], ids=source.ids[first:last])
            parts.append(replace(whole, source=own))
            if folder is not None:
                folder.write(parts[-1], first)
    return replace(Adversarial.together(parts), source=source)


def _collected(batches: Iterator[Adversarial], size: int, done: int) -> Iterator[tuple[int, list[Adversarial]]]:
    """Batches of some seconds together, with the place of the first picture; the last ones too."""
    held: list[Adversarial] = []
    first, since = done, time.monotonic()
    for batch in batches:
        held.append(batch)
        if time.monotonic() - since > _SECONDS:
            yield first, held
            first, held, since = first + size * len(held), [], time.monotonic()
    if held:
        yield first, held


def aimed_at(bound: BoundCall[Attack], target: str | int | None) -> BoundCall[Attack]:
    """The attack with this target."""
    if target is None:
        return bound
    if "target" not in bound.arguments:
        raise UsageError(f"{bound.name} takes no target: it changes pictures without looking for a class.")
    return BoundCall(bound.entry, {**bound.arguments, "target": target})


def _by_name(bound: BoundCall[Attack], head: Head) -> BoundCall[Attack]:
    """The attack with its target by name, so that a class named by its number is no other attack.

    :raises UsageError: for a class that there is not.
    """
    target = bound.arguments.get("target")
    if target is None or (target in RULES and target not in head.names):
        return bound
    return BoundCall(bound.entry, {**bound.arguments, "target": head.names[class_index(head, target)]})
