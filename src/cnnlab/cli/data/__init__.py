"""``cnnlab data``: what there is to train on."""

from cnnlab.cli.data.check import check
from cnnlab.cli.data.list import list_data
from cnnlab.cli.data.show import show
from cnnlab.cli.program import group

app = group("List and show data sets and readers; check data of your own.")
app.command("list")(list_data)
app.command("show")(show)
app.command("check")(check)
