"""What is said of a data set before it is trained on."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnnlab import data
from cnnlab.core.errors import DataError, SpecError

Write = Callable[..., Path]
Files = Callable[..., dict[str, bytes]]
Make = Callable[..., bytes]


def told(report: data.CheckReport, level: str) -> str:
    return "\n".join(finding.text for finding in report.findings if finding.level == level)


def test_sound_data_is_usable(write: Write, files: Files) -> None:
    report = data.check_data(write(files(("train/", "val/", "test/"), count=12)))
    assert report.is_usable and report.findings == ()
    assert report.statistics["images"] == {"train": 24, "validation": 24, "test": 24}
    assert report.statistics["counts"]["test"] == {"label": {"cat": 12, "dog": 12}}
    assert report.statistics["files"] == {
        "modes": {"RGB": 72},
        "sizes": 1,
        "width": [6, 6, 6],
        "height": [4, 4, 4],
    }
    assert json.loads(json.dumps(report.to_dict()))["usable"] is True


def test_unreadable_files_are_errors_each_by_name(write: Write, files: Files) -> None:
    contents = {**files(), "cat/0.png": b"", "dog/1.png": b"GIF89a"}
    path = write(contents)
    errors = told(data.check_data(path), "error")
    assert "cat/0.png cannot be read: the file is empty" in errors and "dog/1.png cannot be read" in errors
    skipped = data.check_data(f"folder({path}, on_bad=skip)")
    assert skipped.is_usable and "cat/0.png" in told(skipped, "warning")


def test_class_missing_from_train_is_an_error_and_training_refuses_it_afterwards(write: Write, files: Files) -> None:
    contents = {name: content for name, content in files(("train/", "val/")).items() if name[:9] != "train/dog"}
    path = write(contents)
    report = data.check_data(path)
    assert "train (train) has no pictures of these classes" in told(report, "error")
    assert report.statistics["images"]["train"] == 6
    with pytest.raises(DataError, match="has no pictures of these classes"):
        data.load_data(path)


def test_different_sizes_are_an_error_with_their_spread(write: Write, files: Files, image: Make) -> None:
    report = data.check_data(write({**files(), "cat/9.png": image(9, size=(30, 20))}))
    assert "size=96" in told(report, "error")
    assert report.statistics["files"]["sizes"] == 2 and report.statistics["files"]["width"] == [6, 6, 30]


def test_duplicates_are_counted(write: Write, files: Files) -> None:
    contents = files(("train/", "test/"))
    contents["test/cat/0.png"] = contents["test/cat/1.png"] = contents["train/cat/0.png"]
    contents["train/dog/0.png"] = contents["train/cat/3.png"]
    report = data.check_data(write(contents))
    warnings = told(report, "warning")
    assert "1 picture of train is in test too, pixel by pixel. dedupe=true" in warnings
    assert (
        "train holds 1 exact copy of other pictures in it, and 2 pictures have copies with another target" in warnings
    )
    assert "test holds 1 exact copy" in told(report, "info")


def test_imbalance_is_warned_of(write: Write, image: Make) -> None:
    contents = {f"cat/{n}.png": image(n) for n in range(40)} | {f"dog/{n}.png": image(n + 40) for n in range(10)}
    assert "4.0 to 1: train has 40 pictures of cat and 10 of dog" in told(data.check_data(write(contents)), "warning")


def test_class_without_images_and_uniform_images_are_warned_of() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 4, 4), dtype=np.uint8)
    pixels[3], pixels[5] = 0, 200
    dataset = data.from_arrays(pixels, np.arange(30) % 2, class_names=["a", "b", "c"], validation=0, test=0)
    warnings = told(data.check_data(dataset), "warning")
    assert "no picture of these classes of label: c" in warnings
    assert "2 pictures of train are of one single colour" in warnings


def test_contradictory_arrays_are_an_error(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", images=np.zeros((5, 4, 4), np.uint8), labels=np.zeros(4, int))
    report = data.check_data(tmp_path / "x.npz")
    assert not report.is_usable and "4 values of label" in told(report, "error")


def test_what_would_be_set_aside_is_counted(write: Write, image: Make) -> None:
    folder = write({f"{name}.png": image(seed) for seed, name in enumerate("abcdefgh")})
    report = data.check_data(_table(folder, "abcdefgh"))
    assert "no test split: 2 of 8 pictures of train will be set aside" in told(report, "info")
    assert "no validation split: 1 of 6 pictures of train" in told(report, "info")
    few = told(data.check_data(_table(folder, "ab")), "warning")
    assert "there is no test split" in few and "a tenth of 2 pictures is none" in few


def test_one_image_is_too_few_to_train_on(write: Write, image: Make) -> None:
    report = data.check_data(_table(write({"a.png": image(0)}), "a"))
    assert "1 picture is too few" in told(report, "error")


def _table(folder: Path, names: str) -> Path:
    path = folder / f"{names}.csv"
    rows = "".join(f"{name}.png,{'xy'[place % 2]}\n" for place, name in enumerate(names))
    path.write_text(f"path,label\n{rows}")
    return path


def test_tree_without_images_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    assert "class folders" in told(data.check_data(tmp_path / "photos"), "error")


def test_missing_file_and_unknown_name_are_refused() -> None:
    with pytest.raises(DataError, match="no file or folder"):
        data.check_data("nowhere/")
    with pytest.raises(SpecError, match="Did you mean digits"):
        data.check_data("digit")
