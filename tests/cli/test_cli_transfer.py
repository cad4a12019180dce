"""``cnnlab transfer`` and ``cnnlab cache`` as they are typed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file
from torchvision.models import squeezenet1_1
from typer.testing import Result

from cnnlab.core import seeds
from cnnlab.data import load_data

Cnnlab = Callable[..., Result]
DATA = "data=digits(size=16)"


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("weights") / "squeeze.safetensors"
    with seeds.scope(1, "weights"):
        save_file(squeezenet1_1().state_dict(), path)
    return f"backbones=squeezenet1_1(weights={path})"


def test_a_transfer_is_told_stored_and_found_again(cnnlab: Cnnlab, backbone: str, tmp_path: Path) -> None:
    words = ("transfer", DATA, backbone, "classifiers=gaussian-nb, knn", "subset=60", "repeats=2", "--name", "digits")
    told = cnnlab(*words).stdout
    assert "gaussian-nb" in told and "macro f1 on validation, mean of 2 repeats" in told and "seconds to fit" in told
    assert cnnlab(*words).stdout.splitlines()[:3] == told.splitlines()[:3]
    assert len([path for path in (tmp_path / "runs").iterdir() if path.name.startswith("digits-")]) == 1
    shown = cnnlab("runs", "show", "digits").stdout
    assert "squeezenet1_1" in shown and "epochs" not in shown and "None" not in shown
    assert "digits-" in cnnlab("runs", "list").stdout
    assert "accuracy" in cnnlab("evaluate", "digits").stdout
    assert "features" in cnnlab("cache", "list").stdout


def test_what_was_searched_is_shown_the_best_first(cnnlab: Cnnlab, document: Callable[..., Any], backbone: str) -> None:
    values = ", ".join(map(str, range(1, 13)))
    words = ("classifiers=none", f"search=knn(n_neighbors=[{values}])", "subset=90", "subsample=0.6", "cv=2")
    told = cnnlab("transfer", DATA, backbone, *words, "--name", "digits").stdout
    table = told.partition("what was searched")[2].splitlines()
    assert [line.split()[0] for line in table[1:2]] == ["candidate"] and "and 2 more, which --json" in told
    # Twelve on six tenths of the 90 training pictures, of which ten are shown, and three on all.
    searched = document("runs", "show", "digits")["transfer"]["rows"][0]["repeats"][0]["searched"]
    assert [each["pictures"] for each in searched] == [54] * 12 + [90] * 3
    best = max(searched[12:], key=lambda each: each["mean"])
    assert f"{best['mean']:.4f}" in table[2] and "what was searched" in cnnlab("runs", "show", "digits").stdout


def test_keys_may_come_from_a_file_which_words_take_the_place_of(
    document: Callable[..., Any], backbone: str, tmp_path: Path
) -> None:
    (tmp_path / "asked.yaml").write_text(
        f"data: digits(size=16)\n{backbone.replace('=', ': ', 1)}\nclassifiers: knn, svc\nsubset: 60\nname: asked\n"
    )
    made = document("transfer", str(tmp_path / "asked.yaml"), "classifiers=gaussian-nb")
    assert made["run"].startswith("asked-") and made["best"]["classifier"] == "gaussian-nb"


def test_one_document_has_all_of_it(document: Callable[..., Any], backbone: str) -> None:
    made = document("transfer", DATA, backbone, "classifiers=gaussian-nb", "subset=60", "--name", "digits")
    assert made["best"]["classifier"] == "gaussian-nb" and made["record"]["columns"][0]["features"] == 512
    assert document("runs", "show", "digits")["transfer"]["rows"][0]["classifier"] == "gaussian-nb"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("backbones=",), "needs backbones="),
        (("nonsense",), "there is no transfer file nonsense"),
        (("one", "two"), "one and two are two transfer files"),
        (("name=a", "--name", "b"), "name is given twice"),
        (("runs=elsewhere",), "write --runs, not runs="),
        (("seed=1", "seed=2"), "seed is given twice"),
        (("classifiers=svc(D=1)",), "classifier svc has no argument 'D'"),
        (("search=svc",), "something to search over"),
        (("layer=fire99",), "has no layer 'fire99'"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_paragraph(
    cnnlab: Cnnlab, backbone: str, words: tuple[str, ...], told: str
) -> None:
    given = (DATA, *([] if words[0].startswith("backbones") else [backbone]), *words)
    result = cnnlab("transfer", *given, exit_code=2)
    assert told in " ".join(result.stderr.split()) and "Traceback" not in result.stderr


def test_the_cache_is_listed_and_cleared(cnnlab: Cnnlab, document: Callable[..., Any], backbone: str) -> None:
    assert document("cache", "list")["features"] == []
    cnnlab("transfer", DATA, backbone, "classifiers=gaussian-nb", "subset=60")
    (features,) = document("cache", "list")["features"]
    assert features["network"] == "squeezenet1_1" and features["layer"] == "pooled" and features["bytes"] > 0
    freed = document("cache", "clear")["freed"]
    assert freed["features"] >= features["bytes"] and document("cache", "list")["features"] == []
    load_data("digits(size=16)")
    assert "decoded" in cnnlab("cache", "clear", "decoded").stdout
    assert document("cache", "list")["kinds"]["decoded"]["bytes"] == 0
    assert "not cleared of 'all'" in cnnlab("cache", "clear", "all", exit_code=2).stderr
