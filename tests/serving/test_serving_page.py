"""The page on serving: what it shows runs, and what it says of limits and paths is so."""

import os
import re
import subprocess
import sys
from pathlib import Path

import documents
import pytest

from cnnlab.serving import Limits, open_server
from cnnlab.serving.limits import HEADER_SECONDS

TEXT = documents.read("docs/serving.md")


@pytest.mark.slow(6)
def test_the_python_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tritonclient")
    monkeypatch.chdir(tmp_path)
    (code,) = documents.python_of(TEXT)
    names: dict[str, object] = {}
    exec(compile(code, "serving.md", "exec"), names)
    (of_client,) = (block.text for block in documents.blocks(TEXT) if block.title == "tritonclient")
    with open_server(names["run"], port=0, name="digits") as server:  # type: ignore[arg-type]
        program = of_client.replace("127.0.0.1:8000", server.address.removeprefix("http://"))
        where = {**os.environ, "CNNLAB_TOKEN": server.token or ""}
        done = subprocess.run([sys.executable, "-c", program], env=where, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.count("[") >= 3, done.stderr


def test_limits_are_those_of_the_page() -> None:
    limits = Limits()
    told = dict(re.findall(r"^\| `(--[a-z-]+)` \| .*?(\d+)(?:; .*)? \| \d{3}", TEXT, re.MULTILINE))
    assert told == {
        "--max-body": str(limits.body >> 20),
        "--max-pixels": str(limits.pixels // 1_000_000),
        "--queue": str(limits.queue),
        "--timeout": f"{limits.seconds:g}",
    }
    assert f"have {HEADER_SECONDS:g} seconds and 16 KiB" in TEXT and f"most {limits.connections} connections" in TEXT
    assert f"of JSON at most {limits.json >> 20}" in TEXT and limits.held == 16 * limits.body
