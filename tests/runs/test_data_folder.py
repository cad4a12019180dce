from pathlib import Path
from typing import Any

import pytest

from cnnlab.runs.data_folder import data_folder


@pytest.mark.parametrize(
    ("spec", "origin", "folder"),
    [
        ("folder(path=d/photos, size=8)", "/home/me/d/photos", "/home/me"),
        ("folder(path=photos)", "/home/me/photos", "/home/me"),
        ("folder(path=./photos/)", "/home/me/photos", "/home/me"),
        ("folder(path=../photos)", "/home/me/../photos", "/home/me"),
        ('csv(path="labels of mine.csv", images=p)', "/home/me/labels of mine.csv", "/home/me"),
        ("idx(path=d/t10k-images-idx3-ubyte)", "/home/me/d", "/home/me"),
        ("idx(path=t10k-images-idx3-ubyte)", "/home/me", "/home/me"),
        ("folder(path=/home/me/photos)", "/home/me/photos", None),
        ("folder(path=~/photos)", "/home/me/photos", None),
        ("folder(path=d/photos)", "/elsewhere/pictures", None),
        ("digits", "bundled with scikit-learn", None),
        ("arrays", "arrays in memory", None),
        ("no spec (", "/home", None),
        (None, "/home", None),
    ],
)
def test_it_is_what_the_relative_path_started_from(spec: Any, origin: str, folder: str | None) -> None:
    info = {"data": {"source": {"from": origin}}}
    assert data_folder({"data": spec}, info) == (None if folder is None else Path(folder))


@pytest.mark.parametrize("info", [{}, {"data": None}, {"data": {"source": None}}, {"data": {"source": {}}}])
def test_an_older_record_may_not_say_where_the_data_lay(info: dict[str, Any]) -> None:
    assert data_folder({"data": "folder(path=photos)"}, info) is None
