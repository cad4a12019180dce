"""What cannot be exported: one sentence with a remedy, and nothing written."""

import sys
from pathlib import Path

import pytest
import torch

import cnnlab
from cnnlab.core.errors import CnnlabError, ModelFileError, StorageError, UsageError
from cnnlab.ensembles.classifier import EnsembleClassifier
from cnnlab.ensembles.combinations import WeightedMean
from cnnlab.ensembles.views import views_of
from cnnlab.export import checks, onnx_graph
from cnnlab.models import Classifier, build_network


def perceptron() -> Classifier:
    network = build_network("mlp(hidden=[4])", (1, 4, 4), 3)
    return Classifier(network, (1, 4, 4), [0.3], [0.25], {"label": ("cat", "dog", "owl")}, "classes", "mlp").eval()


def test_what_answers_otherwise_than_torch_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.pt2"
    path.write_bytes(b"as it was")
    right = checks.torch_outputs
    monkeypatch.setattr(checks, "torch_outputs", lambda model, pixels: right(model, pixels) + 0.01)
    with pytest.raises(ModelFileError, match=r"up to 0\.01 apart\. Nothing was written"):
        cnnlab.export(perceptron(), path)
    assert path.read_bytes() == b"as it was" and list(tmp_path.iterdir()) == [path]


def test_where_one_of_two_files_cannot_be_written_neither_is(tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    path.write_bytes(b"as it was")
    (tmp_path / "model.pt2.golden.npz").mkdir()
    with pytest.raises(StorageError, match="a folder of that name is in the way"):
        cnnlab.export(perceptron(), path)
    assert {each.name for each in tmp_path.iterdir()} == {"model.pt2", "model.pt2.golden.npz"}


class Branching(torch.nn.Module):
    """Looks at values to decide what to do."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Linear(16, 3)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        pixels = pixels.flatten(1)
        return self.head(-pixels if pixels.sum() > 0 else pixels)


def own(network: torch.nn.Module) -> Classifier:
    classes = {"label": ("cat", "dog", "owl")}
    return Classifier(network, (1, 4, 4), [0.0], [1.0], classes, "classes", "module(Own)").eval()


def test_what_cannot_be_followed_is_one_sentence_with_the_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=r"line \d+ of test_what_is_refused\.py, «return self\.head\(-pix") as caught:
        cnnlab.export(own(Branching()), tmp_path / "model.pt2")
    said = capfd.readouterr()
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == [] and said.out == said.err == ""


def test_an_operator_that_onnx_has_not_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxscript")

    def convert(*arguments: object, **keys: object) -> None:
        try:
            raise NotImplementedError("no ONNX function found for aten.svd\nin the registry")
        except NotImplementedError as error:
            raise RuntimeError("\x1b[96mThis is step 3/3\x1b[0m. Next steps:") from error

    monkeypatch.setattr(torch.onnx, "export", convert)
    with pytest.raises(UsageError, match=r"cannot write as ONNX \(no ONNX .* aten\.svd\)\. Export it as model\.pt2"):
        cnnlab.export(perceptron(), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_several_views_of_a_picture_are_refused_before_they_are_followed(tmp_path: Path) -> None:
    views = views_of(perceptron(), "flip", 2, 0)
    model = EnsembleClassifier(views, ("as it is", "flipped"), WeightedMean(weights=(1, 1)))
    with pytest.raises(UsageError, match=r"several views of a picture \(tta\).* Export the model that it asks"):
        cnnlab.export(model, tmp_path / "model.pt2")
    assert list(tmp_path.iterdir()) == []


def test_more_than_one_file_holds_is_refused_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxscript")
    monkeypatch.setattr(onnx_graph, "MOST_BYTES", 300)
    with pytest.raises(UsageError, match=r"one ONNX file holds 2 GB\. Export it as \.pt2"):
        cnnlab.export(perceptron(), tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("model.h5", {}, "does not go with its suffix: models are exported as .onnx"),
        (".pt2", {}, "does not go with its suffix"),
        ("model.pt2", {"int8": True}, "--int8 is of ONNX files"),
        ("folder", {"resize": True}, "--resize is of ONNX files"),
        ("model.onnx", {"int8": True}, "--int8 is fitted to the validation pictures of the training"),
    ],
)
def test_what_does_not_go_together_is_refused(
    name: str, options: dict[str, bool], message: str, tmp_path: Path
) -> None:
    pytest.importorskip("onnxscript")
    with pytest.raises(UsageError, match=message):
        cnnlab.export(perceptron(), tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["file/model.pt2", "file/folder", "file"])
def test_a_place_that_takes_no_files_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CnnlabError, match=r"a (part|file) of (the path|that name) is|is no folder"):
        cnnlab.export(perceptron(), tmp_path / name)
    assert (tmp_path / "file").read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


def test_a_missing_package_is_named_with_what_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("onnx", "onnxruntime", "onnxscript"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, package, None)
            with pytest.raises(UsageError, match=rf"{package}.*pip install 'cnnlab\[onnx\]'"):
                cnnlab.export(perceptron(), tmp_path / "model.onnx")
            if package != "onnxscript":
                with pytest.raises(UsageError, match=rf"{package}.*pip install 'cnnlab\[onnx\]'"):
                    cnnlab.export.OnnxModel(tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []
