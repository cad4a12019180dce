"""``cnnlab.attack``: a run, an ensemble or a model by itself attacked on the pictures of a data set."""

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnnlab.attacks.adversarial import Adversarial
from cnnlab.attacks.aims import RULES
from cnnlab.attacks.attack import ATTACKS, Attack
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
from cnnlab.core.digests import digest
from cnnlab.core.errors import UsageError
from cnnlab.core.messages import track
from cnnlab.core.registry import BoundCall
from cnnlab.evaluation import Predictor, open_model, predictor_of
from cnnlab.models import Head, Predictable, class_index, require_gradient, weights_digest
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
    :param batch_size: how many are attacked at once; as many as are quick unless given.
    :raises UsageError: for an attack, class or split that there is not; for a model without a gradient where the attack
        goes by it, or without classes; when no picture is predicted rightly as it is.
    :raises DataError: when the data cannot be read, or is not of the model's classes.
    """
    bound = _aimed(ATTACKS.bind(attack), target)
    if n < 1:
        raise UsageError(f"n is how many pictures are attacked, at least 1; got {n}.")
    opened = open_model(model, offline=offline) if isinstance(model, str | Path) else model
    predictor = predictor_of(opened, device=device, offline=offline)
    head = class_head(predictor.classifier, column)
    bound = _by_name(bound, head)
    built: Attack = bound.build()
    if built.needs_gradient:
        require_gradient(predictor.classifier, f"{built.name} goes by the gradient")
    name = model_name(model, opened, predictor)
    where: dict[str, Any] = {"name": name, "count": n, "seed": seed, "data_dir": data_dir, "offline": offline}
    pictures = chosen_pictures(opened, predictor, head, data, split, **where)
    key = _key(opened, predictor.classifier, pictures, bound)
    known_as = folder_name(bound.name, key)
    pictures = replace(pictures, source=replace(pictures.source, name=known_as))
    folder = AttackFolder(opened, known_as, key) if isinstance(opened, Run) else None
    found = _found(predictor, built, bound, head, pictures, folder, batch_size)
    check_attacked(found, len(pictures))
    return found


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
        size = batch_size or usual_batch(placed)
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


def _aimed(bound: BoundCall[Attack], target: str | int | None) -> BoundCall[Attack]:
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


def _key(opened: Run | Predictable, model: Predictable, pictures: ChosenPictures, bound: BoundCall[Attack]) -> str:
    """Of all that what an attack comes to depends on."""
    source = pictures.source
    recipe = opened.digest if isinstance(opened, Run) else model.objective
    return digest([FORMAT, recipe, weights_digest(model), pictures.digest, str(bound), source.seed, source.column])
