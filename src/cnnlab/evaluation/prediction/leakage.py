"""What a run was trained or fitted on beside data that is named for it: the same data, or some of the same pictures."""

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cnnlab import data as data_package
from cnnlab.core.errors import CnnlabError, CnnlabWarning
from cnnlab.core.messages import note, quietly, warn
from cnnlab.data import Dataset, ImageSet
from cnnlab.data.division import division
from cnnlab.data.duplicates import shared
from cnnlab.runs import Run


def in_own_splits(run: Run, data: Any, dataset: Dataset, data_dir: str | Path | None, offline: bool) -> Dataset | None:
    """The data that the run was trained on, divided as for that; None where ``data`` is other data.

    :param data: what was loaded as ``dataset``.
    """
    recorded = (run.info.get("data") or {}).get("digest")
    if dataset.digest == recorded:
        return dataset
    if isinstance(data, Dataset) or not _is_divided(run.recipe):
        return None
    again = _loaded(data, run, data_dir, offline)
    return again if again is not None and again.digest == recorded else None


def warn_of_seen_pictures(
    model: object, split: str, parts: Sequence[ImageSet], *, is_own: bool, data_dir: str | Path | None = None
) -> None:
    """Warns of pictures that a run was trained or fitted on; of a model by itself that is not known.

    :param parts: the pictures of the split; ``is_own`` whether it is one of the run's own data.
    """
    if not isinstance(model, Run):
        return
    if is_own:
        warn_of_fitted_pictures(model, split)
    else:
        warn_of_training_images(model, parts, data_dir)


def warn_of_training_images(run: Run, parts: Sequence[ImageSet], data_dir: str | Path | None) -> None:
    """Warns of pictures, equal pixel by pixel, that are in the train split of the run too."""
    train = _train_of(run, data_dir)
    if train is None:
        note(f"What {run.folder.name} was trained on is not at hand, so pictures that it has seen cannot be told.")
        return
    seen = sum(int(shared(part, train).sum()) for part in parts)
    if seen:
        total = sum(map(len, parts))
        warn(
            f"{seen:,} of the {total:,} pictures scored were seen by {run.folder.name} in training, so the scores are "
            "too high. Score others, or leave these out."
        )


def warn_of_fitted_pictures(run: Run, split: str) -> None:
    """Warns of a split of its own that an ensemble was fitted on."""
    if split in run.fitted_on:
        warn(
            f"{run.name} was fitted on its {split} pictures by {run.info['ensemble']['method']}, so its scores on them "
            "are too high. Take a split that nothing was fitted on: split=test."
        )


def _is_divided(recipe: Mapping[str, Any]) -> bool:
    """Whether it says anything of how its data is divided."""
    return any(value not in (None, False) for key, value in division(recipe).items() if key != "seed")


def _train_of(run: Run, data_dir: str | Path | None) -> ImageSet | None:
    spec = run.recipe.get("data")
    if spec is None or data_package.is_given_in_python(spec):
        return None
    # Never by a download: the comparison is a courtesy.
    dataset = _loaded(spec, run, data_dir or run.data_folder, True)
    return None if dataset is None else dataset.train


def _loaded(data: Any, run: Run, data_dir: str | Path | None, offline: bool) -> Dataset | None:
    """The data divided as the run's; None where it cannot be. What there is to warn of has been said before."""
    with suppress(CnnlabError), warnings.catch_warnings(), quietly():
        warnings.simplefilter("ignore", CnnlabWarning)
        return data_package.load_data(data, data_dir=data_dir, offline=offline, **division(run.recipe))
    return None
