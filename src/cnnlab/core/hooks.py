"""Registries through which a lower package uses what a higher one provides, without importing it.

The higher package registers on import. ``homes`` names the module to import before a name is looked up.
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlab.core.registry import Registry

_ADVERSARIES = ("fgsm", "ifgsm", "bim", "pgd", "mifgsm", "fast", "uniform-noise", "gaussian-noise", "salt-and-pepper")
_PERTURBATION_HOMES = {
    **dict.fromkeys(_ADVERSARIES, "cnnlab.attacks.adversaries"),
    "trades": "cnnlab.attacks.trades",
}
"""The module that registers each perturbation when it is imported, by the perturbation's name."""


def _register_operations() -> None:
    importlib.import_module("cnnlab.augment.perturbations").register_operations()


perturbations: Registry[Any] = Registry("perturbation", homes=_PERTURBATION_HOMES, late=_register_operations)
"""What may be done to pixels before a classifier sees them, by an adversary in training (``adversary=``) or in
evaluation (``perturb=``): functions of the arguments of a spec that make a
:class:`~cnnlab.models.perturbing.Perturbation`, ``(classifier, pixels, encoded, objective, draws) -> pixels``.

Every operation of ``augment`` is one, under a name that no other has."""

_drawers: dict[str, Callable[..., Path]] = {}
_drawer_homes = {"curves": "cnnlab.reports"}


def drawer(kind: str) -> Callable[[Callable[..., Path]], Callable[..., Path]]:
    """A decorator: the function draws a figure of this kind to the file that it takes last."""

    def decorate(function: Callable[..., Path]) -> Callable[..., Path]:
        _drawers[kind] = function
        return function

    return decorate


def draw(kind: str, *contents: Any) -> Path:
    """Draws with the function registered for a kind of figure."""
    if kind not in _drawers:
        importlib.import_module(_drawer_homes[kind])
    return _drawers[kind](*contents)


_openers: dict[str, Callable[..., Any]] = {}
_homes = {
    "classifier": "cnnlab.models",
    "ensemble": "cnnlab.ensembles.open_ensemble",
    "pretrained": "cnnlab.models",
    "run": "cnnlab.runs",
    "transfer": "cnnlab.transfer.open_transfer",
}


def opener(kind: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: the function opens a stored thing of this kind, such as a ``classifier``, by its name.

    It takes the name, and by keyword ``runs`` (the folder of runs), ``network`` (for weights of a network of one's own)
    and ``offline``, of which it uses what it needs.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        _openers[kind] = function
        return function

    return decorate


def kinds() -> tuple[str, ...]:
    """The kinds of things that can be opened."""
    return tuple(sorted({*_homes, *_openers}))


def open_stored(kind: str, name: Any, **options: Any) -> Any:
    """Opens a stored thing with the function registered for its kind."""
    if kind not in _openers:
        importlib.import_module(_homes[kind])
    return _openers[kind](name, **options)


_run_tools: dict[str, Callable[..., Any]] = {}
_TOOL_HOMES = {
    "predict": "cnnlab.evaluation.prediction.predict",
    "confusion": "cnnlab.evaluation.metrics.confusion_matrix",
    "roc": "cnnlab.evaluation.metrics.roc",
    "plot": "cnnlab.reports.single_figures",
    "save_figures": "cnnlab.reports.single_figures",
}


def run_tool(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: the function does what a run has a method of this name for, by the run or its predictions."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        _run_tools[name] = function
        return function

    return decorate


def use_run_tool(name: str, run: Any, *arguments: Any, **options: Any) -> Any:
    """Calls the function registered for a method of a run."""
    if name not in _run_tools:
        importlib.import_module(_TOOL_HOMES[name])
    return _run_tools[name](run, *arguments, **options)


_trainers: dict[str, Callable[..., Any]] = {}
_TRAINER_HOMES = {"folds": "cnnlab.ensembles.folds"}


def trainer(kind: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: the function carries out recipes of this kind, which are more than one training."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        _trainers[kind] = function
        return function

    return decorate


def train_as(kind: str, *arguments: Any, **options: Any) -> Any:
    """Trains with the function registered for a kind of recipe."""
    if kind not in _trainers:
        importlib.import_module(_TRAINER_HOMES[kind])
    return _trainers[kind](*arguments, **options)


@dataclass(frozen=True)
class CommandDone:
    """A command that was carried out in this process.

    :param code: its exit code.
    :param text: what it printed.
    :param answer: the same read as JSON, where it was asked for that.
    :param complaint: the last thing that it complained of.
    """

    code: int
    text: str
    answer: Any = None
    complaint: str = ""


_command_lines: list[Callable[..., CommandDone]] = []
_command_checks: list[Callable[[Sequence[str]], str | None]] = []
_COMMAND_LINE_HOME = "cnnlab.cli.in_process"


def carries_out_commands(function: Callable[..., CommandDone]) -> Callable[..., CommandDone]:
    """A decorator: the function carries out the words of a command line."""
    _command_lines[:] = [function]
    return function


def command_line(words: Sequence[str], **options: Any) -> CommandDone:
    """Carries out a command as the command line would, with the options of those given that it takes.

    :param words: without the name of the program.
    :param options: ``runs``, ``data_dir``, ``offline``, ``device``; what the command does not take is left out.
    """
    if not _command_lines:
        importlib.import_module(_COMMAND_LINE_HOME)
    return _command_lines[0](words, **options)


def checks_commands(function: Callable[[Sequence[str]], str | None]) -> Callable[[Sequence[str]], str | None]:
    """A decorator: the function tells what is wrong with the words of a command line, or None."""
    _command_checks[:] = [function]
    return function


def command_refusal(words: Sequence[str]) -> str | None:
    """Why words are no command line, which is read and not carried out; None where they are one.

    :param words: without the name of the program.
    """
    if not _command_checks:
        importlib.import_module(_COMMAND_LINE_HOME)
    return _command_checks[0](words)
