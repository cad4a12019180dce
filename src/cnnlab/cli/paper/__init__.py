"""``cnnlab paper``: published experiments, run again."""

from cnnlab.cli.paper.list import list_papers
from cnnlab.cli.paper.new import new
from cnnlab.cli.paper.report import report
from cnnlab.cli.paper.run import run
from cnnlab.cli.paper.show import show
from cnnlab.cli.program import group

app = group("List, show, run and report papers: every table and figure again, the published numbers beside ours.")
app.command("list")(list_papers)
app.command("show")(show)
app.command("run")(run)
app.command("report")(report)
app.command("new")(new)
