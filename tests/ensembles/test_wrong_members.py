"""Members that cannot be meant: one clear sentence with the remedy, and nothing is written."""

import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_members import drawn, predictions
from typer.testing import CliRunner

import cnnlab
from cnnlab import training
from cnnlab.cli.app import app
from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.core.messages import quietly
from cnnlab.ensembles import read_record, side_by_side
from cnnlab.runs import Run, RunStore, RunWriter

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
        (["narrow"], "snapshots", "takes the weights of two epochs or more.* those after 3 alone were kept"),
        (["narrow"], "snapshots(epochs=[1, 3])", "needs the weights of narrow-.* after epoch 1"),
        (["narrow"], "snapshots(epochs=[5])", r"Train it anew with epochs=5 'snapshots=\[5\]'"),
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


@pytest.mark.parametrize(
    ("given", "type_of"),
    [(None, "None"), (3, "type int"), ([1, 2], "type int"), ([None], "None"), (b"ab", "type int"), ([["a"]], "list")],
)
def test_what_names_no_run_is_refused_with_how_to_name_some(given: Any, type_of: str) -> None:
    with pytest.raises(UsageError, match=rf"was given .*{type_of}\. Name runs, as in cnnlab\.ensemble\(\['first', "):
        cnnlab.ensemble(given)


def test_a_single_text_is_a_pattern_or_one_name(members: list[Run]) -> None:
    root = members[0].folder.parent
    assert len(cnnlab.ensemble("wide*", runs=root).info["ensemble"]["members"]) == 2
    assert cnnlab.ensemble("narrow", "tta(flip)", runs=root).needs == (members[2].name,)


def test_members_may_be_what_a_store_lists(members: list[Run]) -> None:
    listed = RunStore(members[0].folder.parent).list()
    assert sorted(cnnlab.ensemble(listed).needs) == sorted(run.name for run in members)


@pytest.mark.parametrize(
    ("name", "message"), [(3, "name takes text.* got int"), ("a/b", "cannot name a run"), ("", "'' cannot name")]
)
def test_a_name_that_cannot_be_is_refused_before_anything_is_computed(
    name: Any, message: str, members: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlab.ensembles.methods.base.Combining.make", lambda *_: pytest.fail("computed"))
    with pytest.raises(UsageError, match=message):
        cnnlab.ensemble(members, name=name)


def test_an_unfinished_run_is_no_member(members: list[Run]) -> None:
    with RunWriter.open(members[1].folder) as writer:
        writer.update(status="unfinished")
    with pytest.raises(UsageError, match=f"{members[1].name} is unfinished.*cnnlab resume {members[1].name}"):
        cnnlab.ensemble(members)


def test_a_run_whose_folder_is_not_utf8_is_no_member(members: list[Run]) -> None:
    other = Run(members[1].folder.rename(members[1].folder.with_name("caf\udce9")))
    with pytest.raises(UsageError, match="is not UTF-8, and the record of an ensemble is"):
        cnnlab.ensemble([members[0], other])


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
        (
            {"ids": ["picture 0", *"xyz"]},
            "they are of different pictures. 1 sample ids are shared and 6 differ: 3 only first has, 3 only second",
        ),
        ({"data": "e"}, "All 4 sample ids are shared, but not the pictures or labels that they stand for"),
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
    root = members[0].folder.parent
    large = training.train(
        runs=root, name="large", data="digits(size=12)", model="mlp(hidden=[4])", epochs=1, threads=1, subset=100
    )
    with pytest.raises(UsageError, match=r"takes pictures of 1×8×8 and large-.* of 1×12×12"):
        cnnlab.ensemble([*members, large])


FITTED = ["weights", "greedy", "swarm(iterations=3)", "stacking", "mean(temperature=true)"]
SHARED: dict[str, Any] = {"data": "digits", "model": "mlp(hidden=[4])", "epochs": 1, "threads": 1, "seed": 7}


@pytest.fixture(scope="session")
def _otherwise_divided(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs whose validation pictures are others than those of most runs, by how they were trained."""
    root = tmp_path_factory.mktemp("divided") / "runs"
    ways: dict[str, dict[str, Any]] = {
        "count": {"validation": 100},
        "none": {"validation": 0},
        "folds": {"folds": 2, "validation": 120},
        "bootstrap": {"subset": "bootstrap", "validation": 0.2},
        "subset": {"subset": 300},
    }
    with quietly():
        return {name: training.train(runs=root, name=name, **SHARED, **keys).folder for name, keys in ways.items()}


@pytest.fixture
def divided(_otherwise_divided: dict[str, Path], members: list[Run]) -> dict[str, Run]:
    """The same beside the members."""
    root = members[0].folder.parent
    shutil.copytree(_otherwise_divided["count"].parent, root, dirs_exist_ok=True)
    return {name: Run(root / folder.name) for name, folder in _otherwise_divided.items()}


@pytest.mark.parametrize("way", ["count", "none", "folds", "bootstrap", "subset"])
def test_nothing_is_fitted_on_validation_pictures_that_are_not_those_of_all(
    way: str, divided: dict[str, Run], members: list[Run]
) -> None:
    names = [members[2].name, divided[way].name]
    message = (
        r"no scored predictions of such stored"
        if way == "none"
        else rf"{names[0]} and {names[1]} cannot be members .* on validation .* sample ids are shared and \d+ differ: "
    )
    for method in FITTED:
        with pytest.raises(UsageError, match=message):
            cnnlab.ensemble(names, method, runs=members[0].folder.parent)


def test_what_is_fitted_on_nothing_goes_without_a_validation_split_that_all_share(
    divided: dict[str, Run], members: list[Run]
) -> None:
    run = cnnlab.ensemble([members[2], divided["count"]])
    assert run.splits == ["test"]
    assert run.info["warnings"] == [
        "nothing is said of validation: on validation their data have different content. 100 sample ids are shared "
        f"and 44 differ: 44 only {members[2].name} has, 0 only {divided['count'].name}."
    ]


@pytest.mark.parametrize("way", ["count", "folds", "bootstrap", "subset"])
def test_the_command_that_is_told_trains_a_run_that_can_be_a_member(
    way: str, divided: dict[str, Run], members: list[Run]
) -> None:
    root = members[0].folder.parent
    with pytest.raises(UsageError) as caught:
        cnnlab.ensemble([members[2], divided[way]], "weights")
    command = shlex.split(str(caught.value).partition("divided alike: ")[2])
    assert command[:2] == ["cnnlab", "train"]
    result = CliRunner().invoke(app, [*command[1:], "--runs", str(root)], prog_name="cnnlab")
    assert result.exit_code == 0, result.output
    (again,) = (run for run in RunStore(root).named(way) if run != divided[way])
    assert again.recipe.get("folds") == divided[way].recipe.get("folds")
    drawn = divided[way].recipe.get("subset")
    assert again.recipe.get("subset") == (drawn if way == "bootstrap" else None)
    assert len(cnnlab.ensemble([members[2], again], "weights").needs) == 2


def test_data_that_has_changed_since_is_told_of(members: list[Run]) -> None:
    for split in members[0].splits:
        said = members[0].predictions(split)
        replace(said, data="other", images="other").save(
            members[0].folder / "predictions" / f"{split}.safetensors",
        )
    with pytest.raises(
        UsageError, match=r"All \d+ sample ids are shared.* it was another when one of them was trained"
    ):
        cnnlab.ensemble(members)


@pytest.mark.parametrize("way", ["cosines", "named"])
def test_a_run_trained_anew_as_is_told_has_snapshots(way: str, members: list[Run]) -> None:
    with pytest.raises(UsageError) as caught:
        cnnlab.ensemble(members[2], "snapshots")
    cosines, _, named = str(caught.value).partition("Train it anew ")[2].partition("By another schedule ")
    words = re.findall(r"'((?:schedule|snapshots)=[^']+)'", cosines if way == "cosines" else named)
    root = members[2].folder.parent
    command = ["train", str(members[2].folder / "recipe.yaml"), *words, "--name", way, "--runs", str(root)]
    assert CliRunner().invoke(app, command, prog_name="cnnlab").exit_code == 0
    (again,) = RunStore(root).named(way)
    method = re.findall(r"'method=([^']+)'", named)[0] if way == "named" else "snapshots"
    record = read_record(cnnlab.ensemble(again, method))
    assert [member.epoch for member in record.members] == ([1, 2, 3] if way == "cosines" else [2, 3])
