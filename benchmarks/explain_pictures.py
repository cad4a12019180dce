"""The pictures of docs/explain.md, by the commands that stand on that page.

    python benchmarks/explain_pictures.py [--squeezenet FILE] [--run FOLDER] [--out docs/images]

Trains a small ``cnn`` on a quarter of Fashion-MNIST for three epochs, unless the folder of such a run is given, and one
on 3,000 pictures at each of three learning rates; three minutes on one core. Without the weights of SqueezeNet the
picture of its filters stays as it is.
"""

import argparse
import io
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MOST_BYTES = 150_000
TRAINED: dict[str, Any] = {
    "data": "fashion-mnist", "model": "cnn(filters=[16, 32], dense=[128])", "subset": 0.25, "batch_size": 256,
    "epochs": 3, "snapshots": [0, 1, 2], "threads": 1,
}  # fmt: skip
RATES = (0.001, 0.01, 0.05)
ASKED: dict[str, tuple[str | list[str], dict[str, Any]]] = {
    "attributions": (
        "saliency|integrated-gradients(steps=32)|guided|gradcam|occlusion(size=6, stride=2)|rise(masks=500)",
        {"images": ["test:1,2"]},
    ),
    "activations": ("activations(most=24)", {"images": ["test:1"], "layer": "conv2"}),
    "maximize": ("maximize", {}),
    "embedding": ("embedding(points=2000)", {}),
    "embedding-epochs": ("embedding-epochs(points=1000)", {}),
    "mistakes": ("mistakes", {}),
    "honesty": ("gradcam|saliency|guided|honesty(draws=2, pictures=12)", {}),
}
KEPT = {
    "attributions/attributions": "explain-attributions",
    "activations/activations-conv2": "explain-activations",
    "maximize/maximize-classes": "explain-maximize",
    "embedding/embedding": "explain-embedding",
    "embedding-epochs/embedding-epochs": "explain-embedding-epochs",
    "mistakes/mistakes-by-pair": "explain-mistakes",
    "honesty/honesty-randomisation": "explain-randomisation",
    "honesty/honesty-removal": "explain-removal",
}
"""Files that are kept, and what they are called on the page."""


def keep(source: Path, target: Path) -> None:
    """A picture in 256 colours, which takes a third of the room."""
    from PIL import Image

    with Image.open(source) as image:
        content = io.BytesIO()
        image.convert("RGB").quantize(256).save(content, "PNG", optimize=True)
    if len(content.getvalue()) > MOST_BYTES:
        raise SystemExit(f"{target.name} has {len(content.getvalue()):,} bytes, and {MOST_BYTES:,} are the most.")
    target.write_bytes(content.getvalue())
    print(f"{target.name}: {len(content.getvalue()):,} bytes")


def dead_units_by_rate(folder: Path, out: Path) -> None:
    """Dead units of three trainings that differ in the learning rate, side by side."""
    import cnnlab
    from cnnlab.explain import dead_units_over_training
    from cnnlab.reports.contents.dead_units import dead_over_epochs
    from cnnlab.reports.contents.explain_captions import dead_units_caption
    from cnnlab.reports.figures.explain_activations import draw_dead_units
    from cnnlab.reports.figures.style import save_figure, style

    found, right = {}, []
    for rate in RATES:
        changed = {"optimizer": f"adam(lr={rate})", "schedule": "constant", "subset": 3000, "snapshots": [1, 2, 3]}
        run = cnnlab.train(**TRAINED | changed, runs=folder)
        found[f"lr={rate:g}"] = [replace(each, model="one small cnn") for each in dead_units_over_training(run)]
        right.append(f"{run.validation.accuracy:.0%}")
    told = f"By learning rate {', '.join(right)} of validation are right at the end."
    caption = f"{dead_units_caption(next(iter(found.values())))} {told}"
    with style():
        figure = draw_dead_units([dead_over_epochs(name, each) for name, each in found.items()], caption)
    save_figure(figure, folder / "dead-units.png")
    keep(folder / "dead-units.png", out / "explain-dead-units.png")


def filters_of_squeezenet(weights: str, folder: Path, out: Path) -> None:
    """The first convolution of SqueezeNet."""
    from cnnlab.models import pretrained
    from cnnlab.reports import write_explanations

    model = pretrained("squeezenet1_1", weights, shape=(3, 224, 224))
    written = write_explanations(model, "filters", folder / "squeezenet")
    keep(next(iter(written.files.values()))[0], out / "explain-filters.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "images")
    parser.add_argument("--run", metavar="FOLDER", help="of such a training")
    parser.add_argument("--squeezenet", metavar="FILE", help="safetensors with torchvision's names")
    words = parser.parse_args()
    import torch

    import cnnlab
    from cnnlab.reports import write_explanations

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        run = cnnlab.open_model(words.run) if words.run else cnnlab.train(**TRAINED, runs=folder, name="small")
        for name, (what, options) in ASKED.items():
            # Each in a folder of its own: two draw attributions.
            write_explanations(run, what, folder / "out" / name, **options)
        for source, target in KEPT.items():
            keep(folder / "out" / f"{source}.png", words.out / f"{target}.png")
        dead_units_by_rate(folder, words.out)
        if words.squeezenet:
            filters_of_squeezenet(words.squeezenet, folder, words.out)


if __name__ == "__main__":
    main()
