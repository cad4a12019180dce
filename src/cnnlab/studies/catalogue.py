"""Studies by name: those that were run under a folder of runs, and those that come with cnnlab.

The latter are the files of ``cnnlab/papers``: ``examples/depth`` stands for ``papers/examples/depth.yaml``.
"""

from collections.abc import Mapping
from pathlib import Path

from cnnlab.core import yaml
from cnnlab.core.errors import CnnlabError, UsageError, suggestion
from cnnlab.core.lookups import is_there
from cnnlab.core.packaged import packaged
from cnnlab.runs.record import STUDIES

STUDY = "study.yaml"


def study_folder(runs: Path, name: str) -> Path:
    """Where a study of this name lies."""
    return runs / STUDIES / name


def find_study(name: str | Path, runs: Path) -> Path:
    """The file of a study: a path, the name of one that was run, or the name of one that comes with cnnlab.

    :raises UsageError: naming the closest that there are.
    """
    if is_there(Path(name)) and Path(name).is_file():
        return Path(name)
    stored, files = study_folder(runs, str(name)) / STUDY, packaged("study")
    if is_there(stored) and stored.is_file():
        return stored
    if str(name) in packaged("transfer"):
        raise UsageError(f"{name} is a transfer, and no study: cnnlab transfer {name}.")
    if str(name) not in files:
        known = [*studies_under(runs), *files]
        raise UsageError(
            f"there is no study file {name}. Give a YAML file with question, base and vary, or the name of a study "
            f"that was run in this folder of runs or comes with cnnlab. {suggestion(str(name), known)}"
        )
    return files[str(name)]


def packaged_name(path: Path) -> str | None:
    """The name under which a file comes with cnnlab; None for any other file."""
    return next((name for name, file in packaged("study").items() if file == path), None)


def studies_under(runs: Path) -> dict[str, Path]:
    """The file of each study that was run in this folder of runs, by its name."""
    return {path.parent.name: path for path in sorted((runs / STUDIES).glob(f"*/{STUDY}"))}


def question_of(path: Path) -> str:
    """What a study asks; empty where its file cannot be read."""
    try:
        content = yaml.read_file(path, "a study")
    except CnnlabError:
        return ""
    return str(content.get("question") or "") if isinstance(content, Mapping) else ""
