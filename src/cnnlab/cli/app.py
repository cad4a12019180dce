"""All commands of ``cnnlab``, put together."""

import functools
from typing import Annotated, Any

import typer

from cnnlab.cli import arithmetic, augment, cache, data, models, paper, recipes, runs, study
from cnnlab.cli.attack import attack
from cnnlab.cli.completion_script import completion
from cnnlab.cli.demo import demo
from cnnlab.cli.ensemble import ensemble
from cnnlab.cli.evaluate import evaluate
from cnnlab.cli.explain import explain
from cnnlab.cli.export import export
from cnnlab.cli.extend import extend
from cnnlab.cli.figure import figure
from cnnlab.cli.find_lr import find_lr
from cnnlab.cli.fool import fool
from cnnlab.cli.list import list_words
from cnnlab.cli.predict import predict
from cnnlab.cli.program import Program
from cnnlab.cli.report import report
from cnnlab.cli.resume import resume
from cnnlab.cli.serve import serve
from cnnlab.cli.train import train
from cnnlab.cli.transfer import transfer

_HELP = """A laboratory for image classifiers: train fast, keep an exact record, ask of it later.

What is about the experiment is written key=value, what is about the invocation --flag. In a shell, quote a word that
holds parentheses or |."""
_CONTEXT = {"help_option_names": ["--help", "-h"]}

app = typer.Typer(
    cls=Program,
    help=_HELP,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings=_CONTEXT,
)
app.command("train")(train)
app.command("resume")(resume)
app.command("extend")(extend)
app.command("evaluate")(evaluate)
app.command("predict")(predict)
app.command("export")(export)
app.command("serve")(serve)
app.command("ensemble")(ensemble)
app.command("transfer")(transfer)
app.command("find-lr")(find_lr)
app.command("report")(report)
app.command("figure")(figure)
app.command("explain")(explain)
app.command("attack")(attack)
app.command("fool")(fool)
app.add_typer(runs.app, name="runs")
app.add_typer(study.app, name="study")
app.add_typer(paper.app, name="paper")
app.add_typer(recipes.app, name="recipes")
app.add_typer(data.app, name="data")
app.add_typer(augment.app, name="augment")
app.add_typer(models.app, name="models")
app.add_typer(arithmetic.app, name="arithmetic")
app.add_typer(cache.app, name="cache")
app.command("list")(list_words)
app.command("demo")(demo)
app.command("completion")(completion)


def _print_version(wanted: bool) -> None:
    if wanted:
        from cnnlab import __version__

        typer.echo(f"cnnlab {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        help_text = context.get_help()
        typer.echo(help_text, nl=bool(help_text))


@functools.cache
def command_tree() -> Any:
    """All commands as click has them, put together once: that takes longer than most of what they are asked for."""
    return typer.main.get_command(app)
