"""Writes ``words.json``, the words that shells complete: ``python -m cnnlab.cli.completion.write_words``."""

import json
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer

from cnnlab.cli.completion.words import FILE
from cnnlab.core.arguments import describe_type
from cnnlab.core.registry import Argument, Registry, RegistryEntry
from cnnlab.core.spec import format_value

_NOT_OFFERED = "Not offered"
"""How the summary of an optimiser begins that is known only to be refused with a reason."""
_KEYS = {
    "data": "a named set, a reader such as folder(path=photos.zip), or a path",
    "model": "a named network, or layers joined by |",
    "objective": "what is predicted, and how that is scored",
    "augment": "operations on training pictures, joined by |",
    "adversary": "what is done to each batch after that",
    "optimizer": "how weights follow their gradients",
    "schedule": "how the learning rate changes",
    "batch_size": "pictures of one step",
    "epochs": "how long to train",
    "steps": "how long to train, in steps",
    "label_smoothing": "share of each target that goes to all classes",
    "weight_decay": "of kernels and matrices, not of norms and biases",
    "clip_gradient": "largest norm of a gradient",
    "clip_weights": "largest weight",
    "train": "parts of the network that are trained, all else frozen",
    "rates": "learning rates of parts, as in {head: 1e-3, block5: 1e-4}",
    "layer_decay": "factor of the learning rate from each part to the one before it",
    "unfreeze": "parts freed an epoch, from the head on",
    "norms": "batch normalisation of frozen parts as in eval, or going on as in train; or all of it fixed",
    "views": "how many augmented draws of each picture frozen parts are computed for",
    "weights": "a run, run:NAME, or a file, of whose weights those that fit are started from",
    "permute": "a seed: one permutation of all pixels",
    "normalize": "what pixels are brought to",
    "subset": "how many training pictures, or which share",
    "folds": "into how many train is divided, with a network for each",
    "fold": "which of the folds is held out",
    "quick": "one epoch on a few hundred pictures",
    "balance": "what is done about rare classes",
    "validation": "count or share set aside for validation",
    "test": "count or share set aside for test",
    "phases": "stretches with settings of their own",
    "ema": "decay of a moving average of the weights",
    "select": "the metric that picks the best epoch",
    "patience": "stop after so many epochs without a better one",
    "snapshots": "epochs whose weights are kept",
    "seed": "what all that is random depends on",
    "parent": "the run that is trained on",
    "name": "what to call the run",
    "checkpoint_seconds": "between two checkpoints",
    "keep_checkpoint": "keep the last checkpoint",
    "device": "cpu, cuda, cuda:1, mps",
    "precision": "the format of numbers",
    "compile": "compile the network",
    "threads": "threads that compute",
    "workers": "threads that read pictures",
    "kernels": "whose kernels compute",
    "mirror": "where the record is copied to: tensorboard, mlflow",
    "devices": "how many devices train together, a process each",
    "sync_batchnorm": "whether batch normalisation on several devices is by the whole batch",
}
_OF_TRANSFER = {
    "data": "a named set, a reader such as folder(path=photos.zip), or a path",
    "backbones": "networks with weights, or pixels, separated by commas",
    "layer": "where features are taken: pooled, or layers by name",
    "classifiers": "what is fitted to features: all, or specs separated by commas",
    "search": "classifiers with lists of values to try",
    "subsample": "how many training pictures a search looks at first, or which share",
    "cv": "into how many folds a search divides the training part",
    "metric": "by which the best is chosen on validation",
    "objective": "the column of classes, where there are several",
    "augment": "operations on training pictures, joined by |",
    "views": "augmented draws of each training picture besides itself",
    "validation": "count or share set aside for validation",
    "test": "count or share set aside for test",
    "subset": "how many training pictures, or which share",
    "seed": "what all that is random depends on",
    "repeats": "how often all is done",
    "vary": "what differs between repeats",
    "precision": "the format of numbers in which features are computed",
}
_OF_STUDY = {
    "question": "what the study asks",
    "vary": "axes, as in vary.augment=[none,flip]",
    "design": "which combinations are trained",
    "repeats": "how many trainings of each setting",
    "baseline": "what others are compared with",
    "metrics": "what is judged by",
    "claims": "sentences to decide",
    "smallest": "the smallest difference that matters",
}


_SCALES = {"smoke": "seconds, and nothing trained is judged", "laptop": "the usual one", "full": "as in the paper"}


def _papers() -> dict[str, Any]:
    """The papers that come with cnnlab, with their entries."""
    from cnnlab.papers import Paper
    from cnnlab.papers.paper import packaged_papers

    papers = [Paper(name) for name in packaged_papers()]
    return {
        paper.id: {
            "about": paper.file.title,
            "entries": {name: entry.file.title for name, entry in paper.entries.items()},
        }
        for paper in papers
    }


def registries() -> dict[str, Registry[Any]]:
    """Every kind of names that a spec may hold."""
    from cnnlab import augment, data, models, objectives
    from cnnlab.attacks import ATTACKS
    from cnnlab.augment.padding import fills
    from cnnlab.core.hooks import perturbations
    from cnnlab.ensembles.methods import methods
    from cnnlab.explain import ATTRIBUTIONS
    from cnnlab.reports.explanations.base import EXPLANATIONS
    from cnnlab.runs.mirrors import mirrors
    from cnnlab.studies.designs import designs
    from cnnlab.training.normalization import normalizations
    from cnnlab.training.optimizers import optimizers
    from cnnlab.training.schedules import schedules
    from cnnlab.transfer.classifiers import classifiers
    from cnnlab.transfer.pixels import without_weights

    found: list[Registry[Any]] = [
        *(data.readers, models.architectures, models.layers, models.initialisers, objectives.objectives),
        *(augment.augmentations, fills, perturbations, normalizations, optimizers, schedules, methods, designs),
        *(classifiers, without_weights, ATTRIBUTIONS, EXPLANATIONS, ATTACKS, mirrors),
    ]
    return {registry.kind: registry for registry in found}


def collected() -> dict[str, Any]:
    """The words, as ``words.json`` holds them."""
    from cnnlab.cli.app import app
    from cnnlab.core.packaged import packaged

    table: list[list[Any]] = []
    kinds = {kind: _names(registry, table) for kind, registry in registries().items()}
    return {
        "commands": _command(typer.main.get_command(app)),
        "keys": _recipe_keys(),
        "study": {key: {"about": about} for key, about in _OF_STUDY.items()},
        "transfer": _transfer_keys(),
        "recipes": list(packaged("recipe")),
        "studies": list(packaged("study")),
        "transfers": list(packaged("transfer")),
        "papers": _papers(),
        "scales": _SCALES,
        "lists": _lists(),
        "kinds": kinds,
        "arguments": table,
    }


def _names(registry: Registry[Any], table: list[list[Any]]) -> dict[str, Any]:
    registry.complete()
    return {
        entry.name: [_summary(entry), *_arguments(entry, table)]
        for entry in registry
        if not entry.summary.startswith(_NOT_OFFERED)
    }


def _summary(entry: RegistryEntry[Any]) -> str:
    return entry.summary.replace("``", "").partition(". ")[0].rstrip(".")


def _arguments(entry: RegistryEntry[Any], table: list[list[Any]]) -> Iterator[int]:
    """The places of its arguments in the table, where each stands once however many take it."""
    for argument in entry.arguments.values():
        row = [argument.name, *_told(argument)]
        if row not in table:
            table.append(row)
        yield table.index(row)


def _told(argument: Argument) -> tuple[str, str | None, list[str]]:
    """What an argument takes, its default (None where it must be given), and the words to choose from."""
    default = None if argument.is_required else format_value(argument.default)
    return describe_type(argument.annotation), default, choices(argument.annotation)


def choices(annotation: Any) -> list[str]:
    """The words among which a type lets choose."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return choices(inner[0])
    if origin is Literal:
        return [str(word) for word in inner]
    if annotation is bool:
        return ["true", "false"]
    if origin in (Union, types.UnionType):
        return list(dict.fromkeys(word for part in inner for word in choices(part)))
    return ["none"] if annotation is type(None) else []


def _recipe_keys() -> dict[str, Any]:
    from cnnlab.training import Recipe, offered_keys

    keys: dict[str, dict[str, Any]] = {}
    for key in offered_keys():
        field = Recipe.model_fields[key]
        default = getattr(field.default, "parsed", field.default)
        default = getattr(getattr(default, "bound", default), "short", default)
        is_told = not field.is_required() and default not in (None, ())
        keys[key] = {
            "about": _KEYS.get(key, ""),
            "default": (str(default).lower() if isinstance(default, bool) else str(default)) if is_told else None,
            "choices": [word for word in choices(field.annotation) if word != "none"],
        }
    keys["balance"]["choices"].append("none")
    return keys


def _transfer_keys() -> dict[str, Any]:
    from dataclasses import fields
    from typing import get_type_hints

    from cnnlab.transfer.request import TransferRequest

    hints = get_type_hints(TransferRequest, include_extras=True)
    own = [each.name for each in fields(TransferRequest) if each.init]
    return {
        key: {"about": _OF_TRANSFER[key], "choices": [word for word in choices(hints[key]) if word != "none"]}
        for key in own
    }


def _lists() -> dict[str, list[str]]:
    """Words that a command takes by itself."""
    from cnnlab.cli.list import _KINDS
    from cnnlab.data.catalogue import named_sets
    from cnnlab.reports.single_figures import KINDS
    from cnnlab.runs.filter_language import FACTS

    named = [each.name for each in named_sets()]
    return {"list": list(_KINDS), "figure": list(KINDS), "facts": list(FACTS), "named": named}


def _command(command: Any) -> dict[str, Any]:
    about = (command.get_short_help_str(80) or "").rstrip(".")
    if hasattr(command, "commands"):
        return {
            "about": about,
            "options": _options(command),
            "commands": {name: _command(inner) for name, inner in command.commands.items()},
        }
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    return {"about": about, "options": _options(command), "arguments": [each.metavar for each in arguments]}


def _options(command: Any) -> dict[str, list[str | None]]:
    """By name: what it is, and the name of its value, where it takes one."""
    options: dict[str, list[str | None]] = {"--help": ["Show this message and exit", None]}
    for parameter in command.params:
        if parameter.param_type_name == "option":
            takes = None if parameter.is_flag else parameter.metavar or parameter.name.upper()
            about = (parameter.help or "").partition(". ")[0].rstrip(".")
            options |= {name: [about, takes] for name in parameter.opts if name.startswith("--")}
    return options


def text() -> str:
    """The file: a line for each name."""
    words = collected()
    return (
        "".join(_lines(words, 0, {"kinds": 2, "commands": 2, "keys": 1, "study": 1, "transfer": 1, "arguments": 1}))
        + "\n"
    )


def _lines(value: Any, depth: int, deep: dict[str, int], below: int = 1) -> Iterator[str]:
    """JSON that has its outer parts on lines of their own."""
    pad, end = " " * (depth + 1), " " * depth
    if below <= 0 or not isinstance(value, dict | list) or not value:
        yield json.dumps(value, ensure_ascii=False)
        return
    pairs = value.items() if isinstance(value, dict) else [(None, part) for part in value]
    yield "{\n" if isinstance(value, dict) else "[\n"
    for place, (key, part) in enumerate(pairs):
        yield f"{pad}{json.dumps(key)}: " if key is not None else pad
        yield from _lines(part, depth + 1, deep, deep.get(str(key), 0) if depth == 0 else below - 1)
        yield ",\n" if place < len(value) - 1 else "\n"
    yield f"{end}}}" if isinstance(value, dict) else f"{end}]"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
