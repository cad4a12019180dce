"""Results of papers that are committed: packs of which reports are made without training anything again."""

import re
import tarfile
from pathlib import Path

import pytest

from cnnlab.papers import Paper
from cnnlab.papers.carrying_out import stored_result
from cnnlab.runs import RunStore

PACKS = sorted((Path(__file__).parents[2] / "docs" / "papers").glob("*.tar.xz"))
PLACE = re.compile(rb"""["' ](/[\w.-]+/[\w.-]|[A-Za-z]:\\\\)""")
"""Where a file lies on some machine."""


def test_there_are_packs() -> None:
    assert PACKS


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_a_committed_pack_holds_every_entry_whole_and_nothing_that_is_not_for_others(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pack.stat().st_size < 3_000_000
    with tarfile.open(pack) as packed:
        for member in packed:
            if member.name.endswith((".json", ".yaml", ".csv")):
                file = packed.extractfile(member)
                assert file is not None
                assert not PLACE.search(file.read()), member.name
    RunStore(tmp_path).import_pack(pack)
    # An entry that was changed since would be judged anew, which asks for its data.
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "none"))
    paper = Paper(pack.name.partition(".")[0], runs=tmp_path, offline=True)
    for name in paper.entries:
        at = paper.at(name)
        result = stored_result(at)
        assert result is not None and result.is_whole, name
        shown = {picture: (at.folder / picture).is_file() for picture in result.pictures}
        assert {picture for picture, is_there in shown.items() if not is_there} == set(result.private), name
