import csv
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from cnnlab.core.errors import CnnlabWarning, DataError, StorageError
from cnnlab.evaluation import predict
from cnnlab.models import Classifier
from cnnlab.runs import Run


class Brightness(nn.Module):
    """Logits 0 and 4 (brightness - 1/2): the probability of the second class grows with brightness."""

    def forward(self, pixels: Tensor) -> Tensor:
        mean = pixels.mean((1, 2, 3))
        return torch.stack([torch.zeros_like(mean), 4 * (mean - 0.5)], dim=1)


@pytest.fixture
def classifier() -> Classifier:
    names = {"label": ("dark", "light")}
    return Classifier(Brightness(), (1, 6, 6), [0.0], [1.0], names, "classes(column=none)", "own")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures of one brightness each, one in a folder of its own, and a file that is no picture."""
    inside = tmp_path / "pictures" / "deeper"
    inside.mkdir(parents=True)
    Image.fromarray(np.full((10, 12), 255, np.uint8)).save(inside.parent / "white.png")
    Image.fromarray(np.zeros((7, 5), np.uint8)).save(inside / "black.png")
    (inside.parent / "notes.txt").write_text("not a picture")
    return inside.parent


def _damage(folder: Path) -> Path:
    damaged = folder / "damaged.png"
    damaged.write_bytes((folder / "white.png").read_bytes()[:40])
    return damaged


def test_folders_are_searched_and_probabilities_are_those_worked_out_by_hand(
    classifier: Classifier, folder: Path
) -> None:
    frame = predict(classifier, folder).frame()
    assert frame["path"].tolist() == [str(folder / "deeper/black.png"), str(folder / "white.png")]
    assert frame["predicted"].tolist() == ["dark", "light"]
    light = 1 / (1 + np.exp(-2.0))
    assert frame["light"].tolist() == pytest.approx([1 - light, light])
    assert frame["dark"].tolist() == pytest.approx([light, 1 - light])
    assert frame["confidence"].tolist() == pytest.approx([light, light])


def test_a_single_file_and_the_folder_it_is_in_name_a_image_once(classifier: Classifier, folder: Path) -> None:
    assert len(predict(classifier, [folder / "white.png", folder])) == 2


def test_images_in_an_archive_are_predicted(classifier: Classifier, folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "pictures.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(folder / "white.png", "some/white.png")
    result = predict(classifier, archive)
    assert result.columns["label"].predicted == ["light"]
    assert result.paths[0].endswith("some/white.png")


def test_the_csv_reads_back_as_the_frame(classifier: Classifier, folder: Path, tmp_path: Path) -> None:
    result = predict(classifier, folder)
    result.save_csv(tmp_path / "out" / "predictions.csv")
    with (tmp_path / "out" / "predictions.csv").open(newline="") as file:
        heading, *rows = csv.reader(file)
    assert heading == ["path", "predicted", "confidence", "dark", "light"]
    assert [row[:2] for row in rows] == [
        [path, word] for path, word in zip(result.paths, ("dark", "light"), strict=True)
    ]
    assert [float(row[2]) for row in rows] == pytest.approx(result.columns["label"].confidence, rel=1e-5)


def test_a_csv_that_cannot_be_written_leaves_the_earlier_one(
    classifier: Classifier, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="could not be written"):
        predict(classifier, folder).save_csv(tmp_path / "file" / "predictions.csv")
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_class_called_path_keeps_the_heading_of_the_paths(folder: Path) -> None:
    names = {"label": ("path", "other")}
    classifier = Classifier(Brightness(), (1, 6, 6), [0.0], [1.0], names, "classes(column=none)", "own")
    assert list(predict(classifier, folder).frame()) == ["path", "predicted", "confidence", "class path", "other"]


def test_an_unreadable_image_is_refused_and_named(classifier: Classifier, folder: Path) -> None:
    damaged = _damage(folder)
    with pytest.raises(DataError, match=damaged.name):
        predict(classifier, folder)


def test_an_unreadable_image_is_skipped_and_named_when_asked_for(classifier: Classifier, folder: Path) -> None:
    damaged = _damage(folder)
    with pytest.warns(CnnlabWarning, match=damaged.name):
        result = predict(classifier, folder, on_bad="skip")
    assert [Path(path).name for path in result.paths] == ["black.png", "white.png"]
    assert result.columns["label"].predicted == ["dark", "light"]
    assert damaged.name in result.unreadable[0]


@pytest.mark.filterwarnings("ignore::cnnlab.core.errors.CnnlabWarning")
def test_nothing_but_unreadable_images_is_an_error_in_any_case(classifier: Classifier, folder: Path) -> None:
    damaged = _damage(folder)
    with pytest.raises(DataError, match="none of these pictures"):
        predict(classifier, damaged, on_bad="skip")


def test_what_is_not_there_is_named(classifier: Classifier, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no picture or folder .*missing"):
        predict(classifier, tmp_path / "missing")


def test_a_folder_without_images_is_named(classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").touch()
    with pytest.raises(DataError, match="texts holds no pictures: none of the 1 files"):
        predict(classifier, tmp_path / "texts")


def test_images_are_resized_as_the_training_images_were(folder: Path) -> None:
    # The middle of the picture is white and its sides black: cropped it is all white, squashed it is half.
    striped = np.zeros((10, 20), np.uint8)
    striped[:, 5:15] = 255
    Image.fromarray(striped).save(folder / "striped.png")
    names = {"label": ("dark", "light")}
    shares = {}
    for resize in ("crop", "squash"):
        model = Classifier(Brightness(), (1, 6, 6), [0.0], [1.0], names, "classes(column=none)", "own", resize=resize)
        shares[resize] = predict(model, folder / "striped.png").columns["label"].probabilities[0][1]
    assert shares["crop"] == pytest.approx(1 / (1 + np.exp(-2.0)), abs=0.05)
    assert shares["squash"] == pytest.approx(0.5, abs=0.05)


def test_pictures_of_more_than_8_bits_are_read_as_those_of_the_training(folder: Path, tmp_path: Path) -> None:
    for value in (400, 2000):
        Image.fromarray(np.full((6, 6), value, np.uint16)).save(tmp_path / f"{value}.png")
    both, names = [tmp_path / "400.png", tmp_path / "2000.png"], {"label": ("dark", "light")}

    def light(white: int | None, images: list[Path]) -> float:
        """How bright the first of the pictures is."""
        model = Classifier(Brightness(), (1, 6, 6), [0.0], [1.0], names, "classes(column=none)", "own", white=white)
        probability = predict(model, images).columns["label"].probabilities[0][1]
        return np.log(probability / (1 - probability)) / 4 + 0.5

    assert light(4095, both[:1]) == pytest.approx(25 / 255)
    # Without the training's white, that of all pictures given: 1023 for 400 alone, 4095 beside 2000.
    assert light(None, both) == pytest.approx(25 / 255)
    assert light(None, both[:1]) == pytest.approx(100 / 255)


def test_predictions_as_json_hold_every_probability(classifier: Classifier, folder: Path) -> None:
    facts = json.loads(json.dumps(predict(classifier, folder).to_dict()))
    assert [image["predicted"] for image in facts["images"]] == ["dark", "light"]
    assert set(facts["images"][0]["probabilities"]) == {"dark", "light"}
    assert facts["unreadable"] == []


def test_the_images_that_a_run_was_tested_on_are_predicted_as_then(digits_run: Run, tmp_path: Path) -> None:
    from cnnlab import data

    test = data.load_data("digits").test
    assert test is not None
    places = range(0, 359, 40)
    pixels, _ = test.batch(torch.tensor(list(places)))
    for place, image in zip(places, pixels, strict=True):
        Image.fromarray(image[0].numpy()).save(tmp_path / f"{place:03}.png")
    stored = digits_run.predictions("test").outputs["label"].argmax(1)
    expected = [str(stored[place]) for place in places]
    assert list(predict(digits_run, tmp_path).columns["label"].predicted) == expected
