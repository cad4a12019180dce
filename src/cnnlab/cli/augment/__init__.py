"""``cnnlab augment``: what augmentation does to pictures, and what it costs."""

from cnnlab.cli.augment.cost import cost
from cnnlab.cli.augment.list import list_operations
from cnnlab.cli.augment.preview import preview
from cnnlab.cli.program import group

app = group("List the operations of augmentation; see what a pipeline does, and what it costs.")
app.command("list")(list_operations)
app.command("preview")(preview)
app.command("cost")(cost)
