"""The study file: what a person writes to ask a question, checked when it is read.

::

    question: Which augmentation helps a small network most?
    name: augmentation                     # the file's name otherwise
    base: {data: cifar10-jpeg, epochs: 5}  # a recipe, its file beside this one, or recipe:mnist
    vary:                                  # axes, each a key of the recipe with its values
      augment: [none, flip, rotate(30)]
      optimizer.lr: {low: 0.01, high: 0.1}         # values with names of their own
      network:                                     # several keys at once, by name
        small: {model: cnn, batch_size: 64}
        large: {model: vgg-like, batch_size: 256}
    design: grid                           # one-at-a-time, zip, leave-one-out, random(trials=…), tpe(trials=…)
    repeats: 3                             # the seeds 0, 1, 2; or a list of seeds; or until(claims, most=10)
    baseline: {augment: none}              # what the others are compared with
    metrics: test_accuracy                 # one or several, the one to judge by first
    claims: [augment='flip' is better than augment='none']
    published: {source: …, metric: test_accuracy, rows: [{augment: none, value: 0.7}]}
    ensemble: {trainings: 2, method: mean} # made of the settings' trainings: see cnnlab.studies.ensemble_keys

In a design that searches, an axis is a space: ``log(1e-4, 1)``, ``uniform(0, 0.5)``, ``int(1, 5)``, ``choice(a, b)``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from cnnlab.core import yaml
from cnnlab.core.counterparts import study_lines
from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.packaged import RECIPE, read_recipe_file
from cnnlab.core.spec import Call, format_calls, read
from cnnlab.studies.catalogue import packaged_name
from cnnlab.studies.designs import designs
from cnnlab.studies.ensemble_keys import TAKES as ENSEMBLE_TAKES
from cnnlab.studies.ensemble_keys import EnsembleKeys, Ensembles, put_over
from cnnlab.studies.python_objects import without_objects
from cnnlab.studies.sequential_repeats import Until, stopping_rules
from cnnlab.training import Recipe, key_line, key_remedy
from cnnlab.training.recipe import quick_name


def _design(value: Any) -> str:
    text = value if isinstance(value, str) else format_calls(read(value))
    return str(designs.bind(text))


def _texts(value: Any) -> Any:
    if _absent(value) is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


def _repeats(value: Any) -> Any:
    """Seeds, or how they are added."""
    if isinstance(value, Call) or (isinstance(value, str) and "(" in value):
        text = value if isinstance(value, str) else format_calls(read(value))
        return str(stopping_rules.bind(text))
    if isinstance(value, str):
        return (value,)
    is_count = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return tuple(range(value)) if is_count else tuple(value) if isinstance(value, list) else value


def _listed(value: Any) -> Any:
    if _absent(value) is None:
        return ()
    return (value,) if isinstance(value, Mapping) else tuple(value) if isinstance(value, list) else value


def _absent(value: Any) -> Any:
    return None if isinstance(value, str) and value.strip().lower() in {"", "none", "null"} else value


def _percent(value: Any) -> Any:
    """A share written as ``72%`` as a number; anything else as it is."""
    if not isinstance(value, str) or not value.strip().endswith("%"):
        return value
    share = float(value.strip().removesuffix("%")) / 100
    if not -1 <= share <= 1:
        raise ValueError("a percentage is of a share, which is no more than 100%")
    return share


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class TableRow(_Strict):
    """One published number; every further key is an axis of the study with the value that it is of.

    :param std: its standard deviation over ``n`` repeats, in the unit of the number.
    :param n: how many repeats it is the mean of; 1 for a single training, which scatters as ours do.
    """

    model_config = ConfigDict(extra="allow")

    value: Annotated[float, BeforeValidator(_percent)]
    label: str | None = None
    note: str | None = None
    std: Annotated[float | None, BeforeValidator(_percent), Field(ge=0)] = None
    n: int | None = Field(None, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _nothing_in_words(cls, content: Any) -> Any:
        # What holds None is left out when a study is written; as an axis of a row it is a value.
        if not isinstance(content, Mapping):
            return content
        return {key: "none" if value is None and key not in ROW_KEYS else value for key, value in content.items()}

    @property
    def axes(self) -> dict[str, Any]:
        """Which setting it is of: value by axis."""
        return dict(self.model_extra or {})


ROW_KEYS = tuple(TableRow.model_fields)


class PublishedTable(_Strict):
    """Published numbers on one metric.

    :param data: what they were measured on, where that is other data than the study's.
    :param not_comparable: why none of them may be compared.
    :param tolerance: a difference up to this counts as reproduced, in the metric's unit.
    :param n: how many repeats each number is the mean of, where its row does not say.
    """

    source: str
    rows: Annotated[tuple[TableRow, ...], BeforeValidator(_listed), Field(min_length=1)]
    metric: str | None = None
    data: str | None = None
    not_comparable: str | None = None
    tolerance: float | None = Field(None, gt=0)
    n: int | None = Field(None, ge=1)


Seeds = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
Repeats = Annotated[Seeds | str, BeforeValidator(_repeats)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]


class StudyFile(_Strict):
    """The content of a study file; see the module for what each key means."""

    question: str
    name: str
    base: Mapping[str, Any]
    vary: Annotated[Mapping[str, Any], Field(min_length=1)]
    design: Annotated[str, BeforeValidator(_design)] = Field("grid", validate_default=True)
    repeats: Repeats = Field(1, validate_default=True)  # type: ignore[assignment]
    baseline: Annotated[Mapping[str, Any] | None, BeforeValidator(_absent)] = None
    metrics: Texts = ()
    claims: Texts = ()
    published: Annotated[tuple[PublishedTable, ...], BeforeValidator(_listed)] = ()
    smallest: float | None = Field(None, gt=0)
    ensemble: Ensembles = {}

    @model_validator(mode="before")
    @classmethod
    def _tried_quickly(cls, content: Any) -> Any:
        """A quick trial of a study has a name of its own, and adds no repeats."""
        base = content.get("base")
        if not isinstance(base, Mapping) or base.get("quick") is not True or not isinstance(content.get("name"), str):
            return content
        changed = {**content, "name": quick_name(content["name"])}
        repeats = _repeats(content.get("repeats"))
        if isinstance(repeats, str):
            changed["repeats"] = stopping_rules.bind(repeats).build().first
        return changed

    @model_validator(mode="after")
    def _sound(self) -> "StudyFile":
        if len(set(self.metrics)) < len(self.metrics):
            raise UsageError("metrics names one twice; leave one of them out.")
        if isinstance(self.repeats, tuple) and len(set(self.repeats)) < len(self.repeats):
            raise UsageError("repeats names a seed twice; each trains once.")
        if "seed" in self.base:
            raise UsageError("seed is what repeats vary; take it out of the base, and give repeats as a list of seeds.")
        rule = self.adds_repeats
        if rule is not None and rule.what == "claims" and not self.claims:
            raise UsageError(
                "repeats: until(claims, …) needs claims to decide; name some, or write until(comparisons, …)."
            )
        return self

    @property
    def is_quick(self) -> bool:
        """Whether it is a quick trial, which answers nothing."""
        return self.base.get("quick") is True

    @property
    def adds_repeats(self) -> Until | None:
        """How repeats are added, where their number is not fixed."""
        return stopping_rules.bind(self.repeats).build() if isinstance(self.repeats, str) else None


def read_study(source: str | Path | Mapping[str, Any], keys: Mapping[str, Any] | None = None) -> StudyFile:
    """A study from its file or from a mapping, with ``keys`` put over it: keys of the study, or of its base.

    :raises UsageError: naming the key, what it takes and what was given.
    """
    content = dict(source) if isinstance(source, Mapping) else _from_file(Path(source))
    _refuse_unknown(content)
    if not isinstance(content.get("vary") or {}, Mapping):
        raise UsageError(_refused("vary", content["vary"]))
    content = without_objects(_overridden(content, keys or {}))
    for key in ("question", "base", "vary"):
        if content.get(key) in (None, "", {}):
            raise UsageError(f"a study needs {key}. {_EXAMPLES[key]}")
    content.setdefault("name", "study")
    try:
        return StudyFile.model_validate(content)
    except ValidationError as error:
        raise UsageError(_explain(error)) from error


_EXAMPLES = {
    "question": "Write it as a person would ask it: question: Which augmentation helps most?",
    "base": "It is the recipe from which everything starts: base: {data: fashion-mnist, epochs: 5}",
    "vary": "It names what varies, with its values: vary: {augment: [none, flip]}",
}


_TAKES = {
    "question": "a sentence, in quotes where it could be taken for a number",
    "name": "a word that can name a folder, in quotes where it could be taken for a number",
    "base": "a recipe, as in base: {data: fashion-mnist, epochs: 5}, the path of one beside the file, or recipe:NAME",
    "vary": "each axis with its values, as in vary: {augment: [none, flip]}",
    "repeats": "how many, at least 1, as in repeats: 3; or a list of seeds from 0, as in repeats: [3, 5]; or as many "
    "as it takes, as in repeats: until(claims, most=10)",
    "baseline": "a value for each axis, as in baseline: {augment: none}",
    "metrics": "the name of a metric, or a list of them, as in metrics: [test_accuracy, test_loss]",
    "claims": "a list of claims in words, each in quotes where YAML would take it for something else",
    "published": "a table with source, metric and rows, or a list of such tables",
    "smallest": "a difference above 0 in the unit of the metric, as 0.005 for half a point of an accuracy",
    "ensemble": ENSEMBLE_TAKES,
}


def _from_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UsageError(
            f"there is no study file {path}. Give a YAML file with question, base and vary, or the name of a study "
            "that was run in this folder of runs."
        )
    content = yaml.read_file(path, "a study")
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no study: it needs the keys question, base and vary.")
    # Of two that come with cnnlab, in folders of their own, the file may have one name.
    content.setdefault("name", (packaged_name(path) or path.stem).replace("/", "-"))
    base = content.get("base")
    if isinstance(base, str):
        content["base"] = _recipe_beside(path, base)
    return content


def _recipe_beside(study: Path, name: str) -> dict[str, Any]:
    if not name.startswith(RECIPE) and not (study.parent / name).is_file():
        raise UsageError(f"{study} names {name} as its base, and there is no such recipe file beside it.")
    return read_recipe_file(name, study.parent)


def _overridden(content: dict[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    result, base = dict(content), _base(keys.get("base", content.get("base")))
    vary = dict(content.get("vary") or {}) if isinstance(content.get("vary"), Mapping) else {}
    for key, value in keys.items():
        if key in StudyFile.model_fields:
            result[key] = value
        elif key.startswith("vary."):
            vary[key.removeprefix("vary.")] = value
        elif key.startswith("ensemble."):
            result["ensemble"] = put_over(result.get("ensemble"), key.removeprefix("ensemble.").split("."), value)
        elif key.removeprefix("base.") in vary:
            axis = key.removeprefix("base.")
            raise UsageError(f"{axis} varies in this study, so {key}=… fixes nothing. Write vary.{axis}=[…] instead.")
        else:
            _refuse_stray(key, value, base)
            base[key.removeprefix("base.")] = value
    return {**result, "base": base, "vary": vary or result.get("vary")}


def _base(given: Any) -> dict[str, Any]:
    """The keys of the base: as they are, from a recipe's file, or none yet."""
    if given in (None, ""):
        return {}
    if not isinstance(given, str | Mapping):
        raise UsageError(_refused("base", given))
    return read_recipe_file(given) if isinstance(given, str) else dict(given)


def _refuse_stray(key: str, value: Any, base: Mapping[str, Any]) -> None:
    root = key.removeprefix("base.").partition(".")[0].partition("[")[0]
    if root not in Recipe.model_fields:
        remedy = _said_here(root) or key_remedy(root, {**base, root: value}, also=StudyFile.model_fields)
        raise UsageError(f"neither a study nor its base has the key {key!r}{remedy}")


def _said_here(key: str) -> str | None:
    """What to write for a key of a study that is called otherwise elsewhere."""
    line = study_lines.best(key)
    return None if line is None else f". Did you mean {line.partition(':')[0]}? Write {line}"


def _refuse_unknown(content: Mapping[str, Any]) -> None:
    strays = [key for key in content if key not in StudyFile.model_fields]
    if not strays:
        return
    # YAML has keys that are no text, of which null is one.
    key, value = str(strays[0]), content[strays[0]]
    remedy = _said_here(key)
    if key in Recipe.model_fields:
        remedy = f": it is one of its base. Write base: {{{key}: {value}}}"
    elif remedy is None and (line := key_line(key, value)) is not None:
        remedy = f": it is one of its base, and called {line.key} there. Write base: {{{line.key}: {line.in_yaml}}}"
    raise UsageError(f"a study has no key {key!r}{remedy or f'. {suggestion(key, StudyFile.model_fields)}'}")


def _explain(error: ValidationError) -> str:
    # A misspelt key is missing under its right name too; what was written says more.
    first = min(error.errors(), key=lambda detail: detail["type"] != "extra_forbidden")
    if "rows" in first["loc"]:
        return _explain_row(first)
    place = [str(part) for part in first["loc"] if not isinstance(part, int)]
    key = place[0] if place else "the study"
    if first["type"] == "extra_forbidden":
        inner: Mapping[str, type[BaseModel]] = {"published": PublishedTable, "ensemble": EnsembleKeys}
        valid = inner.get(key, StudyFile).model_fields
        return f"{key} has no key {place[-1]!r}. {suggestion(place[-1], valid)}"
    if first["type"] == "missing":
        return f"{key} needs {place[-1]}."
    # Repeats may be of two types, each of which says why it is neither.
    if key in _TAKES and (len(place) < 2 or key == "repeats"):
        return _refused(key, first["input"])
    message = str(first["msg"])
    return f"{'.'.join(dict.fromkeys(place)) or key} cannot be {first['input']!r}: {message[:1].lower()}{message[1:]}."


def _explain_row(error: Mapping[str, Any]) -> str:
    """Of what is wrong within the rows of a published table; they are counted from 1."""
    inner = error["loc"][error["loc"].index("rows") + 1 :]
    if not inner:
        takes = "the numbers of the table, one at least, as in [{augment: flip, value: 0.72}]"
        return f"published: rows cannot be {error['input']!r}. It takes {takes}."
    what, key = f"published: row {inner[0] + 1}", inner[1] if len(inner) > 1 else ""
    if error["type"] == "missing":
        return f"{what} needs a {key}. It takes {_ROW_TAKES[key]}."
    if key not in _ROW_TAKES:
        return (
            f"{what} cannot be {error['input']!r}. It takes an axis and a value, as in {{augment: flip, value: 0.72}}."
        )
    return f"{what}: {key} cannot be {error['input']!r}. It takes {_ROW_TAKES[key]}."


_ROW_TAKES = {
    "value": "a number, such as 0.72, or a percentage up to 100%",
    "label": "a name, in quotes where it could be taken for a number",
    "note": "a remark in words, in quotes where it could be taken for a number",
    "std": "the standard deviation over n repeats, a number from 0 in the unit of the value",
    "n": "how many repeats the value is the mean of, a count from 1",
}


def _refused(key: str, value: Any) -> str:
    return f"{key} cannot be {value!r}. It takes {_TAKES[key]}."


def spec_text(value: Any) -> Any:
    """A value as the grammar of specs gave it, calls as text."""
    if isinstance(value, Call):
        return str(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [spec_text(part) for part in value]
    return value
