from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

Cnnlab = Callable[..., Result]
Document = Callable[..., Any]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve different pictures in two class folders."""
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(12):
            noise = np.random.default_rng([number, len(name), ord(name[0])]).integers(0, 255, (9, 9, 3), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


def test_list_names_sets_and_readers_and_whether_they_are_here(
    cnnlab: Cnnlab, document: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CNNLAB_DATA", raising=False)
    shown = cnnlab("data", "list").stdout
    assert [line for line in shown.splitlines() if line.startswith("fashion-mnist ") and "no, is downloaded" in line]
    assert [line for line in shown.splitlines() if line.startswith("folder ")]
    facts = document("data", "list")
    assert {"mnist", "cifar10"} <= {entry["name"] for entry in facts["sets"]}
    assert {"folder", "digits"} <= {entry["name"] for entry in facts["readers"]}


def test_show_tells_whose_a_named_set_is_and_where_it_lies(cnnlab: Cnnlab, data_dir: Path) -> None:
    shown = cnnlab("data", "show", "fashion-mnist", "--data-dir", data_dir).stdout
    assert "Xiao, H., Rasul, K., & Vollgraf, R. (2017)" in shown
    assert "MIT" in shown
    assert str(data_dir / "fashion-mnist") in shown


def test_show_tells_what_a_reader_takes(cnnlab: Cnnlab, document: Document) -> None:
    lines = [line.split() for line in cnnlab("data", "show", "folder").stdout.splitlines()]
    assert ["path", "(needed)", "text"] in lines
    arguments = {row["argument"]: row for row in document("data", "show", "folder")["arguments"]}
    assert arguments["resize"] == {"argument": "resize", "default": "squash", "takes": "squash or crop or pad"}


def test_show_of_a_path_points_to_check(cnnlab: Cnnlab, photos: Path) -> None:
    assert f"cnnlab data check {photos}" in cnnlab("data", "show", photos, exit_code=2).stderr


def test_check_of_good_data_says_what_it_is_like(cnnlab: Cnnlab, document: Document, photos: Path) -> None:
    shown = cnnlab("data", "check", photos).stdout
    lines = [line.split() for line in shown.splitlines()]
    assert ["shape", "3×9×9"] in lines
    assert ["cat", "12"] in lines
    assert shown.endswith("A training would take this data.\n")
    assert document("data", "check", photos)["statistics"]["images"] == {"train": 24}


def test_check_of_data_that_would_be_refused_leaves_with_2_and_names_the_file(
    cnnlab: Cnnlab, document: Document, photos: Path
) -> None:
    (photos / "cat" / "broken.png").write_bytes((photos / "cat" / "0.png").read_bytes()[:50])
    result = cnnlab("data", "check", photos, exit_code=2)
    assert "cat/broken.png" in result.stdout
    assert result.stdout.endswith("A training would refuse this data.\n")
    assert document("data", "check", photos, exit_code=2)["usable"] is False
