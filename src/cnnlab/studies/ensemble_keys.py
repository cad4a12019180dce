"""The key ``ensemble`` of a study file: settings that are made of others' trainings, and not trained.

::

    ensemble: {trainings: 2}                       # one, called ensemble: of two trainings of every setting
    ensemble:                                      # or several, by name
      committee: {members: {network: [small, large]}, trainings: 2, method: mean}
      stacked: {members: {network: [small, large]}, trainings: 2, method: stacking}

Members are settings, named by their axes as a baseline is; an axis may name several of its values, and ``members`` may
be a list of such. Of each there are ``trainings`` members, with seeds of their own in every repeat.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.spec import format_calls, read
from cnnlab.ensembles.methods import methods

AXIS = "ensemble"
"""Of which ensembles are the values, by name; also what one is called that is given none."""


def _members(value: Any) -> Any:
    """A list of what settings are named by; none stands for all settings."""
    if value is None or value == "all":
        return ()
    return (value,) if isinstance(value, Mapping) else tuple(value) if isinstance(value, list) else value


def _method(value: Any) -> str:
    text = value if isinstance(value, str) else format_calls(read(value))
    return str(methods.bind(text).short)


class EnsembleKeys(BaseModel):
    """What a study file says of one ensemble.

    :param members: settings, each entry by axis a value or a list of values; empty for all.
    :param trainings: of each of these settings, in every repeat.
    :param method: as for ``cnnlab ensemble``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    members: Annotated[tuple[Mapping[str, Any], ...], BeforeValidator(_members)] = ()
    trainings: int = Field(1, ge=1)
    method: Annotated[str, BeforeValidator(_method)] = Field("mean", validate_default=True)

    def choices(self) -> Iterator[dict[str, Any]]:
        """Every combination of values that members are named by, in order; one of no value where all are meant."""
        for entry in self.members or ({},):
            listed = [values if isinstance(values, list | tuple) else [values] for values in entry.values()]
            for values in product(*listed):
                yield dict(zip(entry, values, strict=True))


def by_name(value: Any) -> Any:
    """The ensembles of a study file by their names.

    :raises UsageError: for what is no mapping of keys.
    """
    if value in (None, "", "none"):
        return {}
    if not isinstance(value, Mapping):
        raise UsageError(f"ensemble cannot be {value!r}. It takes {TAKES}.")
    is_one = not value or any(key in EnsembleKeys.model_fields for key in value)
    named = {AXIS: value} if is_one else {str(name): keys for name, keys in value.items()}
    for name, keys in named.items():
        if keys is not None and not isinstance(keys, Mapping):
            raise UsageError(f"ensemble: {name} cannot be {keys!r}. It takes {TAKES}.")
    return {name: {} if keys is None else keys for name, keys in named.items()}


def put_over(given: Any, path: Sequence[str], value: Any) -> dict[str, Any]:
    """What a study file says with one key put over it, as a command line gives it: ``ensemble.trainings=3``.

    :param path: of the key: ``["trainings"]``, or within an ensemble that bears a name ``["committee", "trainings"]``.
    :raises UsageError: for an ensemble that the file does not have.
    """
    result = dict(given) if isinstance(given, Mapping) else {}
    first, *rest = path
    if rest and first not in result:
        raise UsageError(f"this study has no ensemble {first!r}. {suggestion(first, result)}")
    return {**result, first: put_over(result.get(first), rest, value) if rest else value}


TAKES = (
    "members, trainings and method, as in ensemble: {members: {model: [cnn, vgg-like]}, trainings: 2, method: mean}, "
    "or several such by name"
)


Ensembles = Annotated[Mapping[str, EnsembleKeys], BeforeValidator(by_name)]
