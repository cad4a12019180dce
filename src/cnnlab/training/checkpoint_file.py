"""The whole state of a training in one file, so that it is either the old one or the new one."""

import json
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.optim import Optimizer

from cnnlab.core.errors import StorageError, UsageError
from cnnlab.core.files import check_regular, replacing
from cnnlab.training.nested_state import pack, unpack

_META = "cnnlab"
_FORMAT = 3


def save_checkpoint(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Writes tensors and plain facts as one safetensors file, replacing the one there.

    Mappings among the facts keep their order: columns of the history follow that of its rows.
    """
    plain = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        text = json.dumps({"format": _FORMAT, **facts})
        # Serialised here and written by us, so that a full disk is an OSError like any other.
        temporary.write_bytes(safetensors.torch.save(_apart(plain), {_META: text}))


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What :func:`save_checkpoint` wrote.

    :raises StorageError: when the file is damaged, which an interrupted write cannot cause.
    """
    try:
        check_regular(path)
        with safe_open(path, framework="pt") as file:
            facts: dict[str, Any] = json.loads(file.metadata()[_META])
            # Copied, for Windows replaces no file of which something is still mapped.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (not a mapping)
            return tensors, facts
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise StorageError(
            f"the checkpoint {path} is damaged ({error}). Start the recipe again with --again, or delete the run."
        ) from error


def with_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under ``prefix.name``."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def without_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Those tensors that lie under ``prefix``, by their own names."""
    return {n.removeprefix(f"{prefix}."): t for n, t in tensors.items() if n.startswith(f"{prefix}.")}


def pack_optimizer(optimizer: Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimiser's state as tensors named by where they stand in it, and the rest of it as plain values."""
    stored = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    groups = [{k: v for k, v in group.items() if k != "params" and _is_kept(v)} for group in stored["param_groups"]]
    return tensors, {"state": pack(stored["state"], "state", tensors), "groups": pack(groups, "groups", tensors)}


def unpack_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor], rest: dict[str, Any]) -> None:
    """Gives an optimiser the state that :func:`pack_optimizer` took from one like it."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state = {}
    for key, packed in rest["state"]["dict"]:
        # What is kept under a word instead of a parameter's number belongs to all of them.
        like = parameters[key : key + 1] if isinstance(key, int) else []
        state[key] = unpack(packed, tensors, like)
    fresh = optimizer.state_dict()["param_groups"]
    groups = [{**own, **kept} for own, kept in zip(fresh, unpack(rest["groups"], tensors), strict=True)]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def load_weights(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Copies weights into a module, keeping its device and memory layout.

    :raises UsageError: when they are those of a network of other layers, as one given in Python may be.
    """
    try:
        module.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise UsageError(
            f"the checkpoint is that of a network of other layers ({reason}). Give the model as it was when the run "
            "was started, or train this one as a run of its own."
        ) from error


def _is_kept(value: Any) -> bool:
    """Whether an entry of a group is a number or the like, and not a function, which stays that of the new one."""
    if isinstance(value, tuple | list):
        return all(map(_is_kept, value))
    return value is None or isinstance(value, bool | int | float | str | Tensor)


def _apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    # The format refuses two names for one memory; weights that are tied are stored twice.
    seen: set[int] = set()
    apart = {}
    for name, tensor in tensors.items():
        apart[name] = tensor.clone() if tensor.data_ptr() in seen else tensor
        seen.add(tensor.data_ptr())
    return apart
