"""The folder that figures of attacks lie in, beside what attacks came to."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlab.core.files import make_folder, write_bytes, write_text
from cnnlab.models import Predictable
from cnnlab.reports.explanations.base import ExplainedFigure
from cnnlab.reports.explanations.folder import ExplanationFolder, FolderKind, StoredExplanation, StoredFigure
from cnnlab.reports.figures.style import save_figure, style
from cnnlab.reports.writing.svg import svg_of
from cnnlab.reports.writing.tables import slug
from cnnlab.runs import Run

FOLDER = "attacks"
ATTACKED = FolderKind("attacks.json", "cnnlab attack or cnnlab fool", "figures of attacks")


@dataclass(frozen=True)
class WrittenFigures:
    """Figures as files.

    :param files: of each figure its PNG and its SVG; ``pictures`` further files, such as a picture that was changed.
    """

    folder: Path
    figures: tuple[ExplainedFigure, ...]
    files: tuple[tuple[Path, Path], ...]
    pictures: tuple[Path, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        figures = [
            {"title": figure.title, "caption": figure.caption, "png": png, "svg": svg}
            for figure, (png, svg) in zip(self.figures, self.files, strict=True)
        ]
        return {"folder": self.folder, "figures": figures, "files": list(self.pictures)}


class AttackFigures:
    """A folder that figures of attacks are written into; a file that is not ours is never replaced.

    :raises UsageError: for what can be no such folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folder = ExplanationFolder(path, ATTACKED)

    def write(
        self,
        key: str,
        title: str,
        model: str,
        figures: Sequence[ExplainedFigure],
        pictures: Sequence[tuple[str, bytes]] = (),
    ) -> WrittenFigures:
        """Writes figures as PNG and SVG, and pictures as they are, each name beginning with the key.

        :param pictures: further files, by the ends of their names with the suffix.
        :raises UsageError: where files of others are in the way.
        """
        names = [slug(f"{key}-{figure.key}") for figure in figures]
        others = [f"{slug(key)}-{end}" for end, _ in pictures]
        self._folder.check_figures(names)
        self._folder.check(others)
        stored = [StoredFigure(name, each.title, each.caption) for name, each in zip(names, figures, strict=True)]
        make_folder(self.path)
        # On record before they are written: what is cut short is known as our own.
        self._folder.add(StoredExplanation(slug(key), title, model, {}, tuple(stored)))
        self._folder.write(others)
        files = tuple(self._written(name, figure) for name, figure in zip(names, figures, strict=True))
        for name, (_, content) in zip(others, pictures, strict=True):
            write_bytes(self.path / name, content)
        return WrittenFigures(self.path, tuple(figures), files, tuple(self.path / name for name in others))

    def _written(self, name: str, figure: ExplainedFigure) -> tuple[Path, Path]:
        png, svg = (self.path / f"{name}{end}" for end in (".png", ".svg"))
        with style():
            drawn = figure.draw(True)
        save_figure(drawn, png)
        write_text(svg, svg_of(drawn))
        return png, svg


def usual_folder(model: Run | Predictable) -> Path:
    """``attacks`` in the folder of a run, or here for a model by itself."""
    return model.folder / FOLDER if isinstance(model, Run) else Path(FOLDER)
