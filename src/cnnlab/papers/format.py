"""What the files of a paper hold: ``paper.yaml``, and one file for each table or figure, an entry.

An entry is a study file, or a row of commands, with keys of its own over it::

    place: Figure 20                 # where it stands in the paper
    title: Optimisers
    about: …                         # what the paper did there, what it found, what it left unclear
    scales:                          # keys put over the rest at each scale
      smoke: {epochs: 1, subset: 200}
      laptop: {epochs: 4, subset: 10000}
      full: {}
    deviations: {all: […], laptop: […]}
    recomputed: [{what: …, reported: 0.0117, sd: [0.876, 0.88]}]
    needs: [vgg16]                   # weights that the scale full asks for
    timed: true                      # one training at a time, so that times can be compared
    not_comparable: other data       # for all scales, or by scale
    claims: [{says: …, judged: …}]
    published: [{metric: …, rows: […]}]
"""

import math
import re
import statistics
from collections.abc import Callable, Mapping, Sequence, Sized
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from cnnlab.core import yaml
from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.number_text import plain_number
from cnnlab.core.packaged import PAPER

File = TypeVar("File", bound=BaseModel)
Scale = Literal["smoke", "laptop", "full"]
SCALES: tuple[Scale, ...] = ("smoke", "laptop", "full")
Kind = Literal["study", "commands", "transfer"]
_KINDS: Mapping[str, Kind] = {"vary": "study", "commands": "commands", "transfer": "transfer"}
"""The key that only an entry of that kind has."""
_ENTRY_NAME = re.compile(r"[^/\\._][^/\\]*(?<!\.yaml)")


def _texts(value: Any) -> Any:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


def _by_scale(value: Any) -> Any:
    """What is said for all scales, or for each of them."""
    return {"all": value} if isinstance(value, str | list) else value or {}


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, Mapping) else tuple(value) if isinstance(value, list) else value or ()


Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
TextsByScale = Annotated[Mapping[Literal["all", "smoke", "laptop", "full"], Texts], BeforeValidator(_by_scale)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


_WORKED_OUT: Mapping[str, tuple[str, Callable[[Sequence[float]], float]]] = {
    "sd": ("standard deviation", statistics.stdev),
    "mean": ("mean", statistics.fmean),
    "sum": ("sum", math.fsum),
    "product": ("product", math.prod),
    "ratio": ("ratio", lambda numbers: numbers[0] / numbers[1]),
    "difference": ("difference", lambda numbers: numbers[0] - numbers[1]),
}


class Recomputed(_Strict):
    """What numbers of the paper come to, beside what it says of that.

    :param reported: None where it says nothing.
    """

    what: str
    reported: float | None = None
    note: str = ""
    sd: tuple[float, ...] | None = None
    mean: tuple[float, ...] | None = None
    sum: tuple[float, ...] | None = None
    product: tuple[float, ...] | None = None
    ratio: tuple[float, ...] | None = None
    difference: tuple[float, ...] | None = None

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, content: Any) -> Any:
        if not isinstance(content, Mapping):
            return content
        return {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}

    @model_validator(mode="after")
    def _one_way(self) -> "Recomputed":
        ways = [name for name in _WORKED_OUT if getattr(self, name) is not None]
        if len(ways) != 1:
            raise UsageError(f"recomputed: {self.what}: give one of {', '.join(_WORKED_OUT)} with the numbers of it.")
        count = len(getattr(self, ways[0]))
        if count < 2 or (ways[0] in ("ratio", "difference") and count != 2):
            raise UsageError(
                f"recomputed: {self.what}: {ways[0]} takes {'two' if count > 2 else 'two or more'} numbers."
            )
        if ways[0] == "ratio" and not getattr(self, ways[0])[1]:
            raise UsageError(f"recomputed: {self.what}: nothing can be divided by 0.")
        return self

    @property
    def how(self) -> str:
        """What it is worked out as, and of which numbers."""
        way = next(name for name in _WORKED_OUT if getattr(self, name) is not None)
        return f"{_WORKED_OUT[way][0]} of {', '.join(map(plain_number, getattr(self, way)))}"

    @property
    def value(self) -> float:
        """What it comes to."""
        way = next(name for name in _WORKED_OUT if getattr(self, name) is not None)
        return _WORKED_OUT[way][1](getattr(self, way))


class PaperClaim(_Strict):
    """What the paper asserts, and the rule by which that is judged; every further key is one of ``each``.

    :param judged: claims as a study takes them, or of numbers of commands; all must hold.
    :param contradicted_by: in the place of that, rules of which all must hold for the claim to be wrong.
    :param not_judged: why no number could decide it, in the place of a rule.
    :param not_judged_at: by scale, why what is measured there decides nothing: a level that takes more pictures, say.
        In the place of a reason, one verdict that it would be wrong to give there, with the reason: that a small
        training learns nothing tells nothing of a large one, and that it learns refutes that nothing is learned.
    """

    model_config = ConfigDict(extra="allow")

    says: str
    judged: Texts = ()
    contradicted_by: Texts = ()
    not_judged: str | None = None
    not_judged_at: Mapping[Scale, str | Mapping[Literal["supported", "contradicted"], str]] = {}

    @model_validator(mode="after")
    def _either(self) -> "PaperClaim":
        if sum(map(bool, (self.judged, self.contradicted_by, self.not_judged))) != 1:
            raise UsageError(f"claims: {self.says!r} needs judged: with its rule, or not_judged: with the reason.")
        return self

    @property
    def rules(self) -> tuple[str, ...]:
        """By which it is judged, whichever way."""
        return self.judged or self.contradicted_by

    def at(self, scale: Scale) -> "PaperClaim":
        """As it stands at a scale. Its rules stay, and count where many are judged at once: that it tells nothing there
        may have been found by looking.
        """
        reason = self.not_judged_at.get(scale)
        return self.model_copy(update={"not_judged": reason}) if isinstance(reason, str) else self

    def withheld(self, scale: Scale, verdict: str) -> str | None:
        """Why a verdict would be wrong to give at a scale, where it would."""
        reasons = self.not_judged_at.get(scale)
        return reasons.get(verdict) if isinstance(reasons, Mapping) else None  # type: ignore[call-overload]

    def is_of(self, part: Mapping[str, Any]) -> bool:
        """Whether it is about this part of its entry."""
        return all(part.get(key) == value for key, value in (self.model_extra or {}).items())


class _ScaleClaims(_Strict):
    claims: Annotated[tuple[PaperClaim, ...], BeforeValidator(_listed)]


class _ScaleStandIns(_Strict):
    stand_ins: Mapping[str, str]


class EntryFile(_Strict):
    """The content of an entry's file; see the module for its keys. The rest is what is run."""

    model_config = ConfigDict(extra="allow")

    place: str
    title: str
    about: str
    scales: Mapping[Scale, Mapping[str, Any] | None]
    deviations: TextsByScale = {}
    recomputed: Annotated[tuple[Recomputed, ...], BeforeValidator(_listed)] = ()
    needs: Texts = ()
    is_timed: Annotated[bool, Field(alias="timed")] = False
    not_comparable: TextsByScale = {}
    each: Mapping[str, tuple[Any, ...]] = {}
    claims: Annotated[tuple[PaperClaim, ...], BeforeValidator(_listed)] = ()
    published: Annotated[tuple[Mapping[str, Any], ...], BeforeValidator(_listed)] = ()

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, content: Any) -> Any:
        if isinstance(content, Mapping) and isinstance(content.get("each"), Mapping):
            lists = {key: tuple(v) if isinstance(v, list) else v for key, v in content["each"].items()}
            return {**content, "each": lists}
        return content

    @model_validator(mode="after")
    def _sound(self) -> "EntryFile":
        _ = self.kind
        if len(self.each) > 1:
            raise UsageError("each takes one key, with the values that a study is made for.")
        if missing := [scale for scale in SCALES if scale not in self.scales]:
            raise UsageError(f"scales lacks {', '.join(missing)}; write {missing[0]}: {{}} where nothing is put over.")
        for claim in (claim for scale in SCALES for claim in self.claims_at(scale)):
            self._refuse_strays(claim)
        for scale in ("laptop", "full"):
            for key, value in self.keys_at(scale).items():
                if self._leaves_out(key, value):
                    raise UsageError(f"scales: {key} at {scale} would leave settings out, which only smoke may.")
        return self

    def _refuse_strays(self, claim: PaperClaim) -> None:
        """A claim of no part of the entry would be judged nowhere."""
        for key, value in (claim.model_extra or {}).items():
            if key not in self.each:
                known = [*PaperClaim.model_fields, *self.each]
                raise UsageError(f"claims: {claim.says!r} has no key {key!r}. {suggestion(key, known)}")
            if value not in self.each[key]:
                there = suggestion(str(value), list(map(str, self.each[key])))
                raise UsageError(f"claims: {claim.says!r}: each has no {key} {value!r}. {there}")

    def _leaves_out(self, key: str, value: Any) -> bool:
        """Whether a key put over the entry has fewer settings compared than the entry has."""
        axes = self.content.get("vary")
        axis = axes.get(key.removeprefix("vary.")) if isinstance(axes, Mapping) else None
        if isinstance(axis, Sized) and key.startswith("vary."):
            return not isinstance(value, Sized) or len(value) < len(axis)
        return key in ("vary", "design", "each")

    @property
    def kind(self) -> Kind:
        """What it is beside an entry."""
        kinds = [kind for key, kind in _KINDS.items() if key in (self.model_extra or {})]
        if len(kinds) != 1:
            raise UsageError("an entry needs vary:, as a study has, or commands:, or transfer:.")
        return kinds[0]

    @property
    def takes_data(self) -> bool:
        """Whether another data set may be put in the place of its own."""
        return self.kind != "commands" or "data" in self.content

    @property
    def content(self) -> dict[str, Any]:
        """What is run: keys of a study, or of commands."""
        return dict(self.model_extra or {})

    def keys_at(self, scale: Scale) -> dict[str, Any]:
        """What is put over what is run at a scale."""
        return {key: value for key, value in (self.scales[scale] or {}).items() if key not in ("claims", "stand_ins")}

    def stand_ins_at(self, scale: Scale) -> Mapping[str, str]:
        """By what the paper names, such as a backbone, what stands in for it at a scale."""
        stand_ins = (self.scales[scale] or {}).get("stand_ins", {})
        return _ScaleStandIns.model_validate({"stand_ins": stand_ins}).stand_ins

    def claims_at(self, scale: Scale) -> tuple[PaperClaim, ...]:
        """The claims, or those that a scale has in their place, as where other backbones stand in."""
        own = (self.scales[scale] or {}).get("claims")
        claims = self.claims if own is None else _ScaleClaims.model_validate({"claims": own}).claims
        return tuple(claim.at(scale) for claim in claims)

    def at(self, said: Mapping[Any, tuple[str, ...]], scale: Scale) -> tuple[str, ...]:
        """Of deviations or reasons, those of this scale."""
        return (*said.get("all", ()), *said.get(scale, ()))


class PaperFile(_Strict):
    """The content of ``paper.yaml``."""

    title: str
    authors: str
    year: int | None = None
    source: str
    licence: str
    data: str
    about: str
    entries: Annotated[Texts, Field(min_length=1)]
    unclear: Texts = ()
    references: Texts = ()

    @model_validator(mode="after")
    def _sound(self) -> "PaperFile":
        for name in self.entries:
            if self.entries.count(name) > 1:
                raise UsageError(f"entries names {name!r} twice; leave one of them out.")
            if not _ENTRY_NAME.fullmatch(name):
                raise UsageError(f"entries: {name!r} is no name of an entry. Write that of its file without .yaml.")
        return self


def read_paper_file(folder: Path) -> PaperFile:
    """``paper.yaml`` of a folder.

    :raises UsageError: naming the key, and what is wrong with it.
    """
    path = folder / PAPER
    return _read(PaperFile, _mapping(path, "a paper"), path)


def read_entry_file(path: Path) -> EntryFile:
    """The file of an entry.

    :raises UsageError: naming the key, and what is wrong with it.
    """
    if not path.is_file():
        others = sorted(other.stem for other in path.parent.glob("[!_]*.yaml") if other.name != PAPER)
        raise UsageError(
            f"there is no {path}, which entries of {path.parent / PAPER} names. Write it, or take the name out. "
            f"{suggestion(path.stem, others) if others else ''}"
        )
    return _read(EntryFile, _mapping(path, "an entry of a paper"), path)


def _mapping(path: Path, what: str) -> dict[str, Any]:
    content = yaml.read_file(path, what)
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no {what.split(' ', 1)[1]}: it needs lines such as 'title: Optimisers'.")
    return content


def _read(kind: type[File], content: dict[str, Any], path: Path) -> File:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise UsageError(f"{path}: {explained(error, kind)}") from error
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


_INNER: Mapping[str, type[BaseModel]] = {"recomputed": Recomputed, "claims": PaperClaim}
_TAKES = {
    "tuple_type": "write a list, each on a line of its own after a dash",
    "dict_type": "write keys with their values, as in key: value",
    "model_type": "write keys with their values, as in key: value",
    "string_type": "write text, in quotes where it could be taken for something else",
    "too_short": "name one at least",
}


def explained(error: ValidationError, kind: type[BaseModel], inner: Mapping[str, type[BaseModel]] = _INNER) -> str:
    """What is wrong with the content of a file, in a sentence.

    :param inner: the models of what stands under a key.
    """
    # A misspelt key is missing under its right name too; what was written says more.
    first = min(error.errors(), key=lambda detail: detail["type"] != "extra_forbidden")
    parts = [str(part) for part in first["loc"] if part != "[key]"]
    place, message = ".".join(parts), str(first["msg"])
    if first["type"] == "extra_forbidden":
        fields = (inner.get(parts[0], kind) if len(parts) > 1 else kind).model_fields
        known = [field.alias or name for name, field in fields.items()]
        return f"there is no key {place!r}. {suggestion(parts[-1], known)}"
    if first["type"] == "missing":
        return f"it needs {place}."
    said = _TAKES.get(first["type"], f"{message[:1].lower()}{message[1:]}")
    return f"{place} cannot be {first['input']!r}: {said}."
