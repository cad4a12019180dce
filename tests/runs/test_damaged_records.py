"""Run folders whose files were damaged: told as such, and no harm to anything else."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from cnnlab.core.errors import CnnlabError, DataError, RunBusyError
from cnnlab.runs import Run, RunStore
from cnnlab.runs.lock import RunLock, who

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
    with pytest.raises(DataError, match="is damaged"):
        store.find(damaged.name)


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
