"""``cnnlab transfer``."""

import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli import output
from cnnlab.cli.options import DataDir, Device, Json, Name, Offline, Quiet, Runs
from cnnlab.cli.runs.transfers import write_tables
from cnnlab.core.durations import short_duration

if TYPE_CHECKING:
    from cnnlab.runs import RunStore
    from cnnlab.transfer import TransferResult

Words = Annotated[
    list[str],
    typer.Argument(
        metavar="[FILE] [KEY=VALUE...]",
        help="A YAML file of keys, or the name of one that comes with cnnlab; and keys, which take the place of those "
        "in the file: data and backbones; and layer, classifiers, search, subsample, cv, metric, objective, augment, "
        "views, validation, test, subset, seed, repeats, vary, precision. Quote what holds ( ) or spaces.",
        show_default=False,
    ),
]
Again = Annotated[bool, typer.Option("--again", help="Make another one of a transfer that is there already.")]


def transfer(
    words: Words,
    name: Name = None,
    runs: Runs = None,
    again: Again = False,
    data_dir: DataDir = None,
    device: Device = None,
    offline: Offline = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Fit classifiers of scikit-learn to features of pretrained networks, and store the best like a run.

    Features are computed once for each picture and kept in the cache. The best is chosen on validation, and it alone is
    scored on test; cnnlab predict and evaluate take it like any run.

        cnnlab transfer data=photos.zip backbones=efficientnet-lite0

        cnnlab transfer data=photos.zip 'backbones=efficientnet-lite0, resnet50v2' classifiers=all repeats=5

        cnnlab transfer data=photos.zip backbones=efficientnet-lite0 'search=svc(C=[1, 10, 100])' subsample=0.2

        cnnlab transfer examples/classifiers data=photos.zip
    """
    from cnnlab.core.messages import quietly
    from cnnlab.runs import store_at
    from cnnlab.training.known_commands import Command

    command = Command("transfer", words, (device, name, data_dir, offline))
    with quietly(quiet):
        made = None if again else _known(command.answer(), store_at(runs))
        if made is None:
            with command.noting() as answer:
                made = _made(words, name, runs, again, data_dir, device, offline)
                answer.facts = {"run": made.run.name}
    if as_json:
        output.write_json(made.to_dict())
        return
    output.facts([*made.facts, ("time", short_duration(made.run.seconds)), ("folder", made.run.folder)])
    write_tables(made)
    where = f" --runs {shlex.quote(str(runs))}" if runs is not None and Path(runs) != Path("runs") else ""
    folder = shlex.quote(made.run.folder.name)
    commands = ["runs show {}", "predict {} PICTURES... --out predictions.csv", "evaluate {} data=OTHER"]
    output.advise("next", [f"cnnlab {command.format(folder)}{where}" for command in commands])


def _known(answer: dict[str, Any] | None, store: "RunStore") -> "TransferResult | None":
    """The transfer that the same words came to before, where it is still there."""
    from cnnlab.core.errors import CnnlabError
    from cnnlab.core.messages import note
    from cnnlab.transfer.result import TransferResult

    with suppress(CnnlabError):
        if answer is not None:
            found = TransferResult(store.find(str(answer["run"])))
            note(f"This transfer is made already: {found.run.folder}. Make another one with --again.")
            return found if found.record else None
    return None


def _made(
    words: list[str],
    name: str | None,
    runs: Path | None,
    again: bool,
    data_dir: Path | None,
    device: str | None,
    offline: bool,
) -> "TransferResult":
    from cnnlab.cli.words import read_transfer_words
    from cnnlab.transfer.api import made_transfer

    file, keys = read_transfer_words(words, name=name, device=device)
    return made_transfer(file, keys, runs=runs, again=again, data_dir=data_dir, offline=offline)
