"""``cnnlab runs export`` and ``import``, as a person types them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import Result

Cnnlab = Callable[..., Result]
MakeRun = Callable[..., Path]
Document = Callable[..., Any]


def test_runs_go_from_one_folder_to_another(cnnlab: Cnnlab, make_run: MakeRun) -> None:
    first, second = make_run("early"), make_run("late", seed=1)
    said = cnnlab("runs", "export", "--out", "all.tar.xz").stdout
    assert "runs  2, without weights" in said and "cnnlab runs import all.tar.xz --runs DIR" in said
    assert cnnlab("runs", "import", "all.tar.xz", "--runs", "other").stdout == "new runs  2\n"
    listed = cnnlab("runs", "list", "--runs", "other").stdout
    assert first.name in listed and second.name in listed
    again = cnnlab("runs", "import", "all.tar.xz", "--runs", "other").stdout
    assert again == "All that all.tar.xz holds is there already.\nruns that were there  2\n"


def test_conditions_choose_what_is_packed_and_unfinished_runs_are_told(
    cnnlab: Cnnlab, document: Document, make_run: MakeRun
) -> None:
    chosen = make_run("early")
    make_run("late", seed=1)
    make_run("begun", finish=False)
    packed = document("runs", "export", "seed=0", "--out", "some.tar.xz")
    assert packed["runs"] == [chosen.name] and packed["studies"] == packed["papers"] == []
    assert packed["left_out"] == ["Of what fits, 1 run left out: only finished runs are packed."]
    assert document("runs", "import", "some.tar.xz", "--runs", "other")["runs"] == [chosen.name]
    refused = cnnlab("runs", "export", "begun", "seed=0", "--out", "x.tar.xz", exit_code=2)
    assert "Export by names or by conditions, not by both." in refused.stderr


def test_what_cannot_be_packed_or_taken_in_is_refused(cnnlab: Cnnlab, make_run: MakeRun, tmp_path: Path) -> None:
    make_run()
    refused = cnnlab("runs", "export", "--study", "depth", "--out", "x.tar.xz", exit_code=2)
    assert "there is no study 'depth'" in refused.stderr
    assert "Name it with .xz" in cnnlab("runs", "export", "--out", "x.zip", exit_code=2).stderr
    (tmp_path / "x.tar.xz").write_bytes(b"no pack")
    refused = cnnlab("runs", "import", "x.tar.xz", exit_code=2)
    assert refused.stderr.startswith("cnnlab: x.tar.xz is no whole pack of cnnlab's: ")
