"""The wait for PyTorch, for which any package stands in here."""

import gc
import importlib
import sys
from pathlib import Path

import pytest

from cnnlab.cli.loading import _AnnouncedLoading


@pytest.mark.parametrize("is_on", [True, False])
def test_no_garbage_is_looked_for_while_a_library_is_loaded(
    is_on: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "heavy.py").write_text("import gc\nwas_on, before = gc.isenabled(), gc.get_freeze_count()\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [_AnnouncedLoading("heavy", "Heavy"), *sys.meta_path])
    (gc.enable if is_on else gc.disable)()
    try:
        heavy = importlib.import_module("heavy")
        assert not heavy.was_on and gc.isenabled() is is_on
        # What it is made of is passed over by later searches as well.
        assert gc.get_freeze_count() > heavy.before
    finally:
        gc.enable()
        gc.unfreeze()
        del sys.modules["heavy"]
