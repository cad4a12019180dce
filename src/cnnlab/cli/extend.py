"""``cnnlab extend``."""

import re
from collections.abc import Sequence
from typing import Annotated

import typer

from cnnlab.cli.options import DataDir, Device, Json, Name, Offline, Quiet, RunName, Runs
from cnnlab.core.errors import UsageError

_EPOCHS = "epochs="
More = Annotated[
    list[str],
    typer.Argument(metavar="epochs=+N [KEY=VALUE]...", help="How many more, and keys that change.", show_default=False),
]


def extend(
    run: RunName,
    words: More,
    runs: Runs = None,
    data_dir: DataDir = None,
    device: Device = None,
    name: Name = None,
    offline: Offline = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train more epochs, as a run of its own that starts where RUN ended.

    cnnlab extend last epochs=+3

    cnnlab extend last epochs=20 optimizer.lr=0.01
    """
    from cnnlab.cli.summary import write_summary
    from cnnlab.cli.words import read_pairs
    from cnnlab.core.messages import quietly

    with quietly(quiet):
        from cnnlab import training

    epochs = read_epochs(words)
    keys = read_pairs([word for word in words if not word.startswith(_EPOCHS)], device=device, name=name)
    training.check_keys(keys)
    with quietly(quiet):
        longer = training.extend(run, epochs, runs=runs, data_dir=data_dir, offline=offline, **keys)
        write_summary(longer, runs, as_json=as_json)


def read_epochs(words: Sequence[str]) -> str:
    """The epochs asked for: ``+3`` for three more, ``18`` for the total to reach.

    :raises UsageError: when they are not given once, as a whole number.
    """
    given = [word.removeprefix(_EPOCHS) for word in words if word.startswith(_EPOCHS)]
    if len(given) != 1:
        raise UsageError(
            "say once how far to extend the run: epochs=+3 for three more epochs, or epochs=18 for the total."
        )
    if not re.fullmatch(r"\+?[0-9]+", given[0]):
        raise UsageError(
            f"epochs={given[0]} is no number of epochs: write epochs=+3 for three more, or epochs=18 for the total."
        )
    return given[0]
