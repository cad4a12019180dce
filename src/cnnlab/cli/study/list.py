"""``cnnlab study list``."""

from pathlib import Path

from cnnlab.cli import output
from cnnlab.cli.options import Json, Runs


def list_studies(runs: Runs = None, as_json: Json = False) -> None:
    """List the studies that were run, and those that come with cnnlab."""
    from cnnlab.core.packaged import packaged
    from cnnlab.studies.catalogue import question_of, studies_under

    known = [("run", studies_under(runs or Path("runs"))), ("comes with cnnlab", packaged("study"))]
    rows = [(name, where, question_of(path)) for where, files in known for name, path in files.items()]
    if as_json:
        output.write_json([dict(zip(("study", "where", "question"), row, strict=True)) for row in rows])
        return
    output.table(("study", "where", "question"), rows)
    output.write("\nMore of one: cnnlab study plan NAME")
