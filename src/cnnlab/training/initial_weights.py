"""The stored weights that a training starts from, where its model names some, and what of them is on record."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from cnnlab import models
from cnnlab.core.errors import UsageError
from cnnlab.core.registry import BoundCall
from cnnlab.data import Dataset
from cnnlab.models import Classifier, ModelSpec, StartingWeights
from cnnlab.models.backbone import Backbone, Moments
from cnnlab.models.classifier_files import stored_moments
from cnnlab.models.fitting_weights import take_what_fits
from cnnlab.models.input_adapters import Resize
from cnnlab.models.joined import JoinedWeights, is_joined, joined_weights
from cnnlab.models.pretrained_weights import for_channels, own_weights
from cnnlab.models.shapes import format_shape
from cnnlab.objectives import Objective
from cnnlab.runs import Run
from cnnlab.training.normalization import OF_WEIGHTS
from cnnlab.training.recipe import Recipe
from cnnlab.training.recipe_specs import GivenInPython


@dataclass(frozen=True)
class InitialWeights:
    """What a training takes from weights of another origin.

    :param file: where they are; None for a training that has gone beyond them, whose checkpoint holds all.
    :param digest: SHA-256 of the file.
    :param is_partial: whether what fits is taken and the rest is drawn, as ``weights=`` of the recipe says.
    :param joined: all that a network of several side by side starts from, in the place of a file.
    :param moments: the normalisation that belongs to them, as it was recorded; None where the file is still read.
    """

    file: StartingWeights | None
    digest: str
    moments: Moments | None = None
    is_partial: bool = False
    joined: JoinedWeights | None = None

    def fill(self, network: nn.Module, channels: int) -> Moments | None:
        """Puts the weights into the network; the mean and deviation of the pictures that they were trained on."""
        if self.joined is not None:
            self.joined.fill(network)
            # Its members each normalise for themselves.
            return (0.0,) * channels, (1.0,) * channels
        if self.file is not None and self.is_partial:
            take_what_fits(network, self.file)
            stored = stored_moments(self.file.path)
            return None if stored is None else for_channels(stored, channels)
        if self.file is None or not isinstance(network, Backbone):
            return self.moments
        models.load_into(network, self.file)
        return models.moments_for(network, self.file, channels)

    def record(self, recipe: Recipe, classifier: Classifier) -> dict[str, Any]:
        """What ``run.json`` keeps, so that the run can go on without the file."""
        is_theirs = recipe.normalize == OF_WEIGHTS
        moments = {"mean": list(classifier.mean), "std": list(classifier.std)} if is_theirs else {}
        model = recipe.model.parsed
        named = recipe.weights or (model.weights if isinstance(model, ModelSpec) else None)
        return {"named": named, "sha256": self.digest} | moments


def seen_at_another_size(recipe: Recipe, classifier: Classifier) -> str | None:
    """What to say where a network sees pictures of another size than its weights were trained on, and nobody said so.

    :return: a sentence with what to add to the recipe; None where there is nothing to say.
    """
    model = recipe.model.parsed
    bound = model.bound if isinstance(model, ModelSpec) and models.are_published(model.weights) else None
    if not isinstance(bound, BoundCall) or bound.arguments.get("size") != "auto":
        return None
    side, resize = models.native_side(bound), getattr(classifier.network, "resize", None)
    seen = (resize.height, resize.width) if isinstance(resize, Resize) else classifier.shape[1:]
    if tuple(seen) == (side, side):
        return None
    reading = recipe.data.parsed
    has_size = not isinstance(reading, GivenInPython) and "size" in reading.arguments
    once = f"data.size={side} data.resampling=bicubic brings them there, once; " if has_size else ""
    return (
        f"{bound.arguments.get('name', bound.name)} sees pictures of {seen[0]}×{seen[1]}, and its weights were trained "
        f"on {side}×{side}. {once}model.size=native {'does so' if once else 'brings them there'} at each step."
    )


def find_initial_weights(
    recipe: Recipe, dataset: Dataset, objective: Objective, runs: Path, offline: bool
) -> InitialWeights | None:
    """The weights that a recipe or its model names; None where it starts from random ones.

    :param dataset, objective: what an ensemble is to fit that is trained on.
    :raises UsageError: when they cannot be had.
    """
    if recipe.weights is not None:
        own = own_weights(recipe.weights, runs=runs)
        return InitialWeights(own, own.digest, is_partial=True)
    if not isinstance(recipe.model.parsed, ModelSpec):
        return None
    if is_joined(recipe.model.parsed):
        joined = _joined(recipe, recipe.model.parsed, dataset, objective, runs)
        return InitialWeights(None, joined.digest, joined=joined)
    file = models.starting_weights(recipe.model.parsed, offline=offline, runs=runs)
    return None if file is None else InitialWeights(file, file.digest)


def _joined(recipe: Recipe, model: ModelSpec, dataset: Dataset, objective: Objective, runs: Path) -> JoinedWeights:
    """The ensemble that is trained on, which fits the pictures and what is predicted of them."""
    if recipe.normalize != OF_WEIGHTS or recipe.permute is not None:
        key = f"normalize={recipe.normalize}" if recipe.permute is None else f"permute={recipe.permute}"
        raise UsageError(
            f"each member of an ensemble normalises and permutes pixels as it was trained to, and {key} would do so "
            "once more. Leave it out."
        )
    joined = joined_weights(model, objective, dataset.classes, runs=runs)
    if joined.shape != dataset.shape:
        theirs, own = (format_shape(shape) for shape in (joined.shape, dataset.shape))
        raise UsageError(
            f"the members of {joined.named.removeprefix('run:')} take pictures of {theirs}, and those of the data are "
            f"{own}. Bring them to that size, as in data.size={joined.shape[1]}, in as many colours as members were "
            "trained on."
        )
    return joined


def initial_weights_of(
    run: Run, recipe: Recipe, dataset: Dataset, objective: Objective, has_checkpoint: bool, offline: bool
) -> InitialWeights | None:
    """The weights that a run was started from, for going on with it.

    :raises UsageError: when it must begin at them once more, and they are gone or other ones now.
    """
    recorded = run.info.get("weights")
    if recorded is None:
        return None
    if has_checkpoint:
        moments = (tuple(recorded["mean"]), tuple(recorded["std"])) if "mean" in recorded else None
        return InitialWeights(None, recorded["sha256"], moments)
    found = find_initial_weights(recipe, dataset, objective, run.folder.parent, offline)
    if found is None or found.digest != recorded["sha256"]:
        raise UsageError(
            f"the weights that {run.folder} was to start from, {recorded['named']}, are other ones now, and the run "
            "had not come to a checkpoint yet. Put them back, or train the recipe anew: cnnlab train "
            f"{run.folder / 'recipe.yaml'}"
        )
    return found
