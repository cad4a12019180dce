"""``cnnlab list``."""

import pytest

KINDS = {
    "architectures": "vgg-like",
    "layers": "conv",
    "initialisers": "he-normal",
    "objectives": "multi-head",
    "augmentations": "flip",
    "perturbations": "blur",
    "normalizations": "dataset",
    "optimizers": "adamw",
    "schedules": "one-cycle",
    "classifiers": "svc",
    "attributions": "smoothgrad",
    "explanations": "embedding",
    "attacks": "pgd",
    "methods": "greedy",
}


def test_kinds_are_listed_with_the_key_that_takes_them(cnnlab, document):
    assert [row["kind"] for row in document("list")] == list(KINDS)
    text = cnnlab("list").stdout
    assert all(kind in text for kind in KINDS) and "optimizer=adamw" in text


@pytest.mark.parametrize(("kind", "name"), KINDS.items())
def test_all_of_a_kind_are_listed_and_one_is_shown_with_what_it_takes(cnnlab, document, kind, name):
    listed = {entry["name"]: entry for entry in document("list", kind)}
    assert document("list", kind, name) == listed[name]
    assert name in cnnlab("list", kind).stdout
    text = cnnlab("list", kind, name).stdout
    assert all(argument["argument"] in text for argument in listed[name]["arguments"])


def test_optimizers_are_those_of_torch_and_of_the_further_library(document):
    assert {"sgd", "adam", "rmsprop", "ftrl"} <= {entry["name"] for entry in document("list", "optimizers")}
    takes = {a["argument"]: a["default"] for a in document("list", "optimizers", "sgd")["arguments"]}
    assert takes["lr"] == "0.001" and takes["nesterov"] == "false"


def test_one_of_several_is_a_kind_too(document):
    assert document("list", "schedule", "cosine")["name"] == "cosine"


def test_objectives_are_among_what_models_are_made_of(cnnlab, document):
    assert {entry["name"] for entry in document("models", "list")["objectives"]} >= {"classes", "scalar", "multi-head"}
    assert "by softmax" in cnnlab("models", "list", "classes").stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["optimisers"], "Did you mean optimizers"),
        (["schedules", "one-cicle"], "there is no schedule called 'one-cicle'. Did you mean one-cycle"),
        (["optimizers", "admaw"], "Did you mean adamw"),
    ],
)
def test_what_there_is_not_is_refused_with_the_closest(cnnlab, words, expected):
    result = cnnlab("list", *words, exit_code=2)
    assert expected in result.stderr and result.stderr.count("\n") == 1 and not result.stdout


def test_what_few_runs_have_stands_first_where_a_line_does_not_hold_all() -> None:
    from cnnlab.cli.runs.list import _differs

    told = {"model": "m" * 40, "optimizer": "sgd", "loss": "mine"}
    frequent = {("model", "m" * 40): 5, ("optimizer", "sgd"): 2, ("loss", "mine"): 1}
    shown = _differs(told, frequent)
    assert shown.startswith("loss=mine, optimizer=sgd, model=mmm") and len(shown) <= 60
    assert _differs({"loss": "mine", "optimizer": "sgd"}, frequent) == "loss=mine, optimizer=sgd"
