"""Imports that wait, and say in one sentence when they cannot be had."""

from pathlib import Path

import pytest

from cnnlab.core.errors import UsageError
from cnnlab.core.lazy_imports import require


def test_installed_module_is_returned() -> None:
    assert require("json", "reading").loads("1") == 1


def test_missing_module_is_told_with_its_purpose_and_command() -> None:
    with pytest.raises(UsageError) as caught:
        require("no_such_module", "reading HDF5 files")
    assert str(caught.value) == (
        "reading HDF5 files needs no_such_module, which did not load (No module named 'no_such_module'). "
        "Install it: pip install 'cnnlab[no_such_module]'"
    )


@pytest.mark.parametrize(
    "content",
    ["import no_such_part", "raise RuntimeError('built for\\nanother torch.')", "None.x", "raise OSError('lib')"],
)
def test_module_that_fails_to_load_is_told_in_one_line(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mismatched_package.py").write_text(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match=r"drawing needs mismatched_package, which did not load \(") as caught:
        require("mismatched_package", "drawing", extra="figures")
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("pip install 'cnnlab[figures]'")
