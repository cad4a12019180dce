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
        ({"recomputed": [{"what": "it", "reported": 1, "ratio": [1, 0]}]}, "divided by 0"),
        ({"recomputed": [{"what": "it", "median": [1, 2]}]}, "Did you mean mean"),
        ({"deviations": {"latop": "x"}}, "deviations.latop"),
        ({"claims": [{"says": "it", "judged": "x", "noet": "y"}]}, "has no key 'noet'"),
        ({"claims": "the larger is better"}, "write a list"),
        ({"scales": {"smoke": {"claims": [{"judged": "x"}]}, "laptop": {}, "full": {}}}, "it needs claims.0.says"),
        ({"each": {"data": ["digits"]}, "claims": [{"says": "it", "judged": "x", "data": "mnist"}]}, "no data 'mnist'"),
    ],
)
def test_an_entry_that_cannot_be_meant_is_refused_with_its_file(
    write_paper: Callable[..., Path], changes: dict[str, Any], complaint: str
) -> None:
    paper = Paper(write_paper(rates=changes))
    with pytest.raises(UsageError, match=r"rates\.yaml") as refused:
        _ = paper.entry("rates").file
    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    ("published", "complaint"),
    [
        ([{"metric": "test_accuracy", "row": [{"optimizer.lr": 0.01, "value": 0.9}]}], "Did you mean rows"),
        ([{"metric": "test_accuracy", "rows": ["90%"]}], "row 1 cannot be '90%'"),
        ([{"metric": "test_acuracy", "rows": [{"optimizer.lr": 0.01, "value": 0.9}]}], "Did you mean test_accuracy"),
    ],
)
def test_published_rows_that_cannot_be_read_are_refused_and_not_left_out(
    write_paper: Callable[..., Path], tmp_path: Path, published: list[Any], complaint: str
) -> None:
    paper = Paper(write_paper(rates={"published": published}), runs=tmp_path / "runs")
    with pytest.raises(UsageError) as refused:
        carried_out(paper.at("rates")).check()
    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        (["rates", "rates"], "names 'rates' twice"),
        (["../rates"], "is no name of an entry"),
        (["rates.yaml"], "without .yaml"),
        ([], "name one at least"),
    ],
)
def test_names_of_entries_that_cannot_be_meant_are_refused(
    write_paper: Callable[..., Path], entries: list[str], complaint: str
) -> None:
    with pytest.raises(UsageError) as refused:
        Paper(write_paper(entries=entries))
    assert complaint in str(refused.value)


def test_an_entry_that_is_named_and_not_there_is_answered_with_the_nearest(write_paper: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match=r"no .*rate\.yaml, which entries of .* names.* Did you mean rates"):
        _ = Paper(write_paper(entries=["rate"])).entry("rate").file


def test_an_entry_that_is_there_and_not_named_is_to_be_named(write_paper: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match="add scores there"):
        Paper(write_paper(entries=["rates"])).entry("scores")


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
