"""``cnnlab runs``: what was trained so far."""

from cnnlab.cli.program import group
from cnnlab.cli.runs.compare import compare
from cnnlab.cli.runs.delete import delete
from cnnlab.cli.runs.list import list_runs
from cnnlab.cli.runs.show import show

app = group("List, show, compare and delete runs.")
app.command("list")(list_runs)
app.command("show")(show)
app.command("compare")(compare)
app.command("delete")(delete)
