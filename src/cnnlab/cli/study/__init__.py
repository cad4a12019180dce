"""``cnnlab study``: one question, many trainings."""

from cnnlab.cli.program import group
from cnnlab.cli.study.list import list_studies
from cnnlab.cli.study.plan import plan
from cnnlab.cli.study.report import report
from cnnlab.cli.study.run import run
from cnnlab.cli.study.show import show

app = group("List, plan, run, show and report studies: one question, many trainings, honest statistics.")
app.command("list")(list_studies)
app.command("plan")(plan)
app.command("run")(run)
app.command("show")(show)
app.command("report")(report)
