"""Transfers from files: keys as on the command line, words over them, and those that come with cnnlab."""

from pathlib import Path
from typing import Any

import pytest

import cnnlab
from cnnlab.core.errors import UsageError
from cnnlab.core.packaged import packaged
from cnnlab.studies.catalogue import find_study
from cnnlab.transfer.api import made_transfer
from cnnlab.transfer.request import TransferRequest
from cnnlab.transfer.transfer_file import read_transfer_file

DATA = "digits(size=16)"
KEYS = "data: {data}\nbackbones: [{backbone}]\nclassifiers: gaussian-nb, knn(n_neighbors=3)\nsubset: 60\n"


@pytest.fixture
def file(backbone: str, tmp_path: Path) -> Path:
    path = tmp_path / "asked.yaml"
    path.write_text(KEYS.format(data=DATA, backbone=backbone) + "name: asked\n")
    return path


def test_a_file_asks_for_the_same_transfer_as_its_keys(file: Path, backbone: str, tmp_path: Path) -> None:
    made = cnnlab.transfer(file, runs=tmp_path / "runs")
    assert made.run.name.startswith("asked-") and list(made.table.index) == ["gaussian-nb", "knn(n_neighbors=3)"]
    keys = {"classifiers": "gaussian-nb, knn(n_neighbors=3)", "subset": 60}
    again = cnnlab.transfer(DATA, backbones=backbone, **keys, runs=tmp_path / "runs")
    assert again.run.folder == made.run.folder
    other = cnnlab.transfer(str(file), classifiers="gaussian-nb", name="other", runs=tmp_path / "runs")
    assert other.run.name.startswith("other-") and list(other.table.index) == ["gaussian-nb"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "holds no transfer: it needs lines such as 'backbones: efficientnet-lite0'"),
        ("- data", "holds no transfer"),
        ("1: 2", "holds no transfer"),
        ("data: [", "is not valid YAML"),
        ("backbones: squeezenet1_1", "a transfer needs data="),
        ("data: digits\nbackbone: squeezenet1_1", "has no key 'backbone'. Did you mean backbones"),
        ("data: digits\nbackbones: 3", "3 is not a spec"),
        ("data: digits\nbackbones: squeezenet1_1\nname: 3", "name takes a word, in quotes .* got 3"),
        ("data: digits\nbackbones: squeezenet1_1\nrepeats: [1]", "repeats takes a whole number"),
        (
            "data: digits\nbackbones: squeezenet1_1\nclassifiers: {knn: 3}",
            "a mapping that stands for a spec needs a name",
        ),
        ("data: digits\nbackbones: squeezenet1_1\nobjective: 3", "objective"),
    ],
)
def test_a_file_that_asks_for_nothing_is_refused_in_a_sentence(content: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "asked.yaml"
    path.write_text(content)
    with pytest.raises(UsageError, match=told):
        made_transfer(path, {}, runs=tmp_path / "runs", offline=True)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("examples/classifier", "there is no transfer file .* Did you mean examples/classifiers"),
        ("nowhere.yaml", "there is no transfer file nowhere.yaml"),
        ("examples/depth", "is a study, and no transfer: cnnlab study run examples/depth"),
    ],
)
def test_a_file_that_is_not_there_is_refused(name: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        read_transfer_file(name)


def test_what_comes_with_cnnlab_is_a_transfer_and_no_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "examples/classifiers" in packaged("transfer") and "examples/classifiers" not in packaged("study")
    with pytest.raises(UsageError, match="is a transfer, and no study: cnnlab transfer examples/classifiers"):
        find_study("examples/classifiers", tmp_path)
    for name in packaged("transfer"):
        keys = read_transfer_file(name)
        assert keys.pop("name") == Path(name).name and TransferRequest.read(keys)
    monkeypatch.chdir(tmp_path)
    seen: list[dict[str, Any]] = []

    def read(keys: dict[str, Any]) -> TransferRequest:
        seen.append(dict(keys))
        raise UsageError("no more")

    monkeypatch.setattr(TransferRequest, "read", read)
    with pytest.raises(UsageError):
        cnnlab.transfer("examples/classifiers", repeats=1)
    assert seen[0]["repeats"] == 1 and seen[0]["data"] == "cats-vs-dogs.zip"
    # A folder of that name is somebody's pictures.
    (tmp_path / "examples" / "classifiers").mkdir(parents=True)
    with pytest.raises(UsageError):
        cnnlab.transfer("examples/classifiers", repeats=1)
    assert seen[1] == {"data": "examples/classifiers", "repeats": 1}
