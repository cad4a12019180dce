"""Weights of another network are refused by the names that their file uses, and nothing is promised before."""

from pathlib import Path

import pytest
from safetensors.torch import save_file
from torchvision.models import squeezenet1_1

from cnnlab import models
from cnnlab.core import seeds
from cnnlab.core.errors import ModelFileError


@pytest.fixture
def squeezenet_file(tmp_path: Path) -> Path:
    path = tmp_path / "squeeze.safetensors"
    with seeds.scope(1, "weights"):
        save_file(squeezenet1_1().state_dict(), path)
    return path


def refusal(spec: str, outputs: int = 10) -> str:
    with pytest.raises(ModelFileError) as caught:
        models.build_network(spec, (3, 64, 64), outputs)
    return str(caught.value)


def test_no_head_is_said_to_be_drawn_for_weights_that_are_refused(
    squeezenet_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "cnnlab")
    refusal(f"alexnet(weights={squeezenet_file})")
    assert "Starting from" not in caplog.text


def test_names_are_those_of_the_file_and_of_the_library(squeezenet_file: Path) -> None:
    message = refusal(f"alexnet(weights={squeezenet_file})")
    assert "it lacks features.3.weight, features.3.bias, features.6.weight" in message
    assert "there is no features.10.expand1x1.bias" in message
    assert "features.0.weight is 64×3×3×3 and should be 64×3×11×11" in message
    assert "conv1" not in message and "dense1" not in message


def test_names_in_a_file_of_ours_are_ours(tmp_path: Path) -> None:
    network = models.build_network("squeezenet1_1", (3, 64, 64), 10)
    tensors = {name: tensor for name, tensor in network.state_dict().items() if name != "conv1.bias"}
    save_file(tensors, tmp_path / "ours.safetensors", metadata={"cnnlab": "{}"})
    assert "it lacks conv1.bias." in refusal(f"squeezenet1_1(weights={tmp_path / 'ours.safetensors'})")
