"""What a person names to be predicted with, found by its kind."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import cnnlab
from cnnlab.core import hooks
from cnnlab.core.errors import ModelFileError, RunNotFoundError
from cnnlab.evaluation import evaluate, open_model, predictor_of
from cnnlab.models import Classifier, Predictable

SQUEEZENET = "weights/squeezenet1_1-imagenet.safetensors"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> cnnlab.Run:
    runs = tmp_path_factory.mktemp("models")
    shared = {"data": "digits", "model": "mlp(hidden=[8])", "epochs": 2, "precision": "float32", "threads": 1}
    return cnnlab.train(**shared, snapshots=[0, 1], name="first", runs=runs)


def test_a_run_is_opened_by_whatever_finds_it(run: cnnlab.Run) -> None:
    runs = run.folder.parent
    assert open_model("first", runs=runs) == open_model("run:first", runs=runs) == open_model("last", runs=runs) == run
    assert open_model(run) is run


def test_a_file_is_opened_as_a_classifier(run: cnnlab.Run) -> None:
    path = run.folder / "model.safetensors"
    for name in (path, str(path), f"classifier:{path}"):
        model = open_model(name)
        assert isinstance(model, Classifier) and model.shape == (1, 8, 8) and model.has_gradient
    with pytest.raises(ModelFileError, match="no safetensors file"):
        open_model(run.folder / "history.csv")


def test_a_pretrained_network_is_opened_by_its_spec(data_dir: Path) -> None:
    weights = data_dir.parent / SQUEEZENET
    if not weights.is_file():
        pytest.skip("the weights of SqueezeNet are not at hand")
    model = open_model(f"pretrained:squeezenet1_1(weights='{weights}')", offline=True)
    assert isinstance(model, Classifier) and len(model.classes["label"]) == 1000
    # Drawn images are no photographs; the outputs are those of the network all the same.
    pixels = torch.rand(2, *model.shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(predictor_of(model).outputs([pixels]), model(pixels), atol=1e-4, rtol=1e-4)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError, match="there are no runs under"):
        open_model("no-such", runs=tmp_path)


def test_another_room_may_know_how_to_open_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "_openers", dict(hooks._openers))
    calls: list[Any] = []

    @hooks.opener("vote")
    def open_vote(name: str, **options: Any) -> Predictable:
        calls.append((name, options["offline"]))
        return Vote()

    assert isinstance(open_model("vote:a+b", offline=True), Vote) and calls == [("a+b", True)]


class Vote(Predictable):
    """Something that is no classifier: it calls every picture a five, and has no gradient to give."""

    def __init__(self) -> None:
        super().__init__()
        self.shape, self.resize, self.objective = (1, 8, 8), "squash", "classes(column=label)"
        self.classes = {"label": tuple(map(str, range(10)))}
        self.has_gradient = False
        self.parts = nn.ModuleList()

    def forward(self, pixels: Tensor) -> Tensor:
        return torch.eye(10)[torch.full((len(pixels),), 5)]


def test_whatever_is_predictable_is_evaluated() -> None:
    result = evaluate(Vote(), "digits", split="all")
    labels = result.predictions.targets["label"]
    assert result.scores["accuracy"] == pytest.approx((labels == 5).mean())


def test_a_run_is_evaluated_by_its_name(run: cnnlab.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNLAB_RUNS", str(run.folder.parent))
    assert evaluate("first").scores == run.test.to_dict()


def test_weights_of_another_epoch_are_those_that_were_kept(run: cnnlab.Run) -> None:
    assert list(run.stored_epochs) == [0, 1, 2]
    selected = run.info["selected"]["epoch"]
    states = {epoch: run.classifier(epoch=epoch).network.state_dict() for epoch in run.stored_epochs}
    torch.testing.assert_close(states[selected], run.classifier().network.state_dict(), atol=0, rtol=0)
    weight = next(name for name in states[0] if name.endswith("weight"))
    assert len({np.asarray(state[weight]).tobytes() for state in states.values()}) == 3
    with pytest.raises(cnnlab.CnnlabError, match=r"after epoch 7. Those of 0, 1, 2 are stored; snapshots=\[7\]"):
        run.classifier(epoch=7)
