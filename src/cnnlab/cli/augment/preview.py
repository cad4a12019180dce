"""``cnnlab augment preview``."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli import output
from cnnlab.cli.destinations import check_file, destination
from cnnlab.cli.options import DataDir, Json, Offline, Quiet
from cnnlab.core.errors import UsageError, suggestion

if TYPE_CHECKING:
    from torch import Tensor

_KEYS = ("augment", "data", "seed")
Shown = Annotated[
    list[str] | None,
    typer.Argument(metavar="data=DATA augment=PIPELINE [seed=N]", help="Whose pictures, and what is done to them."),
]
FigureOption = Annotated[
    Path,
    typer.Option(
        "--out",
        metavar="FILE",
        parser=destination,
        help="Where the grid is drawn: .png, .jpg, .webp, .avif, .gif, .tif, .svg, .pdf, .eps or .ps.",
    ),
]
CountOption = Annotated[int, typer.Option("--count", metavar="N", min=1, max=100, help="How many pictures.")]


Alone = Annotated[bool, typer.Option("--alone", help="Leave out the row of all operations together.")]


def preview(
    words: Shown = None,
    out: FigureOption = Path("preview.png"),
    count: CountOption = 8,
    alone: Alone = False,
    data_dir: DataDir = None,
    offline: Offline = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Draw a grid: the original pictures, each operation of a pipeline alone, then all together.

    cnnlab augment preview data=fashion-mnist 'augment=flip|rotate(30)|erase' --out grid.png
    """
    from cnnlab.cli.words import read_pairs
    from cnnlab.core.messages import announcing, quietly

    with quietly(quiet):
        from cnnlab import augment
        from cnnlab.augment.preview import preview as look
        from cnnlab.reports import draw_augmentation

    check_file(out, "the grid is drawn")
    keys = _checked(read_pairs(words or []))
    pipeline = augment.pipeline(keys["augment"])
    with quietly(quiet):
        images = _images(keys, count, data_dir, offline)
        with announcing("drawing"):
            grid = look(pipeline, images, seed=keys.get("seed", 0), together=not alone)
            draw_augmentation(grid, out)
    rows = [label.replace("\n", ", ") for label in grid.labels]
    if as_json:
        shares = {label.replace("\n", ", "): share for label, share in grid.shares.items()}
        output.write_json(
            {"image": out, "augment": pipeline.spec, "rows": rows, "images": len(images), "shares": shares}
        )
    else:
        output.facts([("rows", "\n".join(rows)), ("pictures", len(images)), ("grid", out)])


def _checked(keys: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in keys:
        if key not in _KEYS:
            raise UsageError(f"a preview takes no {key}. {suggestion(key, _KEYS)}")
    for key in ("data", "augment"):
        if not keys.get(key):
            raise UsageError(f"say {key}=…, as in: cnnlab augment preview data=digits 'augment=flip|rotate(30)'")
    if not isinstance(keys.get("seed", 0), int):
        raise UsageError(f"seed takes a whole number; got {keys['seed']}.")
    return keys


def _images(keys: Mapping[str, Any], count: int, data_dir: Path | None, offline: bool) -> "Tensor":
    """Some pictures of the training split, anywhere in it."""
    import torch

    from cnnlab import data
    from cnnlab.core.seeds import generator

    train = data.load_data(keys["data"], data_dir=data_dir, offline=offline).train
    order = torch.randperm(len(train), generator=generator(keys.get("seed", 0), "preview"))
    images, _ = train.batch(order[:count])
    return images
