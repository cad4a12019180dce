"""What is said when something cannot be done names what was typed and what to type instead."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from torch import nn

from cnnlab import models
from cnnlab.core.errors import CnnlabError, RunBusyError, SpecError, TrainingError, UsageError
from cnnlab.models.classifier_files import WeightsMismatchError
from cnnlab.runs import Run
from cnnlab.runs.lock import RunLock
from cnnlab.training import Recipe, extend
from cnnlab.training.overrides import parse_pairs

Trained = Callable[..., Run]


def refusal(**keys: Any) -> str:
    with pytest.raises(UsageError) as caught:
        Recipe.read(**{"data": "digits", **keys})
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("key", "written", "dotted"),
    [
        ("lr", "optimizer='adamw(lr=1)'", "optimizer.lr=1"),
        # 1 is none that it takes.
        ("dropout", "model='vgg-like(dropout=0.4)'", "model.dropout=0.4"),
        ("resize", "data='digits(resize=crop)'", "data.resize='crop'"),
        ("warmup", "schedule='cosine(warmup=1)'", ""),
    ],
)
def test_an_argument_written_as_a_key_is_told_where_it_goes(key: str, written: str, dotted: str) -> None:
    message = refusal(**{key: 1})
    assert f"has no key '{key}'" in message and written in message and dotted in message
    # The advice holds.
    for advice in (written, dotted):
        if advice:
            name, _, value = advice.partition("=")
            Recipe.read(**{"data": "digits", **parse_pairs([f"{name}={value.strip(chr(39))}"])})


@pytest.mark.parametrize(
    ("key", "advice"),
    [("loss", "objective='scalar'"), ("criterion", "objective='scalar'"), ("scheduler", "schedule='cosine'")],
)
def test_a_word_of_other_libraries_is_told_its_counterpart(key: str, advice: str) -> None:
    assert refusal(**{key: "mse"}).endswith(f"Write {advice}")


@pytest.mark.parametrize("key", ["validation", "test", "subset"])
@pytest.mark.parametrize("value", [1.5, -1, "some"])
def test_a_share_says_that_it_is_a_count_or_a_part(key: str, value: Any) -> None:
    begun = f"{key} cannot be {value!r}: it takes a whole number of pictures, {'or ' if key != 'subset' else ''}a share"
    assert refusal(**{key: value}).startswith(begun)


def test_a_seed_of_many_digits_is_exact() -> None:
    pairs = parse_pairs(["seed=99999999999999999999999"])
    assert Recipe.read(data="digits", **pairs).seed == 99999999999999999999999
    assert parse_pairs(["ema=0.5", "seed=1e3"]) == {"ema": 0.5, "seed": 1000.0}


def test_a_device_that_is_none_is_told_without_a_list_of_all(small_run: Trained) -> None:
    with pytest.raises(UsageError) as caught:
        small_run(device="foo")
    assert re.fullmatch(
        r"there is no device 'foo' here; (cpu|cuda|mps) is. Leave device out to let cnnlab choose.", str(caught.value)
    )


def test_a_pattern_without_filters_for_its_convolutions_says_how_to_give_them() -> None:
    with pytest.raises(SpecError) as caught:
        models.build_network("cnn(layers=CPCPC)", (1, 16, 16), 10)
    advice = "filters is [32]: filters takes a number for each C, as in filters=[32, 32, 32]"
    assert f"layers=CPCPC has 3 convolutions, and {advice}" in str(caught.value)
    models.build_network("cnn(layers=CPCPC, filters=[32, 32, 32])", (1, 16, 16), 10)


class Wide(nn.Sequential):
    """A network that wants to be told a width."""

    def __init__(self, width: int) -> None:
        super().__init__(nn.Flatten(), nn.Linear(64, width), nn.Linear(width, 10))


def _broken() -> nn.Module:
    raise RuntimeError("out of ideas")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda width: Wide(width), ["<lambda> wants some", "'width'", "model=lambda: Net"]),
        (Wide, ["Wide wants some", "'width'"]),
        (_broken, ["_broken, fails: RuntimeError: out of ideas"]),
        (lambda: Wide(), ["<lambda>, fails: TypeError"]),
        (lambda: 3, ["made a int"]),
    ],
)
def test_a_maker_of_a_model_is_told_how_it_is_called(make: Any, words: list[str], small_run: Trained) -> None:
    with pytest.raises(UsageError) as caught:
        small_run(model=make)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert small_run(model=lambda: Wide(8)).status == "finished"


def test_a_loss_that_is_no_number_says_which_weights_there_are(small_run: Trained) -> None:
    with pytest.raises(TrainingError, match="no epoch was finished, so there are no weights to keep"):
        small_run(optimizer="sgd(lr=1e38)")
    blown_up = {"phases": [{"epochs": 1}, {"epochs": 1, "optimizer": "sgd(lr=1e38)"}]}
    with pytest.raises(TrainingError, match="the best weights before it, of epoch 1, are kept"):
        small_run(**blown_up)
    with pytest.raises(TrainingError, match="the history up to epoch 1 is kept"):
        small_run(**blown_up, select="last")


@pytest.mark.parametrize("keys", [{"model": "conv(6)|relu|pool|flatten"}, {"data": "digits(size=12)"}])
def test_more_epochs_of_another_network_are_refused_with_what_may_change(
    keys: dict[str, Any], small_run: Trained
) -> None:
    parent = small_run()
    with pytest.raises(WeightsMismatchError) as caught:
        extend(parent, "+1", **keys)
    message = str(caught.value)
    assert "do not fit the network given" in message and "leave model= and data= out" in message
    assert parent.recipe["model"] not in message


def test_more_epochs_wait_for_a_run_that_is_going_on(interrupted: Callable[..., Any]) -> None:
    run, _ = interrupted(after=2)
    lock = RunLock(run.folder)
    lock.acquire()
    try:
        with pytest.raises(RunBusyError, match=r"is still being trained, by .*Wait until it is done"):
            extend(run, "+1")
    finally:
        lock.release()
    with pytest.raises(CnnlabError, match="Go on with it first: cnnlab resume"):
        extend(run, "+1")
