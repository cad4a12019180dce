"""``cnnlab cache clear``."""

from typing import Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.cache.kinds import CLEARED, size_of
from cnnlab.cli.options import Json
from cnnlab.core.number_text import in_units

Kinds = Annotated[
    list[str] | None,
    typer.Argument(metavar="KIND...", help=f"{' or '.join(CLEARED)}; features unless given.", show_default=False),
]


def clear(kinds: Kinds = None, as_json: Json = False) -> None:
    """Remove features, or decoded pictures, from the cache; they are made again when they are needed.

    cnnlab cache clear

    cnnlab cache clear features decoded
    """
    from cnnlab.core.errors import UsageError, suggestion
    from cnnlab.core.feature_cache import clear_features
    from cnnlab.core.files import cache_folder
    from cnnlab.data.cache import clear_decoded

    wanted = list(dict.fromkeys(kinds or ["features"]))
    for kind in wanted:
        if kind not in CLEARED:
            raise UsageError(f"the cache is not cleared of {kind!r}. {suggestion(kind, CLEARED)}")
    freed = {}
    for kind in wanted:
        _, before = size_of(cache_folder() / kind)
        clear_features() if kind == "features" else clear_decoded()
        freed[kind] = before - size_of(cache_folder() / kind)[1]
    if as_json:
        output.write_json({"freed": freed})
        return
    for kind, size in freed.items():
        output.write(f"{kind}: {in_units(size)} made free")
