"""Folders to fill in: for a paper of one's own, or the sheet of a course."""

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from cnnlab.core import yaml
from cnnlab.core.errors import UsageError
from cnnlab.core.files import make_folder, storage_errors, write_text
from cnnlab.core.packaged import PAPER
from cnnlab.papers.entry import Entry
from cnnlab.papers.paper import Paper

_PAPER = """\
# A paper: this file, and one for each of its tables and figures.
title: My experiments
authors: My name
year: 2025
source: where it was published, or for which course
licence: what of it is taken over, and by what right
data: digits
about: |
  What was done, and what was found.
unclear:
  - What a reader would want to know and cannot find out.
references: []
entries: [rates]
"""
_ENTRY = """\
# A table or figure: a study, with where it stands, what was published, and what is claimed.
place: Table 1
title: Learning rates
about: |
  What was done here, what was found, and what was left unclear.

base:
  data: digits
  model: mlp(hidden=[32])
  optimizer: sgd(lr=0.1, momentum=0.9)
  epochs: 5
vary:
  optimizer.lr: [0.001, 0.01, 0.1]
repeats: 5

# What is put over that at each scale: in seconds, on a laptop, as published.
scales:
  smoke: {epochs: 1, repeats: 1}
  laptop: {}
  full: {epochs: 20}
deviations:
  laptop: [5 epochs in the place of 20]

published:
  - metric: test_accuracy
    rows:
      - {optimizer.lr: 0.1, value: 95%}
claims:
  - says: the largest rate is the best
    judged: optimizer.lr=0.1 is the best
"""
_ANSWERS = ("published", "claims", "recomputed", "not_comparable")
"""What tells how it came out."""
_SHEET = "What do you expect, and why? Then run it: what came out, and how sure is that?"


def new_paper(folder: Path) -> Path:
    """Writes a folder with a paper of one entry that runs as it stands, and returns ``paper.yaml``.

    :raises UsageError: for a folder that holds anything.
    """
    _refuse_filled(folder, "cnnlab paper new FOLDER")
    make_folder(folder)
    write_text(folder / "rates.yaml", _ENTRY)
    write_text(folder / PAPER, _PAPER)
    return folder / PAPER


def blank_sheet(paper: Paper, folder: Path | None = None) -> Path:
    """Writes the entries of a paper without its numbers, its claims and what it found, and returns ``paper.yaml``.

    :param folder: ``001-sheet`` in the current one, of the paper 001, unless it is given.
    :raises UsageError: for a folder that holds anything.
    """
    folder = folder or Path(f"{paper.id}-sheet")
    _refuse_filled(folder, f"cnnlab paper new FOLDER --blank {paper.id}")
    make_folder(folder)
    with storage_errors(folder):
        for part in sorted(paper.folder.glob("_*.yaml")):
            shutil.copyfile(part, folder / part.name)
    for entry in paper.entries.values():
        write_text(folder / f"{entry.name}.yaml", yaml.dump(_without_answers(entry)))
    content = yaml.read_file(paper.folder / PAPER, "a paper")
    content.pop("unclear", None)
    write_text(folder / PAPER, yaml.dump({**content, "about": _SHEET}))
    return folder / PAPER


def _without_answers(entry: Entry) -> dict[str, Any]:
    content = yaml.read_file(entry.path, "an entry of a paper")
    kept = _without(content, _ANSWERS)
    scales = {scale: _without(keys or {}, _ANSWERS) for scale, keys in content["scales"].items()}
    return kept | {"about": _SHEET, "scales": scales}


def _without(content: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if key not in keys}


def _refuse_filled(folder: Path, command: str) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"{folder} is there already and holds something. Name a folder that is empty, or not there yet: {command}"
        )
