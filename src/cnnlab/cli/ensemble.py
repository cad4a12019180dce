"""``cnnlab ensemble``."""

import inspect
import shlex
from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.options import Again, DataDir, Device, Json, Offline, Quiet, Runs, runs_so_far
from cnnlab.core.errors import UsageError, suggestion

_METHOD = "method"
Members = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN... [method=METHOD]",
        help="Finished runs: each a folder, a name, the start of a digest, `last`, or a pattern such as 'fashion-*'; "
        "and how they are combined, by default method=mean. `cnnlab list methods` has all.",
        autocompletion=runs_so_far,
        show_default=False,
    ),
]
Name = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="What to call it; otherwise its method.", show_default=False),
]


def ensemble(
    words: Members,
    name: Name = None,
    runs: Runs = None,
    again: Again = False,
    data_dir: DataDir = None,
    device: Device = None,
    offline: Offline = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Make one classifier of finished runs, without training, and store it beside them as a run of its own.

    What is fitted is fitted on validation. The result is shown, compared, reported on and predicted with like any run.

        cnnlab ensemble first second third

        cnnlab ensemble 'fashion-*' method=greedy --name committee

        cnnlab ensemble vgg 'method=tta("flip|shift(0.1)", views=8)'
    """
    from cnnlab.core.messages import quietly

    members, method = read_members(words)
    with quietly(quiet):
        from cnnlab import ensembles

        made = ensembles.ensemble(
            members,
            method,
            name=name,
            runs=runs,
            again=again,
            data_dir=data_dir,
            offline=offline,
            device=device,
        )
    if as_json:
        from cnnlab.cli.runs.show import document

        output.write_json(document(made))
        return
    from cnnlab.cli.runs.ensembles import write_brief

    write_brief(made)
    output.write()
    where = f" --runs {shlex.quote(str(runs))}" if runs is not None and Path(runs) != Path("runs") else ""
    folder = shlex.quote(made.folder.name)
    advice = [f"cnnlab runs show {folder}{where}", f"cnnlab predict {folder} PICTURES... --out predictions.csv{where}"]
    output.facts([("next", "\n".join(advice))])


def read_members(words: list[str]) -> tuple[list[str], str]:
    """The runs, and the method.

    :raises UsageError: for another ``key=value``, or a method given twice.
    """
    pairs = [word.partition("=") for word in words if "=" in word]
    for key, _, value in pairs:
        if key != _METHOD or not value:
            raise UsageError(f"{key}={value} is not method=…, and runs bear no such name. {_hint(key, value)}")
    if len(pairs) > 1:
        raise UsageError("method is given twice.")
    return [word for word in words if "=" not in word], pairs[0][2] if pairs else "mean"


def _hint(key: str, value: str) -> str:
    """Where an argument of a method stands; or the word that was meant."""
    from cnnlab.ensembles.methods import methods

    taking = [entry.name for entry in methods if key in inspect.signature(entry.make).parameters]
    if not taking:
        return suggestion(key, [_METHOD])
    method = "mean" if "mean" in taking else taking[0]
    return f"It is an argument of the method: 'method={method}({key}={value})'"
