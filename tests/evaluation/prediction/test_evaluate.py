import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor, nn

import cnnlab
from cnnlab.core.errors import CnnlabWarning, DataError, ModelFileError, UsageError
from cnnlab.data import Dataset, TensorImages
from cnnlab.evaluation import evaluate
from cnnlab.evaluation.prediction import predictor
from cnnlab.models import Classifier
from cnnlab.runs import Run, RunWriter

SIDE = 4


class BrightestQuarter(nn.Module):
    """Outputs the mean brightness of each of the four quarters of a 4×4 picture."""

    def forward(self, pixels: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(pixels, SIDE // 2).flatten(1)


NAMES = ("north-west", "north-east", "south-west", "south-east")


@pytest.fixture
def classifier() -> Classifier:
    return Classifier(
        BrightestQuarter(), (1, SIDE, SIDE), [0.0], [1.0], {"label": NAMES}, "classes(column=none)", "own"
    )


def _bright(quarters: Sequence[int]) -> Tensor:
    """A picture for each number that is white in that quarter alone."""
    images = torch.zeros(len(quarters), 1, SIDE, SIDE, dtype=torch.uint8)
    for image, quarter in zip(images, quarters, strict=True):
        row, column = divmod(quarter, 2)
        image[0, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = 255
    return images


def _dataset(quarters: Sequence[int], labels: Sequence[int], names: Sequence[str]) -> Dataset:
    part = TensorImages(_bright(quarters), {"label": torch.tensor(labels)}, {"label": tuple(names)})
    return Dataset("quarters", train=part, validation=part, test=part)


def test_each_class_is_told_with_its_recall_and_precision(classifier: Classifier) -> None:
    # Of the two pictures of the first class one is taken for the second, which has no other.
    result = evaluate(classifier, _dataset([0, 1, 2, 3], [0, 0, 2, 3], NAMES), "test")
    rows = {row["name"]: row for row in result.to_dict()["classes"]}
    assert tuple(rows) == NAMES and {row["column"] for row in rows.values()} == {"label"}
    assert [row["support"] for row in rows.values()] == [2, 0, 1, 1]
    assert rows["north-west"] == {
        "column": "label",
        "name": "north-west",
        "support": 2,
        "precision": 1.0,
        "recall": 0.5,
        "f1": 2 / 3,
    }
    assert rows["north-east"]["precision"] == 0 and rows["north-east"]["recall"] is None
    assert rows["south-east"]["recall"] == rows["south-east"]["precision"] == 1


def test_outputs_that_are_no_numbers_have_no_classes(classifier: Classifier) -> None:
    result = evaluate(classifier, _dataset([0, 1], [0, 1], NAMES), "test")
    (output,) = result.predictions.outputs.values()
    output[0, 0] = float("nan")
    assert result.to_dict()["classes"] == []


@pytest.mark.parametrize("one", [True, False])
def test_pictures_of_some_of_the_classes_are_scored_by_their_names(
    classifier: Classifier, tmp_path: Path, one: bool
) -> None:
    classes = (2,) if one else (0, 2)
    for number, image in enumerate(_bright([quarter for quarter in classes for _ in range(3)])):
        place = tmp_path / "some" / NAMES[classes[number // 3]] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        # Of each three one is not quite black elsewhere, so that no two are the same.
        image[0, 3, 0] ^= number
        Image.fromarray(image[0].numpy()).save(place)
    with pytest.warns(CnnlabWarning, match="the data has no pictures of .*south-east"):
        result = evaluate(classifier, tmp_path / "some")
    assert result.scores["accuracy"] == 1 and result.scores["n"] == 3 * len(classes)
    assert sorted(result.predictions.targets["label"].tolist()) == [c for c in classes for _ in range(3)]


def test_a_run_scored_on_its_own_test_split_gives_its_recorded_scores_to_the_bit(digits_run: Run) -> None:
    result = evaluate(digits_run)
    assert result.scores == digits_run.test.to_dict()
    assert result.predictions == digits_run.predictions("test")


def test_a_run_scored_on_its_validation_split_gives_its_recorded_scores(digits_run: Run) -> None:
    assert evaluate(digits_run, split="validation").scores == digits_run.validation.to_dict()


def test_all_means_the_images_of_every_split(digits_run: Run) -> None:
    result = evaluate(digits_run, split="all")
    assert result.scores["n"] == 1797
    assert len(result.predictions) == 1797


def test_scores_are_those_worked_out_by_hand(classifier: Classifier) -> None:
    # Three of four pictures are labelled by the quarter that is bright.
    scores = evaluate(classifier, _dataset([0, 1, 2, 3], [0, 1, 2, 0], NAMES)).scores
    assert scores["accuracy"] == 0.75
    assert scores["n"] == 4


def test_classes_in_another_order_are_matched_by_name(classifier: Classifier) -> None:
    backwards = _dataset([0, 1, 2, 3], [3, 2, 1, 0], tuple(reversed(NAMES)))
    result = evaluate(classifier, backwards)
    assert result.scores["accuracy"] == 1.0
    assert result.predictions.targets["label"].tolist() == [0, 1, 2, 3]
    assert result.predictions.classes["label"] == NAMES


def test_a_class_that_the_classifier_does_not_know_is_named(classifier: Classifier) -> None:
    with pytest.raises(DataError, match=r"does not know middle.*It knows north-west"):
        evaluate(classifier, _dataset([0, 1], [0, 1], ("north-west", "middle")))


def test_data_with_some_of_the_classes_is_scored_with_a_warning(classifier: Classifier) -> None:
    with pytest.warns(CnnlabWarning, match="no pictures of south-west, south-east"):
        result = evaluate(classifier, _dataset([1, 0], [0, 1], ("north-east", "north-west")))
    assert result.scores["accuracy"] == 1.0


def test_numbers_where_classes_are_wanted_are_refused(classifier: Classifier) -> None:
    part = TensorImages(_bright([0]), {"label": torch.tensor([0.5])})
    with pytest.raises(UsageError, match="holds numbers"):
        evaluate(classifier, Dataset("numbers", part, part, part))


def test_data_without_the_predicted_column_is_refused(classifier: Classifier) -> None:
    part = TensorImages(_bright([0]), {"hour": torch.tensor([0])}, {"hour": ("0", "1")})
    with pytest.raises(DataError, match=r"predicts label.*it has hour"):
        evaluate(classifier, Dataset("clocks", part, part, part))


def test_images_without_targets_are_predicted_and_not_scored(classifier: Classifier) -> None:
    train = TensorImages(_bright([0, 1]), {"label": torch.tensor([0, 1])}, {"label": NAMES})
    result = evaluate(classifier, Dataset("unlabelled", train, train, TensorImages(_bright([3, 2]))))
    assert result.scores == {}
    assert result.predictions.outputs["label"].argmax(1).tolist() == [3, 2]


def test_a_split_that_is_not_there_is_named_with_those_that_are(digits_run: Run) -> None:
    with pytest.raises(UsageError, match=r"no split 'tset'.*train, validation, test"):
        evaluate(digits_run, split="tset")


def test_other_data_is_brought_to_the_size_and_channels_of_the_classifier(digits_run: Run, tmp_path: Path) -> None:
    from PIL import Image

    for name in "01":
        folder = tmp_path / "pictures" / name
        folder.mkdir(parents=True)
        for number in range(6):
            noise = np.random.default_rng([number, int(name)]).integers(0, 255, (20, 30, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / f"{number}.png")
    with pytest.warns(CnnlabWarning, match="no pictures of 2, 3"):
        result = evaluate(digits_run, str(tmp_path / "pictures"))
    assert result.scores["n"] == 12


@pytest.mark.parametrize(("top", "white"), [(255.0, (None, 255.0)), (4080, (4095, None))])
@pytest.mark.filterwarnings("ignore::cnnlab.core.errors.CnnlabWarning")
def test_the_white_of_the_training_is_that_of_the_data_evaluated(
    top: float, white: tuple[int | None, float | None], tmp_path: Path
) -> None:
    shares = np.random.default_rng(0).random((20, 6, 6))
    shares[0, 0, 0] = 1
    labels = np.arange(20) % 2
    values = (shares * top).astype(np.float32 if isinstance(top, float) else np.int64)
    run = cnnlab.train(data=(values, labels), model="mlp(hidden=[2])", epochs=1, runs=tmp_path / "runs", device="cpu")
    assert run.classifier().whites == white
    # By itself this would be scaled by its own, smaller largest value.
    np.savez(tmp_path / "dark.npz", x_train=values // 5, y_train=labels)
    scored = evaluate(run, f"npz({tmp_path / 'dark.npz'})", "all")
    as_bytes = np.floor((values // 5).astype(np.float64) * 255 / max(filter(None, white)) + 0.5).astype(np.uint8)
    assert scored.scores["loss"] == pytest.approx(
        evaluate(run, Dataset("bytes", TensorImages(*_given(as_bytes, labels))), "train").scores["loss"], rel=1e-5
    )


def _given(images: np.ndarray, labels: np.ndarray) -> tuple[Tensor, dict[str, Tensor], dict[str, tuple[str, ...]]]:
    return torch.from_numpy(images)[:, None], {"label": torch.from_numpy(labels)}, {"label": ("0", "1")}


def test_a_classifier_by_itself_needs_data(classifier: Classifier) -> None:
    with pytest.raises(UsageError, match="name some"):
        evaluate(classifier)


def test_a_device_that_is_not_there_is_refused(digits_run: Run) -> None:
    with pytest.raises(UsageError, match="no device 'cuda:77'"):
        evaluate(digits_run, device="cuda:77")


def test_a_run_whose_device_is_gone_is_evaluated_on_the_processor_with_a_warning(
    digits_run: Run, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(digits_run.folder, copy)
    info = json.loads((copy / "run.json").read_text())
    info["execution"] |= {"device": "cuda:77", "precision": "bfloat16"}
    (copy / "run.json").write_text(json.dumps(info))
    with pytest.warns(CnnlabWarning, match="trained on cuda:77"):
        scores = evaluate(Run(copy)).scores
    assert scores["accuracy"] == pytest.approx(digits_run.test.accuracy, abs=0.02)


def test_a_run_in_bfloat16_from_elsewhere_is_evaluated_in_float32_where_that_is_not_native(
    digits_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(digits_run.folder, copy)
    info = json.loads((copy / "run.json").read_text())
    info["execution"] |= {"device": "cpu", "precision": "bfloat16"}
    (copy / "run.json").write_text(json.dumps(info))
    recipe = yaml.safe_load((copy / "recipe.yaml").read_text())
    (copy / "recipe.yaml").write_text(yaml.safe_dump(recipe | {"precision": "bfloat16"}))
    # Where it was trained in what was asked for, its scores come out again, native or not.
    monkeypatch.setattr(predictor, "has_native_bfloat16", lambda device: False)
    assert predictor.predictor_of(Run(copy)).precision == "bfloat16"
    monkeypatch.setattr(predictor, "processor", lambda: "another")
    monkeypatch.setattr(predictor, "has_native_bfloat16", lambda device: True)
    assert predictor.predictor_of(Run(copy)).precision == "bfloat16"
    monkeypatch.setattr(predictor, "has_native_bfloat16", lambda device: False)
    with pytest.warns(CnnlabWarning, match="evaluated in float32"):
        assert predictor.predictor_of(Run(copy)).precision == "float32"


def test_a_run_without_a_classifier_says_so(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path, digest="a" * 64, recipe={"data": "digits"}, name="young") as writer:
        folder = writer.folder
    with pytest.raises(ModelFileError, match="no classifier stored yet"):
        evaluate(Run(folder))


def test_the_result_as_json_says_what_was_evaluated(digits_run: Run) -> None:
    facts = json.loads(json.dumps(evaluate(digits_run).to_dict()))
    assert facts["split"] == "test"
    assert facts["data"] == "digits"
    assert facts["images"] == 359
    assert facts["scores"]["accuracy"] == digits_run.test.accuracy


def test_the_public_name_is_this_function() -> None:
    assert cnnlab.evaluate is evaluate


def test_a_run_trained_in_bfloat16_is_scored_in_bfloat16(tmp_path: Path) -> None:
    recipe = {"data": "digits", "model": "mlp(hidden=[32])", "epochs": 1, "batch_size": 64, "threads": 1}
    run = cnnlab.train({**recipe, "precision": "bfloat16"}, runs=tmp_path)
    assert evaluate(run).predictions == run.predictions("test")
    # The comparison can fail: in float32 the outputs are others.
    assert evaluate(run.classifier(), cnnlab.load_data("digits")).predictions != run.predictions("test")
