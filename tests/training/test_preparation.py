"""What a recipe needs is made once: each spec is parsed when it is read, and what came of it is handed on."""

import itertools
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import cnnlab
from cnnlab.augment import Pipeline
from cnnlab.core import spec
from cnnlab.core.errors import UsageError
from cnnlab.data import loading
from cnnlab.models import ModelSpec, build_network
from cnnlab.runs import Run
from cnnlab.training import prepare
from cnnlab.training.class_balance import ClassBalance
from cnnlab.training.loop import Job
from cnnlab.training.phases import PhasePlan, PhaseSpan
from cnnlab.training.prepare import TrainingSetup
from cnnlab.training.recipe import Phase, Recipe
from cnnlab.training.selection import SelectionMetric
from cnnlab.training.short_recipe import given

Trained = Callable[..., Run]

SPECS = {
    "data": "digits(size=9)",
    "model": "conv(4)|relu|pool|flatten",
    "objective": "classes(column=label)",
    "augment": "flip|shift(0.1)",
    "optimizer": "sgd(lr=0.1)",
    "schedule": "cosine",
    "normalize": "numbers(mean=[0.5], std=[0.25])",
}


def test_each_spec_of_a_recipe_is_parsed_once(small_run: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: Counter[str] = Counter()
    parse = spec.parse

    def counted(text: str) -> Any:
        parsed[text] += 1
        return parse(text)

    monkeypatch.setattr(spec, "parse", counted)
    # What a run shows of its recipe is shortened from the text on its record, once a run.
    monkeypatch.setattr("cnnlab.training.api.given", dict)
    run = small_run(**SPECS, balance="weights")
    assert {text: parsed[text] for text in SPECS.values()} == dict.fromkeys(SPECS.values(), 1)
    canonical = {run.recipe[key] for key in SPECS} - set(SPECS.values())
    assert len(canonical) >= 5
    assert not canonical & set(parsed)


def test_pipeline_network_selection_and_balance_are_made_once(
    small_run: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Counter[str] = Counter()

    def count(owner: Any, name: str) -> None:
        method = getattr(owner, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            made[f"{owner.__name__}.{name}"] += 1
            return method(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)

    count(Pipeline, "__init__")
    count(ModelSpec, "build")
    count(SelectionMetric, "of")
    count(ClassBalance, "of")
    small_run(**SPECS, balance="weights", epochs=2)
    assert made == {"Pipeline.__init__": 1, "ModelSpec.build": 1, "SelectionMetric.of": 1, "ClassBalance.of": 1}


def test_phases_share_what_they_take_from_the_recipe() -> None:
    phases = [{"epochs": 1}, {"epochs": 1, "optimizer": "sgd(lr=0.2)"}]
    recipe = Recipe.read(SPECS, phases=phases)
    first, second = recipe.normal()
    assert first.augment.parsed is second.augment.parsed is recipe.augment.parsed
    assert first.optimizer.parsed.arguments["lr"] == 0.1
    assert second.optimizer.parsed.arguments["lr"] == 0.2


SOURCE = f"{Path(cnnlab.__file__).parent}{os.sep}"
ROOMS = ("objectives", "data", "augment", "models", "runs", "training")


class FirstStepError(Exception):
    """Ends a training that has come to its first step."""


@contextmanager
def visited_files(specs: set[str]) -> Iterator[list[str]]:
    """The files, core aside, whose functions are given the recipe, a text of it or what holds it, in order.

    What a recipe is asked for by its own methods is no visit, and the files of one in a row are one.
    """
    visits: list[str] = []

    def is_recipe(value: Any) -> bool:
        if isinstance(value, Recipe | Phase | TrainingSetup | PhasePlan | PhaseSpan | Job):
            return True
        if isinstance(value, dict):
            return {"data", "model", "augment"} <= set(value)
        return isinstance(value, str) and value in specs

    def note(frame: FrameType, event: str, arg: Any) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(SOURCE):
            return
        file = code.co_filename.removeprefix(SOURCE)
        if (file, code.co_name) == ("training/step.py", "take"):
            raise FirstStepError
        count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
        given = [frame.f_locals.get(name) for name in code.co_varnames[:count] if name not in ("self", "cls")]
        if not file.startswith("core/") and any(map(is_recipe, given)) and visits[-1:] != [file]:
            visits.append(file)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield visits
    finally:
        sys.setprofile(before)


def test_the_way_of_a_recipe_to_its_first_step_goes_down(small_run: Trained) -> None:
    canonical = Recipe.read(SPECS)
    specs = {*SPECS.values(), *(str(getattr(canonical, key)) for key in SPECS)}
    # What is worked out once for a process is no part of the way.
    given(canonical.to_dict())
    with visited_files(specs) as visits, pytest.raises(FirstStepError):
        small_run(**SPECS, balance="weights")
    returns = len(visits) - len(set(visits))
    levels = [ROOMS.index(file.partition("/")[0]) for file in visits]
    climbs = sum(after > before for before, after in itertools.pairwise(levels))
    assert len(visits) > 20
    assert returns <= 20, "\n".join(visits)
    assert climbs <= 6, "\n".join(visits)


@pytest.mark.parametrize("keys", [{"batch_size": 1}, {"batch_size": 8, "phases": [{"epochs": 1, "batch_size": 1}]}])
def test_single_pictures_that_batch_norm_cannot_take_are_refused_before_anything_is_written(
    keys: dict[str, Any], small_run: Trained, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"batch_size=1 does not go with batch normalisation here.*batch_size=2"):
        small_run(model="dense(8)|batch_norm|relu", **keys)
    assert not list((tmp_path / "runs").glob("*"))


def test_single_pictures_are_trained_on_where_that_can_be(small_run: Trained) -> None:
    assert small_run(model="conv(2)|batch_norm|relu", batch_size=1, steps=3, subset=20).status == "finished"


@pytest.mark.parametrize(
    ("data", "lines"), [("digits", r"Write model=cnn or data\.size=32\."), (None, r"Write model=cnn\.")]
)
def test_where_pictures_are_too_small_for_the_usual_model_another_is_told(
    data: str | None, lines: str, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 8, 8)).astype(np.uint8), np.arange(40) % 2
    with pytest.raises(UsageError, match=f"no model is named.* 1×8×8.*{lines}"):
        cnnlab.train(data=noise if data is None else data, epochs=1, runs=tmp_path, offline=True)


@pytest.mark.parametrize("line", [{"model": "cnn"}, {"data": "digits(size=32)"}])
def test_what_is_told_for_small_pictures_can_be_built(line: dict[str, str]) -> None:
    recipe = Recipe.read({"data": "digits", **line})
    build_network(recipe.model, (1, 32, 32) if "data" in line else (1, 8, 8), 10)


def test_what_is_read_and_built_is_told_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    @contextmanager
    def telling(text: str, after: float | None = None) -> Iterator[None]:
        told.append(text)
        yield

    for module in (loading, prepare):
        monkeypatch.setattr(module, "announcing", telling)
    keys = {"subset": 40, "epochs": 1, "batch_size": 20, "model": "mlp(hidden=[8])", "precision": "float32"}
    cnnlab.train(data="digits", **keys, threads=1, runs=tmp_path, offline=True)
    assert {"reading digits", "building mlp(hidden=[8])"} <= set(told)
