import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnlab.runs import Run, RunStore, environment

MakeRun = Callable[..., Path]
COUNT = 5000


def seconds(work: Callable[[], object]) -> float:
    """Processor time, which others at work on the machine do not lengthen much."""
    start = time.process_time()
    work()
    return time.process_time() - start


def multiply(folder: Path) -> Path:
    """Many runs like one, without waiting for the disk; the one that was started last."""
    info, recipe = Run(folder).info, (folder / "recipe.yaml").read_text()
    for number in range(1, COUNT):
        digest = f"{number:064x}"
        copy = folder.with_name(f"digits-{number}")
        copy.mkdir()
        (copy / ".lock").touch()
        (copy / "recipe.yaml").write_text(recipe.replace("seed: 0", f"seed: {number}"))
        facts = {**info, "digest": digest, "started": f"2100-01-01T00:00:00.{number:06}+00:00"}
        (copy / "run.json").write_text(json.dumps(facts, indent=2))
    return copy


@pytest.mark.slow(10)
def test_five_thousand_runs_are_listed_within_a_second(root: Path, make_run: MakeRun) -> None:
    last_started = multiply(make_run(info={"environment": environment()}))
    first = seconds(lambda: RunStore(root).list())
    warm = min(seconds(lambda: RunStore(root).list()) for _ in range(3))
    store = RunStore(root)
    again = seconds(store.list)
    last = seconds(lambda: store.find("last"))
    print(f"{COUNT} runs: first listing {first:.2f} s, later {warm:.2f} s, same store {again:.2f} s, last {last:.3f} s")
    assert len(store) == COUNT and store.find("last") == Run(last_started)
    assert first < 2 and warm < 1 and again < 1
