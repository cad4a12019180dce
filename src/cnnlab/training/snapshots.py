"""Snapshots: the weights as they were after certain epochs, kept beside those that are selected."""

from collections.abc import Collection
from pathlib import Path

from cnnlab.models import Classifier, save_classifier


class Snapshots:
    """Keeps the weights of the epochs that a recipe names.

    :param folder: of the run.
    :param epochs: by their numbers from 1; 0 is before the first.
    """

    def __init__(self, folder: Path, epochs: Collection[int]) -> None:
        self.folder, self.epochs = folder / "snapshots", frozenset(epochs)

    def after_epoch(self, epoch: int, classifier: Classifier) -> None:
        """Writes the weights as they are, where this epoch is one of them.

        :raises StorageError: when they cannot be written.
        """
        if epoch in self.epochs:
            save_classifier(self.folder / f"epoch-{epoch}.safetensors", classifier)
