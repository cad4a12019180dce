"""``cnnlab study``: one question, many trainings."""

from cnnlab.cli.program import group
from cnnlab.cli.study.plan import plan
from cnnlab.cli.study.report import report
from cnnlab.cli.study.run import run
from cnnlab.cli.study.show import show

app = group("Plan, run, show and report studies: one question, many trainings, honest statistics.")
app.command("plan")(plan)
app.command("run")(run)
app.command("show")(show)
app.command("report")(report)
