"""``cnnlab demo``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli import output
from cnnlab.cli.options import Json, Quiet
from cnnlab.core.files import user_path

if TYPE_CHECKING:
    from cnnlab.runs import Run

MODELS = {"dense": "mlp(hidden=[128, 64])", "convolutional": "cnn(filters=[32, 64], dense=[64])"}
"""What is compared, by the name of the run."""
# Pictures of 8×8 keep no second core busy, and what is timed less depends less on what else the machine does.
_SHARED: dict[str, Any] = {"data": "digits", "epochs": 8, "batch_size": 32, "precision": "float32", "threads": 1}
Folder = Annotated[
    Path, typer.Option("--runs", metavar="DIR", parser=user_path, help="Where the runs and the pictures go.")
]


def demo(runs: Folder = Path("demo-runs"), quiet: Quiet = False, as_json: Json = False) -> None:
    """Train two small networks on handwritten digits, compare them, and draw how it went.

    Takes less than two minutes on two cores and no network. Called again, it finds the runs and answers at once.
    """
    from cnnlab.core.messages import announcing, note, quietly
    from cnnlab.runs import RunStore

    trained = []
    with quietly(quiet):
        from cnnlab import training

        for name, model in MODELS.items():
            note(f"{name}: {model}, on the handwritten digits that come with scikit-learn")
            trained.append(training.train(runs=runs, offline=True, name=name, model=model, **_SHARED))
        with announcing("drawing"):
            images = _draw(trained, runs)
    comparison = RunStore(runs).compare([run.folder.name for run in trained])
    if as_json:
        output.write_json({**comparison.to_dict(), "images": images})
        return
    from cnnlab.cli.runs.compare import write_comparison

    write_comparison(comparison)
    output.heading("where it lies")
    output.facts([*((name, path) for name, path in images.items()), ("runs", runs)])
    with quietly(quiet):
        output.advise("next", [f"cnnlab runs show {trained[-1].folder.name} --runs {runs}"])


def _draw(runs: "Sequence[Run]", folder: Path) -> dict[str, Path]:
    """The two figures and where they lie."""
    from cnnlab.evaluation import confusion
    from cnnlab.reports import draw_confusion, draw_learning_curves

    named = dict(zip(MODELS, runs, strict=True))
    matrices = {name: confusion(run.predictions("test")) for name, run in named.items()}
    return {
        "learning curves": draw_learning_curves(named, folder / "learning-curves.png", "Handwritten digits, 8×8"),
        "confusion matrices": draw_confusion(matrices, folder / "confusion-matrices.png"),
    }
