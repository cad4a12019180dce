from pathlib import Path

import torch
from torch import nn

from cnnlab.models import Classifier, load_classifier
from cnnlab.training.snapshots import Snapshots


def classifier(value: float) -> Classifier:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with torch.no_grad():
        network[1].weight.fill_(value)
    return Classifier(network, (1, 2, 2), [0.0], [1.0], {"label": ("a", "b")}, "classes", "module")


def test_the_weights_of_the_epochs_asked_for_are_kept_as_they_were(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path, [0, 2])
    for epoch in range(4):
        snapshots.after_epoch(epoch, classifier(float(epoch)))
    files = sorted(tmp_path.rglob("*.safetensors"))
    assert [path.relative_to(tmp_path).as_posix() for path in files] == [
        "snapshots/epoch-0.safetensors",
        "snapshots/epoch-2.safetensors",
    ]
    blank = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    assert load_classifier(files[1], blank).network[1].weight.unique().tolist() == [2.0]


def test_nothing_is_written_where_none_is_asked_for(tmp_path: Path) -> None:
    Snapshots(tmp_path, ()).after_epoch(0, classifier(1.0))
    assert not list(tmp_path.iterdir())
