"""What is asked of a transfer: its keys, each checked before anything is read or computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal, TypeAlias, get_type_hints

from sklearn.pipeline import Pipeline

from cnnlab.augment import Pipeline as Augmentation
from cnnlab.augment import pipeline
from cnnlab.core.arguments import Count, Fraction, Range, convert, describe_type
from cnnlab.core.errors import SpecError, UsageError, suggestion
from cnnlab.core.registry import BoundCall
from cnnlab.core.sinks import in_short
from cnnlab.core.spec import Call, format_value, read_one, read_value, read_values, split_pairs
from cnnlab.objectives import parse_objective
from cnnlab.transfer.augmented_draws import AugmentedDraw
from cnnlab.transfer.classifiers import read_classifiers
from cnnlab.transfer.extractor import POOLED, FeatureLayer
from cnnlab.transfer.record import Metric, Vary
from cnnlab.transfer.search import Grid, read_grids

Share: TypeAlias = Count | Fraction | None
Whole: TypeAlias = Annotated[int, Range(0)]
OF_THE_RUN = ("name", "device")
"""Keys that say nothing of what is compared; they are taken out before."""
LISTS = ("backbones", "layer", "classifiers", "search")
"""Keys that take several specs, separated by commas."""


@dataclass(frozen=True)
class TransferRequest:
    """The keys of a transfer.

    :param data: as for :func:`cnnlab.load_data`; pictures are brought to the size that a backbone was trained on, by
        bicubic resampling or that of the run whose weights it has, unless ``size`` is given.
    :param backbones: networks with weights; a bare name means its ImageNet weights.
    :param layer: ``pooled``, or layers by name, each a column of its own; a map is averaged over its places, those of
        ``flat(NAME)`` are all kept.
    :param classifiers: specs of these, or ``all``.
    :param search: classifiers with lists of values, tried out by cross-validation inside the training part.
    :param subsample: how many of the training pictures, or which share, a search looks at first.
    :param cv: into how many folds a search divides them.
    :param metric: by which the best is chosen, on validation.
    :param augment: operations on training pictures, as in a recipe; ``views`` is of how many augmented draws of each
        features are made, besides those of the picture itself.
    :param repeats: how often all is done, and ``vary`` what then differs: the ``split``, or only the ``seed`` by which
        classifiers draw.
    :param precision: the number format of features; ``auto`` is the fastest that agrees with float32.
    """

    data: Any
    backbones: Any
    layer: Any = POOLED
    classifiers: Any = "all"
    search: Any = None
    subsample: Share = None
    cv: Annotated[int, Range(2, 100)] = 5
    metric: Metric = "macro_f1"
    objective: str = "classes"
    augment: Any = None
    views: Count = 1
    validation: Whole | Fraction | None = None
    test: Whole | Fraction | None = None
    subset: Share = None
    seed: Whole = 0
    repeats: Annotated[int, Range(1, 1000)] = 1
    vary: Vary = "split"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    parts: "Parts" = field(default=None, init=False)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", Parts.of(self))

    @classmethod
    def read(cls, keys: Mapping[str, Any]) -> "TransferRequest":
        """The request of these keys; those that hold specs may be text, others are values already.

        :raises UsageError: for a key that there is not, or a value that it does not take.
        """
        hints = get_type_hints(cls, include_extras=True)
        names = [each.name for each in fields(cls) if each.init]
        for key in keys:
            if key not in names:
                raise UsageError(f"a transfer has no key {key!r}. {suggestion(key, [*names, *OF_THE_RUN])}")
        for key, example in (("data", "photos.zip"), ("backbones", "efficientnet-lite0")):
            if keys.get(key) is None or (isinstance(keys[key], str) and not keys[key].strip()):
                raise UsageError(f"a transfer needs {key}=, as in {key}={example}.")
        taken = {}
        for key, value in keys.items():
            if key in ("data", "augment") or key in LISTS:
                taken[key] = value
                continue
            try:
                taken[key] = convert(value, hints[key])
            except ValueError:
                raise UsageError(f"{key} takes {describe_type(hints[key])}; got {_shown(value)}.") from None
        return cls(**taken)

    @property
    def draws(self) -> tuple[AugmentedDraw, ...]:
        """The augmented draws of each training picture; the same in every repeat."""
        augment = self.parts.augment
        return () if augment is None else tuple(AugmentedDraw(augment, self.seed, n) for n in range(self.views))

    @property
    def content(self) -> dict[str, Any]:
        """The keys that are not at their default, as plain values, but for the data."""
        own = {each.name: each for each in fields(self) if each.init and each.name != "data"}
        values = {name: getattr(self, name) for name in own if name not in (*LISTS, "augment")}
        plain = {name: value for name, value in values.items() if value != own[name].default}
        layers = ", ".join(map(str, self.parts.layers))
        lists = {
            "augment": None if self.parts.augment is None else self.parts.augment.spec,
            "layer": None if layers == POOLED else layers,
            "classifiers": ", ".join(str(call.short) for call in self.parts.classifiers) or "none",
            "search": ", ".join(str(grid.call) for grid in self.parts.grids) or None,
        }
        return {key: value for key, value in lists.items() if value is not None} | plain


@dataclass(frozen=True)
class Parts:
    """What the specs of a request mean; backbones are for :func:`~cnnlab.transfer.backbones.read_backbones`."""

    backbones: tuple[Any, ...]
    layers: tuple[FeatureLayer, ...]
    classifiers: tuple[BoundCall[Pipeline], ...]
    grids: tuple[Grid, ...]
    augment: Augmentation | None = None

    @classmethod
    def of(cls, request: TransferRequest) -> "Parts":
        """The specs read.

        :raises UsageError: for those that cannot be meant.
        """
        _check_objective(request.objective)
        layers = tuple(FeatureLayer.read(str(item)) for item in listed("layer", request.layer))
        if not layers:
            raise UsageError(f"layer= names none. Take layer={POOLED}, or layers of the backbone by name.")
        grids = tuple(read_grids(listed("search", request.search)))
        # Whoever searches and says nothing of classifiers still wants to see what the search is worth.
        classifiers = listed("classifiers", request.classifiers)
        bound = () if not classifiers and grids else tuple(read_classifiers(classifiers))
        if request.subsample is not None and not grids:
            raise UsageError("subsample= says how many pictures a search looks at first, and search= names none.")
        augment = pipeline(request.augment) if request.augment is not None else None
        if not augment and request.views != 1:
            raise UsageError(
                f"views={request.views} is of how many augmented draws features are made, and augment= names nothing "
                "to draw, such as augment='flip|shift(0.1)'."
            )
        backbones = tuple(listed("backbones", request.backbones))
        return cls(backbones, tuple(dict.fromkeys(layers)), bound, grids, augment or None)


def listed(key: str, value: Any) -> list[Any]:
    """Several specs: a list, or text in which commas separate them.

    :raises UsageError: for text that follows no grammar.
    """
    if value is None:
        return []
    if isinstance(value, str):
        try:
            found = read_values(value) if value.strip().lower() not in ("", "none") else []
        except SpecError as error:
            raise SpecError(f"{key}: {error.reason}", error.text, error.position) from error
        # A list may have its brackets. Each is a spec by itself, into whose own text messages point.
        items = [part for item in found for part in (item if isinstance(item, list) else [item])]
        return [read_one(str(item), key) if isinstance(item, Call) else item for item in items]
    if isinstance(value, Sequence):
        return [part for item in value for part in ([item] if isinstance(item, Call) else listed(key, item))]
    return [value]


def parse_words(words: Sequence[str]) -> dict[str, Any]:
    """``key=value`` words of a command line.

    :raises UsageError: for a word without ``=``, a key given twice, or a value that cannot be read.
    """
    keys: dict[str, Any] = {}
    for key, text in split_pairs(words, "backbones=efficientnet-lite0").items():
        is_text = key in (*LISTS, *OF_THE_RUN, "data", "objective", "augment") or not text.strip()
        keys[key] = text if is_text else _plain(read_value(text))
    return keys


def _plain(value: Any) -> Any:
    """A value of the grammar, a bare word as text."""
    return str(value) if isinstance(value, Call) else value


def _check_objective(spec: str) -> None:
    bound = parse_objective(spec)
    if bound.name != "classes":
        raise UsageError(
            f"objective={bound.name} is not one class out of several, which is what classifiers of scikit-learn are "
            "fitted to here. Leave it out, or name a column of classes: objective=classes(COLUMN). For anything else "
            "train the network itself: cnnlab train model='efficientnet-lite0(weights=imagenet)'."
        )


def _shown(value: Any) -> str:
    try:
        return in_short(format_value(value))
    except TypeError:
        return in_short(repr(value))
