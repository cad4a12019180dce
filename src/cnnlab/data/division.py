"""How a recipe says that its data is divided."""

from collections.abc import Mapping
from typing import Any

DIVIDING = ("validation", "test", "subset", "quick")
"""The keys of a recipe on which it depends what its splits hold."""


def division(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """These of a recipe, on record or about to be, as :func:`cnnlab.load_data` takes them."""
    return {key: recipe.get(key) for key in DIVIDING} | {"quick": bool(recipe.get("quick"))}
