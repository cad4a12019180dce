"""``cnnlab runs export`` and ``import``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli import output
from cnnlab.cli.destinations import check_file, destination
from cnnlab.cli.options import Json, Quiet, Runs, runs_so_far
from cnnlab.cli.runs.conditions import fitting
from cnnlab.core.files import user_path
from cnnlab.core.messages import first_few, quietly
from cnnlab.core.number_text import counted, in_units

if TYPE_CHECKING:
    from cnnlab.runs.pack import Packed

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RUN|CONDITION...",
        help="Runs; or conditions as of `cnnlab runs list`, such as study=NAME, for all finished runs that fit every "
        "one. All finished runs where nothing is named.",
        autocompletion=runs_so_far,
        show_default=False,
    ),
]
Out = Annotated[
    Path,
    typer.Option("--out", "-o", metavar="FILE", parser=destination, help="The file to write, such as depth.tar.xz."),
]
Studies = Annotated[
    list[str] | None,
    typer.Option(
        "--study", metavar="NAME", help="A study with its runs, or a pattern such as 'depth-*'.", show_default=False
    ),
]
Papers = Annotated[
    list[str] | None,
    typer.Option(
        "--paper",
        metavar="FOLDER",
        help="Results of a paper with their studies and runs, by the folder under runs/papers, or a pattern such as "
        "'001-*'.",
        show_default=False,
    ),
]
Weights = Annotated[
    bool, typer.Option("--weights", help="Also the weights, from which classifiers are opened. Snapshots are left out.")
]
NoPredictions = Annotated[
    bool,
    typer.Option(
        "--no-predictions",
        help="Leave stored predictions out. Without them there are no intervals over pictures and no tests that pair "
        "them.",
    ),
]
Public = Annotated[
    bool,
    typer.Option(
        "--public",
        help="Leave out what is not for others: what may show pictures of the data (explanations and attacks beside "
        "runs, and of papers what an entry keeps private), and where files lie on this machine.",
    ),
]
File = Annotated[Path, typer.Argument(metavar="FILE", parser=user_path, help="What `cnnlab runs export` wrote.")]
Replace = Annotated[
    bool,
    typer.Option("--replace", help="Studies and results of papers that are here are replaced; they stay otherwise."),
]


def export(
    out: Out,
    names: Names = None,
    runs: Runs = None,
    studies: Studies = None,
    papers: Papers = None,
    weights: Weights = False,
    no_predictions: NoPredictions = False,
    public: Public = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Pack finished runs, studies and results of papers into one file that `cnnlab runs import` takes in elsewhere.

    The records and stored predictions are in it, which is all that studies, tables and comparisons need; weights where
    they are asked for.

    cnnlab runs export --out all.tar.xz

    cnnlab runs export --study depth --weights --out depth.tar.xz
    """
    from cnnlab.runs import RunStore

    store = RunStore(runs or "runs")
    check_file(out, "packs are written as tar.xz", ".xz", ".txz")
    words = list(names or ())
    fit = fitting(store, words, store.list(), "Export") if words else []
    named: list[Any] = [run for run in fit if run.status == "finished"] if fit else words
    with quietly(quiet or as_json):
        packed = store.export(
            out,
            *named,
            studies=studies or (),
            papers=papers or (),
            weights=weights,
            predictions=not no_predictions,
            public=public,
        )
    left_out = list(packed.left_out)
    unfinished = len(fit) - len(named) if fit else 0
    if unfinished:
        left_out.append(f"Of what fits, {counted(unfinished, 'run')} left out: only finished runs are packed.")
    if as_json:
        names_of = {name: getattr(packed, name) for name in ("runs", "studies", "papers")}
        output.write_json({"file": str(packed.path), "bytes": packed.size, **names_of, "left_out": left_out})
        return
    _tell(packed, left_out, weights)
    with quietly(quiet):
        output.advise("next", [f"cnnlab runs import {packed.path.name} --runs DIR"])


def _tell(packed: "Packed", left_out: list[str], weights: bool) -> None:
    output.facts(
        [
            ("file", packed.path),
            ("size", in_units(packed.size)),
            ("runs", f"{len(packed.runs):,}{'' if weights else ', without weights'}"),
            ("studies", first_few(packed.studies)),
            ("papers", first_few(packed.papers)),
            ("left out", "\n".join(left_out)),
        ]
    )


def import_(
    file: File, runs: Runs = None, replace: Replace = False, quiet: Quiet = False, as_json: Json = False
) -> None:
    """Take in what `cnnlab runs export` packed.

    Runs that are here already are left alone. Interrupted, the same command goes on.

    cnnlab runs import depth.tar.xz --runs runs
    """
    from cnnlab.runs import RunStore

    with quietly(quiet or as_json):
        found = RunStore(runs or "runs").import_pack(file, replace=replace)
    if as_json:
        names = ("runs", "studies", "papers", "there", "renamed", "weights_added", "kept")
        output.write_json({name: getattr(found, name) for name in names})
        return
    if not found.is_new:
        output.write(f"All that {file} holds is there already.")
    output.facts(
        [
            ("new runs", f"{len(found.runs):,}" if found.runs else ""),
            ("new studies", first_few(found.studies)),
            ("new papers", first_few(found.papers)),
            ("runs that were there", f"{len(found.there):,}" if found.there else ""),
            ("weights added to", first_few(found.weights_added)),
            ("another name for", first_few([f"{theirs} ({here} here)" for here, theirs in found.renamed.items()])),
            ("left as they are", _kept(found.kept)),
        ]
    )


def _kept(names: list[str]) -> str:
    return f"{first_few(names)}; --replace takes those of the file" if names else ""
