"""``cnnlab serve``: what it shows, how it stops, and what it says of wrong options."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cnnlab.runs import Run

pytest.importorskip("fastapi")


@pytest.mark.slow(5)
@pytest.mark.skipif(os.name == "nt", reason="a signal ends a process there")
def test_it_says_how_it_is_asked_and_stops_when_told(trained: Run, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "cnnlab", "serve", trained.folder.name, "--port", "0", "--quiet"]
    where = {**os.environ, "CNNLAB_RUNS": str(trained.folder.parent)}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=where, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        first, asked = process.stdout.readline(), process.stdout.readline()
        address = re.search(r"answers at http://(127\.0\.0\.1:\d+) until Ctrl-C", first)
        token = re.search(r'Authorization: Bearer (\S{32,})"', asked)
        assert address and token and f"http://{address[1]}/predict" in asked
        seen = Path(f"/proc/{process.pid}/cmdline")
        assert not seen.exists() or token[1] not in seen.read_text()
        Image.new("L", (20, 20), 90).save(tmp_path / "p.png")
        connection = http.client.HTTPConnection(address[1], timeout=20)
        head = {"Authorization": f"Bearer {token[1]}", "Content-Type": "image/png"}
        connection.request("POST", "/predict?top=2", (tmp_path / "p.png").read_bytes(), head)
        answer = connection.getresponse()
        assert answer.status == 200 and b'"predicted"' in answer.read()
        connection.close()
    finally:
        process.send_signal(signal.SIGTERM)
        rest, complaints = process.communicate(timeout=20)
    assert (process.returncode, rest, complaints) == (0, "", "")


def test_wrong_options_are_told_in_a_sentence(
    cnnlab: Callable[..., Any], trained: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNNLAB_TOKEN", "short")
    assert "CNNLAB_TOKEN has to hold 16 to 512" in cnnlab("serve", "last", exit_code=2).stderr
    monkeypatch.delenv("CNNLAB_TOKEN")
    everyone = cnnlab("serve", "last", "--no-token", "--host", "0.0.0.0", exit_code=2).stderr
    assert "would answer whoever reaches 0.0.0.0" in everyone and everyone.count("\n") == 1
    assert "no.txt does not hold a token" in cnnlab("serve", "last", "--token-file", "no.txt", exit_code=2).stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = cnnlab("serve", "last", "--port", port, exit_code=1).stderr
    assert said.count("\n") == 1 and f"port {port} of 127.0.0.1 is taken by another program" in said


@pytest.mark.parametrize(
    ("option", "values", "least", "most"),
    [
        ("--max-body", ("0", "-1", "16777216", "nan", "inf"), "0.001", "1024"),
        ("--max-pixels", ("0", "-1", "50000000", "nan", "inf"), "0.0001", "1000"),
        ("--timeout", ("0", "-1", "1e9", "nan", "inf"), "0.1", "3600"),
        ("--queue", ("0", "-3", "1000000000"), "1", "1000000"),
        ("--port", ("-1", "65536"), "0", "65535"),
    ],
)
def test_limits_are_refused_by_the_name_and_the_unit_that_were_typed(
    cnnlab: Callable[..., Any], option: str, values: tuple[str, ...], least: str, most: str
) -> None:
    for value in values:
        said = cnnlab("serve", "last", option, value, exit_code=2).stderr
        assert said.count("\n") == 1 and f"'{option}'" in said
        assert f"at least {least}." in said or f"at most {most}." in said


def test_a_token_of_ones_own_is_not_shown(
    cnnlab: Callable[..., Any], trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnnlab.serving import Server

    monkeypatch.setattr(Server, "run", lambda server, on_ready: (on_ready(), server.close()))
    (tmp_path / "my token").write_text("0123456789abcdef")
    shown = cnnlab("serve", "last", "--port", 0, "--token-file", "my token").stdout
    assert "Bearer $(cat 'my token')" in shown and "0123456789abcdef" not in shown
    without = cnnlab("serve", "last", "--port", 0, "--no-token")
    assert "Bearer" not in without.stdout and "no token is asked for" in without.stderr
