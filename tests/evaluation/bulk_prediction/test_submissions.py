"""Submissions as Kaggle takes them."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from greys import CLASSES, Nearest

from cnnlab.core.errors import DataError, UsageError
from cnnlab.evaluation import predict_to_file
from cnnlab.models import Classifier


@pytest.fixture
def submit(classifier: Classifier, write: Callable[..., Path], tmp_path: Path):
    """Writes a submission of pictures of these brightnesses and gives its rows; a sample where one is given."""

    def submit(greys: dict[str, int], sample: str | None = None, model: Classifier = classifier, **options):
        if sample is not None:
            (tmp_path / "sample.csv").write_text(sample)
            options["like"] = tmp_path / "sample.csv"
        else:
            options["format"] = "kaggle"
        predict_to_file(model, write(greys), tmp_path / "s.csv", **options)
        with (tmp_path / "s.csv").open(newline="") as file:
            return list(csv.reader(file))

    return submit


def test_rows_are_in_the_order_of_numbers(submit) -> None:
    found = submit({"10.png": 250, "9.png": 10, "1.png": 130})
    assert found == [["id", "label"], ["1", "middle"], ["9", "dark"], ["10", "light"]]


def test_names_that_are_no_numbers_stay_as_they_are(submit) -> None:
    assert [row[0] for row in submit({"b.v2.png": 250, "a10.png": 250, "a9.png": 250})[1:]] == ["a10", "a9", "b.v2"]


def test_ids_order_and_header_are_those_of_the_sample(submit) -> None:
    found = submit({"1.png": 250, "2.png": 10, "3.png": 130}, "ImageId,Kind\n2,x\n3,x\n1,x\n")
    assert found == [["ImageId", "Kind"], ["2", "dark"], ["3", "middle"], ["1", "light"]]


def test_ids_of_a_sample_may_have_suffixes(submit) -> None:
    assert submit({"1.png": 250, "2.png": 10}, "file,label\n2.png,x\n1.png,x\n")[1:] == [
        ["2.png", "dark"],
        ["1.png", "light"],
    ]


def test_a_sample_with_a_column_a_class_gets_probabilities_in_its_order(submit) -> None:
    heading, row = submit({"1.png": 255}, "id,light,dark,middle\n1,0.3,0.3,0.3\n")
    shares = np.exp([0, -8, -4]) / np.exp([0, -8, -4]).sum()
    assert heading == ["id", "light", "dark", "middle"]
    assert [float(share) for share in row[1:]] == pytest.approx(shares, rel=1e-5)


def test_a_sample_with_a_column_of_one_class_gets_its_probability(submit) -> None:
    assert submit({"1.png": 255}, "id,middle\n1,0.5\n")[1] == ["1", f"{np.exp(-4) / np.exp([0, -8, -4]).sum():.6g}"]


def test_a_sample_of_a_probability_that_does_not_say_of_which_class_is_refused(submit) -> None:
    with pytest.raises(DataError, match=r"numbers such as 0\.5 in the column label.*none of this model's, dark"):
        submit({"1.png": 255}, "id,label\n1,0.5\n")


def test_several_classes_stand_apart_by_spaces(submit) -> None:
    assert submit({"1.png": 255}, top=2)[1] == ["1", "light middle"]


def test_probabilities_are_told_without_a_sample_too(submit) -> None:
    assert submit({"1.png": 255}, probabilities=True)[0] == ["id", *CLASSES]


def test_ids_missing_and_too_many_are_told_in_one_sentence_before_anything_is_predicted(
    submit, network: Nearest
) -> None:
    sample = "id,label\n" + "".join(f"{place},x\n" for place in range(2, 30))
    with pytest.raises(DataError) as caught:
        submit({"1.png": 250, "2.png": 10, "3.png": 250}, sample)
    said = str(caught.value)
    assert "of 26 ids in it there is no picture (4, 5, 6, 7, 8, 9, 10, 11, 12, 13 and 16 more)" in said
    assert "and 1 picture given is not in it" in said and "test/1.png)" in said and network.shown == 0


def test_two_pictures_of_one_id_are_refused(submit) -> None:
    with pytest.raises(DataError, match=r"one row for each id, and .*a/1\.png and .*b/1\.png have the same, 1"):
        submit({"a/1.png": 250, "b/1.png": 250})


def test_an_id_twice_in_the_sample_is_refused(submit) -> None:
    with pytest.raises(DataError, match="several rows of one id: 1"):
        submit({"1.png": 250}, "id,label\n1,x\n1,x\n")


def test_a_sample_that_asks_for_other_classes_is_refused_with_the_nearest(submit) -> None:
    with pytest.raises(DataError, match=r"'lihgt' is no class of this model.*Did you mean light"):
        submit({"1.png": 250}, "id,lihgt,dark\n1,0,0\n")


def test_names_of_classes_with_spaces_are_not_put_into_one_cell(submit) -> None:
    names = {"label": ("very dark", "middle", "light")}
    spaced = Classifier(Nearest(), (1, 6, 6), [0.0], [1.0], names, "classes(column=label)", "own")
    with pytest.raises(UsageError, match="some of their names have spaces: very dark"):
        submit({"1.png": 250}, model=spaced, top=2)


def test_what_is_predicted_as_a_number_is_told_as_one(submit) -> None:
    from torch import nn

    class Mean(nn.Module):
        def forward(self, pixels):
            return pixels.mean((1, 2, 3))[:, None]

    number = Classifier(Mean(), (1, 6, 6), [0.0], [1.0], {}, "scalar(column=age)", "own")
    assert submit({"1.png": 51}, model=number) == [["id", "age"], ["1", "0.2"]]
    with pytest.raises(UsageError, match="have no probabilities"):
        submit({"1.png": 51}, model=number, top=2)
