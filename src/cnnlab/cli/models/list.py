"""``cnnlab models list``."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli import output
from cnnlab.cli.entries import document, write_entry, write_names
from cnnlab.cli.options import Json

if TYPE_CHECKING:
    from cnnlab.core.registry import Registry

What = Annotated[
    str | None, typer.Argument(metavar="NAME", help="One of them, with its arguments.", show_default=False)
]


def list_models(name: What = None, as_json: Json = False) -> None:
    """List architectures, the layers of layer strings, initialisers and objectives; or show what one of them takes.

    cnnlab models list

    cnnlab models list conv
    """
    from cnnlab.core.counterparts import hint, names
    from cnnlab.core.errors import UsageError
    from cnnlab.core.spec import Call
    from cnnlab.models import architectures, initialisers, layers
    from cnnlab.objectives import objectives

    kinds: dict[str, Registry[Any]] = {
        "architectures": architectures,
        "layers": layers,
        "initialisers": initialisers,
        "objectives": objectives,
    }
    if name is not None:
        entries = [registry.entry(Call(name)) for registry in kinds.values() if name in registry]
        if not entries:
            known = [entry.name for registry in kinds.values() for entry in registry]
            meant = [ours for registry in kinds.values() for ours in names(registry.kind, name)]
            raise UsageError(
                f"there is no architecture, layer, initialiser or objective {name!r}. {hint(name, known, meant)}"
            )
        if as_json:
            output.write_json(document(entries[0]))
        else:
            write_entry(entries[0])
    elif as_json:
        output.write_json({kind: [document(entry) for entry in registry] for kind, registry in kinds.items()})
    else:
        for kind, registry in kinds.items():
            write_names(registry, kind.removesuffix("s"))
            output.write()
        output.write("More of one: cnnlab models list NAME. Layer by layer: cnnlab models show NAME --input 1x28x28")
