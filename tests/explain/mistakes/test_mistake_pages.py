"""Galleries of mistakes, and all that is told of them at once."""

import numpy as np
import pytest

from cnnlab.core.errors import UsageError
from cnnlab.explain import mistakes_by_pair, mistakes_of, surest_mistakes
from cnnlab.runs import Run


def test_the_surest_mistakes_come_first(learning: Run) -> None:
    page = surest_mistakes(learning, most=6)
    stored = learning.predictions("test")
    outputs, labels = stored.outputs["label"].astype(float), stored.targets["label"]
    exponentials = np.exp(outputs - outputs.max(1, keepdims=True))
    sure = (exponentials / exponentials.sum(1, keepdims=True)).max(1)
    wrong = np.flatnonzero(outputs.argmax(1) != labels)
    assert page.places.tolist() == wrong[np.argsort(-sure[wrong], kind="stable")][:6].tolist()
    assert page.confidence == pytest.approx(sure[page.places])
    assert page.wrong == len(wrong) and page.totals == (len(wrong),) and page.pixels is not None


def test_pairs_come_by_how_often_they_are_confused_each_with_its_surest(learning: Run) -> None:
    page = mistakes_by_pair(learning, pairs=3, each=2)
    assert list(page.totals) == sorted(page.totals, reverse=True) and len(page.titles) == 3
    first = learning.confusion("test").mistakes(1)[0]
    assert page.totals[0] == first[2] and page.titles[0] == f"{first[0]} taken for {first[1]}"
    for group in range(3):
        own = page.groups == group
        assert 1 <= own.sum() <= 2 and len({*page.true[own]}) == len({*page.predicted[own]}) == 1
        assert (np.diff(page.confidence[own]) <= 0).all()


def test_mistakes_of_a_pair_of_classes_can_be_asked_for(learning: Run) -> None:
    true, taken, count = learning.confusion("test").mistakes(1)[0]
    page = surest_mistakes(learning, true=true, predicted=taken)
    assert page.totals == (count,) and {*page.true} == {int(true)} and {*page.predicted} == {int(taken)}
    with pytest.raises(UsageError, match="no class 'ten'"):
        surest_mistakes(learning, true="ten")


def test_everything_is_had_at_once_and_what_is_missing_has_its_reason(learning: Run) -> None:
    found = mistakes_of(learning)
    assert {*found.label_errors} == {"test", "validation"} and {*found.missing} == {"label errors of train"}
    assert found.learning is not None and found.duplicates is not None and found.duplicates.exact == 0
    assert sorted(found.confusion.names) == sorted("0123456789")
    assert found.confusion.counts.sum() == found.surest.count
