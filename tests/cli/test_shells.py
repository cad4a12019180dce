"""Completion in the shells themselves: keys are typed into a terminal, and the shell says which words came of them."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PATIENCE = 120
"""Seconds for one answer of a shell; a busy machine is no failure."""
STARTS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], ["source <(cnnlab completion bash)"]),
    "zsh": (["zsh", "-f", "-i"], ["autoload -Uz compinit && compinit -u", "source <(cnnlab completion zsh)"]),
    "fish": (["fish", "--no-config", "--private", "-i"], ["cnnlab completion fish | source"]),
}
ESCAPES = re.compile(r"\x1b\[[0-9;?>]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b[=>]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|[\x07\x0f]")
TAB, HOME, STOP = "\t", "\x01", "\x03"


class Terminal:
    """A shell at a terminal, in a folder."""

    def __init__(self, shell: str, folder: Path) -> None:
        command, setup = STARTS[shell]
        (folder / "bin").mkdir()
        program = folder / "bin" / "cnnlab"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cnnlab "$@"\n')
        program.chmod(0o755)
        environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(folder)}
        environment |= {"TERM": "xterm", "PS1": "> ", "LC_ALL": "C.UTF-8", "CNNLAB_RUNS": str(folder / "runs")}
        self.end, other = pty.openpty()
        # With a terminal of its own, as a shell has that a person opened.
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command], stdin=other, stdout=other, stderr=other, env=environment, cwd=folder
        )
        os.close(other)
        for line in setup:
            self.type(f"{line}; echo do''ne\r")
            self.read_until("\ndone")

    def type(self, keys: str) -> None:
        os.write(self.end, keys.encode())

    def read_until(self, pattern: str) -> re.Match[str]:
        """What matches in what the terminal shows from now on."""
        shown, until = "", time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if select.select([self.end], [], [], 0.2)[0]:
                shown += os.read(self.end, 65536).decode(errors="replace")
                found = re.search(pattern, ESCAPES.sub("", shown).replace("\r", ""))
                if found is not None:
                    return found
        raise AssertionError(f"{pattern!r} is not in {shown!r}")

    def completed(self, typed: str, then: str = "") -> str:
        """The words of a line after a press of Tab at its end, as the shell would hand them to a command."""
        self.type(f"{typed}{TAB}{then}{HOME}echo wo''rds: \r")
        return self.read_until(r"\nwords: ([^\n]*)\n").group(1)

    def close(self) -> None:
        os.close(self.end)
        self.process.kill()
        self.process.wait()


@pytest.fixture(params=STARTS)
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    if shutil.which(request.param) is None or shutil.which("setsid") is None:
        pytest.skip(f"{request.param} is not installed here")
    (tmp_path / "runs" / "first (1)").mkdir(parents=True)
    (tmp_path / "runs" / "first (1)" / "run.json").write_text("{}")
    opened = Terminal(request.param, tmp_path)
    yield opened
    opened.close()


def test_a_press_of_tab_completes_the_word(terminal: Terminal) -> None:
    assert terminal.completed("cnnlab train da") == "cnnlab train data="
    assert terminal.completed("cnnlab train data=fas") == "cnnlab train data=fashion-mnist"
    assert terminal.completed("cnnlab train 'optimizer=sgd(lr=0.1,mom", "0.9)'") == (
        "cnnlab train optimizer=sgd(lr=0.1,momentum=0.9)"
    )
    assert (
        terminal.completed("cnnlab train optimizer=sgd\\(mom", "0.9\\)") == "cnnlab train optimizer=sgd(momentum=0.9)"
    )
    assert terminal.completed("cnnlab train 'augment=flip|rot") == "cnnlab train augment=flip|rotate"
    assert terminal.completed('cnnlab train "model=cnn(act', 'elu)"') == "cnnlab train model=cnn(activation=elu)"
    assert terminal.completed("cnnlab train recipe:mn") == "cnnlab train recipe:mnist"
    assert terminal.completed("cnnlab runs show fi") == "cnnlab runs show first (1)"
    assert terminal.completed("cnnlab study run examples/dep") == "cnnlab study run examples/depth"


def test_the_arguments_of_a_spec_are_listed_with_their_defaults(terminal: Terminal) -> None:
    terminal.type(f"cnnlab train 'optimizer=sgd({TAB}{TAB}")
    terminal.read_until(r"lr=[^\n]*a number above 0, default 0\.001")
