"""Predictions of many pictures into one file."""

import csv
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from greys import CLASSES, GREYS, Nearest, png, zip_of
from PIL import Image

from cnnlab.core.errors import CnnlabWarning, DataError, StorageError, UsageError
from cnnlab.core.file_locks import only_writer
from cnnlab.evaluation import PredictedFile, predict, predict_to_file
from cnnlab.evaluation.bulk_prediction import predict_to_file as module
from cnnlab.evaluation.bulk_prediction import read_ahead
from cnnlab.models import Classifier


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


@pytest.fixture
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of 4 pictures, parts of 8."""
    monkeypatch.setattr(read_ahead, "_BATCH", 4)
    monkeypatch.setattr(read_ahead, "MOST_PICTURES", 8)


def test_a_table_is_what_predict_gives_in_one_go(
    classifier: Classifier, write: Callable[..., Path], tmp_path: Path, short_parts: None
) -> None:
    folder = write({f"{place:02}.png": place * 12 for place in range(21)})
    written = predict_to_file(classifier, folder, tmp_path / "p.csv")
    assert written == PredictedFile(tmp_path / "p.csv", 21)
    expected = predict(classifier, folder).frame()
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "p.csv"), expected, rtol=1e-5)
    assert hidden(tmp_path) == []


def test_the_likeliest_classes_stand_beside_one_another(
    classifier: Classifier, write: Callable[..., Path], tmp_path: Path
) -> None:
    folder = write({"a.png": 255, "b.png": 0})
    predict_to_file(classifier, folder, tmp_path / "p.csv", top=3)
    heading, bright, black = rows(tmp_path / "p.csv")
    assert heading == ["path", "predicted", "confidence", "predicted 2", "confidence 2", "predicted 3", "confidence 3"]
    # Logits of white are -8, -4 and 0.
    shares = np.exp([0, -4, -8]) / np.exp([0, -4, -8]).sum()
    assert bright[1::2] == ["light", "middle", "dark"] and black[1::2] == ["dark", "middle", "light"]
    assert [float(share) for share in bright[2::2]] == pytest.approx(shares, rel=1e-5)


def test_a_picture_may_stand_in_an_archive_or_a_table(
    classifier: Classifier, write: Callable[..., Path], tmp_path: Path
) -> None:
    write({"images/x.png": 250, "images/y.png": 10})
    (tmp_path / "test" / "list.csv").write_text("id\ny\nx\n")
    predict_to_file(classifier, tmp_path / "test" / "list.csv", tmp_path / "s.csv", format="kaggle")
    assert rows(tmp_path / "s.csv") == [["id", "label"], ["y", "dark"], ["x", "light"]]
    predict_to_file(classifier, zip_of(tmp_path / "z.zip", 3), tmp_path / "z.csv", format="kaggle")
    assert rows(tmp_path / "z.csv")[1:] == [["0", "dark"], ["1", "middle"], ["2", "light"]]


def test_a_table_that_names_what_is_not_there_is_refused(
    classifier: Classifier, write: Callable[..., Path], tmp_path: Path
) -> None:
    write({"x.png": 250})
    (tmp_path / "test" / "list.csv").write_text("id\nx\nz\n")
    with pytest.raises(DataError, match=r"list.csv names pictures that are not in .*test: z\."):
        predict_to_file(classifier, tmp_path / "test" / "list.csv", tmp_path / "s.csv")


def test_a_second_call_answers_without_the_network(
    classifier: Classifier, network: Nearest, write: Callable[..., Path], tmp_path: Path
) -> None:
    folder, out = write({"1.png": 10, "2.png": 250}), tmp_path / "s.csv"
    predict_to_file(classifier, folder, out, format="kaggle")
    assert predict_to_file(classifier, folder, out, format="kaggle") == PredictedFile(out, 2, was_there=True)
    assert network.shown == 2
    # Another picture, another option or another content of the file, and it is made anew.
    (folder / "2.png").write_bytes(png(130))
    assert not predict_to_file(classifier, folder, out, format="kaggle").was_there
    assert rows(out)[2] == ["2", "middle"]
    assert not predict_to_file(classifier, folder, out).was_there
    out.write_text("mine")
    assert not predict_to_file(classifier, folder, out).was_there
    assert network.shown == 8


def test_what_was_predicted_before_a_damaged_picture_is_kept(
    classifier: Classifier, network: Nearest, write: Callable[..., Path], tmp_path: Path, short_parts: None
) -> None:
    folder, out = write({f"{place:02}.png": 250 for place in range(20)}), tmp_path / "p.csv"
    (folder / "17.png").write_bytes(png(10)[:40])
    with pytest.raises(DataError, match=r"cannot be read as pictures: .*17\.png"):
        predict_to_file(classifier, folder, out)
    assert not out.exists() and network.shown == 16 and len(hidden(tmp_path)) == 1
    (folder / "17.png").write_bytes(png(10))
    predict_to_file(classifier, folder, out)
    assert network.shown == 20 and hidden(tmp_path) == []
    assert [row[1] for row in rows(out)[1:]] == [*["light"] * 17, "dark", *["light"] * 2]


def test_a_damaged_picture_is_left_out_when_asked_for_and_refused_again_when_not(
    classifier: Classifier, write: Callable[..., Path], tmp_path: Path
) -> None:
    folder, out = write({"a.png": 250, "b.png": 10}), tmp_path / "p.csv"
    (folder / "a.png").write_bytes(b"none")
    with pytest.warns(CnnlabWarning, match=r"left out: .*a\.png"):
        written = predict_to_file(classifier, folder, out, on_bad="skip")
    assert written.predicted == 1 and len(written.unreadable) == 1
    assert [row[1] for row in rows(out)[1:]] == ["dark"]
    with pytest.raises(DataError, match=r"a\.png.* leave them out with --skip-bad"):
        predict_to_file(classifier, folder, out)


def test_a_damaged_picture_is_refused_with_what_can_be_done_about_it(
    classifier: Classifier, write: Callable[..., Path], tmp_path: Path
) -> None:
    folder = write({"1.png": 250, "2.png": 10})
    (folder / "1.png").write_bytes(b"none")
    for refused in (
        lambda: predict_to_file(classifier, folder, tmp_path / "p.csv"),
        lambda: predict(classifier, folder),
    ):
        with pytest.raises(DataError, match=r'1\.png.* leave them out with --skip-bad \(on_bad="skip" in Python\)'):
            refused()
    # A sample has a row for each picture.
    (tmp_path / "sample.csv").write_text("id,label\n1,dark\n2,dark\n")
    with pytest.raises(DataError, match=r"1\.png.*the sample has a row for each") as said:
        predict_to_file(classifier, folder, tmp_path / "s.csv", like=tmp_path / "sample.csv")
    assert "--skip-bad" not in str(said.value)


def test_parts_of_another_model_or_of_pictures_that_changed_do_not_count(
    classifier: Classifier, network: Nearest, write: Callable[..., Path], tmp_path: Path, short_parts: None
) -> None:
    folder, out = write({f"{place:02}.png": 250 for place in range(12)}), tmp_path / "p.csv"
    (folder / "11.png").write_bytes(b"none")
    with pytest.raises(DataError):
        predict_to_file(classifier, folder, out)
    (folder / "11.png").write_bytes(png(250))
    (folder / "03.png").write_bytes(png(10))
    other = Classifier(network, (1, 6, 6), [0.1], [1.0], {"label": CLASSES}, "classes(column=label)", "own")
    for model in (other, classifier):
        network.shown = 0
        predict_to_file(model, folder, tmp_path / f"{model.mean}.csv" if model is other else out)
        assert network.shown == 12
    assert rows(out)[4][1] == "dark" and hidden(tmp_path) == []


def test_a_damaged_part_is_predicted_again(
    classifier: Classifier, network: Nearest, write: Callable[..., Path], tmp_path: Path, short_parts: None
) -> None:
    folder, out = write({f"{place:02}.png": 250 for place in range(20)}), tmp_path / "p.csv"
    (folder / "19.png").write_bytes(b"none")
    with pytest.raises(DataError):
        predict_to_file(classifier, folder, out)
    (kept,) = (path for path in tmp_path.iterdir() if path.name.startswith("."))
    assert [path.name for path in sorted(kept.iterdir())] == ["000000000000.safetensors", "000000000008.safetensors"]
    (kept / "000000000008.safetensors").write_bytes(b"none")
    (folder / "19.png").write_bytes(png(250))
    network.shown = 0
    predict_to_file(classifier, folder, out)
    assert network.shown == 12 and len(rows(out)) == 21


_KILLED = """
import sys, time
from pathlib import Path
import torch
from greys import CLASSES, Nearest
from cnnlab.evaluation import predict_to_file
from cnnlab.evaluation.bulk_prediction import read_ahead
from cnnlab.models import Classifier

read_ahead._BATCH, read_ahead.MOST_PICTURES = 4, 8
pictures, out, log = sys.argv[1:]

class Slow(Nearest):
    def forward(self, pixels):
        said = super().forward(pixels)
        with open(log, "a") as file:
            file.write(f"{len(pixels)}\\n")
        time.sleep(0.02)
        return said

classifier = Classifier(Slow(), (1, 6, 6), [0.0], [1.0], {"label": CLASSES}, "classes(column=label)", "own")
predict_to_file(classifier, pictures, out, format="kaggle")
"""


@pytest.mark.slow(10)
def test_after_a_kill_nothing_is_predicted_twice_but_what_was_under_way(
    classifier: Classifier, network: Nearest, tmp_path: Path, short_parts: None
) -> None:
    pictures, out, log = zip_of(tmp_path / "test.zip", 1200), tmp_path / "s.csv", tmp_path / "log"
    words = [sys.executable, "-c", _KILLED, str(pictures), str(out), str(log)]
    process = subprocess.Popen(words, cwd=Path(__file__).parent)
    deadline = time.monotonic() + 120
    while not (log.exists() and log.read_text().count("\n") >= 20):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and not out.exists() and len(hidden(tmp_path)) == 1
    before = sum(map(int, log.read_text().split()))
    assert predict_to_file(classifier, pictures, out, format="kaggle").predicted == 1200
    assert 1200 <= before + network.shown <= 1200 + 8
    assert rows(out)[1:] == [[str(place), list(GREYS)[place % 3]] for place in range(1200)]
    assert hidden(tmp_path) == []


def test_memory_stays_as_it_is_with_four_times_the_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ahead, "_BATCH", 32)
    monkeypatch.setattr(read_ahead, "MOST_PICTURES", 128)
    wide = Classifier(Nearest(), (1, 64, 64), [0.0], [1.0], {"label": CLASSES}, "classes(column=label)", "own")

    def peak(count: int) -> int:
        pictures = zip_of(tmp_path / f"{count}.zip", count, side=64)
        tracemalloc.start()
        predict_to_file(wide, pictures, tmp_path / f"{count}.csv", format="kaggle")
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return taken

    peak(64)
    small, large = peak(200), peak(800)
    # Names, entries of the archive and ids; the 4,096 bytes of a picture's pixels are not among it.
    assert (large - small) / 600 < 1500


def test_pictures_of_more_than_8_bits_are_read_as_predict_reads_them(
    classifier: Classifier, tmp_path: Path, short_parts: None
) -> None:
    (tmp_path / "deep").mkdir()
    for place in range(12):
        pixels = np.full((6, 6), place * 300, np.uint16) if place > 8 else np.full((6, 6), place * 20, np.uint8)
        Image.fromarray(pixels).save(tmp_path / "deep" / f"{place:02}.png")
    predict_to_file(classifier, tmp_path / "deep", tmp_path / "p.csv")
    expected = predict(classifier, tmp_path / "deep").frame()
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "p.csv"), expected, rtol=1e-5)


def test_a_file_that_another_process_is_at_is_left_to_it(
    classifier: Classifier, write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SECONDS_FOR_THE_LOCK", 0.1)
    folder = write({"a.png": 250})
    with only_writer(tmp_path / "p.csv"), pytest.raises(StorageError, match="another process has been writing it"):
        predict_to_file(classifier, folder, tmp_path / "p.csv")
    assert not (tmp_path / "p.csv").exists()


def test_parquet_holds_what_csv_does(classifier: Classifier, tmp_path: Path, short_parts: None) -> None:
    pytest.importorskip("pyarrow")
    pictures = zip_of(tmp_path / "z.zip", 20)
    predict_to_file(classifier, pictures, tmp_path / "p.parquet")
    expected = predict(classifier, pictures).frame()
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "p.parquet"), expected, check_dtype=False, rtol=1e-6)


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text there")
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_name_that_is_no_text_is_written_with_escapes(
    classifier: Classifier, tmp_path: Path, write: Callable[..., Path], suffix: str
) -> None:
    pytest.importorskip("pyarrow")
    pictures = write({os.fsdecode(b"\xff.png"): 1})
    predict_to_file(classifier, pictures, tmp_path / f"p{suffix}")
    read = pd.read_csv if suffix == ".csv" else pd.read_parquet
    assert read(tmp_path / f"p{suffix}")["path"].iloc[0].endswith(r"\udcff.png")


def test_parquet_without_pyarrow_says_what_to_install(
    classifier: Classifier, write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"writing Parquet needs pyarrow.*pip install 'cnnlab\[parquet\]'"):
        predict_to_file(classifier, write({"a.png": 1}), tmp_path / "p.parquet")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"top": 4}, "there are 3 classes"),
        ({"top": 0}, "one class is told, or more"),
        ({"top": 2, "probabilities": True, "format": "kaggle"}, "Leave top or probabilities out"),
        ({"format": "parquet"}, "there is no format 'parquet'"),
        ({"format": "table", "like": "sample.csv"}, "Leave one of them out"),
        ({"like": "sample.csv", "on_bad": "skip"}, "no picture can be left out"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    classifier: Classifier, write: Callable[..., Path], tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        predict_to_file(classifier, write({"a.png": 1}), tmp_path / "p.csv", **options)


def test_pictures_in_memory_belong_to_predict(classifier: Classifier, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cnnlab\.predict"):
        predict_to_file(classifier, np.zeros((2, 6, 6), np.uint8), tmp_path / "p.csv")
