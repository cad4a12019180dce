"""``cnnlab cache``: what can be made or downloaded again, how much room it takes, and how to be rid of it."""

from cnnlab.cli.cache.clear import clear
from cnnlab.cli.cache.list import list_cache
from cnnlab.cli.program import group

app = group("List and clear what is kept to be quicker: features, decoded pictures, downloads.")
app.command("list")(list_cache)
app.command("clear")(clear)
