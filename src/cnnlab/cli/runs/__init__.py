"""``cnnlab runs``: what was trained so far."""

from cnnlab.cli.program import group
from cnnlab.cli.runs.compare import compare
from cnnlab.cli.runs.delete import delete, purge, restore
from cnnlab.cli.runs.list import list_runs
from cnnlab.cli.runs.mirror import mirror
from cnnlab.cli.runs.pack import export, import_
from cnnlab.cli.runs.show import show

app = group("List, show, compare, delete, restore, export, import and mirror runs.")
app.command("list")(list_runs)
app.command("show")(show)
app.command("compare")(compare)
app.command("delete")(delete)
app.command("restore")(restore)
app.command("purge")(purge)
app.command("export")(export)
app.command("import")(import_)
app.command("mirror")(mirror)
