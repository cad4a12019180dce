"""Run folders whose files were damaged: told as such, and no harm to anything else."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from cnnlab.core.errors import CnnlabError, DataError, RunBusyError, StorageError
from cnnlab.runs import Run, RunStore
from cnnlab.runs.lock import RunLock, who
from cnnlab.runs.step_log import StepLog, read_step_log

MakeRun = Callable[..., Path]

FIELDS = ["epochs_done", "seconds", "scores", "selected", "warnings", "started", "name", "digest", "execution", "data"]
FIELDS += ["status", "reason", "repeat", "epochs", "environment"]


def ask_everything(folder: Path) -> None:
    """Asks a run, and the store over it, for all that they tell; whatever is refused must be so in a sentence."""
    store = RunStore(folder.parent)
    asks: list[Callable[[], object]] = [
        lambda: list(store.list()),
        store.frame,
        lambda: store.filter(epochs=3),
        lambda: str(store.find(folder.name)),
        lambda: repr(store.find(folder.name)),
        lambda: store.find(folder.name).to_dict(),
        lambda: Run(folder).recipe,
        lambda: Run(folder).history,
        lambda: Run(folder).live,
        lambda: Run(folder).stored_epochs,
        lambda: Run(folder)._repr_html_(),
    ]
    for ask in asks:
        with suppress(CnnlabError):
            ask()


@pytest.mark.parametrize("value", ["x", 5, [1], {"a": 1}, {"a": {"b": "c"}}, -1, 0.5, True])
@pytest.mark.parametrize("field", FIELDS)
def test_a_field_of_another_kind_is_told_and_nothing_else_suffers(field: str, value: object, make_run: MakeRun) -> None:
    damaged, whole = make_run(seed=1), make_run(seed=2)
    info = json.loads((damaged / "run.json").read_text())
    (damaged / "run.json").write_text(json.dumps({**info, field: value}))
    ask_everything(damaged)
    store = RunStore(damaged.parent)
    statuses = {summary.name: summary for summary in store.list()}
    assert statuses[whole.name].status == "finished" and store.find(whole.name).test.accuracy == 0.875
    if statuses[damaged.name].status == "damaged":
        assert field in statuses[damaged.name].info["reason"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epochs", "ten"),
        ("epochs", -1),
        ("seed", [1]),
        ("batch_size", {"a": 1}),
        ("validation", "x"),
        ("label_smoothing", [0.1]),
        ("phases", "two"),
        ("phases", [{"epochs": "x"}]),
        ("snapshots", 5),
        ("members", "ab"),
        ("data", 5),
        ("model", {"name": "mlp"}),
    ],
)
def test_a_key_of_the_recipe_of_another_kind_is_told(key: str, value: object, make_run: MakeRun) -> None:
    damaged, whole = make_run(seed=1), make_run(seed=2)
    (damaged / "recipe.yaml").write_text(json.dumps({**Run(damaged).recipe, key: value}))
    with pytest.raises(DataError, match=rf"recipe\.yaml is damaged \({key}"):
        _ = Run(damaged).recipe
    ask_everything(damaged)
    assert RunStore(damaged.parent).find(whole.name).recipe["seed"] == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("execution", {"threads": "x"}),
        ("execution", {"threads": 0}),
        ("execution", {"precision": "float3"}),
        ("environment", {"processor": 3}),
        ("data", {"sizes": {"train": -1}}),
        ("data", {"source": []}),
        ("selected", {"epoch": 1.5}),
        ("kernels_build", {"seconds": "x"}),
        ("scores", {"test": {"accuracy": "x"}}),
    ],
)
def test_a_fact_of_another_kind_within_a_field_is_told(field: str, value: object, make_run: MakeRun) -> None:
    damaged = make_run()
    info = json.loads((damaged / "run.json").read_text())
    (damaged / "run.json").write_text(json.dumps({**info, field: value}))
    with pytest.raises(DataError, match=rf"run\.json is damaged: .*\({field}\."):
        str(Run(damaged))


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"[" * 200_000,
        b'{"format": Infinity}',
        b'{"format": NaN}',
        b'{"format": "1"}',
        b'{"format": 1, "seconds": NaN}',
        b"\xff\xfe",
        b"",
    ],
)
def test_a_damaged_run_is_listed_with_its_reason_among_the_others(content: bytes, make_run: MakeRun) -> None:
    damaged, whole = make_run(seed=1), make_run(seed=2)
    (damaged / "run.json").write_bytes(content)
    ask_everything(damaged)
    store = RunStore(damaged.parent)
    status = {summary.name: (summary.status, summary.info.get("reason", "")) for summary in store.list()}
    assert status[whole.name][0] == "finished"
    assert status[damaged.name][0] == "damaged" and "is damaged: it is not the JSON object" in status[damaged.name][1]
    given = whole.name.rpartition("-")[0]
    assert store.find(given).folder == whole
    store.delete(whole.name)
    for name in (damaged.name, given):
        with pytest.raises(DataError, match="is damaged"):
            str(store.find(name))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("recipe.yaml", b"\xff\xfe"),
        ("recipe.yaml", b"epochs: !!bool x"),
        ("recipe.yaml", b"a: &a [*a]"),
        ("recipe.yaml", b"5: 6"),
        ("recipe.yaml", b"data: 5"),
        ("recipe.yaml", b"[" * 100_000),
        ("history.csv", b"\xff\xfe"),
        ("history.csv", b"a\n" + b"x" * 200_000 + b"\n"),
        ("history.csv", b"a,a\n1,2\n"),
        ("history.csv", b'"'),
        ("history.csv", b"a\0b\n1\n"),
        ("live.jsonl", b"[" * 200_000 + b"\n"),
        ("live.jsonl", b'{"a":' * 100_000 + b"\n"),
        ("live.jsonl", b"\xff\n"),
        ("snapshots/epoch-x.safetensors", b""),
    ],
)
def test_every_other_file_may_be_damaged(name: str, content: bytes, make_run: MakeRun) -> None:
    damaged, whole = make_run(seed=1), make_run(seed=2)
    (damaged / name).parent.mkdir(exist_ok=True)
    (damaged / name).write_bytes(content)
    ask_everything(damaged)
    assert {summary.name for summary in RunStore(damaged.parent).list()} == {damaged.name, whole.name}


@pytest.mark.parametrize("name", ["run.json", "recipe.yaml", "history.csv", "live.jsonl", ".owner.json", ".lock"])
def test_a_pipe_in_place_of_a_file_is_not_waited_for(name: str, make_run: MakeRun) -> None:
    damaged, whole = make_run(seed=1), make_run(seed=2)
    (damaged / name).unlink(missing_ok=True)
    os.mkfifo(damaged / name)
    ask_everything(damaged)
    assert whole.name in {summary.name for summary in RunStore(damaged.parent).list()}


def test_a_pipe_in_place_of_a_log_is_not_waited_for_to_write_either(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "live.jsonl")
    log = StepLog(tmp_path)
    with pytest.raises(StorageError, match=r"live\.jsonl could not be written"):
        log.append({"step": 1})
    with pytest.raises(StorageError, match=r"live\.jsonl could not be written"):
        log.truncate(3)


def test_a_step_that_is_no_number_ends_the_log(tmp_path: Path) -> None:
    (tmp_path / "live.jsonl").write_text('{"step":1}\n{"step":"x"}\n{"step":3}\n')
    assert read_step_log(tmp_path) == [{"step": 1}]
    StepLog(tmp_path).truncate(2)
    assert (tmp_path / "live.jsonl").read_text() == '{"step":1}\n'


@pytest.mark.parametrize(
    "note", ['{"pid":1,"host":"h","since":5}', '{"pid":[],"host":{},"since":[]}', "[" * 100_000, "5"]
)
def test_a_damaged_note_of_who_holds_a_run_is_no_more_than_that(note: str, make_run: MakeRun) -> None:
    folder = make_run()
    lock = RunLock(folder)
    lock.acquire()
    (folder / ".owner.json").write_text(note)
    assert who(folder).startswith(("process", "another process"))
    with pytest.raises(RunBusyError, match="cannot be deleted while"):
        RunStore(folder.parent).delete(folder.name)
    lock.release()


def test_a_run_in_a_folder_whose_name_is_no_text_is_listed(make_run: MakeRun) -> None:
    folder = make_run(seed=1)
    renamed = folder.rename(folder.with_name(os.fsdecode(b"caf\xe9")))
    for _ in range(2):
        assert [summary.folder for summary in RunStore(folder.parent).list()] == [renamed]


def test_the_index_is_not_written_through_a_link(make_run: MakeRun, tmp_path: Path) -> None:
    folder, elsewhere = make_run(), tmp_path / "elsewhere"
    (folder.parent / ".index.sqlite").unlink(missing_ok=True)
    (folder.parent / ".index.sqlite").symlink_to(elsewhere)
    assert [summary.name for summary in RunStore(folder.parent).list()] == [folder.name]
    assert not elsewhere.exists() and not (folder.parent / ".index.sqlite").is_symlink()
