"""The two files of a benchmark: the record for machines, the page for people."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_results(folder: Path, name: str, record: Mapping[str, Any], page: str) -> None:
    """Writes ``NAME.json`` and ``NAME.md`` into the folder, and prints the page."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    (folder / f"{name}.md").write_text(page)
    print(page)
