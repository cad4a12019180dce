"""How a recipe says that its data is divided."""

from collections.abc import Mapping
from typing import Any, TypeAlias

BOOTSTRAP = "bootstrap"
Subset: TypeAlias = int | float | str | None
"""``subset``: a count of pictures, ``splits(…)``, or what each run draws of train, a share or ``bootstrap``."""
DIVIDING = ("validation", "test", "subset", "quick", "folds", "fold", "seed")
"""The keys of a recipe on which it depends what its splits hold."""


def is_drawn(subset: Subset) -> bool:
    """Whether it is a sample of train that each seed draws anew, and not a smaller set that is the same for all."""
    return subset == BOOTSTRAP or (isinstance(subset, float) and 0 < subset < 1)


def division(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """These of a recipe, on record or about to be, as :func:`cnnlab.load_data` takes them."""
    options = {key: recipe.get(key) for key in DIVIDING}
    return options | {"quick": bool(recipe.get("quick")), "seed": int(recipe.get("seed") or 0)}
