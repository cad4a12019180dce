"""What the files of a paper may say, and how what they may not is answered."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cnnlab.core.errors import UsageError
from cnnlab.papers import Paper
from cnnlab.papers.carrying_out import carried_out
from cnnlab.papers.format import Recomputed
from cnnlab.papers.studies import StudyEntry


@pytest.mark.parametrize(
    ("way", "numbers", "expected"),
    [
        ("sd", [0.876, 0.88, 0.904, 0.876, 0.906], 0.0152578),
        ("mean", [1, 2, 6], 3),
        ("product", [4096, 1024], 4194304),
        ("sum", [1, 2.5], 3.5),
        ("ratio", [3, 4], 0.75),
        ("difference", [3, 4], -1),
    ],
)
def test_a_recomputed_number_follows_from_those_of_the_paper(way: str, numbers: list[float], expected: float) -> None:
    found = Recomputed(what="it", reported=1.0, **{way: numbers})
    assert found.value == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"place": None}, "it needs place"),
        ({"scales": {"smoke": {}, "laptop": {}}}, "scales lacks full"),
        (
            {"scales": {"smoke": {}, "laptop": {"vary.optimizer.lr": [0.1]}, "full": {}}},
            "which only smoke may",
        ),
        ({"vary": None}, "an entry needs vary:"),
        ({"claims": [{"says": "it"}]}, "needs judged"),
        ({"claims": [{"says": "it", "judged": "x", "not_judged": "y"}]}, "needs judged"),
        ({"recomputed": [{"what": "it", "reported": 1}]}, "give one of sd"),
        ({"recomputed": [{"what": "it", "reported": 1, "ratio": [1, 2, 3]}]}, "ratio takes two"),
        ({"deviations": {"latop": "x"}}, "deviations.latop"),
    ],
)
def test_an_entry_that_cannot_be_meant_is_refused_with_its_file(
    write_paper: Callable[..., Path], changes: dict[str, Any], complaint: str
) -> None:
    paper = Paper(write_paper(rates=changes))
    with pytest.raises(UsageError, match=r"rates\.yaml") as refused:
        _ = paper.entry("rates").file
    assert complaint in str(refused.value)


def test_a_paper_without_a_title_is_refused(write_paper: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match="it needs title"):
        Paper(write_paper(title=None))


def test_a_folder_without_a_paper_is_told_how_to_begin_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cnnlab paper new"):
        Paper(tmp_path)


def test_an_unknown_paper_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="there is no paper nonsense"):
        Paper("nonsense")


def test_an_unknown_entry_is_answered_with_the_nearest(write_paper: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match="Did you mean rates"):
        Paper(write_paper()).entry("rate")


def test_keys_of_each_choose_claims_and_rows(write_paper: Callable[..., Path], tmp_path: Path) -> None:
    changes = {
        "base": {"model": "mlp(hidden=[16])", "epochs": 1, "precision": "float32"},
        "each": {"data": ["digits", "digits(size=10)"]},
        "claims": [
            {"says": "one", "judged": "the best test_accuracy is at least 1%", "data": "digits"},
            {"says": "both", "judged": "the best test_accuracy is at least 2%"},
        ],
        "published": [
            {
                "metric": "test_accuracy",
                "rows": [
                    {"optimizer.lr": 0.01, "value": 0.5, "data": "digits"},
                    {"optimizer.lr": 0.01, "value": 0.6, "data": "digits(size=10)"},
                ],
            }
        ],
    }
    entry = carried_out(Paper(write_paper(rates=changes), runs=tmp_path / "runs").at("rates"))
    assert isinstance(entry, StudyEntry)
    parts = entry.parts
    files = [part.study.file for part in parts]
    assert [file.base["data"] for file in files] == ["digits", "digits(size=10)"]
    assert [len(file.claims) for file in files] == [2, 1]
    assert [file.published[0].rows[0].value for file in files] == [0.5, 0.6]
    assert len({file.name for file in files}) == 2
