"""One of two processes that train together, and all that two of them are tested for.

Coming to know each other takes a moment, so both do everything in one life; what ends one, with it both, is its end. In
the folder are then the runs, and ``RANK.json`` says what this process saw.
"""

import json
import os
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from cnnlab.core.errors import TrainingError, UsageError
from cnnlab.runs import Run, store_at
from cnnlab.runs.mirrors import Mirror, Point, RunCopy, mirrors
from cnnlab.training import Interrupted, resume, train
from cnnlab.training.prepare import read_setup
from cnnlab.training.several_devices.batch_norm import batch_norms
from cnnlab.training.several_devices.group import DeviceGroup
from cnnlab.training.several_devices.presence import RENDEZVOUS
from cnnlab.training.several_devices.roles import check_devices, check_size, joined
from cnnlab.training.several_devices.slices import Division, on_slice
from cnnlab.training.step import Stepper

STOPPED_AFTER = 4
FATAL_STEP = 3


def live(scenario: Any, folder: Path, rank: int, *arguments: Any) -> None:
    """The life of a process, forked from one that has loaded PyTorch: a scenario, and what it saw written down."""
    os.environ |= {"WORLD_SIZE": "2", "RANK": str(rank), RENDEZVOUS: str(folder / "meeting")}
    os.fsync = os.fstat  # type: ignore[assignment]
    seen = scenario(folder, *arguments)
    (folder / f"{rank}.json").write_text(json.dumps(seen), encoding="utf-8")


def train_together(folder: Path, recipes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Trains each recipe in a run of its name, and one that is stopped, resumed, refused and failed."""
    Noting.folder, runs, group = folder, folder / "runs", joined()
    called: list[int] = []
    seen: dict[str, Any] = {"normalised": normalised(group)}
    for name, recipe in recipes.items():
        callbacks = [lambda end: called.append(end.epoch)]
        run = train({**recipe, "name": name}, runs=runs, offline=True, callbacks=callbacks)
        seen[name] = {"status": run.status, "folder": str(run.folder)}
    seen["callbacks"] = len(called)
    plain = recipes["plain"]
    seen["again"] = train({**plain, "name": "plain"}, runs=runs, offline=True).folder.name
    seen |= stopped_and_resumed(group, plain, runs)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        own = train({**plain, "sync_batchnorm": False, "name": "own", "seed": 8, "epochs": 1}, runs=runs, offline=True)
    seen["own"] = {"folder": str(own.folder), "warned": [str(w.message) for w in caught]}
    for key, value in {"devices": 3, "batch_size": 1, "compile": True}.items():
        seen[key] = refused(group, plain, key, value)
    compiler = sys.modules.get("torch._dynamo")
    seen["has_compiler"] = getattr(compiler, "__file__", None) is not None
    seen["failure"] = failure(group, plain, runs)
    seen["after"] = failure(group, plain, runs)
    return seen


def lose_one(folder: Path, recipe: dict[str, Any]) -> dict[str, Any]:
    """Trains until the second process is killed; what the first sees, and how soon."""
    group = joined()

    def die() -> None:
        if group.rank:
            os.kill(os.getpid(), signal.SIGKILL)

    began = time.monotonic()
    with at_step(FATAL_STEP, die):
        try:
            train(recipe, runs=folder / "runs", offline=True)
        except TrainingError as error:
            return {"error": str(error), "kind": type(error).__name__, "seconds": time.monotonic() - began}
    return {}


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


def stopped_and_resumed(group: DeviceGroup, recipe: dict[str, Any], runs: Path) -> dict[str, Any]:
    """One of both is asked to stop; a copy of what is left is kept ``elsewhere``. Another is left alone."""
    recipe = {**recipe, "name": "stopped", "seed": 7, "epochs": 2, "mirror": "none"}
    with at_step(STOPPED_AFTER, lambda: signal.raise_signal(signal.SIGTERM) if group.rank else None):
        try:
            train(recipe, runs=runs, offline=True)
        except Interrupted as stop:
            seen, folder = {"interrupted": stop.exit_code}, Path(stop.where)
    if group.is_first:
        shutil.copytree(folder, runs.parent / "elsewhere" / folder.name)
    group.share()
    resumed = resume(folder, runs=runs, offline=True)
    whole = train({**recipe, "name": "whole"}, runs=runs, offline=True, again=True)
    return {**seen, "resumed": str(resumed.folder), "whole": str(whole.folder)}


def refused(group: DeviceGroup, recipe: dict[str, Any], key: str, value: Any) -> str:
    """What is said of a recipe that cannot be; to have it trained would end all that these processes have in common."""
    setup = read_setup({**recipe, key: value}, {}, store_at("nowhere"), offline=True)
    try:
        check_size(group, setup.recipe.devices)
        check_devices(setup, group.size, "cpu")
    except UsageError as error:
        return str(error)
    return ""


def failure(group: DeviceGroup, recipe: dict[str, Any], runs: Path) -> list[str]:
    """How a training ends in which the second process has an error."""

    def fail() -> None:
        if group.rank:
            raise UsageError("this one lacks the data.")

    with at_step(FATAL_STEP, fail):
        try:
            train({**recipe, "name": "failed", "seed": 9}, runs=runs, offline=True)
        except (TrainingError, UsageError) as error:
            return [type(error).__name__, str(error)]
    return []


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


@mirrors.register("noting")
class Noting(Mirror):
    """Notes which process opens the copy of a run, and how many numbers it takes in."""

    title = "Noting"
    steps = 1
    folder: ClassVar[Path]

    def check(self) -> None:
        """Needs nothing."""

    def open(self, run: Run) -> RunCopy:
        return Noted(self.folder / "mirrored.jsonl", run)


class Noted(RunCopy):
    def __init__(self, file: Path, run: Run) -> None:
        self.file, self.run, self.points = file, run, 0

    def has(self, point: Point) -> bool:
        return False

    def add(self, points: Sequence[Point]) -> None:
        self.points += sum(point.series == "step_loss" for point in points)

    def end(self, run: Run) -> None:
        entry = {"rank": os.environ["RANK"], "run": run.name, "steps": self.points}
        with self.file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")

    def close(self) -> None:
        """Nothing is open."""
