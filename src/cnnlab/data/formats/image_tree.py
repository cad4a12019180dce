"""The folders of a tree that hold pictures, directly or further down."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class ImageTree:
    """A folder with pictures in it.

    :param has_images: whether some lie directly in it.
    :param inside: the folders in it that hold pictures, by name.
    """

    has_images: bool = False
    inside: dict[str, "ImageTree"] = field(default_factory=dict)

    @classmethod
    def of(cls, names: Iterable[str]) -> "ImageTree":
        """The tree of these pictures, named by their paths."""
        root = cls()
        for name in names:
            *folders, _ = name.split("/")
            node = root
            for folder in folders:
                node = node.inside.setdefault(folder, cls())
            node.has_images = True
        return root

    def at(self, path: str) -> "ImageTree":
        """The folder at a path inside; an empty one where no pictures are."""
        node = self
        for folder in filter(None, path.split("/")):
            node = node.inside.get(folder, ImageTree())
        return node


def joined(*parts: str) -> str:
    """A path of these parts, of which some may be empty."""
    return "/".join(filter(None, parts))
