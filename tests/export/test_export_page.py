"""The page on exporting: its commands and its Python run."""

from pathlib import Path

import documents
import numpy as np
import pytest

from cnnlab.export import OnnxModel

TEXT = documents.read("docs/export.md")


@pytest.mark.slow(10)
def test_what_the_page_says_to_type_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CNNLAB_RUNS")
    small = {"data=digits": {"epochs": "1", "model": "conv(4)|bn|relu|pool(2)"}}
    for command in documents.commands(TEXT):
        if not command.startswith("cnnlab "):
            continue
        result = documents.call(command, small)
        assert result.exit_code == 0, f"{command}\n{result.output}"
        if " export " in command:
            assert "checked" in result.stdout
    names: dict[str, object] = {}
    for code in documents.python_of(TEXT):
        exec(compile(code, "export.md", "exec"), names)
    assert (tmp_path / "digits-model" / "README.md").is_file()
    resizing = OnnxModel("any-size.onnx")
    drift = resizing.facts.resizing
    assert drift is not None and drift["largest"] <= 1 and len(drift["sizes"]) == 3
    # A picture of one shade is the same at any size.
    small, large = (np.full((2, 1, *size), 77, np.uint8) for size in ((8, 8), (21, 13)))
    np.testing.assert_allclose(resizing.outputs(large), OnnxModel("model.onnx").outputs(small), atol=1e-4)
