"""One of two processes that train together, as torchrun would start it: all that two of them are tested for.

A process takes seconds to come up, so both do everything in one life. Run as a program with a folder of runs and a JSON
file of recipes by name; in the folder is then a run of each, and ``RANK.json`` says what this process saw.
"""

import json
import os
import shutil
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnnlab.core.errors import TrainingError, UsageError
from cnnlab.runs import Run
from cnnlab.training import Interrupted, resume, train
from cnnlab.training.several_devices.batch_norm import batch_norms
from cnnlab.training.several_devices.group import DeviceGroup, joined
from cnnlab.training.several_devices.slices import Division, on_slice
from cnnlab.training.step import Stepper

STOPPED_AFTER = 4


@contextmanager
def at_step(number: int, act: Any) -> Iterator[None]:
    """A block in which something is done before so many steps are taken."""
    take, taken = Stepper.take, 0

    def acting(self: Stepper, *args: Any) -> Any:
        nonlocal taken
        taken += 1
        if taken == number:
            act()
        return take(self, *args)

    Stepper.take = acting  # type: ignore[method-assign]
    try:
        yield
    finally:
        Stepper.take = take  # type: ignore[method-assign]


def normalised(group: DeviceGroup) -> dict[str, Any]:
    """Outputs, gradients and running statistics of a normalisation over two slices, put together."""
    layer = nn.BatchNorm2d(3).train()
    pixels = 5 + 3 * torch.randn(7, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    factors = torch.randn(7, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    division = Division(len(pixels), group.size)
    part = division.part(group.rank)
    own = pixels[part].clone().requires_grad_()
    with on_slice(batch_norms(layer), [], division, group.rank, group.channel(pixels.device)):
        outputs = layer(own)
    (outputs * factors[part]).sum().backward()
    assert own.grad is not None and layer.weight.grad is not None and layer.bias.grad is not None
    places = torch.arange(len(pixels))[part]
    return {
        "outputs": group.put_together(7, places, outputs.detach().flatten(1)).tolist(),
        "gradient": group.put_together(7, places, own.grad.flatten(1)).tolist(),
        "weight": group.total(layer.weight.grad).tolist(),
        "bias": group.total(layer.bias.grad).tolist(),
        "running": [layer.running_mean.tolist(), layer.running_var.tolist()],  # type: ignore[union-attr,operator]
    }


def main(runs: Path, recipes: dict[str, dict[str, Any]]) -> None:
    group = joined()
    assert group is not None
    seen: dict[str, Any] = {"normalised": normalised(group)}

    def trained(recipe: str, **keys: Any) -> Run:
        return train({**recipes[recipe], "name": recipe, **keys}, runs=runs, offline=True)

    called: list[int] = []
    for name in recipes:
        callbacks = [lambda end: called.append(end.epoch)]
        run = train({**recipes[name], "name": name}, runs=runs, offline=True, callbacks=callbacks)
        seen[name] = {"status": run.status, "folder": str(run.folder)}
    seen["callbacks"] = len(called)
    seen["again"] = trained("plain").folder.name

    stopped = {**recipes["plain"], "name": "stopped", "seed": 7, "epochs": 2}
    # Only one of both is asked to stop.
    with at_step(STOPPED_AFTER, lambda: signal.raise_signal(signal.SIGTERM) if group.rank else None):
        try:
            train(stopped, runs=runs, offline=True)
        except Interrupted as error:
            seen["interrupted"] = error.exit_code
            folder = Path(error.where)
    seen["step"] = json.loads((folder / "run.json").read_text())["status"]
    if group.is_first:
        shutil.copytree(folder, runs.parent / "elsewhere" / folder.name)
    group.share()
    seen["resumed"] = str(resume(folder, runs=runs, offline=True).folder)
    seen["whole"] = str(train({**stopped, "name": "whole"}, runs=runs, offline=True, again=True).folder)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        own = trained("plain", sync_batchnorm=False, name="own", seed=8, epochs=1)
    seen["own"] = {"folder": str(own.folder), "warned": [str(w.message) for w in caught]}
    for key, value in {"devices": 3, "batch_size": 1, "compile": True}.items():
        # What both are to refuse, or the first for both, would end all that they have in common.
        seen[key] = _refused(recipes["plain"], key, value)

    def fail() -> None:
        if group.rank:
            raise UsageError("this one lacks the data.")

    with at_step(3, fail):
        try:
            trained("plain", name="failed", seed=9)
        except TrainingError as error:
            seen["failure"] = ["another", type(error).__name__, str(error)]
        except UsageError as error:
            seen["failure"] = ["own", type(error).__name__, str(error)]
    (runs.parent / f"{group.rank}.json").write_text(json.dumps(seen))


def _refused(recipe: dict[str, Any], key: str, value: Any) -> str:
    from cnnlab.runs import store_at
    from cnnlab.training.prepare import read_setup
    from cnnlab.training.several_devices.roles import check_devices, check_size

    group = joined()
    assert group is not None
    setup = read_setup({**recipe, key: value}, {}, store_at("nowhere"), offline=True)
    try:
        check_size(group, setup.recipe)
        check_devices(setup, group.size, "cpu")
    except UsageError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()))
    sys.stdout.flush()
    os._exit(0)
