import json
import platform
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from cnnlab.runs.environment import code_digest, environment


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_environment_names_versions_machine_and_code() -> None:
    facts = environment()
    assert facts["numpy"] == numpy.__version__ and facts["python"] == platform.python_version()
    assert facts["torch"].split("+")[0] and facts["cnnlab"] and facts["processor"] and facts["cores"] >= 1
    assert len(facts["code"]) == 64 and json.loads(json.dumps(facts)) == facts


def test_room_imports_no_heavy_package_until_it_is_needed() -> None:
    code = "import sys, cnnlab.runs as r; r.environment(); r.RunStore('nowhere').list(); print(sorted(sys.modules))"
    loaded = run(code)
    for module in ("torch", "numpy", "pandas", "matplotlib", "safetensors"):
        assert f"'{module}'" not in loaded


def test_digest_of_the_code_is_the_same_in_another_process_and_follows_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What an earlier test was told is of the files as they were then, which somebody may be working on.
    code_digest.cache_clear()
    assert run("from cnnlab.runs.environment import code_digest; print(code_digest())").strip() == code_digest()
    monkeypatch.setitem(code_digest.__wrapped__.__globals__, "_ROOT", tmp_path)
    seen = set()
    for name, content in [("__init__.py", ""), ("a.py", "x"), ("a.py", "y"), ("b/a.py", "y"), ("note.txt", "")]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
        code_digest.cache_clear()
        seen.add(code_digest())
    code_digest.cache_clear()
    assert len(seen) == 4
