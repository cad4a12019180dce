import json
import os
import platform
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from cnnlab.core import file_systems
from cnnlab.core.errors import DataError, RunBusyError, RunNotFoundError, StorageError, UsageError
from cnnlab.runs import Run, RunStore, RunWriter, index
from cnnlab.runs.keys import MISSING, lookup

MakeRun = Callable[..., Path]


def names(store: RunStore) -> list[str]:
    return [summary.name for summary in store.list()]


def create(root: Path, digest: str, name: str = "digits", repeat: int = 1, status: str = "finished") -> str:
    recipe = {"data": "digits", "seed": digest}
    with RunWriter.create(root, digest=digest, recipe=recipe, name=name, repeat=repeat) as writer:
        writer.update(status=status)
    return writer.folder.name


def test_runs_are_listed_the_last_started_first(root: Path, make_run: MakeRun) -> None:
    made = [make_run(seed=seed).name for seed in range(4)]
    store = RunStore(root)
    assert names(store) == made[::-1] and len(store) == 4
    summary = store.list()[0]
    assert summary.test.accuracy == 0.875 and summary.status == "finished" and summary.seconds == 12.5
    assert summary.recipe["seed"] == 3 and summary.run == Run(root / made[3])
    assert json.loads(json.dumps(summary.to_dict()))["recipe"]["seed"] == 3


def test_folder_that_does_not_exist_holds_no_runs_and_is_not_made(root: Path) -> None:
    store = RunStore(root)
    assert names(store) == [] and store.frame().empty and store.by_digest("a") == [] and store.filter(seed=1) == []
    with pytest.raises(RunNotFoundError, match="there are no runs under"):
        store.find("last")
    assert not root.exists()


def test_listing_follows_what_happens_to_the_folders(root: Path, make_run: MakeRun) -> None:
    store, other = RunStore(root), RunStore(root)
    first, second = make_run(seed=1), make_run(seed=2, finish=False)
    assert names(store) == names(other) == [second.name, first.name]
    with RunWriter.open(second) as writer:
        writer.update(epochs_done=2)
        assert [(s.state, s.epochs_done) for s in store.list()] == [("running", 2), ("finished", 3)]
    assert [(s.state, s.epochs_done) for s in other.list()] == [("unfinished", 2), ("finished", 3)]
    shutil.rmtree(second)
    shutil.copytree(first, root / "copy")
    (root / "notes").mkdir()
    (root / "run.json").write_text("{}")
    assert set(names(store)) == set(names(other)) == set(names(RunStore(root))) == {first.name, "copy"}


def test_recipe_changed_by_hand_is_read_again(root: Path, make_run: MakeRun) -> None:
    folder, store = make_run(seed=1), RunStore(root)
    assert len(store.filter(seed=1)) == 1
    (folder / "recipe.yaml").write_text("seed: 22\n")
    assert len(store.filter(seed=22)) == 1
    (folder / "recipe.yaml").unlink()
    assert store.list()[0].recipe == {} and store.frame().shape[0] == 1


def test_a_run_is_found_by_folder_name_prefix_and_last(
    root: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [Run(make_run(seed=seed, name=name)) for seed, name in enumerate(["first", "second", "second"])]
    store = RunStore(root)
    for name in (
        runs[0].name,
        runs[0].folder,
        str(runs[0].folder),
        "first",
        runs[0].digest,
        runs[0].digest[:9],
        runs[0],
    ):
        assert store.find(name) == runs[0]
    assert store.find("last") == runs[2] and store.find(store.list()[1]) == runs[1]
    assert RunStore(root.parent / "elsewhere").find(runs[0].folder) == runs[0]
    monkeypatch.chdir(root.parent)
    assert RunStore("runs").find(f"runs/{runs[0].name}") == runs[0]


def test_a_name_that_several_have_is_refused_with_their_folders(root: Path) -> None:
    made = [create(root, digest * 64) for digest in "ab"]
    with pytest.raises(RunNotFoundError) as caught:
        RunStore(root).find("digits")
    assert all(name in str(caught.value) for name in made) and "2 runs" in str(caught.value)


def test_a_prefix_that_several_digests_have_is_refused(root: Path) -> None:
    create(root, "abc1" * 16), create(root, "abc2" * 16)
    store = RunStore(root)
    with pytest.raises(RunNotFoundError, match=r"2 runs under .* answer to 'abc'"):
        store.find("abc")
    assert store.find("abc2").digest == "abc2" * 16


def test_repeats_share_a_digest_and_the_whole_of_it_means_the_first_finished(root: Path) -> None:
    digest = "abc1" * 16
    made = [create(root, digest, repeat=r, status="failed" if r == 1 else "finished") for r in (1, 2, 3)]
    store = RunStore(root)
    with pytest.raises(RunNotFoundError, match="3 runs"):
        store.find("abc1")
    assert store.find(digest).name == made[1]
    with pytest.raises(RunNotFoundError, match="3 runs"):
        store.delete(digest)
    assert [run.name for run in store.by_digest(digest)] == made and store.by_digest("abc1") == []


def test_an_unknown_name_is_answered_with_the_closest(root: Path, make_run: MakeRun) -> None:
    make_run(name="fashion-vgg")
    with pytest.raises(RunNotFoundError, match=r"no run 'fashion-vg' .* Did you mean fashion-vgg"):
        RunStore(root).find("fashion-vg")
    for name in ("", ".", "..", "x" * 5000, "a\0b", "ffff"):
        with pytest.raises(RunNotFoundError):
            RunStore(root).find(name)


def test_filter_reaches_into_specs_by_dotted_keys(root: Path, make_run: MakeRun) -> None:
    narrow = make_run(seed=0).name
    wide = make_run(seed=1, model="convnet(width=64)", phases=[{"epochs": 2}], augment="shift(0.1)").name
    store = RunStore(root)

    def found(**keys: object) -> list[str]:
        return [summary.name for summary in store.filter(**keys)]

    assert found() == found(data="digits") == [wide, narrow]
    assert found(**{"model.width": 64}) == found(seed=1) == found(**{"phases[0].epochs": 2}) == [wide]
    assert found(**{"augment[0].p": 0.5}) == found(**{"augment[0].name": "flip"}) == [narrow]
    assert found(**{"model.name": "convnet"}, seed=0) == [narrow]
    assert found(seed=7) == []
    with pytest.raises(UsageError, match=r"'sede' in its recipe\. Did you mean seed"):
        found(sede=1)


def test_lookup_walks_mappings_lists_and_specs() -> None:
    recipe = {
        "data": {"name": "folder", "size": 64},
        "model": "multi(hour=classes(12), head='dense(2)|relu')",
        "augment": "flip(p=0.5)|crop([1, 2])|noise",
        "mean": [0.1, 0.2],
        "note": "not (a spec",
    }
    assert lookup(recipe, "data.size") == 64 and lookup(recipe, "mean[1]") == 0.2
    assert lookup(recipe, "model.hour") == "classes(12)" and lookup(recipe, "model.head[1].name") == "relu"
    assert lookup(recipe, "augment[0].p") == 0.5 and lookup(recipe, "augment[2].name") == "noise"
    for key in ("x", "data.x", "mean[2]", "augment.p", "augment[3]", "note.x", "mean.x", "data[0]", "model.hour.x.y"):
        assert lookup(recipe, key) is MISSING, key


def test_frame_has_a_row_a_run(root: Path, make_run: MakeRun) -> None:
    made = [make_run(seed=seed).name for seed in range(2)]
    (root / made[0] / "run.json").write_text("damaged")
    frame = RunStore(root).frame()
    assert frame.index.name == "folder" and list(frame.index) == made[::-1]
    row = frame.loc[made[1]]
    assert row["test.accuracy"] == 0.875 and row["recipe.seed"] == 1 and row["selected.epoch"] == 2
    assert not row["is_running"] and isinstance(row["started"], pd.Timestamp) and row["started"].tzinfo is not None
    assert frame["status"].tolist() == ["finished", "damaged"]


def test_comparison_shows_what_differs_and_what_came_out(root: Path, make_run: MakeRun) -> None:
    first = make_run(seed=0, info={"execution": {"device": "cpu", "threads": 2}, "environment": {"torch": "2.10"}})
    second = make_run(seed=1, finish=False, ema=0.9, info={"execution": {"device": "cpu", "threads": 1}})
    comparison = RunStore(root).compare([first.name, second.name])
    assert comparison.runs == [first.name, second.name]
    assert comparison.recipe == {"seed": [0, 1], "ema": [None, 0.9]}
    assert comparison.execution == {"execution.threads": [2, 1], "environment.torch": ["2.10", None]}
    assert comparison.scores["test.accuracy"] == [0.875, None] and comparison.samples["test"] == [100, None]
    assert comparison.selected == [2, None] and comparison.epochs == [3, 0] and comparison.seconds == [12.5, 0.0]
    assert comparison.states == ["finished", "unfinished"]
    assert json.loads(json.dumps(comparison.to_dict()))["recipe"] == {"seed": [0, 1], "ema": [None, 0.9]}


def test_comparison_takes_two_runs_that_exist(root: Path, make_run: MakeRun) -> None:
    name = make_run().name
    for few in ([name], [], name):
        with pytest.raises(UsageError, match="at least two"):
            RunStore(root).compare(few)
    with pytest.raises(RunNotFoundError):
        RunStore(root).compare([name, "other"])


def test_damaged_run_is_listed_and_can_be_deleted(root: Path, make_run: MakeRun) -> None:
    damaged, whole = make_run(seed=1), make_run(seed=2)
    (damaged / "run.json").write_text("{")
    store = RunStore(root)
    assert [(s.name, s.status) for s in store.list()] == [(whole.name, "finished"), (damaged.name, "damaged")]
    with pytest.raises(DataError, match="damaged"):
        store.find(damaged.name)
    store.delete(damaged.name)
    assert names(store) == [whole.name]


def test_damaged_run_can_be_deleted_by_the_name_that_was_given_to_it(root: Path, make_run: MakeRun) -> None:
    (make_run(seed=1) / "run.json").write_text("{")
    store = RunStore(root)
    store.delete("digits")
    assert names(store) == []


def test_run_whose_recipe_is_damaged_is_listed_so_and_is_whole_when_it_is_mended(root: Path, make_run: MakeRun) -> None:
    recipe = make_run(seed=1) / "recipe.yaml"
    kept = recipe.read_bytes()
    for content in (b"!!bool x", b"\xff", b"[1]"):
        recipe.write_bytes(content)
        (summary,) = RunStore(root).list()
        assert summary.status == "damaged" and "recipe.yaml" in summary.info["reason"] and summary.recipe == {}
    recipe.write_bytes(kept)
    (summary,) = RunStore(root).list()
    assert summary.status == "finished" and summary.recipe["seed"] == 1


def test_deleted_run_is_gone_and_the_others_stay(root: Path, make_run: MakeRun) -> None:
    gone, stays = make_run(seed=1), make_run(seed=2)
    store = RunStore(root)
    store.delete(Run(gone).digest[:10])
    assert not gone.exists() and names(store) == names(RunStore(root)) == [stays.name]
    assert {path.name for path in root.iterdir()} == {stays.name, ".index.sqlite", ".trash"}
    with pytest.raises(RunNotFoundError):
        store.delete(gone.name)


def test_deleted_run_can_be_had_back_whole(root: Path, make_run: MakeRun) -> None:
    first = make_run(info={"seconds": 1.0})
    store = RunStore(root)
    store.delete(first.name)
    second = make_run(info={"seconds": 2.0})
    with pytest.raises(UsageError, match="is there already"):
        store.restore(first.name)
    store.delete(second)
    assert [path.name for path in store.deleted()] == [first.name, first.name]
    assert store.restore(first.name) == first and Run(first).seconds == 12.5
    assert RunWriter.open(first).close() is None
    with pytest.raises(RunNotFoundError, match=f"Did you mean {first.name}"):
        store.restore(first.name[:-1])


def test_purged_runs_are_gone_for_good(root: Path, make_run: MakeRun) -> None:
    gone, stays = make_run(seed=1), make_run(seed=2)
    store = RunStore(root)
    store.delete(gone.name)
    assert [path.name for path in store.purge()] == [gone.name] and store.purge() == []
    with pytest.raises(RunNotFoundError, match="None was deleted since the last purge"):
        store.restore(gone.name)
    # The index is there because it was asked whether an ensemble needs the run.
    assert {path.name for path in root.iterdir()} == {stays.name, ".index.sqlite"}


def test_a_trash_that_leads_elsewhere_is_not_purged(root: Path, make_run: MakeRun, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "thesis").write_text("mine")
    make_run(seed=1)
    (root / ".trash").symlink_to(elsewhere)
    with pytest.raises(StorageError, match=r"is a link to .*elsewhere, where more than runs may lie"):
        RunStore(root).purge()
    assert (root / ".trash").is_symlink() and (elsewhere / "thesis").read_text() == "mine"


def test_purge_cut_short_leaves_nothing_to_restore_and_is_completed_later(
    root: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, stays = make_run(seed=1), make_run(seed=2)
    store = RunStore(root)
    store.delete(gone.name)

    def die(folder: Path, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", die)
        with pytest.raises(KeyboardInterrupt):
            store.purge()
    assert store.deleted() == [] and list(root.glob(".purged-*"))
    assert names(RunStore(root)) == [stays.name] and not list(root.glob(".purged-*"))


def test_a_link_to_a_run_is_deleted_and_restored_as_a_link(root: Path, make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    away = shutil.move(run, tmp_path / "away")
    link = root / run.name
    link.symlink_to(away)
    store = RunStore(root)
    store.delete(run.name)
    assert not link.is_symlink() and Run(away).test.accuracy == 0.875
    store.restore(run.name)
    assert link.readlink() == away
    store.delete(run.name)
    store.purge()
    assert Run(away).test.accuracy == 0.875


def test_nothing_but_runs_of_the_store_is_ever_deleted(root: Path, make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    elsewhere = shutil.copytree(run, tmp_path / "elsewhere")
    nested = shutil.copytree(run, root / "group" / "inner")
    for folder in (tmp_path, root, root / "thesis"):
        folder.mkdir(exist_ok=True)
        (folder / "run.json").write_text('{"format": 1}')
    before = sorted(tmp_path.rglob("*"))
    store = RunStore(root)
    refused = ["", ".", "..", "/", "*", "~", "//", "../elsewhere", "thesis", "group", "group/inner", f"{run.name}/.."]
    refused += ["base\n", "a\0b", "x" * 5000, str(root), str(tmp_path), str(elsewhere), str(nested)]
    for name in refused:
        with pytest.raises(RunNotFoundError):
            store.delete(name)
    with pytest.raises(RunNotFoundError, match="does not lie directly in"):
        store.delete(Run(elsewhere))
    assert sorted(path for path in tmp_path.rglob("*") if path.name != ".index.sqlite") == before


def test_a_lock_that_is_a_link_is_not_followed(root: Path, make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    precious = tmp_path / "precious"
    precious.write_text("text")
    (run / ".lock").unlink()
    (run / ".lock").symlink_to(precious)
    with pytest.raises(StorageError, match="a link is in the way"):
        RunStore(root).delete(run.name)
    assert precious.read_text() == "text" and run.exists()


def test_running_run_is_not_deleted(root: Path) -> None:
    with RunWriter.create(root, digest="a" * 64, recipe={}, name="busy") as writer:
        with pytest.raises(RunBusyError, match=f"cannot be deleted while process {os.getpid()} .* works on it"):
            RunStore(root).delete("last")
        assert Run(writer.folder).is_running
        writer.update(step=1)
    RunStore(root).delete("last")
    assert not writer.folder.exists()


def test_index_is_only_a_help(root: Path, make_run: MakeRun) -> None:
    made = {make_run(seed=seed).name for seed in range(3)}
    path = root / ".index.sqlite"
    assert set(names(RunStore(root))) == made and path.is_file()
    whole = path.read_bytes()
    damages = [b"", b"not a database at all", whole[:100], whole[: len(whole) // 2], whole[:100] + b"\xff" * len(whole)]
    damages += [whole[:at] + b"\xff" * 64 + whole[at + 64 :] for at in range(0, len(whole) - 64, 509)]
    for damage in damages:
        path.write_bytes(damage)
        store = RunStore(root)
        assert set(names(store)) == made and len(store.filter(data="digits")) == 3
        assert store.find("last").test.accuracy == 0.875
    path.unlink()
    assert set(names(RunStore(root))) == made and path.is_file()


def test_damaged_index_is_made_anew(root: Path, make_run: MakeRun) -> None:
    make_run()
    (root / ".index.sqlite").write_bytes(b"not a database at all" * 1000)
    RunStore(root).list()
    with sqlite3.connect(root / ".index.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (1,)
    connection.close()


def test_index_of_another_version_is_made_anew(root: Path, make_run: MakeRun) -> None:
    name = make_run().name
    connection = sqlite3.connect(root / ".index.sqlite")
    connection.execute("CREATE TABLE runs (folder TEXT, something TEXT)")
    connection.execute("INSERT INTO runs VALUES ('ghost', 'x')")
    connection.execute("PRAGMA user_version = 99")
    connection.commit()
    connection.close()
    assert names(RunStore(root)) == names(RunStore(root)) == [name]
    connection = sqlite3.connect(root / ".index.sqlite")
    assert connection.execute("SELECT folder FROM runs").fetchall() == [(name,)]
    connection.close()


def test_folder_in_place_of_the_index_does_no_harm(root: Path, make_run: MakeRun) -> None:
    name = make_run().name
    (root / ".index.sqlite").mkdir()
    assert names(RunStore(root)) == [name]


@pytest.fixture
def shares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has folders lie on a share of the network, and the temporary files of the machine in one of this test."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("CNNLAB_CACHE", str(tmp_path / "home" / "cache"))

    def mount(*folders: Path) -> None:
        table = [("/", "ext4", []), *((os.path.realpath(folder), "nfs4", ["rw"]) for folder in folders)]
        monkeypatch.setattr(file_systems, "_table", lambda: table)

    return mount


def indices(folder: Path) -> list[str]:
    """The SQLite files anywhere in a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.sqlite"))


def test_index_of_runs_on_the_network_lies_on_a_disk_of_the_machine(
    tmp_path: Path, root: Path, make_run: MakeRun, shares: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = make_run().name
    shares(root)
    assert names(RunStore(root)) == [name]
    (in_cache,) = indices(tmp_path)
    assert in_cache.startswith("home/cache/indices/")
    shares(root, tmp_path / "home")
    assert names(RunStore(root)) == [name]
    (own,) = {*indices(tmp_path)} - {in_cache}
    folder = (tmp_path / own).parent
    assert folder.parent == tmp_path / "temporary" and stat.S_IMODE(folder.stat().st_mode) == 0o700
    # The next reads it, and no run.json.
    monkeypatch.setattr(index.record, "read_info", lambda folder: pytest.fail(f"{folder} is read again"))
    assert names(RunStore(root)) == [name]


def test_machines_that_share_a_cache_have_an_index_each(
    tmp_path: Path, root: Path, make_run: MakeRun, shares: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = make_run().name
    shares(root)
    for node in ("node-1", "node-2"):
        monkeypatch.setattr(platform, "node", lambda node=node: node)
        assert names(RunStore(root)) == [name]
    assert len(indices(tmp_path)) == 2


@pytest.mark.parametrize("other", ["network", "open", "link", "file"])
def test_index_is_kept_in_memory_where_no_place_is_the_users_own(
    other: str, tmp_path: Path, root: Path, make_run: MakeRun, shares: Callable[..., None]
) -> None:
    name = make_run().name
    place = tmp_path / "temporary" / f"cnnlab-{os.getuid()}"
    if other == "open":
        place.mkdir()
        place.chmod(0o770)
    elif other == "link":
        (tmp_path / "theirs").mkdir(mode=0o700)
        place.symlink_to(tmp_path / "theirs")
    elif other == "file":
        place.touch()
    shares(root, tmp_path / "home", *([tmp_path / "temporary"] if other == "network" else []))
    store = RunStore(root)
    assert names(store) == names(store) == [name] and not indices(tmp_path)
    later = make_run(seed=1).name
    assert set(names(store)) == {name, later} and not indices(tmp_path)


def test_unchanged_runs_are_not_read_again(root: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [make_run(seed=seed) for seed in range(3)]
    RunStore(root).list()
    read: list[str] = []
    read_info = index.record.read_info
    monkeypatch.setattr(index.record, "read_info", lambda folder: read.append(folder.name) or read_info(folder))
    store = RunStore(root)
    store.list()
    assert read == []
    with RunWriter.open(made[1]) as writer:
        read.clear()
        writer.update(step=1)
    store.list()
    store.list()
    assert read == [made[1].name]


def test_several_processes_share_one_index(root: Path, make_run: MakeRun) -> None:
    made = {make_run(seed=seed).name for seed in range(10)}
    code = """
import sys
from cnnlab.runs import RunStore, RunWriter
for turn in range(10):
    digest = f"{sys.argv[2]}{turn:07}"
    RunWriter.create(sys.argv[1], digest=digest, recipe={"turn": turn}, name="more").close()
    assert any(summary.digest == digest for summary in RunStore(sys.argv[1]).list())
    RunStore(sys.argv[1]).filter(turn=turn)
"""
    children = [subprocess.Popen([sys.executable, "-c", code, str(root), worker]) for worker in "abc"]
    assert [child.wait() for child in children] == [0, 0, 0]
    expected = made | {f"more-{worker}{turn:07}" for worker in "abc" for turn in range(10)}
    assert set(names(RunStore(root))) == expected
    with sqlite3.connect(root / ".index.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
