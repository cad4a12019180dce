"""What is given in Python as an object: data as arrays or torch datasets, a network as a module or its maker."""

import copy
import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from cnnlab import data
from cnnlab.core.digests import canonical_json, digest
from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.core.seeds import scope
from cnnlab.core.spec import Call
from cnnlab.models import evaluating
from cnnlab.training.recipe_specs import is_in_python

NetworkMaker = Callable[[], nn.Module]
_kept: ContextVar[MutableMapping[str, data.Dataset] | None] = ContextVar("kept", default=None)


@dataclass(frozen=True)
class PythonObjects:
    """Objects that a recipe stands for by their digests."""

    data: Any = None
    maker: NetworkMaker | None = None


def extract_objects(recipe: Any, keys: Mapping[str, Any]) -> tuple[Any, dict[str, Any], PythonObjects]:
    """A recipe that is not a mapping, the keys of one that is with ``keys`` put over it, and the objects among them.

    The keys come back with every object replaced by a spec that names it.
    """
    if isinstance(recipe, Mapping):
        recipe, keys = None, {**recipe, **keys}
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in keys.items()}
    given = PythonObjects()
    if not _is_plain(plain.get("data")):
        given = PythonObjects(data=plain.pop("data"))
        plain["data"] = "arrays"
    if not _is_plain(plain.get("model")):
        module = plain.pop("model")
        given = PythonObjects(given.data, _maker(module))
        plain["model"] = str(Call("module", (), {"name": _name(module), "digest": _digest(module)}))
    return recipe, plain, given


def load_recipe_data(recipe_data: str, given: PythonObjects, **options: Any) -> data.Dataset:
    """The data set that a recipe names, or the object that was given for it."""
    if not is_in_python(recipe_data):
        return _named(recipe_data, options)
    if given.data is None:
        raise UsageError(
            "this recipe was trained on arrays given in Python, which its record does not hold. "
            "Give them again: cnnlab.resume(run, data=…)."
        )
    return data.load_data(given.data, **options)


@contextmanager
def sharing_datasets(sets: MutableMapping[str, data.Dataset]) -> Iterator[None]:
    """A block in which a data set is loaded once, for whoever trains many times on the same.

    :param sets: by :func:`data_key`; those in it are taken from there, others are put into it.
    """
    token = _kept.set(sets)
    try:
        yield
    finally:
        _kept.reset(token)


def data_key(recipe_data: str, options: Mapping[str, Any]) -> str:
    """What tells a data set in the splits of a recipe apart from others."""
    return canonical_json([recipe_data, *(options.get(key) for key in ("validation", "test", "subset"))])


def make_network(name: str, given: PythonObjects) -> nn.Module:
    """The network of a recipe whose model was given in Python."""
    if given.maker is None:
        raise UsageError(
            f"the model {name} was given in Python, and a record holds no code. Give it again: model=… in Python."
        )
    return given.maker()


def check_network(network: nn.Module, shape: tuple[int, int, int], outputs: int) -> None:
    """Tries a module given in Python on two blank pictures.

    :raises UsageError: when it fails or its output has another width than the objective wants.
    """
    pixels = torch.zeros(2, *shape)
    try:
        with evaluating(network), torch.no_grad():
            result = network(pixels)
    except CnnlabError:
        raise
    except Exception as error:
        raise UsageError(f"the model fails on pictures of {_text(shape)}: {error}") from error
    if not isinstance(result, Tensor) or tuple(result.shape) != (2, outputs):
        found = "×".join(map(str, result.shape)) if isinstance(result, Tensor) else type(result).__name__
        raise UsageError(
            f"the model must turn N pictures of {_text(shape)} into a tensor N×{outputs}; for N=2 it gave {found}."
        )


def _named(recipe_data: str, options: Mapping[str, Any]) -> data.Dataset:
    sets = _kept.get()
    if sets is None:
        return data.load_data(recipe_data, **options)
    key = data_key(recipe_data, options)
    if key not in sets:
        sets[key] = data.load_data(recipe_data, **options)
    return sets[key]


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(part, str | Mapping) for part in value)
    return value is None or isinstance(value, str) or (isinstance(value, Mapping) and "name" in value)


def _maker(module: Any) -> NetworkMaker:
    if isinstance(module, nn.Module):
        _check_weights(module)
        return lambda: copy.deepcopy(module)
    if callable(module):
        return _checked(module)
    raise UsageError(f"model takes a spec, an nn.Module or a function that makes one; got {type(module).__name__}.")


def _checked(make: Callable[[], Any]) -> NetworkMaker:
    def made() -> nn.Module:
        network = _called(make)
        if not isinstance(network, nn.Module):
            raise UsageError(f"the function given as model made a {type(network).__name__}, not an nn.Module.")
        _check_weights(network)
        return network

    return made


def _called(make: Callable[[], Any]) -> Any:
    name = _name(make)
    try:
        inspect.signature(make).bind()
    except TypeError as error:
        raise UsageError(
            f"the function given as model is called without arguments, and {name} wants some ({error}). Wrap it, as in "
            "model=lambda: Net(32)."
        ) from error
    except ValueError:
        # Written in another language, it tells nothing of its arguments.
        pass
    try:
        return make()
    except CnnlabError:
        raise
    except Exception as error:
        raise UsageError(f"the function given as model, {name}, fails: {type(error).__name__}: {error}") from error


def _check_weights(network: nn.Module) -> None:
    lazy = [name for name, weights in network.named_parameters() if isinstance(weights, UninitializedParameter)]
    if lazy:
        raise UsageError(
            f"the shape of {lazy[0]} is not known yet: call the model once on a batch of pictures, and give it then."
        )
    if not any(weights.requires_grad for weights in network.parameters()):
        raise UsageError("the model has no parameter that requires a gradient, so there is nothing to train.")


def _name(module: Any) -> str:
    kind = type(module) if isinstance(module, nn.Module) else module
    return str(getattr(kind, "__name__", type(kind).__name__))


def _digest(module: Any) -> str:
    """Of structure, source where it can be had, and initial weights; the recipe's own seed does not enter."""
    with scope(0, "digest"):
        network = _maker(module)()
    content = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        content.update(name.encode())
        content.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    kinds = {type(part) for part in network.modules() if not type(part).__module__.startswith("torch.")}
    source = sorted(_source(kind) for kind in kinds)
    return digest([content.hexdigest(), repr(network), *source])[:16]


def _source(kind: type) -> str:
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):
        return kind.__qualname__


def _text(shape: tuple[int, int, int]) -> str:
    return "×".join(map(str, shape))
