"""Pictures made to fool a model, and their figures and files written."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.attacks import Fooled, Universal, from_noise, from_patterns, from_pictures, universal
from cnnlab.core.digests import digest
from cnnlab.core.errors import DataError, UsageError
from cnnlab.core.messages import first_few
from cnnlab.data import ImageReader, find_images
from cnnlab.evaluation import open_model, predictor_of
from cnnlab.models import Predictable
from cnnlab.reports.attacks.folder import AttackFigures, WrittenFigures, usual_folder
from cnnlab.reports.contents import attacks as contents
from cnnlab.reports.explanations.base import ExplainedFigure
from cnnlab.reports.figures.attack_examples import draw_examples
from cnnlab.runs import Run

WAYS = ("noise", "pattern", "universal")
"""What pictures may be made from, besides files."""
_TAKES = {
    "noise": ("target", "confidence", "n", "steps", "column"),
    "pattern": ("target", "confidence", "generations", "column"),
    "universal": ("data", "split", "n", "norm", "eps", "rate", "passes", "column"),
    "picture": ("target", "confidence", "norm", "steps", "attack", "column"),
}
_MOST_PICTURES = 8
_DIGITS = 8


@dataclass(frozen=True)
class WrittenFooling:
    """What came of it, and its files."""

    found: Fooled | Universal
    written: WrittenFigures

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: numbers, captions and files."""
        return {**self.found.to_dict(), **self.written.to_dict()}


def write_fooling(
    model: Run | Predictable | str | Path,
    origin: str | Path = "noise",
    out: Path | str | None = None,
    *,
    runs: Path | str | None = None,
    seed: int = 0,
    device: str | None = None,
    data_dir: Path | None = None,
    offline: bool = False,
    **options: Any,
) -> WrittenFooling:
    """Makes pictures that fool a model, and writes a figure of them and each as PNG.

    A PNG holds what the model was shown, so that ``cnnlab predict`` says of the file what the figure says.

    :param origin: ``noise``, ``pattern``, ``universal``, or a file or folder of pictures.
    :param out: the folder; ``attacks`` in the run's own folder unless given, or here for a model by itself.
    :param options: of :func:`~cnnlab.attacks.from_noise` and the others.
    :raises UsageError: for anything that there is not, and for files that were written by somebody else.
    :raises DataError: when a file is missing or is no picture.
    """
    opened = open_model(model, runs=runs, offline=offline)
    way = str(origin) if str(origin) in WAYS else "picture"
    options = {name: value for name, value in options.items() if value is not None}
    _check_taken(way, options)
    place = AttackFigures(Path(out) if out is not None else usual_folder(opened))
    named: Any = opened if isinstance(opened, Run) or not isinstance(model, str | Path) else model
    common: dict[str, Any] = {"seed": seed, "device": device, "offline": offline}
    if way == "universal":
        made = universal(named, data_dir=data_dir, **common, **options)
        return _written_universal(made, place)
    names: Sequence[str] = ()
    if way == "picture":
        pixels, names = _read(origin, opened, device)
        found = from_pictures(named, pixels, **common, **options)
    elif way == "noise":
        found = from_noise(named, options.pop("target", None), **common, **options)
    else:
        found = from_patterns(named, **common, **options)
    return _written(found, place, names, options)


def _check_taken(way: str, options: dict[str, Any]) -> None:
    """Refuses words that nothing goes by.

    :raises UsageError: naming them.
    """
    unknown = [name for name in options if name not in _TAKES[way]]
    if unknown:
        what = "a picture" if way == "picture" else way
        raise UsageError(f"from {what} goes by {', '.join(_TAKES[way])}, and not by {', '.join(unknown)}.")


def _read(origin: str | Path, opened: Run | Predictable, device: str | None) -> tuple[Tensor, Sequence[str]]:
    """Pictures of files, brought to the model's size, and their names."""
    model = predictor_of(opened, device=device).classifier
    try:
        found = find_images([origin])
    except DataError as error:
        if Path(origin).suffix or "/" in str(origin):
            raise
        raise UsageError(
            f"from is noise, pattern, universal, or a file or folder of pictures; there is none called {origin}."
        ) from error
    if len(found) > _MOST_PICTURES:
        raise UsageError(
            f"{origin} holds {len(found):,} pictures, and at most {_MOST_PICTURES} are changed at a time. Name one."
        )
    reader = ImageReader(found, model.shape, model.resize, model.whites, model.resampling)
    pixels, _, bad = reader.read(0, len(found))
    if bad:
        raise DataError(f"these files cannot be read as pictures: {first_few([str(item) for item in bad])}.")
    return pixels, [Path(image.name).stem for image in found]


def _written(found: Fooled, place: AttackFigures, names: Sequence[str], options: dict[str, Any]) -> WrittenFooling:
    sheet = contents.fooled_sheet(found)
    caption = contents.fooled_caption(found, names[0] if len(names) == 1 else "Pictures")
    title = f"From {found.way}: pictures that fool {found.model}"
    figure = ExplainedFigure("figure", title, caption, lambda with_words: draw_examples(sheet, caption * with_words))
    of = digest([found.model, found.targets.tolist(), list(names), str(sorted(options.items())), found.seed])
    key = f"{found.way}-{of[:_DIGITS]}"
    ends = [f"{number}.png" for number in range(len(found))]
    files = [(end, png_bytes(pixels)) for end, pixels in zip(ends, found.rounded, strict=True)]
    return WrittenFooling(found, place.write(key, title, found.model, (figure,), files))


def _written_universal(found: Universal, place: AttackFigures) -> WrittenFooling:
    sheet = contents.universal_sheet(found)
    caption = contents.universal_caption(found)
    title = f"One perturbation for all pictures, against {found.source.model}"
    figure = ExplainedFigure("figure", title, caption, lambda with_words: draw_examples(sheet, caption * with_words))
    source = found.source
    of = digest([source.model, source.data, source.split, source.seed, found.norm, found.eps, found.made_on])
    # As numbers: in 8 bits about a grey it would be another one.
    content = _npy(found.perturbation)
    key = f"universal-{of[:_DIGITS]}"
    return WrittenFooling(found, place.write(key, title, source.model, (figure,), [("perturbation.npy", content)]))


def png_bytes(pixels: NDArray[np.uint8]) -> bytes:
    """A picture C×H×W of one or three channels as PNG, every value as it is; of others the first alone."""
    from PIL import Image

    image = Image.fromarray(pixels.transpose(1, 2, 0) if len(pixels) == 3 else pixels[0])
    content = BytesIO()
    image.save(content, "png")
    return content.getvalue()


def _npy(array: NDArray[np.float32]) -> bytes:
    content = BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()
