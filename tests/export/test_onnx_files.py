"""ONNX files: what they answer, what they say of themselves, and what is refused of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cnnlab
from cnnlab.core.errors import CnnlabWarning, ModelFileError, UsageError
from cnnlab.data.imageset import TensorImages
from cnnlab.ensembles.classifier import EnsembleClassifier
from cnnlab.ensembles.combinations import LinearHead, Stack, Vote, WeightedMean
from cnnlab.export import OnnxModel, read_golden
from cnnlab.export.quantization import calibration_pictures
from cnnlab.models import Classifier, build_network
from cnnlab.runs import Run

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

NAMES = ("cat", "dog", "owl")


def pictures(count: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, *shape), dtype=np.uint8)


def said_by_torch(model: torch.nn.Module, images: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return model(torch.from_numpy(images)).numpy()


def random_classifier(model: str, names: tuple[str, ...] = NAMES, permute: int | None = None) -> Classifier:
    """A network whose running statistics are those of no batch, so that normalisation matters."""
    torch.manual_seed(len(model))
    network = build_network(model, (3, 8, 8), 3)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    moments = [0.3, 0.4, 0.5], [0.25, 0.2, 0.3]
    return Classifier(network, (3, 8, 8), *moments, {"label": names}, "classes", model, permute=permute).eval()


@pytest.mark.slow(3)
def test_a_mean_of_a_vote_and_a_stack_is_one_graph_for_any_number_of_pictures(tmp_path: Path) -> None:
    members = [
        random_classifier("conv(4)|bn|relu|pool(2)", permute=3),
        random_classifier("mlp(hidden=[5])", NAMES[::-1]),
    ]
    said = ("first", "second")
    rows = tuple(tuple(np.sin(np.arange(6) + row).tolist()) for row in range(3))
    linear = LinearHead(coefficients=rows, intercepts=(0.1, -0.2, 0.1))
    vote = EnsembleClassifier(members, said, Vote())
    stack = EnsembleClassifier(members, said, Stack(heads={"label": linear}, temperatures={"label": (0.5, 2.0)}))
    model = EnsembleClassifier([vote, stack], said, WeightedMean(weights=(0.3, 0.7))).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    made = cnnlab.export(model, tmp_path / "model.onnx")
    assert made.facts.check["source"] == "256 drawn" and made.facts.run is None and made.facts.recipe == {}
    exported = OnnxModel(tmp_path / "model.onnx")
    for count in (1, 3, 70):
        images = pictures(count, 3, 8, 8)
        np.testing.assert_allclose(exported.outputs(images), said_by_torch(model, images), rtol=1e-4, atol=1e-4)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_normalisation_is_folded_and_nothing_but_operators_of_onnx_is_left(page: Path) -> None:
    graph = onnx.load(page / "model.onnx").graph
    kinds = {node.op_type for node in graph.node}
    assert "Conv" in kinds and "BatchNormalization" not in kinds
    assert {node.domain for node in graph.node} == {""}
    ((first, *rest),) = [value.type.tensor_type.shape.dim for value in graph.input]
    assert first.dim_param == "batch" and [size.dim_value for size in rest] == [1, 8, 8]


def test_a_file_says_what_it_is_of(page: Path, run: Run) -> None:
    said = {entry.key: entry.value for entry in onnx.load(page / "model.onnx").metadata_props}
    assert json.loads(said["classes"]) == [str(digit) for digit in range(10)]
    assert json.loads(said["recipe"]) == run.recipe and "uint8 N×C×H×W, grey" in said["preprocessing"]
    facts = OnnxModel(page / "model.onnx").facts
    assert facts.run == {"name": run.name, "digest": run.digest} and facts.objective == run.classifier().objective
    assert facts.check["images"] == 256 and facts.check["same_classes"] and facts.check["difference"] < 1e-4
    assert facts.check["source"] == "256 of the test split of digits"


def test_a_file_tells_nothing_of_the_machine_that_wrote_it(page: Path) -> None:
    content = (page / "model.onnx").read_bytes()
    for folder in (page, Path(cnnlab.__file__).parent, Path(torch.__file__).parent):
        assert str(folder).encode() not in content


def test_golden_pictures_have_the_answers_of_torch_and_of_the_file(page: Path, run: Run) -> None:
    golden = read_golden(page / "model.onnx")
    assert golden.images.shape == (16, 1, 8, 8)
    np.testing.assert_allclose(golden.expected, said_by_torch(run.classifier(), golden.images), atol=1e-5)
    np.testing.assert_allclose(golden.outputs, golden.expected, atol=1e-4)
    assert OnnxModel(page / "model.onnx").check() < 1e-4
    # Those of the smaller file are its own, and were not answered by floats.
    small = read_golden(page / "small.onnx")
    assert OnnxModel(page / "small.onnx").check() < 1e-4 < np.abs(small.outputs - small.expected).max()


def test_numbers_of_8_bits_lose_little_and_what_they_lose_is_in_the_file(page: Path, run: Run) -> None:
    path = page / "small.onnx"
    found, weights = OnnxModel(path).facts.int8, onnx.load(path).graph.initializer
    assert found is not None and found["split"] == "validation" and found["calibrated_on"] == found["images"] > 100
    assert found["before"]["accuracy"] == pytest.approx(run.validation.accuracy, abs=0.01)
    assert abs(found["after"]["accuracy"] - found["before"]["accuracy"]) <= 0.03
    assert 0.9 < found["same_classes"] <= 1 and 1e-4 < found["difference"] < 1
    assert any(each.data_type == onnx.TensorProto.INT8 and list(each.dims) == [8, 1, 3, 3] for each in weights)
    # Scored by hand: the pictures of the split, the answers of the file.
    images, targets = cnnlab.load_data("digits").validation.batch(range(found["images"]))
    right = OnnxModel(path).outputs(images.numpy()).argmax(1) == targets["label"].numpy()
    assert right.mean() == pytest.approx(found["after"]["accuracy"], abs=0.01)


def test_damaged_files_are_told(page: Path, tmp_path: Path) -> None:
    whole = (page / "model.onnx").read_bytes()
    path = tmp_path / "model.onnx"
    for content in (whole[: len(whole) // 2], b"no protobuf"):
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=r"cut short|was not exported by cnnlab"):
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
    for missing in ("none.onnx", "."):
        with pytest.raises(ModelFileError, match=r"there is no model file|cannot be read"):
            OnnxModel(tmp_path / missing)


def from_elsewhere(proto: Any) -> None:
    entry = proto.graph.initializer[0]
    entry.ClearField("raw_data")
    entry.data_location = onnx.TensorProto.EXTERNAL
    entry.external_data.add(key="location", value="/etc/passwd")


def of_another_library(proto: Any) -> None:
    proto.graph.node[0].domain = "com.microsoft"


def with_a_loop(proto: Any) -> None:
    proto.graph.node.add(op_type="Loop").attribute.add(name="body", type=onnx.AttributeProto.GRAPH).g.name = "body"


def of_other_inputs(proto: Any) -> None:
    proto.graph.input[0].name = "pixels"


def of_other_shapes(proto: Any) -> None:
    proto.graph.node[0].input[0] = "nothing"


@pytest.mark.parametrize("change", [from_elsewhere, of_another_library, with_a_loop, of_other_inputs, of_other_shapes])
def test_a_file_that_cnnlab_would_not_have_written_is_refused(
    change: Callable[[Any], None], page: Path, tmp_path: Path
) -> None:
    proto = onnx.load(page / "model.onnx")
    change(proto)
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(ModelFileError, match="no ONNX file of cnnlab's that runs here"):
        OnnxModel(tmp_path / "model.onnx")


def test_golden_pictures_that_are_missing_or_damaged_or_of_another_file_are_told(page: Path, tmp_path: Path) -> None:
    path, beside = tmp_path / "model.onnx", tmp_path / "model.onnx.golden.npz"
    path.write_bytes((page / "model.onnx").read_bytes())
    with pytest.raises(ModelFileError, match=r"there is no .*model\.onnx\.golden\.npz"):
        OnnxModel(path).check()
    beside.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(ModelFileError, match="damaged or cut short"):
        OnnxModel(path).check()
    np.savez(beside, images=np.zeros((2, 8)), outputs=np.zeros(1), expected=np.zeros(1), exported=["x"])
    with pytest.raises(ModelFileError, match="damaged or cut short"):
        OnnxModel(path).check()
    beside.write_bytes((page / "small.onnx.golden.npz").read_bytes())
    with pytest.raises(ModelFileError, match=r"is of another file than model\.onnx is now"):
        OnnxModel(path).check()


def test_pictures_of_another_kind_are_refused(page: Path) -> None:
    model = OnnxModel(page / "model.onnx")
    for images in (pictures(2, 3, 8, 8), pictures(2, 1, 9, 8), pictures(2, 1, 8, 8).astype(np.float32)):
        with pytest.raises(UsageError, match=r"takes uint8 N×C×H×W, grey, one channel, 8 high and 8 wide"):
            model.outputs(images)


def test_ranges_of_8_bits_from_few_pictures_are_warned_of(recwarn: pytest.WarningsRecorder) -> None:
    pixels = torch.zeros(600, 1, 4, 4, dtype=torch.uint8)
    assert [len(calibration_pictures(TensorImages(pixels[:count], {}))) for count in (100, 600)] == [100, 512]
    assert not recwarn.list
    with pytest.warns(CnnlabWarning, match=r"from 99 pictures.*100 to 500 are advised \(TensorFlow's guide"):
        assert len(calibration_pictures(TensorImages(pixels[:99], {}))) == 99
    with pytest.warns(CnnlabWarning, match="from 1 picture, all that there are"):
        calibration_pictures(TensorImages(pixels[:1], {}))
