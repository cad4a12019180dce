"""ONNX files: what they answer, what they say of themselves, and what is refused."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import cnnlab
from cnnlab.core.errors import ModelFileError, UsageError
from cnnlab.export import OnnxModel, checks, read_golden
from cnnlab.models import Classifier, build_network
from cnnlab.runs import Run

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


def pictures(count: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, *shape), dtype=np.uint8)


def said_by_torch(model: torch.nn.Module, images: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return model(torch.from_numpy(images)).numpy()


def random_classifier(model: str, shape: tuple[int, int, int], objective: str = "classes") -> Classifier:
    """A network whose running statistics are those of no batch, so that normalisation matters."""
    torch.manual_seed(0)
    is_number = objective != "classes"
    network = build_network(model, shape, 1 if is_number else 3)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    moments = [0.3] * shape[0], [0.25] * shape[0]
    classes = {} if is_number else {"label": ("cat", "dog", "owl")}
    return Classifier(network, shape, *moments, classes, objective, model).eval()


@pytest.fixture(scope="session")
def convnet_file(exported_runs: dict[str, Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "model.onnx"
    cnnlab.export(exported_runs["convnet"], path)
    return path


@pytest.mark.slow(3)
def test_a_file_answers_any_number_of_pictures_as_the_ensemble_does(
    exported_runs: dict[str, Run], tmp_path: Path
) -> None:
    # Its members have permuted pixels and batch normalisation.
    cnnlab.export(exported_runs["mean"], tmp_path / "model.onnx")
    model = OnnxModel(tmp_path / "model.onnx")
    for count in (1, 3, 70):
        images = pictures(count, 1, 8, 8)
        expected = said_by_torch(exported_runs["mean"].classifier(), images)
        np.testing.assert_allclose(model.outputs(images), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow(4)
def test_a_narrow_residual_network_is_exported_without_a_run(tmp_path: Path) -> None:
    classifier = random_classifier("resnet18(width=0.0625)", (3, 16, 16))
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    made = cnnlab.export(classifier, tmp_path / "model.onnx")
    assert made.facts.check["source"] == "256 drawn" and made.facts.run is None and made.facts.recipe == {}
    images = pictures(5, 3, 16, 16)
    answered = OnnxModel(tmp_path / "model.onnx").outputs(images)
    np.testing.assert_allclose(answered, said_by_torch(classifier, images), rtol=1e-4, atol=1e-4)
    assert all(torch.equal(before[name], value) for name, value in classifier.state_dict().items())


def test_normalisation_is_folded_and_nothing_but_operators_of_onnx_is_left(convnet_file: Path) -> None:
    graph = onnx.load(convnet_file).graph
    kinds = {node.op_type for node in graph.node}
    assert "Conv" in kinds and "BatchNormalization" not in kinds
    assert {node.domain for node in graph.node} == {""}
    ((first, *rest),) = [value.type.tensor_type.shape.dim for value in graph.input]
    assert first.dim_param == "batch" and [size.dim_value for size in rest] == [1, 8, 8]


def test_a_file_says_what_it_is_of(convnet_file: Path, exported_runs: dict[str, Run]) -> None:
    said = {entry.key: entry.value for entry in onnx.load(convnet_file).metadata_props}
    run = exported_runs["convnet"]
    assert json.loads(said["classes"]) == [str(digit) for digit in range(10)]
    assert json.loads(said["recipe"]) == run.recipe and "uint8 N×C×H×W, grey" in said["preprocessing"]
    facts = OnnxModel(convnet_file).facts
    assert facts.run == {"name": run.name, "digest": run.digest} and facts.objective == run.classifier().objective
    assert facts.check["images"] == 256 and facts.check["same_classes"] and facts.check["difference"] < 1e-4
    assert facts.check["source"] == "256 of the test split of digits"


def test_a_file_tells_nothing_of_the_machine_that_wrote_it(convnet_file: Path) -> None:
    content = convnet_file.read_bytes()
    assert str(Path(cnnlab.__file__).parent).encode() not in content
    assert str(Path(torch.__file__).parent).encode() not in content


def test_golden_pictures_have_the_answers_of_torch_and_of_the_file(
    convnet_file: Path, exported_runs: dict[str, Run]
) -> None:
    golden = read_golden(convnet_file)
    expected = said_by_torch(exported_runs["convnet"].classifier(), golden.images)
    assert golden.images.shape == (16, 1, 8, 8)
    np.testing.assert_allclose(golden.expected, expected, atol=1e-5)
    np.testing.assert_allclose(golden.outputs, expected, atol=1e-4)
    assert OnnxModel(convnet_file).check() < 1e-4


@pytest.mark.slow(3)
def test_numbers_of_8_bits_lose_little_and_what_they_lose_is_in_the_file(
    exported_runs: dict[str, Run], convnet_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "small.onnx"
    cnnlab.export(exported_runs["convnet"], path, int8=True)
    found, weights = OnnxModel(path).facts.int8, onnx.load(path).graph.initializer
    assert found is not None and found["split"] == "validation" and found["calibrated_on"] == found["images"] > 100
    stored = exported_runs["convnet"].validation
    assert found["before"]["accuracy"] == pytest.approx(stored.accuracy, abs=0.01)
    assert abs(found["after"]["accuracy"] - found["before"]["accuracy"]) <= 0.03
    assert any(each.data_type == onnx.TensorProto.INT8 and list(each.dims) == [8, 1, 3, 3] for each in weights)
    # Scored by hand: the pictures of the split, the answers of the file.
    images, targets = cnnlab.load_data("digits").validation.batch(range(found["images"]))
    right = OnnxModel(path).outputs(images.numpy()).argmax(1) == targets["label"].numpy()
    assert right.mean() == pytest.approx(found["after"]["accuracy"], abs=0.01)


def test_a_number_is_exported_without_classes(tmp_path: Path) -> None:
    spec = "scalar(column=age, range=[0, 10])"
    made = cnnlab.export(random_classifier("mlp(hidden=[4])", (1, 4, 4), spec), tmp_path / "age.pt2")
    assert made.facts.classes == {} and made.facts.check["same_classes"] is False


def test_what_answers_otherwise_than_torch_is_not_written(
    exported_runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.pt2"
    path.write_bytes(b"as it was")
    right = checks.torch_outputs
    monkeypatch.setattr(checks, "torch_outputs", lambda model, pixels: right(model, pixels) + 0.01)
    with pytest.raises(ModelFileError, match=r"up to 0\.01 apart\. Nothing was written"):
        cnnlab.export(exported_runs["perceptron"], path)
    assert path.read_bytes() == b"as it was" and list(tmp_path.iterdir()) == [path]


class Branching(torch.nn.Module):
    """Looks at values to decide what to do."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Linear(16, 3)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        pixels = pixels.flatten(1)
        return self.head(-pixels if pixels.sum() > 0 else pixels)


def test_what_cannot_be_followed_is_one_sentence_with_a_remedy(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    classes = {"label": ("cat", "dog", "owl")}
    model = Classifier(Branching(), (1, 4, 4), [0.0], [1.0], classes, "classes", "module(Branching)")
    for name in ("model.onnx", "model.pt2"):
        with pytest.raises(UsageError, match=r"does not follow what it computes .* Export one of the models") as caught:
            cnnlab.export(model, tmp_path / name)
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    said = capfd.readouterr()
    assert said.out == said.err == ""


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("model.h5", {}, "does not go with its suffix: models are exported as .onnx"),
        ("model.pt2", {"int8": True}, "--int8 is of ONNX files"),
        ("folder", {"resize": True}, "--resize is of ONNX files"),
        ("model.onnx", {"int8": True}, "--int8 is fitted to the validation pictures of the training"),
    ],
)
def test_what_does_not_go_together_is_refused(
    name: str, options: dict[str, bool], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        cnnlab.export(random_classifier("mlp(hidden=[4])", (1, 4, 4)), tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_with_what_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UsageError, match=r"pip install 'cnnlab\[onnx\]'"):
        cnnlab.export(random_classifier("mlp(hidden=[4])", (1, 4, 4)), tmp_path / "model.onnx")


def test_damaged_files_are_told(convnet_file: Path, tmp_path: Path) -> None:
    whole = convnet_file.read_bytes()
    path = tmp_path / "model.onnx"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelFileError, match="cut short"):
        OnnxModel(path)
    foreign = onnx.load_model_from_string(whole)
    del foreign.metadata_props[:]
    path.write_bytes(foreign.SerializeToString())
    with pytest.raises(ModelFileError, match="was not exported by cnnlab"):
        OnnxModel(path)
    foreign.metadata_props.add(key="cnnlab", value='{"format": 1, "shape": "none"}')
    path.write_bytes(foreign.SerializeToString())
    with pytest.raises(ModelFileError, match="makes no sense"):
        OnnxModel(path)
    with pytest.raises(ModelFileError, match="there is no model file"):
        OnnxModel(tmp_path / "none.onnx")


def test_golden_pictures_that_are_missing_or_damaged_are_told(convnet_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(convnet_file.read_bytes())
    with pytest.raises(ModelFileError, match=r"there is no .*model\.golden\.npz"):
        OnnxModel(path).check()
    (tmp_path / "model.golden.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(ModelFileError, match="damaged or cut short"):
        OnnxModel(path).check()


def test_pictures_of_another_kind_are_refused(convnet_file: Path) -> None:
    model = OnnxModel(convnet_file)
    for images in (pictures(2, 3, 8, 8), pictures(2, 1, 9, 8), pictures(2, 1, 8, 8).astype(np.float32)):
        with pytest.raises(UsageError, match=r"takes uint8 N×C×H×W, grey, one channel, 8 high and 8 wide"):
            model.outputs(images)
