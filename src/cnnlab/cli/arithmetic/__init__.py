"""``cnnlab arithmetic``: sizes, parameters and cost of single layers, with the formulas filled in."""

from cnnlab.cli.arithmetic.conv import conv
from cnnlab.cli.arithmetic.dense import dense
from cnnlab.cli.arithmetic.pool import pool
from cnnlab.cli.program import group

app = group("Work out what a layer makes of a picture and what it costs, with the formula filled in.")
app.command("conv")(conv)
app.command("pool")(pool)
app.command("dense")(dense)
