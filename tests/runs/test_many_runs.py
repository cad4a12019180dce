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


def read_plainly(root: Path) -> list[object]:
    """What every run of a folder says of itself, without an index and without asking anything of it."""
    return [json.loads(path.read_text()) for path in root.glob("*/run.json")]


@pytest.mark.slow(10)
def test_five_thousand_runs_are_listed_in_a_few_times_what_reading_them_takes(root: Path, make_run: MakeRun) -> None:
    last_started = multiply(make_run(info={"environment": environment()}))
    plainly = min(seconds(lambda: read_plainly(root)) for _ in range(3))
    first = seconds(lambda: RunStore(root).list())
    warm = min(seconds(lambda: RunStore(root).list()) for _ in range(3))
    store = RunStore(root)
    again = min(seconds(store.list) for _ in range(3))
    last = seconds(lambda: store.find("last"))
    print(f"{COUNT} runs: read plainly {plainly:.2f} s")
    print(f"{COUNT} runs: first listing {first:.2f} s, later {warm:.2f} s, same store {again:.2f} s, last {last:.3f} s")
    assert len(store) == COUNT and store.find("last") == Run(last_started)
    # Measured: 5 times to begin with and twice from then on, where plain reading is an eighth of a second.
    assert first < 20 * plainly and warm < 8 * plainly and again < 8 * plainly
    # What was read once is not read again.
    assert warm < 0.8 * first
