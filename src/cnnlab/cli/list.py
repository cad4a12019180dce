"""``cnnlab list``."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli import output
from cnnlab.cli.entries import document, write_entry, write_names
from cnnlab.cli.options import Json

if TYPE_CHECKING:
    from cnnlab.core.registry import Registry

_KINDS = {
    "architectures": "networks by name: model=vgg-like",
    "layers": "what layer strings are made of: model='conv(32)|relu'",
    "initialisers": "how weights start: model='cnn(init=he-normal)'",
    "objectives": "what is predicted, and how that is scored: objective=classes",
    "augmentations": "what is done to training pictures: augment='flip|shift(0.1)'",
    "perturbations": "what is done to pictures before they are judged: cnnlab evaluate RUN perturb=blur",
    "normalizations": "what pixels are brought to before the network: normalize=dataset",
    "optimizers": "how weights follow their gradients: optimizer=adamw",
    "schedules": "how the learning rate changes while training: schedule=one-cycle",
    "classifiers": "what is fitted to features: cnnlab transfer … classifiers=svc",
    "attributions": "what in a picture an answer hangs on: cnnlab explain RUN --what grad-cam",
    "explanations": "what else shows what a network learned: cnnlab explain RUN --what filters",
    "attacks": "how pictures are changed until a model errs: cnnlab attack RUN 'pgd(eps=0.1)'",
    "methods": "how runs become an ensemble: cnnlab ensemble RUN... method=weights",
}
"""Each with the key of a recipe, or of a command, that takes it."""

Kind = Annotated[str | None, typer.Argument(metavar="KIND", help=f"One of: {', '.join(_KINDS)}.", show_default=False)]
What = Annotated[
    str | None, typer.Argument(metavar="NAME", help="One of that kind, with its arguments.", show_default=False)
]


def list_words(kind: Kind = None, name: What = None, as_json: Json = False) -> None:
    """List the words that a recipe may hold, kind by kind; or show what one of them takes.

    cnnlab list optimizers

    cnnlab list schedules one-cycle
    """
    if kind is None:
        _write_kinds(as_json)
    elif name is None:
        _write_all(_kind(kind), as_json)
    else:
        from cnnlab.core.spec import Call

        entry = _registry(_kind(kind)).entry(Call(name))
        output.write_json(document(entry)) if as_json else write_entry(entry)


def _kind(text: str) -> str:
    from cnnlab.core.counterparts import hint, listed
    from cnnlab.core.errors import UsageError

    # An optimizer is looked for among the optimizers.
    kind = text if text.endswith("s") else f"{text}s"
    if kind not in _KINDS:
        raise UsageError(
            f"there is no kind of words called {text!r}. {hint(kind, _KINDS, listed.of(text) or listed.of(kind))}"
        )
    return kind


def _registry(kind: str) -> "Registry[Any]":
    registry: Registry[Any]
    if kind in ("architectures", "layers", "initialisers"):
        from cnnlab import models

        registry = getattr(models, kind)
    elif kind == "objectives":
        from cnnlab.objectives import objectives as registry
    elif kind == "augmentations":
        from cnnlab.augment import augmentations as registry
    elif kind == "perturbations":
        from cnnlab.core.hooks import perturbations as registry
    elif kind == "normalizations":
        from cnnlab.training.normalization import normalizations as registry
    elif kind == "optimizers":
        from cnnlab.training.optimizers import optimizers as registry
    elif kind == "classifiers":
        from cnnlab.transfer.classifiers import classifiers as registry
    elif kind == "attributions":
        from cnnlab.explain import ATTRIBUTIONS

        return ATTRIBUTIONS
    elif kind == "explanations":
        from cnnlab.reports.explanations.base import EXPLANATIONS

        return EXPLANATIONS
    elif kind == "attacks":
        from cnnlab.attacks import ATTACKS

        return ATTACKS
    elif kind == "methods":
        from cnnlab.ensembles.methods import methods as registry
    else:
        from cnnlab.training.schedules import schedules as registry
    return registry


def _write_kinds(as_json: bool) -> None:
    if as_json:
        output.write_json([{"kind": kind, "summary": about} for kind, about in _KINDS.items()])
        return
    output.table(("kind", "what they are"), list(_KINDS.items()))
    output.write("\nAll of a kind: cnnlab list KIND. More of one: cnnlab list KIND NAME. Data sets: cnnlab data list")


def _write_all(kind: str, as_json: bool) -> None:
    registry = _registry(kind)
    registry.complete()
    if as_json:
        output.write_json([document(entry) for entry in registry])
        return
    write_names(registry, registry.kind)
    output.write(f"\nMore of one: cnnlab list {kind} NAME")
