"""What is measured of finished runs, and how a room adds to it."""

import re
import sys
from pathlib import Path

import pytest

from cnnlab.core import measurements
from cnnlab.core.errors import UsageError
from cnnlab.core.measurements import (
    WORD,
    Measure,
    MeasuredRuns,
    Measurement,
    Metric,
    measurement,
    name_pattern,
    read_measure,
    usual_names,
)

RUNS = MeasuredRuns({"test": ("loss", "accuracy")}, {}, "accuracy", lambda name: "higher")


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurements, "_measurements", [])
    monkeypatch.setattr(measurements, "_homes", ())


def test_a_measure_is_found_by_its_name_with_its_unit_and_direction() -> None:
    @measurement
    class Robust(Measurement):
        pattern = r"accuracy under (\w+)"

        def read(self, name: str, runs: MeasuredRuns) -> Measure:
            return Measure(Metric(name, name, "share", "higher"), lambda run: run["robust"])

        def usual(self, runs: MeasuredRuns) -> list[str]:
            return ["accuracy under noise"]

    measure = read_measure(" accuracy  under noise", RUNS)
    assert measure.metric == Metric("accuracy under noise", "accuracy under noise", "share", "higher")
    assert measure.of({"robust": 0.5}) == 0.5 and not measure.is_of_setting
    assert usual_names(RUNS) == ["accuracy under noise"]


def test_a_name_that_one_passes_on_is_read_by_the_next_and_an_unknown_one_names_the_closest() -> None:
    class Word(Measurement):
        pattern = WORD
        known = ""

        def read(self, name: str, runs: MeasuredRuns) -> Measure | None:
            return Measure(Metric(name, self.known, "number", "lower"), lambda run: 1.0) if name == self.known else None

        def usual(self, runs: MeasuredRuns) -> list[str]:
            return [self.known]

    measurement(type("First", (Word,), {"known": "first"}))
    measurement(type("Second", (Word,), {"known": "second"}))
    assert [read_measure(name, RUNS).metric.label for name in ("second", "first")] == ["second", "first"]
    with pytest.raises(UsageError, match=r"there is no metric 'secnd' here\. Did you mean second"):
        read_measure("secnd", RUNS)


def test_among_other_words_a_name_is_taken_whole_before_a_bare_word_is() -> None:
    for pattern in (WORD, r"recall of \w+", WORD):
        measurement(type("Some", (Measurement,), {"pattern": pattern, "read": lambda self, name, runs: None}))
    matches = [re.match(name_pattern(), text) for text in ("recall of cat is above 1", "seconds of x", "recall is 1")]
    assert [match.group() for match in matches if match] == ["recall of cat", "seconds", "recall"]


def test_a_room_that_measures_something_is_imported_when_names_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home_of_measures.py").write_text(
        "from cnnlab.core.measurements import *\n"
        "from cnnlab.core.measurements import Measure, Measurement, Metric, measurement\n"
        "@measurement\n"
        "class Size(Measurement):\n"
        "    pattern = 'size'\n"
        "    def read(self, name, runs):\n"
        "        return Measure(Metric(name, name, 'number', 'lower'), len, is_of_setting=True)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(measurements, "_homes", ("home_of_measures",))
    monkeypatch.delitem(sys.modules, "home_of_measures", raising=False)
    measure = read_measure("size", RUNS)
    assert measure.is_of_setting and measure.of([1, 2, 3]) == 3
