"""How pixels are shifted and scaled before the network sees them; kept inside the classifier."""

from cnnlab import data
from cnnlab.core.arguments import Positive
from cnnlab.core.errors import UsageError
from cnnlab.core.registry import BoundCall, Registry
from cnnlab.core.spec import read
from cnnlab.models.backbone import Moments

normalizations: Registry[Moments] = Registry("normalization", given=("images", "own"))

IMAGENET: Moments = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
OF_WEIGHTS = "weights"
"""The normalization with which the weights were trained that a model starts from; the default for such a model."""


def parse_normalization(spec: object) -> BoundCall[Moments] | None:
    """The normalization that a spec means; None where pixels stay as they are."""
    if isinstance(spec, BoundCall):
        return spec
    calls = read(spec)
    return normalizations.bind(calls) if calls else None


def moments(spec: object, images: data.ImageSet, own: Moments | None = None) -> Moments:
    """The mean and standard deviation that ``spec``, as text or parsed, means for these training pictures.

    :param own: those of the pictures on which the weights were trained that the model starts from.
    """
    channels, bound = images.shape[0], parse_normalization(spec)
    if bound is None:
        return (0.0,) * channels, (1.0,) * channels
    mean, std = bound.build(images=images, own=own)
    if len(mean) != channels or len(std) != channels:
        raise UsageError(f"normalize={bound} has {len(mean)} means and {len(std)} deviations for {channels} channels.")
    return mean, std


@normalizations.register("dataset")
def dataset(images: data.ImageSet, own: Moments | None) -> Moments:
    """The moments of the training pictures themselves; a channel that never varies is only shifted."""
    mean, std = data.statistics(images)
    return mean, tuple(s or 1.0 for s in std)


@normalizations.register("imagenet")
def imagenet(images: data.ImageSet, own: Moments | None) -> Moments:
    """The moments of ImageNet; grey pictures take their average over the colours."""
    if images.shape[0] == 3:
        return IMAGENET
    return tuple((sum(values) / 3,) * images.shape[0] for values in IMAGENET)  # type: ignore[return-value]


@normalizations.register(OF_WEIGHTS)
def of_weights(images: data.ImageSet, own: Moments | None) -> Moments:
    """The moments that belong to the weights that the model starts from."""
    if own is None:
        raise UsageError("normalize=weights needs a model that starts from weights, such as alexnet(weights=imagenet).")
    return own


@normalizations.register("numbers")
def numbers(images: data.ImageSet, own: Moments | None, mean: tuple[float, ...], std: tuple[Positive, ...]) -> Moments:
    """Given numbers, one a channel or one for all, of pixels in [0, 1]."""
    channels = images.shape[0]
    return _spread(mean, channels), _spread(std, channels)


def _spread(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    return values * channels if len(values) == 1 else values
