"""The recipe: everything that determines one training, checked when it is read and frozen afterwards."""

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError, model_validator
from torch.optim import Optimizer

from cnnlab.augment import Pipeline, augmentations
from cnnlab.core.counterparts import values
from cnnlab.core.digests import digest
from cnnlab.core.errors import SpecError, UsageError, in_quotes
from cnnlab.core.given_objects import identity, plain_name
from cnnlab.core.hooks import perturbations
from cnnlab.core.packaged import read_recipe_file
from cnnlab.core.registry import BoundCall
from cnnlab.core.sinks import is_utf8, visible
from cnnlab.core.spec import Call, ParsedSpec
from cnnlab.data.division import BOOTSTRAP, DIVIDING, division, is_drawn
from cnnlab.data.reading import Reading
from cnnlab.data.subset import read_subset
from cnnlab.models import ModelSpec, parse_model
from cnnlab.models.backbone import Moments
from cnnlab.objectives import Objective
from cnnlab.runs.mirrors import Mirror, parse_mirrors
from cnnlab.training.optimizers import check_optimizer
from cnnlab.training.overrides import override
from cnnlab.training.part_selection import TrainedSelection, parse_rates, parse_train
from cnnlab.training.recipe_specs import GivenInPython, parse_spec, parse_specs
from cnnlab.training.schedules import Schedule
from cnnlab.training.unknown_keys import Line, RecipeReader, line_for_key, remedy_for_key

_QUICK = "-quick"
SEMANTICS = 5
"""The version of what a recipe means; raised when the same recipe would train differently."""


def _nothing(value: Any) -> Any:
    return None if isinstance(value, str) and value.strip().lower() in {"", "none", "null"} else value


def _word(value: Any) -> Any:
    return "none" if _nothing(value) is None else value


_MAYBE = BeforeValidator(_nothing)
_TEXT = PlainSerializer(str)
Data: TypeAlias = Annotated[ParsedSpec[BoundCall[Reading] | GivenInPython], _TEXT]
Model: TypeAlias = Annotated[ParsedSpec[ModelSpec | GivenInPython], _TEXT]
Predicted: TypeAlias = Annotated[ParsedSpec[BoundCall[Objective]], _TEXT]
Normalization: TypeAlias = Annotated[ParsedSpec[BoundCall[Moments] | None], _TEXT]
Augmentation: TypeAlias = Annotated[ParsedSpec[Pipeline], _TEXT]
Adversaries: TypeAlias = Annotated[ParsedSpec[tuple[BoundCall[Any], ...]], _TEXT]
OptimizerCall: TypeAlias = Annotated[ParsedSpec[BoundCall[Optimizer]], _TEXT]
RateSchedule: TypeAlias = Annotated[ParsedSpec[BoundCall[Schedule]], _TEXT]
TrainedParts: TypeAlias = Annotated[
    TrainedSelection | None, BeforeValidator(parse_train), PlainSerializer(str, when_used="unless-none")
]
PartRates: TypeAlias = Annotated[Mapping[str, Annotated[float, Field(gt=0)]] | None, BeforeValidator(parse_rates)]
Mirrors: TypeAlias = Annotated[
    ParsedSpec[tuple[BoundCall[Mirror], ...]] | None,
    BeforeValidator(parse_mirrors),
    PlainSerializer(str, when_used="unless-none"),
]
MaybeText = Annotated[str | None, _MAYBE]
MaybeNumber = Annotated[int | None, _MAYBE]
MaybeCount = Annotated[Annotated[int, Field(ge=1)] | None, _MAYBE]
MaybeWorkers = Annotated[Annotated[int, Field(ge=1, le=1024)] | None, _MAYBE]
MaybeDevices = Annotated[Annotated[int, Field(ge=1, le=1024)] | None, _MAYBE]
MaybePositive = Annotated[Annotated[float, Field(gt=0)] | None, _MAYBE]
MaybeDecay = Annotated[Annotated[float, Field(gt=0, lt=1)] | None, _MAYBE]
CountOrShare = Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0, lt=1)]
"""A count of pictures, or a share of them below 1."""
MaybeCountOrShare = Annotated[CountOrShare | None, _MAYBE]
MaybeSubset = Annotated[CountOrShare | str | None, BeforeValidator(lambda value: read_subset(_nothing(value)))]
Balance = Annotated[Literal["none", "weights", "sampler"], BeforeValidator(_word)]
EpochNumber = Annotated[int, Field(ge=0)]
"""An epoch by its number from 1; 0 is before the first."""


class _Strict(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, arbitrary_types_allowed=True
    )


class Phase(_Strict):
    """A stretch of training under one optimiser; unset values are those of the recipe."""

    augment: Augmentation = parse_spec("augment", "none")
    adversary: Adversaries = parse_spec("adversary", "none")
    optimizer: OptimizerCall = parse_spec("optimizer", "adamw(lr=1e-3)")
    schedule: RateSchedule = parse_spec("schedule", "one-cycle")
    batch_size: int = Field(256, ge=1)
    epochs: MaybeCount = None
    steps: MaybeCount = None
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0)
    clip_gradient: MaybePositive = None
    clip_weights: MaybePositive = None
    train: TrainedParts = None
    rates: PartRates = None
    layer_decay: MaybeDecay = None
    unfreeze: MaybePositive = None
    norms: Literal["eval", "train", "fixed"] = "eval"
    views: MaybeCount = None

    @model_validator(mode="before")
    @classmethod
    def _parse_specs(cls, content: Any) -> Any:
        """Every spec, once: what is made of it here is handed on."""
        return parse_specs(content)

    def digested(self) -> dict[str, Any]:
        """What a recipe's digest takes of it: every value that is not its key's default.

        So a key that is added later, and stands at its default, changes no digest that is on record.
        """
        content = self.model_dump(mode="json", exclude_defaults=True, exclude=_UNDIGESTED)
        return content | {key: identity(content[key]) for key in ("optimizer",) if key in content}

    @model_validator(mode="after")
    def _one_length(self) -> "Phase":
        if self.epochs is not None and self.steps is not None:
            raise UsageError("epochs and steps both say how long to train; keep one of the two.")
        check_optimizer(self.optimizer.parsed, self.weight_decay, self.schedule)
        if (self.rates or self.layer_decay) and self.optimizer.parsed.arguments.get("lr") is None:
            raise UsageError(
                f"{'rates' if self.rates else 'layer_decay'} gives parts of the network learning rates of their own, "
                f"and optimizer={self.optimizer} takes none. Take one that does, such as adam(lr=1e-4)."
            )
        return self


class Recipe(Phase):
    """Everything that determines one training.

    ``normal()`` lists its phases; the digest is over that form. The keys from ``name`` on say how a training is
    carried out or kept and are not digested.
    """

    data: Data
    model: Model = parse_spec("model", "vgg-like")
    objective: Predicted = parse_spec("objective", "classes")
    weights: MaybeText = None
    permute: MaybeNumber = None
    normalize: Normalization = parse_spec("normalize", "dataset")
    subset: MaybeSubset = None
    quick: bool = False
    folds: MaybeCount = None
    fold: MaybeCount = None
    balance: Balance = "none"
    validation: MaybeCountOrShare = None
    test: MaybeCountOrShare = None
    phases: tuple[Mapping[str, Any], ...] = ()
    ema: MaybeDecay = None
    select: MaybeText = None
    patience: MaybeCount = None
    snapshots: tuple[EpochNumber, ...] = ()
    seed: int = Field(0, ge=0)
    parent: MaybeText = None

    name: MaybeText = None
    checkpoint_seconds: float = Field(60.0, ge=0)
    keep_checkpoint: bool = False
    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    compile: bool = False
    threads: MaybeWorkers = None
    workers: MaybeWorkers = None
    kernels: Literal["auto", "native", "torch"] = "auto"
    mirror: Mirrors = None
    devices: MaybeDevices = None
    sync_batchnorm: bool = True

    _normal: tuple[Phase, ...] = ()

    @classmethod
    def read(cls, source: "Recipe | Mapping[str, Any] | str | Path | None" = None, /, **keys: Any) -> "Recipe":
        """A recipe from a YAML file, a mapping or another recipe, with ``keys`` put over it.

        ``recipe:mnist`` stands for the file of one that comes with cnnlab. A dotted key reaches inside a spec:
        ``data.size``, ``augment[1].p``.

        :raises UsageError: naming the key, what it takes and what was given.
        """
        defaults = {key: f.default for key, f in cls.model_fields.items() if isinstance(f.default, str)}
        own = _content(source)
        content = override(own, keys, defaults)
        _refuse_unknown(content, cls.model_fields, "a recipe", own if isinstance(source, str | Path) else ())
        _refuse_other_bytes(content)
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise UsageError(_explain(error)) from error

    @model_validator(mode="before")
    @classmethod
    def _lists_to_tuples(cls, content: Any) -> Any:
        plain = dict(content)
        for key in ("snapshots", "phases"):
            if key in plain:
                value = _nothing(plain[key])
                plain[key] = tuple(value or ()) if value is None or isinstance(value, list) else value
        return plain

    @model_validator(mode="after")
    def _folds_fit(self) -> "Recipe":
        if self.folds is None and self.fold is None:
            return self
        if self.folds is None:
            raise UsageError(f"fold={self.fold} says which fold is held out, and folds= into how many: folds=5.")
        if self.folds < 2:
            raise UsageError(
                "folds=1 leaves nothing to train on: each fold is predicted by a network that was trained on the "
                "others. Take two or more, as in folds=5, or leave it out."
            )
        if self.fold is not None and self.fold > self.folds:
            raise UsageError(f"fold={self.fold} is none of the folds 1 to {self.folds} that folds={self.folds} makes.")
        if self.subset == BOOTSTRAP:
            raise UsageError(
                "folds and subset=bootstrap do not go together: of a picture that was drawn twice, one could be "
                "trained on and the other held out. Take one of the two; a share, as in subset=0.6, goes with folds."
            )
        if self.parent is not None:
            raise UsageError(
                f"folds are trained from the start, and {self.parent} was trained on pictures of every fold already. "
                "Leave folds out, or train the recipe anew with them: cnnlab train."
            )
        return self

    @model_validator(mode="after")
    def _weights_fit(self) -> "Recipe":
        model = self.model.parsed
        named = model.weights if isinstance(model, ModelSpec) else None
        if self.weights is None:
            return self
        if named is not None:
            raise UsageError(
                f"weights to start from are given twice: {named} in model, and weights={self.weights}. Keep one of "
                "the two."
            )
        if self.weights == "imagenet":
            raise UsageError(
                "weights takes those of an earlier run, weights=run:NAME, or a file. ImageNet's belong to a network "
                f"that was trained on it. Write model={in_quotes(_from_imagenet(model))}"
            )
        return self

    @model_validator(mode="after")
    def _phases_fit(self) -> "Recipe":
        if self.phases and (self.epochs or self.steps):
            raise UsageError("with phases, epochs and steps belong inside each phase; take them out of the recipe.")
        shared = {name: getattr(self, name) for name in Phase.model_fields}
        if self.phases:
            self._normal = tuple(self._phase(shared, own, number) for number, own in enumerate(self.phases, start=1))
        else:
            lasts = {} if self.steps else {"epochs": self.epochs or 10}
            # Every value was checked by now.
            self._normal = (Phase.model_construct(**{**shared, **lasts}),)
        return self

    def normal(self) -> tuple[Phase, ...]:
        """The phases in full; a flat recipe is one phase, of ten epochs where nothing is said."""
        return self._normal

    def carried_out(self) -> tuple[Phase, ...]:
        """The phases as they are trained: those of a quick trial are an epoch long each."""
        if not self.quick:
            return self._normal
        return tuple(phase.model_copy(update={"epochs": 1, "steps": None}) for phase in self._normal)

    def _phase(self, shared: dict[str, Any], own: Mapping[str, Any], number: int) -> Phase:
        _refuse_unknown(own, Phase.model_fields, f"phase {number}")
        if ("epochs" in own) == ("steps" in own):
            raise UsageError(f"phase {number} needs to say how long it lasts: either epochs or steps.")
        try:
            return Phase.model_validate(shared | dict(own))
        except ValidationError as error:
            raise UsageError(f"phase {number}: {_explain(error)}") from error

    @property
    def data_options(self) -> dict[str, Any]:
        """How the data is divided, as :func:`cnnlab.load_data` takes it."""
        return division(self.model_dump(include=set(DIVIDING)))

    def digest(self, data_digest: str, start_digest: str | None = None) -> str:
        """What makes two trainings the same: the normal form, the data's content, what it takes over from a parent.

        Paths do not count, nor how the training is carried out.

        :param data_digest: of the data before a seed drew any of it.
        """
        return digest(self.identity(data_digest, start_digest))

    def identity(self, data_digest: str, start_digest: str | None = None) -> dict[str, Any]:
        """What :meth:`digest` is taken over; under ``seed`` the one fact that differs between repeats."""
        own = {key: value for key, value in self.digested().items() if key not in Phase.model_fields}
        if "model" in own:
            own["model"] = identity(self.model_without_weights)
        if "objective" in own:
            own["objective"] = identity(own["objective"])
        if is_drawn(self.subset):
            # What is drawn follows from the data as it was before, from this, and from the seed.
            own["subset"] = self.subset
        phases = [phase.digested() for phase in self.normal()]
        return {
            "semantics": SEMANTICS,
            "data": data_digest,
            "start": start_digest,
            "phases": phases,
            **own,
            "seed": self.seed,
        }

    @property
    def model_without_weights(self) -> str:
        """The canonical spec of the model, without the stored weights that it may start from."""
        model = self.model.parsed
        return str(model.without_weights()) if isinstance(model, ModelSpec) else str(self.model)

    @property
    def title(self) -> str:
        """Its name, or else that of the data and of the model; of a quick trial it says so."""
        model = self.model.parsed
        own = plain_name(model.call) if isinstance(model, GivenInPython) else self.model.name
        title = self.name or f"{self.data.name}-{own}"
        return quick_name(title) if self.quick else title

    def to_dict(self) -> dict[str, Any]:
        """What ``recipe.yaml`` holds: every value that is set, in the order of the design, plain types only."""
        content = self.model_dump(mode="json", exclude_none=True)
        if not self.phases and not self.steps:
            content["epochs"] = self.epochs or 10
        order = ["data", "model", "objective", *Phase.model_fields, *Recipe.model_fields]
        return {key: content[key] for key in dict.fromkeys(order) if content.get(key) not in (None, [])}


# ``validation``, ``test`` and ``subset`` act on the data and are in its digest; ``parent`` and ``weights`` are in that
# of the start. The others say how a training is carried out or kept.
_UNDIGESTED = {"data", "validation", "test", "subset", "phases", "parent", "weights"}
_UNDIGESTED |= {"name", "checkpoint_seconds", "keep_checkpoint"}
_UNDIGESTED |= {"device", "precision", "compile", "threads", "workers", "kernels", "devices", "sync_batchnorm"}
_UNDIGESTED |= {"mirror"}


def _content(source: "Recipe | Mapping[str, Any] | str | Path | None") -> dict[str, Any]:
    if source is None:
        return {}
    if isinstance(source, Recipe):
        return source.to_dict()
    if isinstance(source, Mapping):
        return dict(source)
    return read_recipe_file(source)


def _from_imagenet(model: ModelSpec | GivenInPython) -> str:
    """The spec of a network that starts from ImageNet's weights: this one, that of timm by its name, or another."""
    call = model.calls[0] if isinstance(model, ModelSpec) and len(model.calls) == 1 else None
    text = "efficientnet-lite0(weights=imagenet)"
    if call is None:
        return text
    own = str(Call(call.name, call.args, {**call.kwargs, "weights": "imagenet"}))
    try:
        parse_model(own)
    except SpecError as error:
        return error.corrected or text
    return own


def quick_name(name: str) -> str:
    """What a quick trial of this is called."""
    return name if name.endswith(_QUICK) else f"{name}{_QUICK}"


def check_keys(keys: Iterable[str]) -> None:
    """Refuses keys that are none of a recipe, dotted ones by what they reach into.

    :raises UsageError: naming what was likely meant.
    """
    _refuse_unknown(dict.fromkeys(re.split(r"[.\[]", key)[0] for key in keys), Recipe.model_fields, "a recipe")


def offered_keys() -> list[str]:
    """The keys of a recipe that a person may be pointed to: all but ``adversary`` where there is no adversary."""
    is_there = any(entry.name not in augmentations for entry in perturbations)
    return [key for key in Recipe.model_fields if key != "adversary" or is_there]


def key_remedy(key: str, content: Mapping[str, Any], also: Collection[str] = ()) -> str:
    """What is to be said after «a recipe has no key …», as :func:`~cnnlab.training.unknown_keys.remedy_for_key`."""
    return remedy_for_key(key, content, _reader(Recipe.model_fields), also=also)


def key_line(key: str, value: Any) -> Line | None:
    """How what was given under a key that a recipe has not is said in one; None where that is not known."""
    return line_for_key(key, {key: value}, _reader(Recipe.model_fields))


def _reader(valid: Iterable[str]) -> RecipeReader:
    """How a recipe is read in which a key is none of those that there are."""
    parsed = {key: getattr(field.default, "parsed", None) for key, field in Recipe.model_fields.items()}
    bound = {key: getattr(value, "bound", value) for key, value in parsed.items()}
    defaults = {key: str(call.short) for key, call in bound.items() if isinstance(call, BoundCall)}
    return RecipeReader(Recipe.read, set(valid) & set(offered_keys()), defaults)


def _refuse_unknown(content: Mapping[str, Any], valid: Iterable[str], what: str, in_file: Collection[str] = ()) -> None:
    """Refuses keys that are none, telling what was likely meant, of those in a file as it is written there."""
    unknown = [str(key) for key in content if key not in valid]
    if not unknown:
        return
    cut = [key for key, value in content.items() if isinstance(value, str) and value.count("(") > value.count(")")]
    closing = [place for place, key in enumerate(unknown) if ")" in key]
    if cut and closing:
        whole = ", ".join([content[cut[0]], *unknown[: closing[0] + 1]])
        raise UsageError(
            f"{cut[0]}: {content[cut[0]]} has a parenthesis that is never closed, because YAML splits an unquoted "
            f'text at its comma. Put the whole value in quotes: {cut[0]}: "{whole}".'
        )
    remedy = remedy_for_key(unknown[0], content, _reader(valid), in_file=unknown[0] in in_file)
    raise UsageError(f"{what} has no key {unknown[0]!r}{remedy}")


def _refuse_other_bytes(content: Mapping[str, Any]) -> None:
    """Refuses names of files that are not UTF-8, which no record could hold."""
    for key, value in content.items():
        if not is_utf8(str(value)):
            raise UsageError(
                f"{key}={visible(str(value))} is not UTF-8, and the record of a run is. Rename it, or give it a link "
                "of another name."
            )


_OF_SHARES = "it takes a whole number of pictures, or a share of them, which is at least 0 and less than 1"
_TAKES = {
    "validation": _OF_SHARES,
    "test": _OF_SHARES,
    "subset": "it takes a whole number of pictures, a share of those of train, bootstrap, or what each split keeps, as "
    "in splits(train=1000, test=500)",
    "folds": "it takes a whole number of folds, at least 2",
    "fold": "it takes the number of a fold, from 1",
}


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    key = str(first["loc"][0])
    if first["type"] == "missing":
        return f"the recipe needs {key}, such as {key}=fashion-mnist."
    default = Recipe.model_fields[key].get_default() if key in Recipe.model_fields else None
    reasons = _TAKES.get(key) or _reasons(error, key)
    refused = f"{key} cannot be {first['input']!r}: {reasons} (default: {_shown(default)})."
    meant = [word for word in values.of(first["input"]) if _reader(()).accepts({}, {key: word})]
    return f"{refused} Write {key}='{meant[0]}'" if meant else refused


def _reasons(error: ValidationError, key: str) -> str:
    """What the key takes; where it may be one of two kinds, both."""
    messages = dict.fromkeys(str(e["msg"]) for e in error.errors() if e["loc"][0] == key)
    return ", or ".join(f"{message[:1].lower()}{message[1:]}" for message in messages)


def _shown(default: Any) -> str:
    return "none" if default in (None, ()) else str(default)
