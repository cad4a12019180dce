"""Members that cannot be meant: one clear sentence with the remedy, and nothing is written."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_members import drawn, predictions

import cnnlab
from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.ensembles import side_by_side
from cnnlab.runs import Run, RunWriter

LABELS = [0, 1, 2, 0]


@pytest.mark.parametrize(
    ("names", "method", "message"),
    [
        ([], "mean", "an ensemble is made of runs. Name some"),
        (["narrow"], "mean", "takes two runs or more, and narrow-.* is one. Of one run method=snapshots"),
        (["narrow", "narrow"], "mean", "is named twice"),
        (["narrow", "nowhere"], "mean", "there is no run 'nowhere'"),
        (["no-such-*"], "mean", "no run under .* matches 'no-such-\\*'. There are: narrow-"),
        (["*"], "snapshots", "takes one run, and 3 were named"),
        (["*"], "maen", "there is no method called 'maen'.*Did you mean mean"),
        (["*"], "greedy(sise=3)", "method greedy has no argument 'sise'.*size"),
        (["*"], "greedy(size=0)", "size of method greedy takes a whole number from 1 to 10,000"),
        (["*"], "mean|vote", "one"),
        (["narrow"], "snapshots", "takes two epochs or more"),
        (["narrow"], "snapshots(epochs=[1, 3])", "needs the weights of narrow-.* after epoch 1"),
        (["narrow"], "average", "the weights of two epochs or more"),
        (["narrow"], 'tta("")', "needs something done to the picture"),
        (["narrow"], "tta(none)", "pipeline of method tta takes text or a spec.*; got none"),
        (["narrow"], "tta(rotat)", "there is no augmentation called 'rotat'"),
        (["narrow"], "tta(mixup)", "mixes pictures"),
        (["narrow"], 'tta("saturation")', "needs colour pictures"),
        (["*"], "average", "their weights do not belong together"),
        (["wide*"], "average", "started from random weights.* Combine what they say"),
        (["wide*"], "soup", "fine-tuned from one origin.* the mean of their weights is no network"),
        (["wide*"], "average(epochs=[1])", "takes epochs= of one run"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    names: list[str], method: str, message: str, members: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = members[0].folder.parent
    before = sorted(path.name for path in root.iterdir() if not path.name.startswith(".index"))
    with pytest.raises(UsageError, match=message) as caught:
        cnnlab.ensemble(names, method, runs=root)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in root.iterdir() if not path.name.startswith(".index")) == before


def test_an_unfinished_run_is_no_member(members: list[Run]) -> None:
    with RunWriter.open(members[1].folder) as writer:
        writer.update(status="unfinished")
    with pytest.raises(UsageError, match=f"{members[1].name} is unfinished.*cnnlab resume {members[1].name}"):
        cnnlab.ensemble(members)


def test_a_run_of_another_folder_is_no_member(members: list[Run], tmp_path: Path) -> None:
    other = Run(shutil.copytree(members[0].folder, tmp_path / "other" / members[0].name))
    with pytest.raises(UsageError, match=f"{re.escape(str(other.folder))} does not lie directly in"):
        cnnlab.ensemble([members[1], other])


def test_a_pattern_leaves_ensembles_out(members: list[Run]) -> None:
    root = members[0].folder.parent
    cnnlab.ensemble(members[:2], name="wide-pair")
    assert cnnlab.ensemble("wide*", runs=root).info["ensemble"]["members"] == sorted(run.name for run in members[:2])


def test_members_without_common_predictions_are_refused(members: list[Run]) -> None:
    shutil.rmtree(members[0].folder / "predictions")
    with pytest.raises(UsageError, match="no predictions stored of a split that all of them have"):
        cnnlab.ensemble(members)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ("ant", "bee", "dog")}, "predict other classes: first knows cat and second does not"),
        ({"data": "e"}, "their data have different content"),
        ({"ids": list("wxyz")}, "they are of different pictures"),
        ({"objective": "classes(column=kind)"}, "by objective=classes.column=label. and second by objective="),
        ({"split": "test"}, "one is on validation and the other on test"),
    ],
)
def test_members_that_differ_are_refused_with_the_difference(changes: dict[str, Any], message: str) -> None:
    outputs = np.zeros((4, 3))
    with pytest.raises(UsageError, match=message):
        side_by_side([predictions(outputs, LABELS), predictions(outputs, LABELS, **changes)], ["first", "second"])


def test_outputs_that_are_not_finite_are_refused() -> None:
    broken = predictions(np.full((4, 3), np.nan), LABELS)
    with pytest.raises(UsageError, match=r"second on validation are not finite.*Leave it out"):
        side_by_side([predictions(np.zeros((4, 3)), LABELS), broken], ["first", "second"])


def test_another_order_of_the_same_classes_is_put_right_and_told(caplog: pytest.LogCaptureFixture) -> None:
    outputs = drawn(1, 20)
    first, order = outputs.predictions(outputs.outputs[0]), [2, 0, 1]
    names = tuple(first.classes["label"][place] for place in order)
    turned = replace(
        first,
        outputs={"label": first.outputs["label"][:, order]},
        targets={"label": np.argsort(order)[first.targets["label"]]},
        classes={"label": names},
        data="another digest",
    )
    with caplog.at_level("INFO", "cnnlab"):
        both = side_by_side([first, turned], ["first", "second"])
    assert both.outputs[0].equal(both.outputs[1])
    assert "second counts the same classes in another order than first" in caplog.text


def test_another_order_of_classes_on_other_pictures_is_refused() -> None:
    first = predictions(np.zeros((4, 3)), LABELS)
    others = predictions(np.zeros((4, 3)), [0, 0, 0, 0], names=("cat", "ant", "bee"), data="e")
    with pytest.raises(CnnlabError, match="their data have different content"):
        side_by_side([first, others], ["first", "second"])


def test_members_of_other_sizes_of_pictures_are_refused_with_the_sizes(members: list[Run]) -> None:
    from cnnlab import training

    root = members[0].folder.parent
    large = training.train(
        runs=root, name="large", data="digits(size=12)", model="mlp(hidden=[4])", epochs=1, threads=1, subset=100
    )
    with pytest.raises(UsageError, match=r"takes pictures of 1×8×8 and large-.* of 1×12×12"):
        cnnlab.ensemble([*members, large])
