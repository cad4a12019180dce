"""What frozen parts made of a split's pictures, kept in the cache for a run that goes on and for the next one."""

import torch
from torch import nn

from cnnlab.core.digests import digest
from cnnlab.core.feature_cache import FeatureCache
from cnnlab.core.sinks import in_short
from cnnlab.data import ImageSet
from cnnlab.models import Classifier, weights_digest
from cnnlab.models.cutting import Cut
from cnnlab.models.networks import is_built_in, parse_model
from cnnlab.models.shapes import format_shape
from cnnlab.runs.environment import code_digest, processor
from cnnlab.training.execution import Execution

SEMANTICS = 1
"""Raised when the same parts and pictures would be computed otherwise."""
_OF_STEPS = ("workers", "parts", "devices", "sync_batchnorm")
"""What of an execution says nothing of how frozen parts are computed."""


def cache_for(
    classifier: Classifier,
    cut: Cut,
    images: ImageSet,
    *,
    batch: int,
    drawn: tuple[str, int] | None,
    execution: Execution,
) -> FeatureCache | None:
    """Where a split's are kept, a row a picture by its place; None for a network of one's own, whose code may change.

    A training that finds them is to end with the bits of one that does not, and the last digits of a picture's numbers
    hang on the pictures computed with it, on the machine and the program. So these are of one split, with all
    pictures in their order, and of one machine and program; not each picture's own, as those of transfers.

    :param batch: how many pictures are computed at once.
    :param drawn: the augmentation and the seed, where pictures are augmented.
    """
    if not is_built_in(classifier.model):
        return None
    own = {name: value for name, value in execution.to_dict().items() if name not in _OF_STEPS}
    key = {
        "frozen": SEMANTICS,
        "model": classifier.model,
        "layer": cut.layer,
        "weights": _weights_before(classifier.network, cut),
        "input": [list(classifier.shape), list(classifier.mean), list(classifier.std), classifier.permute],
        "images": digest(images.image_digests.tobytes()),
        "batch": batch,
        "drawn": drawn,
        "execution": own,
        "program": [code_digest(), str(torch.__version__)],
        "machine": [processor(), torch.backends.cpu.get_cpu_capability()],
    }
    about = {
        "network": in_short(parse_model(classifier.model).short),
        "layer": cut.layer,
        "size": format_shape(classifier.shape),
        "format": execution.precision if execution.kernels == "torch" else f"{execution.precision}, native kernels",
    }
    return FeatureCache(key, about if drawn is None else {**about, "draw": f"{drawn[0]}, seed {drawn[1]}"})


def _weights_before(network: nn.Module, cut: Cut) -> list[tuple[str, str]]:
    """Of all links that are computed once."""
    # By name: the classifier may be a copy of the one that was cut, such as its moving average.
    named = dict(network.named_modules())
    return [(link.name, weights_digest(named[link.name])) for link in cut.links]
