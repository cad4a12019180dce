"""Studies of a network and an optimiser of one's own, given in Python."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnnlab.core.errors import UsageError
from cnnlab.core.given_objects import _given, given_calls
from cnnlab.runs import RunStore
from cnnlab.studies import Study
from cnnlab.studies.python_objects import parcels, unpack, without_objects

TINY = {
    "data": "digits",
    "subset": 120,
    "validation": 60,
    "test": 60,
    "optimizer": "sgd(lr=0.1)",
    "batch_size": 40,
    "epochs": 1,
    "precision": "float32",
    "device": "cpu",
    "threads": 1,
    "kernels": "torch",
}


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.LazyLinear(10))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class Large(Small):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.LazyLinear(32), nn.ReLU(), nn.LazyLinear(10))


def study(tmp_path: Path, base: dict[str, Any] | None = None, **keys: Any) -> Study:
    content = {"question": "Which is better?", "name": "own", "base": {**TINY, **(base or {})}, **keys}
    return Study.load(content, runs=tmp_path, offline=True)


@pytest.mark.slow(8)
def test_networks_of_ones_own_are_compared_by_name_in_worker_processes(tmp_path: Path) -> None:
    result = study(tmp_path, vary={"model": [Small, Large]}).run(workers=1)
    assert [(setting.label, len(setting.finished)) for setting in result.settings] == [("Small", 1), ("Large", 1)]
    run = RunStore(tmp_path).find(result.settings[1].finished[0].run)
    assert len(list(run.classifier().network.parameters())) == 4


def test_what_no_other_process_can_know_is_trained_in_this_one(tmp_path: Path) -> None:
    made = study(tmp_path, {"model": lambda: Small()}, vary={"optimizer.lr": [0.1, 0.2]})
    assert parcels(made.file.base, made.file.vary) is None
    assert not made.run().missing


def test_objects_are_brought_to_workers_whole() -> None:
    content = without_objects({"base": {"model": Small, "optimizer": partial(torch.optim.SGD, lr=0.1, foreach=False)}})
    sent = parcels(content["base"])
    assert sent is not None and len(sent) == 2
    _given.clear()
    unpack(sent)
    (call,) = given_calls(content["base"]["model"])
    assert _given[str(call.kwargs["name"]), str(call.kwargs["digest"])] is Small


def test_axes_may_vary_optimisers_losses_and_metrics(tmp_path: Path) -> None:
    def mean(outputs: Tensor, targets: Tensor) -> Tensor:
        return outputs.mean()

    made = study(
        tmp_path,
        {"model": Small, "metrics": {"middle": mean}},
        vary={
            "optimizer": [torch.optim.Adam, partial(torch.optim.SGD, lr=0.1)],
            "loss": {"usual": {}, "own": {"loss": nn.CrossEntropyLoss()}},
        },
        metrics="test_middle",
    )
    assert [setting.label for setting in made.study_settings.settings] == [
        "optimizer=Adam, loss=usual",
        "optimizer=Adam, loss=own",
        "optimizer=SGD, loss=usual",
        "optimizer=SGD, loss=own",
    ]
    made.check()
    assert made.result().metric.name == "test_middle"


def test_what_is_no_network_is_refused_when_the_study_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"takes a spec, an nn\.Module"):
        study(tmp_path, vary={"model": [5, Small]})
