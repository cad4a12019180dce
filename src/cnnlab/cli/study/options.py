"""What the commands about studies have in common."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.core.errors import UsageError

if TYPE_CHECKING:
    from cnnlab.studies import Cluster, Study
    from cnnlab.training.known_commands import Command

StudyName = Annotated[
    str,
    typer.Argument(
        metavar="STUDY",
        help="A study file, or the name of a study that was run before or comes with cnnlab: cnnlab study list.",
        show_default=False,
    ),
]
Keys = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Put over the study: its own keys (repeats=2), its base's (epochs=3), or an axis (vary.augment=[…]).",
        show_default=False,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        help="Trials at once; otherwise as many as a few timed steps show to be best.",
        show_default=False,
    ),
]

On = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="PLACE",
        help="Where trials are carried out other than here: ray, ray://HOST:PORT or slurm.",
        show_default=False,
    ),
]
Cpus = Annotated[
    int | None,
    typer.Option(
        "--cpus",
        metavar="N",
        min=1,
        help="Cores of each trial on a cluster; otherwise its threads.",
        show_default=False,
    ),
]
Gpus = Annotated[
    float | None,
    typer.Option(
        "--gpus",
        metavar="SHARE",
        min=0,
        help="GPUs of each trial on Ray, or a share of one, such as 0.25; otherwise one where there are some.",
        show_default=False,
    ),
]

Partition = Annotated[
    str | None,
    typer.Option("--partition", metavar="NAME", help="The partition of Slurm.", show_default=False),
]
Gres = Annotated[
    str | None,
    typer.Option("--gres", metavar="WHAT", help="What each job of Slurm asks for, such as gpu:1.", show_default=False),
]
Minutes = Annotated[
    int | None,
    typer.Option(
        "--time",
        metavar="MINUTES",
        min=1,
        help="The longest that a job of Slurm takes; its trial goes on in another. Otherwise 240.",
        show_default=False,
    ),
]


def cluster_of(on: str | None, cpus: int | None, gpus: float | None, slurm: Mapping[str, Any]) -> "Cluster | None":
    """The cluster that these options mean.

    :raises UsageError: where they say what a trial asks for on none.
    """
    if on is not None:
        from cnnlab.studies import Cluster

        return Cluster(on, cpus, gpus, {key: value for key, value in slurm.items() if value is not None})
    asked = {"cpus": cpus, "gpus": gpus, **slurm}
    named = [f"--{key}" for key, value in asked.items() if value is not None]
    if named:
        raise UsageError(f"{' '.join(named)}: this is asked of a cluster. Name it, as in --on ray, or leave it out.")
    return None


def load_study(
    name: str, words: list[str] | None, runs: Path | None, data_dir: Path | None = None, offline: bool = False
) -> "Study":
    """The study that the words of a command line mean."""
    from cnnlab.studies import Study

    return Study.load(name, runs=runs, data_dir=data_dir, offline=offline, **_pairs(words or []))


def study_command(
    name: str, words: list[str] | None, runs: Path | None, data_dir: Path | None, offline: bool
) -> "Command":
    """What the words of a command line ask of a study, to be known again."""
    from cnnlab.training.known_commands import Command

    return Command("study", [name, *(words or [])], (runs, data_dir, offline))


def command(
    verb: str, name: str, words: list[str] | None, runs: Path | None, data_dir: Path | None, offline: bool = False
) -> str:
    """What to type to have the same study done something else with, in the same folders."""
    options = [*_where("--runs", runs), *_where("--data-dir", data_dir), *(["--offline"] if offline else [])]
    return shlex.join(["cnnlab", "study", verb, name, *(words or []), *options])


def deletion(run: str, runs: Path | None) -> str:
    """What to type to have a run deleted."""
    return shlex.join(["cnnlab", "runs", "delete", run, *_where("--runs", runs)])


def _where(option: str, folder: Path | None) -> list[str]:
    return [] if folder is None else [option, str(folder)]


def _pairs(words: list[str]) -> dict[str, Any]:
    """Keys and values; where the grammar of specs gives a call, its text."""
    from cnnlab.cli.words import read_pairs
    from cnnlab.studies.study_file import spec_text

    return {key: spec_text(value) for key, value in read_pairs(words).items()}
