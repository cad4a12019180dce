"""Making an ensemble: what ``cnnlab ensemble`` and :func:`cnnlab.ensemble` do."""

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnlab.core import memory
from cnnlab.core.digests import digest
from cnnlab.core.errors import UsageError
from cnnlab.core.given_objects import object_name
from cnnlab.core.messages import announcing, first_few, note
from cnnlab.core.registry import BoundCall
from cnnlab.data import is_drawn
from cnnlab.ensembles.analysis.analyse import analyse
from cnnlab.ensembles.members import Named, check_count, check_pictures, find_members
from cnnlab.ensembles.methods import Made, Method, Surroundings, methods
from cnnlab.ensembles.record import FORMAT, EnsembleRecord, MemberRecord, ViewsRecord, weights_digest, write_record
from cnnlab.evaluation import metrics_of
from cnnlab.models import save_classifier
from cnnlab.runs import Run, RunStore, RunWriter, environment
from cnnlab.runs.record import now
from cnnlab.runs.writer import ending, folder_name

SEMANTICS = 1
"""The version of what methods mean; raised when the same method would make another ensemble of the same members."""
_DIVIDING = ("data", "objective", "validation", "test", "subset", "quick")
"""What of the members' recipe says on which pictures they are scored, and what is predicted."""


def ensemble(
    members: Named | Iterable[Named],
    /,
    method: object = "mean",
    *,
    name: str | None = None,
    runs: str | Path | None = None,
    again: bool = False,
    data_dir: str | Path | None = None,
    offline: bool = False,
    device: str | None = None,
) -> Run:
    """Makes one classifier of finished runs, without training, and stores it as a run of its own beside them.

    Whatever is fitted is fitted on validation alone, or with ``on=out-of-fold`` on what networks of folds said of
    training pictures that they had not seen. The same method and members are the same ensemble: one that is
    there is returned, unless another name is given.

    :param members: runs, their names, or patterns of names such as ``fashion-*``.
    :param method: by a spec: ``mean``, ``mean(of=logits)``, ``vote``, ``weights``, ``swarm``, ``stacking``,
        ``greedy(size=25)``; of one run ``snapshots``, ``average`` or ``tta("flip", views=8)``; of fine-tuned runs
        ``average`` and ``soup``. ``cnnlab list methods`` says what each takes.
    :param name: what to call it; otherwise the method and how many runs it is of.
    :param runs: the folder of runs; ``CNNLAB_RUNS`` or ``runs/`` otherwise, or that of the first run given.
    :param again: make another one beside that which is there.
    :param data_dir: where data is looked for by methods that predict anew (``snapshots``, ``average``, ``soup``,
        ``tta``); ``offline`` never tries the network.
    :param device: on which these compute, where it is not the runs' own.
    :raises UsageError: for members or a method that cannot be meant; nothing is written then.
    """
    memory.ask_for_large_pages()
    bound = methods.bind(method)
    store, chosen = find_members(members, runs)
    built = bound.build()
    check_count(chosen, built, bound.name)
    check_pictures(chosen)
    title = _usual_name(bound.name, chosen) if name is None else _checked_name(name)
    with announcing("looking at the members"):
        own = ensemble_digest(bound, chosen)
        same = store.by_digest(own)
    of_that_name = store.named(title)
    named = same if name is None else [run for run in same if run in of_that_name]
    if named and not again:
        note(f"This ensemble is made already: {named[0].folder}. Make another one of it with --again.")
        return named[0]
    began = time.perf_counter()
    with announcing(f"making an ensemble of {len(chosen)} by {bound.short}"):
        made = built.make(chosen, Surroundings(data_dir, offline, device))
        record = record_of(bound, built, made, title)
    repeat = max((run.repeat for run in same), default=0) + 1
    run = stored(store, chosen, made, record, own, title, repeat, time.perf_counter() - began)
    _note_same_name(title, run, of_that_name)
    return run


def _checked_name(name: object) -> str:
    """A name that was given, refused before anything is computed where no folder could bear it."""
    if not isinstance(name, str):
        raise UsageError(f"name takes text, what the ensemble is to be called; got {object_name(name)}.")
    folder_name(name, "")
    return name


def _note_same_name(title: str, made: Run, others: Sequence[Run]) -> None:
    """Says what else is called so. Runs of a study share its name, and are told apart in its tables."""
    alike = [run.name for run in others if run.study is None]
    if alike:
        note(f"{title} is the name of {first_few(alike)} too: name each by its folder, this ensemble as {made.name}.")


def _usual_name(method: str, chosen: Sequence[Run]) -> str:
    """The method and how many it is of; of one run its name and the method."""
    if len(chosen) > 1:
        return f"{method}-of-{len(chosen)}"
    (only,) = chosen
    return f"{only.name.removesuffix(ending(only.digest, only.repeat))}-{method}"


def ensemble_digest(method: object, members: Sequence[Run]) -> str:
    """What makes two ensembles the same: the method, and what its members predict with, in their order."""
    bound = methods.bind(method)
    return digest(["ensemble", SEMANTICS, str(bound), [[run.digest, weights_digest(run)] for run in members]])


def record_of(bound: BoundCall[Method], built: Method, made: Made, title: str) -> EnsembleRecord:
    """What is stored of an ensemble beside its predictions, with what is found out about it."""
    shares = made.combination.member_weights if made.combination is not None and made.views is None else None
    members = tuple(
        MemberRecord(
            name=each.run.name,
            digest=each.run.digest,
            weights=weights_digest(each.run, each.epoch),
            epoch=each.epoch,
            share=None if shares is None else shares[place],
        )
        for place, each in enumerate(made.members)
    )
    views = made.views
    return EnsembleRecord(
        format=FORMAT,
        method=str(bound.short),
        members=members,
        combination=made.combination,
        views=None if views is None else ViewsRecord(pipeline=views.pipeline, count=views.count, seed=views.seed),
        classes=dict(next(iter(made.predictions.values())).classes),
        notes=made.notes,
        analysis=analyse(made, built, title),
    )


def stored(
    store: RunStore,
    chosen: Sequence[Run],
    made: Made,
    record: EnsembleRecord,
    own: str,
    title: str,
    repeat: int,
    seconds: float,
    *,
    recipe: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Run:
    """The ensemble in its folder, which appears whole or not at all.

    :param recipe: by which it was made anew, members and all; otherwise it says what of theirs they share.
    :param facts: further fields of ``run.json``.
    """

    def fill(folder: Path) -> None:
        write_record(folder, record)
        for split, predictions in made.predictions.items():
            predictions.save(folder / "predictions" / f"{split}.safetensors")
        if made.classifier is not None:
            save_classifier(folder / "model.safetensors", made.classifier)

    if recipe is None:
        recipe = {**_shared(chosen), "ensemble": record.method, "members": [run.name for run in chosen]}
    with RunWriter.create(
        store.root,
        digest=own,
        recipe=recipe,
        name=title,
        repeat=repeat,
        info={**_facts(chosen, made, record, seconds), **(facts or {})},
        fill=fill,
    ) as writer:
        return Run(writer.folder)


def _shared(chosen: Sequence[Run]) -> dict[str, Any]:
    """Of the members' recipe what says how they are scored; what each drew of train for itself is not of them all."""
    first = chosen[0].recipe
    return {
        key: first[key]
        for key in _DIVIDING
        if first.get(key) is not None and not (key == "subset" and is_drawn(first[key]))
    }


def _facts(chosen: Sequence[Run], made: Made, record: EnsembleRecord, seconds: float) -> dict[str, Any]:
    """The fields of ``run.json``."""
    scores = {
        split: metrics_of(predictions)
        for split, predictions in made.predictions.items()
        if predictions.targets and len(predictions)
    }
    judged = None if record.analysis is None else record.analysis.metric
    return {
        "status": "finished",
        "finished": now(),
        "seconds": round(seconds, 3),
        "scores": scores,
        "selected": {"metric": f"validation_{judged}"} if judged else None,
        "execution": _execution([run.info.get("execution") or {} for run in chosen]),
        "environment": environment(),
        "data": chosen[0].info.get("data") or {},
        "ensemble": {
            "method": record.method,
            "members": [run.name for run in chosen],
            "needs": record.needs,
            "fitted_on": _fitted_on(chosen, record),
            "cross_fitted": list(made.cross_fitted),
        },
        "warnings": list(record.notes),
    }


def _fitted_on(chosen: Sequence[Run], record: EnsembleRecord) -> list[str]:
    """The splits that it was fitted on, and those that members were which are ensembles themselves."""
    own = methods.bind(record.method).build().fitted_on
    return sorted({split for run in chosen for split in run.fitted_on} | ({own} if own else set()))


def _execution(each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How members were run, where they agree; else as any classifier can be run anywhere."""
    shared = {key: value for key, value in each[0].items() if all(other.get(key) == value for other in each[1:])}
    return {"device": "cpu", "precision": "float32", "kernels": "torch", **shared}
