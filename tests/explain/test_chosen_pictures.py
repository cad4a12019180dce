"""Which pictures a word stands for, and what is said where it stands for none."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import cnnlab
from cnnlab.core.errors import DataError, UsageError
from cnnlab.evaluation import class_predictions, own_data
from cnnlab.explain.chosen_pictures import chosen_pictures
from cnnlab.runs import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        folder = tmp_path_factory.mktemp("runs")
        yield cnnlab.train(data="digits", model="cnn(filters=[4])", epochs=1, runs=folder, precision="float32")


@pytest.fixture(scope="module")
def right(run: Run) -> np.ndarray:
    return class_predictions(run.predictions("test"), "label").right


def places(names: tuple[str, ...]) -> list[int]:
    return [int(name.split(":")[1]) for name in names]


def test_places_of_a_split_give_these_pictures_with_their_classes(run: Run) -> None:
    found = chosen_pictures(run, ["test:12,5", "validation:0"])
    data = dict(own_data(run).parts())
    assert found.names == ("test:12", "test:5", "validation:0")
    expected, targets = data["test"].batch(torch.tensor([12, 5]))
    assert torch.equal(found.pixels[:2], expected)
    names = data["test"].classes["label"]
    assert found.true[:2] == tuple(names[int(label)] for label in targets["label"])
    assert found.of == "test pictures 12, 5 of digits, and validation picture 0 of digits"


def test_what_is_predicted_is_told_with_how_sure_that_is(run: Run) -> None:
    found = chosen_pictures(run, ["test:0,1,2"])
    predicted = class_predictions(run.predictions("test"), "label")
    for place, (word, share) in enumerate(zip(found.predicted, found.sure, strict=True)):
        assert word == predicted.names[predicted.predicted[place]]
        assert abs(float(share.rstrip("%")) - 100 * predicted.confidence[place]) <= 0.51


def test_as_many_rightly_as_wrongly_predicted_ones_are_taken_of_different_classes(run: Run, right: np.ndarray) -> None:
    found = chosen_pictures(run)
    chosen = places(found.names)
    assert right[chosen].tolist() == [True] * 3 + [False] * 3 and len(set(chosen)) == 6
    assert len(set(found.true[:3])) == len(set(found.true[3:])) == 3
    assert found.of == "3 rightly and 3 wrongly predicted test pictures of digits, drawn by seed 0"
    assert chosen_pictures(run, ["test"]).names == found.names
    assert chosen_pictures(run, seed=1).names != found.names


@pytest.mark.parametrize("kind", ["right", "wrong"])
def test_only_pictures_of_the_kind_are_drawn(kind: str, run: Run, right: np.ndarray) -> None:
    found = chosen_pictures(run, [f"test:{kind}"], count=5)
    assert len(found) == 5 and set(right[places(found.names)].tolist()) == {kind == "right"}


def test_of_a_split_without_predictions_pictures_of_different_classes_are_drawn(run: Run) -> None:
    found = chosen_pictures(run, ["train"])
    assert len(set(found.true)) == 6 and found.of.startswith("6 train pictures of digits")
    with pytest.raises(UsageError, match="no predictions of classes on its train pictures"):
        chosen_pictures(run, ["train:wrong"])


def test_files_are_brought_to_the_shape_of_the_model(run: Run, tmp_path: Path) -> None:
    for number in range(9):
        Image.new("RGB", (30, 20), (20 * number, 0, 0)).save(tmp_path / f"{number}.png")
    some = chosen_pictures(run, [tmp_path / f"{number}.png" for number in (3, 0, 2)])
    assert some.of == "3.png, 0.png and 2.png"
    one = chosen_pictures(run, [tmp_path / "3.png"])
    assert one.pixels.shape == (1, 1, 8, 8) and one.names == ("3.png",) and one.true == ("",)
    some = chosen_pictures(run, [tmp_path], count=4)
    assert len(some) == 4 and some.of == f"4 of 9 pictures in {tmp_path.name}, drawn by seed 0"
    assert list(some.names) == sorted(some.names)


def test_a_classifier_by_itself_takes_files_and_has_no_splits(run: Run, tmp_path: Path) -> None:
    Image.new("L", (8, 8), 9).save(tmp_path / "a.png")
    model = run.classifier()
    assert chosen_pictures(model, [tmp_path / "a.png"]).of == "a.png"
    for words in ([], ["test:1"]):
        with pytest.raises(UsageError, match=r"--images photo\.jpg"):
            chosen_pictures(model, words)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("test:99999", "the test split has pictures 0 to 358, and no 99999"),
        ("test:x", "x is no place of a picture: write test:12,57"),
        ("test:wrnog", "Did you mean wrong?"),
        ("test:", "say which pictures of test are meant, as in test:12,57"),
        ("tset:1", "there is no picture or folder tset:1, and no split of the run: these are train, validation, test"),
    ],
)
def test_what_there_is_not_is_told_with_what_there_is(word: str, said: str, run: Run) -> None:
    with pytest.raises((UsageError, DataError), match=re.escape(said)):
        chosen_pictures(run, [word])
