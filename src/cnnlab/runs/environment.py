"""On what a run was trained: versions, processor, and the digest of the program itself."""

import hashlib
import os
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ("cnnlab", "torch", "numpy")
NODE = "CNNLAB_NODE"
"""The variable under which a process knows the name of its machine among those of a cluster."""


def environment() -> dict[str, Any]:
    """The facts for ``environment`` of ``run.json``; reads versions from the installation and imports nothing.

    ``code`` is the digest of cnnlab's own source files: two runs with the same one were trained by the same program.
    """
    facts = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
    }
    return facts | {package: _version(package) for package in _PACKAGES} | {"code": code_digest()}


def with_this_node(nodes: Sequence[Mapping[str, Any]] | None, step: int) -> list[dict[str, Any]]:
    """The ``nodes`` of ``run.json`` with the machine of this process behind the last, where it is another.

    :param nodes: those that carried the run out so far; of trainings on one machine there are none.
    :param step: of the training, from which on this one does.
    """
    before, name = [dict(node) for node in nodes or ()], os.environ.get(NODE)
    if name is None or (before and before[-1]["node"] == name):
        return before
    return [*before, {"node": name, "processor": processor(), "torch": _version("torch"), "step": step}]


_CODE = {".py", ".c", ".h"}
_ROOT = Path(__file__).parents[1]


@cache
def code_digest() -> str:
    """SHA-256 over the path and content of every file of code of the installed cnnlab, Python and C."""
    total = hashlib.sha256()
    files = (path for path in _ROOT.rglob("*") if path.suffix in _CODE)
    for path in sorted(files, key=lambda path: path.relative_to(_ROOT).parts):
        content = path.read_bytes()
        total.update(f"{path.relative_to(_ROOT).as_posix()}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def processor() -> str:
    """The processor's own name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
