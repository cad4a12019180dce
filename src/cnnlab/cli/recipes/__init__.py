"""``cnnlab recipes``: the recipes that come with cnnlab."""

from cnnlab.cli.program import group
from cnnlab.cli.recipes.list import list_recipes
from cnnlab.cli.recipes.show import show

app = group("List and show the recipes that come with cnnlab; recipe:NAME trains one.")
app.command("list")(list_recipes)
app.command("show")(show)
