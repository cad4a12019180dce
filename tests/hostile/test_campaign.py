"""Two hostile inputs of every kind, and whether a fault would be found if there were one."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .campaign import all_kinds
from .mutations import damaged, odd_json

_ROOT = Path(__file__).parents[2]
_EXPECTED = {
    "planted traceback": ["traceback"],
    "planted crash": ["traceback"],
    "planted hang": ["hang"],
    "planted memory": ["memory"],
    "planted write": ["outside"],
    "planted write by another program": ["outside"],
    "planted write elsewhere": ["outside"],
    "planted removal": ["outside"],
    "planted code": ["code"],
    "planted silence": ["unclear"],
    "planted codes for the terminal": ["unclear"],
    "planted loss": ["lost"],
    "planted nothing": [],
}


def _campaign(folder: Path, *words: str) -> dict[str, Any]:
    """The record of a campaign in a process of its own, as a person would start it."""
    path = folder / "campaign.json"
    command = [sys.executable, "-m", "tests.hostile", "--json", str(path), *words]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    assert path.exists(), done.stderr
    record: dict[str, Any] = json.loads(path.read_text())
    assert done.returncode == bool(record["findings"])
    return record


@pytest.mark.slow(60)
def test_hostile_inputs_of_every_kind_are_read_or_refused_in_a_sentence(tmp_path: Path) -> None:
    kinds = all_kinds()
    inputs = 2 * len(kinds)
    record = _campaign(tmp_path, "--inputs", str(inputs), "--seed", "12", "--jobs", str(os.cpu_count() or 1))
    assert record["findings"] == []
    counts = record["counts"].values()
    assert len(counts) == len(kinds) > 40 and all(count["inputs"] == 2 for count in counts)
    # They are hostile, and the program does not refuse whatever it is given.
    refused = sum(count["refused"] for count in counts)
    assert 0.4 * inputs < refused < 0.95 * inputs


@pytest.mark.slow(25)
def test_planted_faults_are_found_each_by_its_name(tmp_path: Path) -> None:
    limits = ("--seconds", "3", "--memory", "1024", "--jobs", "2")
    record = _campaign(tmp_path, "--inputs", str(len(_EXPECTED)), "--kinds", *_EXPECTED, *limits)
    found = {finding["kind"]: list(finding["faults"]) for finding in record["findings"]}
    assert {kind: found.get(kind, []) for kind in _EXPECTED} == _EXPECTED


def test_damage_is_drawn_by_the_seed_and_is_damage() -> None:
    content = bytes(range(256)) * 4
    once, again = ([damaged(content, random.Random(seed)) for seed in range(50)] for _ in range(2))
    assert once == again and len(set(once)) > 45 and sum(made != content for made in once) > 45


def test_odd_json_leaves_most_of_a_document() -> None:
    content = {"format": 1, "scores": {"test": {"accuracy": 0.5, "n": 10}}, "notes": ["a", "b"]}
    made = [odd_json(content, random.Random(seed)) for seed in range(100)]
    assert content == {"format": 1, "scores": {"test": {"accuracy": 0.5, "n": 10}}, "notes": ["a", "b"]}
    assert sum(b'"scores"' in text for text in made) > 50 and len(set(made)) > 80
