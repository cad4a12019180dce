"""``cnnlab train``."""

from pathlib import Path
from typing import TYPE_CHECKING

from cnnlab.cli.options import Again, DataDir, Device, Figures, Json, Name, Offline, Quick, Quiet, Runs, Words

if TYPE_CHECKING:
    from cnnlab.runs import Run


def train(
    words: Words = None,
    runs: Runs = None,
    data_dir: DataDir = None,
    device: Device = None,
    name: Name = None,
    again: Again = False,
    offline: Offline = False,
    figures: Figures = False,
    quick: Quick = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a classifier by a recipe.

    The same recipe on the same data is the same run: finished, it is returned at once; unfinished, it goes on.

        cnnlab train data=fashion-mnist 'augment=flip|shift(0.1)' epochs=15

        cnnlab train recipe.yaml --quick

        cnnlab train recipe.yaml seed=3

        cnnlab train 'data=folder(path=photos.zip, size=96)' model=convnet
    """
    from cnnlab.cli.summary import write_summary
    from cnnlab.cli.words import tried_quickly
    from cnnlab.core.messages import quietly
    from cnnlab.runs import store_at
    from cnnlab.training.finished_runs import digest_to_keep, finished_run
    from cnnlab.training.known_commands import Command
    from cnnlab.training.several_devices.presence import is_first, is_one_of_several

    words = tried_quickly(words, quick)
    command = Command("train", words, (device, name, data_dir, offline))
    with quietly(quiet):
        # Of several processes all are to find the same.
        run = None if again or is_one_of_several() else finished_run(command, store_at(runs))
        if run is None:
            with command.noting() as answer:
                run = _trained(words, runs, data_dir, device, name, again, offline)
                answer.facts = digest_to_keep(run)
        if figures and is_first():
            run.save_figures()
        write_summary(run, runs, as_json=as_json)


def _trained(
    words: list[str] | None,
    runs: Path | None,
    data_dir: Path | None,
    device: str | None,
    name: str | None,
    again: bool,
    offline: bool,
) -> "Run":
    """The run, trained where it is not finished yet."""
    from cnnlab import training
    from cnnlab.cli.words import read_words

    recipe, keys = read_words(words, device=device, name=name)
    # Read before anything else is, since keys are not to be taken for arguments of the function.
    whole = training.Recipe.read(recipe, **keys)
    return training.train(whole, runs=runs, again=again, data_dir=data_dir, offline=offline)
