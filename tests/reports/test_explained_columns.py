"""Models of several heads, and of permuted pixels: which head is meant can be chosen, and captions say all of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import cnnlab
from cnnlab.core.errors import UsageError
from cnnlab.core.messages import quietly
from cnnlab.evaluation import class_predictions
from cnnlab.explain import mistakes_of
from cnnlab.explain.chosen_pictures import chosen_pictures
from cnnlab.explain.targets import Target, distinct_targets
from cnnlab.reports import write_explanations
from cnnlab.reports.explanations.base import Explanation
from cnnlab.runs import Run
from tests.explain.networks import layered, wrapped


@pytest.fixture(scope="module")
def clocks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Hour and minute, each as classes."""
    with pytest.MonkeyPatch.context() as patch, quietly():
        patch.setenv("CNNLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield cnnlab.train(
            data="clocks(n=200, size=16)",
            model="cnn(filters=[4])",
            objective="multi-head(hour=classes(12), minute=classes(60))",
            epochs=1,
            runs=tmp_path_factory.mktemp("runs"),
            precision="float32",
        )


def captions(found: Explanation) -> dict[str, str]:
    return {figure.key: figure.caption for figure in found.figures}


@pytest.mark.parametrize(("column", "told"), [(None, "hour"), ("hour", "hour"), ("minute", "minute")])
def test_mistakes_are_of_the_column_that_is_asked_for_and_say_so(clocks: Run, column: str | None, told: str) -> None:
    found = mistakes_of(clocks, column=column)
    right = class_predictions(clocks.predictions("test"), told).right
    assert found.surest.column == told and found.surest.wrong == int((~right).sum())
    assert len(found.confusion.names) == {"hour": 12, "minute": 60}[told]
    for each in (found.surest, found.by_pair, *found.label_errors.values()):
        assert each.of.endswith(f", by {told}, of hour and minute")


def test_pictures_are_right_or_wrong_by_the_column_that_is_asked_for(clocks: Run) -> None:
    for column in ("hour", "minute"):
        right = class_predictions(clocks.predictions("test"), column).right
        found = chosen_pictures(clocks, ["test:wrong"], column=column)
        assert not right[[int(name.split(":")[1]) for name in found.names]].any()
        assert found.of.endswith(f"right or wrong by {column}, of hour and minute")
    with pytest.raises(UsageError, match=r"predicts no classes of minutes\. Did you mean minute\?"):
        chosen_pictures(clocks, column="minutes")
    with pytest.raises(UsageError, match=r"predicts no classes of minutes\. Did you mean minute\?"):
        mistakes_of(clocks, column="minutes")


def test_maps_are_of_the_column_that_is_asked_for_and_captions_say_which(clocks: Run, tmp_path: Path) -> None:
    (one,) = write_explanations(clocks, "saliency", tmp_path, images=["test:3"], column="minute").explanations
    (figure,) = one.figures
    assert "for the class of minute that it predicts of each picture" in figure.caption
    explained = one.numbers["attributions"][0]["pictures"][0]["explained"]
    assert explained.startswith("minute=")
    (usual,) = write_explanations(clocks, "saliency", tmp_path, images=["test:3"]).explanations
    assert "Of 2 heads this explains the first, hour" in usual.figures[0].caption


def test_a_column_that_nothing_goes_by_is_refused(clocks: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="dead-units goes by no column: leave --column out"):
        write_explanations(clocks, "dead-units", tmp_path, column="hour")


def test_a_class_is_explained_once_by_whichever_of_its_names() -> None:
    model = wrapped(layered())
    assert distinct_targets(model, ["dog", "1", "cat", "label=dog", "0"]) == ("dog", "cat")
    with pytest.raises(UsageError, match="no class unicorn"):
        distinct_targets(model, ["dog", "unicorn"])


def test_classes_that_are_named_by_their_numbers_are_listed_once_each() -> None:
    numbered = wrapped(layered(), classes={"label": ("0", "1", "2", "3")})
    with pytest.raises(UsageError, match=r"They are 0, 1, 2, 3\."):
        Target(numbered, 9, 1)
    with pytest.raises(UsageError, match=r"They are 0 cat, 1 dog, 2 owl, 3 fox\."):
        Target(wrapped(layered()), 9, 1)


def test_of_permuted_pixels_captions_say_in_which_order_pictures_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNNLAB_CACHE", str(tmp_path / "cache"))
    with quietly():
        run = cnnlab.train(
            data="digits", model="cnn(filters=[4])", permute=3, epochs=1, runs=tmp_path / "runs", precision="float32"
        )
    what = ["saliency", "activations", "filters", "maximize(steps=2)", "mistakes"]
    said = {}
    for kind in what:
        for one in write_explanations(run, kind, tmp_path / "out").explanations:
            said |= captions(one)
    order = "The network is given the pixels in another order (permute=)."
    without = {key for key, caption in said.items() if order not in caption}
    # Of kernels it is said that their neighbours are none in the picture; counts and a list of doubles show none.
    assert without <= {"filters conv1", "mistakes confusion"} and len(said) > 6
    assert "pixels are permuted" in said["filters conv1"].lower()
