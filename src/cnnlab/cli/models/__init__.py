"""``cnnlab models``: what architectures and layers there are, and what a network made of them is like."""

from cnnlab.cli.models.draw import draw
from cnnlab.cli.models.list import list_models
from cnnlab.cli.models.parts import parts
from cnnlab.cli.models.show import show
from cnnlab.cli.program import group

app = group("List architectures and layers; look at a network layer by layer, list its parts, or draw it.")
app.command("list")(list_models)
app.command("show")(show)
app.command("parts")(parts)
app.command("draw")(draw)
