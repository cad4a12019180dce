"""What is given in Python as an object: data as arrays or torch datasets, a network as a module or its maker."""

import copy
import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from cnnlab.core.digests import digest
from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.core.seeds import scope
from cnnlab.core.spec import Call
from cnnlab.models import evaluating

NetworkMaker = Callable[[], nn.Module]


@dataclass(frozen=True)
class PythonObjects:
    """Objects that a recipe stands for by their digests."""

    data: Any = None
    maker: NetworkMaker | None = None

    def the_data(self) -> Any:
        """The data that was given."""
        if self.data is None:
            raise UsageError(
                "this recipe was trained on arrays given in Python, which its record does not hold. "
                "Give them again: cnnlab.resume(run, data=…)."
            )
        return self.data

    def make_network(self, name: str) -> nn.Module:
        """The network that was given; ``name`` is what the recipe calls it."""
        if self.maker is None:
            raise UsageError(
                f"the model {name} was given in Python, and a record holds no code. Give it again: model=… in Python."
            )
        return self.maker()


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
