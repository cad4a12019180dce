"""The page on exporting: its Python runs on what its commands made."""

from pathlib import Path

import documents
import numpy as np
import pytest

from cnnlab.export import OnnxModel


@pytest.mark.slow(9)
def test_the_python_of_the_page_runs_on_what_its_commands_made(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(page)
    names: dict[str, object] = {}
    for code in documents.python_of(documents.read("docs/export.md")):
        exec(compile(code, "export.md", "exec"), names)
    assert {"golden", "model", "program"} <= set(names)
    assert not [path for path in page.iterdir() if path.name.startswith(".")]


def test_what_takes_any_size_says_how_far_it_is_from_pillow(page: Path) -> None:
    model = OnnxModel(page / "any-size.onnx")
    drift = model.facts.resizing
    assert drift is not None and drift["largest"] <= 1 and len(drift["sizes"]) == 3
    # A picture of one shade is the same at any size.
    shade = {size: np.full((2, 1, *size), 77, np.uint8) for size in ((8, 8), (21, 13), (1, 1))}
    (expected, *others) = (model.outputs(images) for images in shade.values())
    np.testing.assert_allclose(OnnxModel(page / "model.onnx").outputs(shade[8, 8]), expected, atol=1e-4)
    for outputs in others:
        np.testing.assert_allclose(outputs, expected, atol=1e-4)
