"""A network of another library: where it comes from, and what its parts are called there and here."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, TypeAlias

from torch import nn

from cnnlab.core.errors import SpecError, suggestion
from cnnlab.models.cpu_kernels import Sequential, adopt

Moments: TypeAlias = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of each channel, of pixels in [0, 1]."""

IMAGENET: Moments = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Origin:
    """Where a network comes from, and how what it is called there is called here.

    :param moments: of the pictures that its weights were trained on.
    :param names: modules there to modules here; a parameter goes with the longest that begins its name.
    :param first: the convolution there that sees the picture; several where there are some.
    """

    library: Literal["torchvision", "timm", "efficientnet-lite"]
    name: str
    moments: Moments
    names: Mapping[str, str]
    first: tuple[str, ...]

    def renamed(self, names: Iterable[str]) -> dict[str, str]:
        """What tensors of the original are called here, where they are known."""
        parts = sorted(self.names, key=len, reverse=True)
        found = {}
        for name in names:
            prefix = next((p for p in parts if not p or name.startswith(f"{p}.")), None)
            if prefix is not None:
                rest = name if not prefix else name[len(prefix) + 1 :]
                found[name] = f"{self.names[prefix]}.{rest}"
        return found


class Backbone(Sequential):
    """A network of another origin: adapters, its layers, and ``head`` as the last."""

    def __init__(self, layers: Mapping[str, nn.Module], origin: Origin) -> None:
        super().__init__(OrderedDict(layers))
        self.origin = origin
        for module in self.modules():
            if hasattr(module, "inplace"):
                setattr(module, "inplace", False)  # noqa: B010 (torch types attributes as modules)
            adopt(module)


def timm_settings(library: ModuleType, name: str) -> Any:
    """What timm knows of one of its networks: where its weights are, and the pictures they were trained on.

    :raises SpecError: for a name that it does not know, naming the closest.
    """
    plain, _, tag = name.partition(".")
    if not library.is_model(plain):
        raise SpecError(f"timm has no network called {name!r}. {suggestion(plain, library.list_models())}")
    try:
        return library.get_pretrained_cfg(name)
    except RuntimeError:
        tags = [known.partition(".")[2] for known in library.list_pretrained(f"{plain}.*")]
        raise SpecError(f"timm has no weights {tag!r} for {plain}. {suggestion(tag, tags)}") from None
