"""Studies in worker processes: killed and started again, crashes, shared data, no orphans."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from pathlib import Path

import pytest
import torch
from small_studies import BASE, numbers, run_here, study_of
from study_victim import run_study

from cnnlab.core import yaml
from cnnlab.core.errors import CnnlabError
from cnnlab.data import Dataset, load_data
from cnnlab.runs import Run
from cnnlab.studies import ProcessExecutor, Study
from cnnlab.studies.execution import process_executor
from cnnlab.studies.execution.executor import EpochDone, Failed, Finished, Stopped, TrialRequest
from cnnlab.studies.execution.shared_data import DatasetCache, share_dataset
from cnnlab.training import Recipe
from cnnlab.training.prepare import data_key

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
# So long that it is never done before it is stopped.
LONG = {**BASE, "epochs": 100_000, "checkpoint_seconds": 0.1}


def until(condition, seconds=200.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def epochs_done(runs: Path) -> int:
    done = 0
    for path in runs.glob("[!.]*/run.json"):
        with suppress(ValueError, OSError):
            done += int(json.loads(path.read_text())["epochs_done"])
    return done


def ended(executor, number):
    """The events of one request up to its last."""
    told = []
    while not told or not isinstance(told[-1], Finished | Failed | Stopped):
        told += [event for event in executor.events(0.2) if event.number == number]
    return told


@contextmanager
def victim(forked_workers, file: Path, runs: Path) -> Iterator[None]:
    """A process that runs the study, and is killed at the end of the block."""
    process = forked_workers("spawn").Process(target=run_study, args=(file, runs))
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or is one that nobody has asked how it ended."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return status.rpartition(")")[2].split()[0] in "ZX"


@pytest.mark.slow(12)
def test_a_study_killed_and_started_again_gives_the_same_table(tmp_path, forked_workers):
    content = study_of(base={**BASE, "epochs": 25, "checkpoint_seconds": 0.02, "augment": "shift(0.1)"}, repeats=2)
    file, runs = tmp_path / "study.yaml", tmp_path / "killed"
    file.write_text(yaml.dump(content))
    # In the first of four runs, and in the second, with twenty epochs of it to come.
    for least in (5, 30):
        with victim(forked_workers, file, runs):
            until(lambda least=least: epochs_done(runs) >= least)
        # What the worker was at when the study was killed it saves, and leaves.
        until(lambda: not any(Run(path.parent).is_running for path in runs.glob("[!.]*/run.json")))
    assert any(Run(path.parent).status == "unfinished" for path in runs.glob("[!.]*/run.json"))
    whole = run_here(Study(content, runs=tmp_path / "whole"))
    rest = run_here(Study(content, runs=runs))
    assert numbers(rest) == numbers(whole)
    assert len(list(runs.glob("[!.]*/run.json"))) == 4


def test_a_worker_saves_and_leaves_when_the_study_is_killed(tmp_path, forked_workers):
    file, runs = tmp_path / "study.yaml", tmp_path / "runs"
    file.write_text(yaml.dump(study_of(base=LONG)))
    with victim(forked_workers, file, runs):
        until(lambda: epochs_done(runs) >= 2)
        run = Run(next(runs.glob("[!.]*/run.json")).parent)
        worker = json.loads((run.folder / ".owner.json").read_text())["pid"]
    until(lambda: has_ended(worker))
    until(lambda: not run.is_running)
    assert run.status == "unfinished"
    assert (run.folder / "checkpoint" / "state.safetensors").exists()


@pytest.mark.slow(8)
def test_ctrl_c_saves_and_leaves_with_its_exit_code(tmp_path):
    file, runs = tmp_path / "study.yaml", tmp_path / "runs"
    file.write_text(yaml.dump(study_of(base=LONG)))
    words = [sys.executable, "-m", "cnnlab", "study", "run", str(file), "--runs", str(runs), "--workers", "1"]
    with subprocess.Popen(words, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
        try:
            until(lambda: epochs_done(runs) >= 2)
            process.send_signal(signal.SIGINT)
            error = process.communicate(timeout=200)[1]
        finally:
            process.kill()
    assert process.returncode == 130
    assert "Stopped and saved; the study small goes on where it is" in error
    assert "Traceback" not in error
    run = Run(next(runs.glob("[!.]*/run.json")).parent)
    assert run.status == "unfinished" and not run.is_running
    stored = json.loads((runs / "studies" / "small" / "result.json").read_text())
    assert "interrupted after epoch" in stored["settings"][0]["trials"][0]["reason"]


def test_a_killed_worker_is_a_crash_and_the_next_request_gets_a_new_one(tmp_path, forked_workers):
    with ProcessExecutor(1, runs=tmp_path / "runs") as executor:
        executor.submit(TrialRequest(0, LONG))
        while not any(isinstance(event, EpochDone) for event in executor.events(0.2)):
            pass
        owner = json.loads(next((tmp_path / "runs").glob("[!.]*/.owner.json")).read_text())
        os.kill(owner["pid"], signal.SIGKILL)
        last = ended(executor, 0)[-1]
        assert (last.kind, "SIGKILL" in last.reason) == ("crash", True)
        executor.submit(TrialRequest(1, BASE))
        assert isinstance(ended(executor, 1)[-1], Finished)


def test_shared_data_is_not_loaded_again_by_workers(tmp_path, forked_workers):
    # A data set of this name is nowhere; the worker knows it from what it was given alone.
    content = {**BASE, "subset": 150, "test": 77}
    other = load_data("digits", test=100, subset=120)
    sets = {data_key(Recipe.read(content)): other}
    with ProcessExecutor(1, runs=tmp_path / "runs", sets=sets) as executor:
        executor.submit(TrialRequest(40, content))
        last = ended(executor, 40)[-1]
    assert Run(last.folder).info["data"]["digest"] == other.digest
    assert other.train.pixels().is_shared()


def test_sharing_changes_nothing_and_leaves_the_disks_sets_alone():
    dataset = load_data("digits")
    before = dataset.train.pixels().clone()
    assert share_dataset(dataset)
    assert torch.equal(dataset.train.pixels(), before)
    part = dataset.train.select([1, 2, 3])
    assert not share_dataset(Dataset("part", part))


def test_the_cache_keeps_the_sets_used_last():
    cache, sets = DatasetCache(2), [load_data("digits", subset=count) for count in (10, 20, 30)]
    cache["a"], cache["b"] = sets[:2]
    assert cache["a"] is sets[0]
    cache["c"] = sets[2]
    assert list(cache) == ["a", "c"] and "b" not in cache


def test_workers_without_a_request_end_at_once(tmp_path, forked_workers):
    with ProcessExecutor(1, runs=tmp_path / "runs") as executor:
        (worker,) = executor._start(1)
        # A long one, as when Ctrl-C comes while a few steps are timed.
        worker.send("pace", (BASE, 60.0))
        time.sleep(0.5)
        began = time.monotonic()
        executor.close()
        # Far less than the sixty seconds asked for, however busy the machine.
        assert time.monotonic() - began < 40
        assert worker.process.exitcode == -signal.SIGTERM


def test_timing_tells_the_number_format_that_a_worker_chose_and_why(tmp_path, monkeypatch, forked_workers):
    monkeypatch.setattr(process_executor, "PACE_SECONDS", 0.01)
    with ProcessExecutor(1, runs=tmp_path / "runs") as executor:
        found = executor.pace({**BASE, "precision": "auto"}, 1, 1)
        assert found.images_per_second > 0 and (found.at_once, found.threads) == (1, 1)
        assert found.execution["threads"] == 1
        assert found.choice["precision"] == found.execution["precision"] == "float32"
        # The network is small, the training short; or else the processor has no other format.
        assert found.choice["why"] in ("too short to time", "no native bfloat16")


class Silent:
    """A process that is there and does nothing."""

    exitcode = None

    def kill(self) -> None:
        self.exitcode = -signal.SIGKILL

    def is_alive(self) -> bool:
        return self.exitcode is None

    terminate = kill

    def join(self, timeout: float | None = None) -> None:
        assert not self.is_alive()


def test_a_worker_that_does_not_answer_is_ended_and_the_other_ones_answer_is_taken_from_its_pipe(tmp_path, monkeypatch):
    monkeypatch.setattr(process_executor, "_ANSWER_SECONDS", 0.1)
    with ProcessExecutor(2, runs=tmp_path / "runs") as executor:
        pipes = [Pipe() for _ in range(2)]
        executor._workers = [process_executor._Worker(Silent(), ours) for ours, _ in pipes]
        hung, other = executor._workers
        pipes[1][1].send(("error", "no such data"))
        with pytest.raises(CnnlabError, match="so its process was ended"):
            executor._all_answered(executor._workers[:])
        assert hung.process.exitcode == -signal.SIGKILL and executor._workers == [other]
        assert not other.connection.poll(0)


def test_workers_that_are_still_coming_up_end_with_the_others(tmp_path, monkeypatch, forked_workers):
    executor, started = ProcessExecutor(2, runs=tmp_path / "runs"), []

    def interrupted(worker):
        started.append(worker)
        raise KeyboardInterrupt

    monkeypatch.setattr(executor, "_await", interrupted)
    with pytest.raises(KeyboardInterrupt), executor:
        executor.submit(TrialRequest(0, BASE))
    assert not started[0].process.is_alive()


def test_a_worker_that_waits_for_a_word_leaves_when_the_study_stops(tmp_path, forked_workers):
    with ProcessExecutor(1, runs=tmp_path / "runs") as executor:
        executor.submit(TrialRequest(0, {**BASE, "epochs": 5}, is_judged=True))
        while not any(isinstance(event, EpochDone) for event in executor.events(0.2)):
            pass
        process, began = executor._workers[0].process, time.monotonic()
        executor.close()
        # It saved what it had and was not killed, which would have taken a minute of waiting.
        assert time.monotonic() - began < 30 and process.exitcode != -signal.SIGKILL
    run = Run(next((tmp_path / "runs").glob("[!.]*/run.json")).parent)
    assert (run.status, run.epochs_done) == ("unfinished", 1)


def test_a_second_ctrl_c_ends_busy_workers_too(tmp_path, monkeypatch, forked_workers):
    with ProcessExecutor(1, runs=tmp_path / "runs") as executor:
        executor.submit(TrialRequest(0, LONG))
        while not any(isinstance(event, EpochDone) for event in executor.events(0.2)):
            pass
        worker = executor._workers[0]
        whole, calls = worker.process.join, []

        def join(*words):
            calls.append(words)
            if len(calls) == 1:
                raise KeyboardInterrupt
            whole(*words)

        monkeypatch.setattr(worker.process, "join", join)
        os.kill(worker.process.pid, signal.SIGSTOP)
        with pytest.raises(KeyboardInterrupt):
            executor.close()
        assert worker.process.exitcode == -signal.SIGKILL


def test_a_data_set_for_which_memory_cannot_be_shared_is_used_unshared(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("unable to resize file to the right size: File too large (27)")

    dataset = load_data("digits")
    monkeypatch.setattr(torch.Tensor, "share_memory_", refuse)
    assert not share_dataset(dataset)


def test_a_busy_worker_saves_and_stops_where_a_signal_would_end_it_at_once(tmp_path, monkeypatch, forked_workers):
    # As on Windows, which knows no signal that can be heeded: the end of the pipe says it.
    monkeypatch.setattr(process_executor, "WINDOWS", True)
    with ProcessExecutor(1, runs=tmp_path / "runs") as executor:
        executor.submit(TrialRequest(0, LONG))
        while not any(isinstance(event, EpochDone) for event in executor.events(0.2)):
            pass
        process = executor._workers[0].process
        monkeypatch.setattr(process, "terminate", lambda: pytest.fail("it ends at once"))
        executor.close()
        assert process.exitcode != -signal.SIGKILL
    run = Run(next((tmp_path / "runs").glob("[!.]*/run.json")).parent)
    assert run.status == "unfinished" and not run.is_running
    assert (run.folder / "checkpoint" / "state.safetensors").exists()
