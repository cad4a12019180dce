"""Explanations written to a folder: what can be asked for, which files are touched, the page, and the report."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

import cnnlab
from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.core.registry import RegistryEntry
from cnnlab.ensembles.classifier import EnsembleClassifier
from cnnlab.ensembles.combinations import WeightedMean
from cnnlab.explain import ATTRIBUTIONS
from cnnlab.explain.attribution import Method
from cnnlab.explain.batches import Batch
from cnnlab.reports import write_explanations, write_runs_report
from cnnlab.reports.explanations.asked import read_what, what_there_is
from cnnlab.reports.explanations.folder import (
    RECORD,
    ExplanationFolder,
    StoredExplanation,
    StoredFigure,
    stored_explanations,
)
from cnnlab.reports.explanations.meanings import ATTRIBUTION_MEANINGS
from cnnlab.runs import Run
from cnnlab.testing.model_tools import small_classifier

OUTSIDE = re.compile(r"https?://(?!www\.w3\.org/)")
"""An address that a page would load from, other than the names of what SVG is."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        folder = tmp_path_factory.mktemp("runs")
        yield cnnlab.train(data="digits", model="cnn(filters=[4])", epochs=1, runs=folder, precision="float32")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_names_may_be_short_joined_and_with_arguments() -> None:
    asked = read_what(["gradcam|smoothgrad(n=3)", "guided", "Filters"])
    assert [str(each.short) for each in asked.attributions] == ["grad-cam", "smoothgrad(n=3)", "guided-backpropagation"]
    assert [each.name for each in asked.kinds] == ["filters"] and not asked.is_all
    assert read_what(["gradcam++"]).attributions[0].name == "grad-cam++"
    assert asked.takes == {"images", "layer", "target", "column", "channels"}
    assert read_what(["saliency"]).takes == {"images", "target", "column"}


def test_all_is_every_kind_with_the_arguments_that_were_given() -> None:
    asked = read_what(["all", "maximize(steps=2)"])
    assert asked.is_all and {"grad-cam", "filters", "embedding", "mistakes"} <= set(asked.names)
    assert next(each for each in asked.kinds if each.name == "maximize").arguments["steps"] == 2
    assert len(asked.names) == len(set(asked.names))


def test_what_there_is_not_is_told_with_all_there_is() -> None:
    with pytest.raises(UsageError, match="nothing called xyz to explain by") as caught:
        read_what(["xyz"])
    assert all(name in str(caught.value) for name in what_there_is())
    for word, ours in {
        "gradcamm": "grad-cam",
        "GuidedBackprop": "guided-backpropagation",
        "ig": "integrated-gr",
    }.items():
        with pytest.raises(UsageError, match=f"Did you mean {ours}.*There are activations"):
            read_what([word])
    with pytest.raises(UsageError, match="all takes no arguments"):
        read_what(["all(3)"])


def test_every_attribution_says_what_it_shows_and_what_it_does_not() -> None:
    ATTRIBUTIONS.complete()
    assert {entry.name for entry in ATTRIBUTIONS} == set(ATTRIBUTION_MEANINGS)


def test_figures_lie_in_the_runs_own_folder_in_two_formats(run: Run) -> None:
    written = write_explanations(run, "gradcam", images=["test:3,4"])
    assert written.folder == run.folder / "explain" and names(written.folder) == {
        "grad-cam.png",
        "grad-cam.svg",
        RECORD,
    }
    with Image.open(written.folder / "grad-cam.png") as image:
        assert image.size[0] == 1050
    svg = (written.folder / "grad-cam.svg").read_text("utf-8")
    assert run.name in svg and "relu1" in svg and "test pictures 3, 4" in svg
    document = written.to_dict()
    assert [each["picture"] for each in document["explanations"][0]["attributions"][0]["pictures"]] == [
        "test:3",
        "test:4",
    ]


def test_a_second_call_replaces_its_own_files_and_adds_others(run: Run, tmp_path: Path) -> None:
    write_explanations(run, "saliency", tmp_path, images=["test:3"])
    first = (tmp_path / "saliency.png").read_bytes()
    write_explanations(run, "saliency", tmp_path, images=["test:3"])
    assert (tmp_path / "saliency.png").read_bytes() == first
    write_explanations(run, "saliency", tmp_path, images=["test:4"])
    assert (tmp_path / "saliency.png").read_bytes() != first
    write_explanations(run, "activations", tmp_path, images=["test:4"], layer="relu1")
    write_explanations(run, "activations", tmp_path, images=["test:4"], layer="conv1")
    stored = {one.key: [figure.file for figure in one.figures] for one in stored_explanations(tmp_path)}
    assert stored == {"saliency": ["saliency"], "activations": ["activations-relu1", "activations-conv1"]}


def test_two_that_write_into_one_folder_have_the_files_of_both_on_record(tmp_path: Path) -> None:
    both = ExplanationFolder(tmp_path), ExplanationFolder(tmp_path)
    for place, key in zip(both, ("filters", "saliency"), strict=True):
        place.add(StoredExplanation(key, key, "model", {}, (StoredFigure(key, key, ""),)))
        (tmp_path / f"{key}.png").touch()
    assert {one.key for one in stored_explanations(tmp_path)} == {"filters", "saliency"}
    ExplanationFolder(tmp_path).check_figures(["filters", "saliency"])
    both[0].add_page("text")
    assert {one.key for one in stored_explanations(tmp_path)} == {"filters", "saliency"}


@pytest.mark.parametrize("name", ["saliency.png", "saliency.svg"])
def test_files_of_others_are_never_replaced(name: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=f"{re.escape(name)} in .* was not written by cnnlab explain"):
        write_explanations(run, "saliency", tmp_path, images=["test:3"])
    assert (tmp_path / name).read_text() == "mine" and names(tmp_path) == {name}


def test_a_record_of_others_and_a_file_are_no_folder_of_explanations(tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text('{"made_by": "me"}')
    with pytest.raises(UsageError, match="no record of cnnlab's"):
        ExplanationFolder(tmp_path)
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(UsageError, match="is a file"):
        ExplanationFolder(tmp_path / "notes")
    with pytest.raises(UsageError, match="names a file"):
        ExplanationFolder(tmp_path / "x.png")


@pytest.mark.parametrize("file", ["../other", "/etc/passwd", ".hidden", "", 3, None])
def test_a_record_leads_to_no_file_elsewhere(file: object, tmp_path: Path) -> None:
    figure = {"file": file, "title": "t", "caption": "c"}
    one = {"key": "k", "title": "t", "model": "m", "meanings": {}, "figures": [figure]}
    record = {"made_by": "cnnlab explain", "files": [], "explanations": [one, 3, {}]}
    (tmp_path / RECORD).write_text(json.dumps(record))
    assert stored_explanations(tmp_path) == ()


def test_the_page_is_replaced_where_it_is_our_own(tmp_path: Path) -> None:
    place = ExplanationFolder(tmp_path)
    place.add_page("first")
    assert ExplanationFolder(tmp_path).add_page("second").read_text() == "second"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "explain.html").write_text("mine")
    with pytest.raises(UsageError, match=r"explain\.html in .* was not written by cnnlab explain"):
        ExplanationFolder(tmp_path / "other").add_page("third")


def test_an_option_that_nothing_goes_by_is_refused(run: Run, tmp_path: Path) -> None:
    for what, options, said in [
        ("saliency", {"layer": "conv1"}, "saliency goes by no layer: leave --layer out"),
        ("mistakes", {"targets": ["3"]}, "mistakes goes by no target"),
        ("filters", {"raw": True}, "filters goes by no raw"),
    ]:
        with pytest.raises(UsageError, match=said):
            write_explanations(run, what, tmp_path, **options)  # type: ignore[arg-type]


def test_classes_asked_for_stand_side_by_side(run: Run, tmp_path: Path) -> None:
    written = write_explanations(run, "gradcam|saliency", tmp_path, images=["test:3"], targets=["3", "8"], raw=True)
    (one,) = written.explanations
    assert one.key == "attributions" and "for 3 and 8, on test picture 3" in one.figures[0].caption
    explained = [each["pictures"][0]["explained"] for each in one.numbers["attributions"]]
    assert explained == ["3", "3", "8", "8"]


@pytest.mark.slow(12)
@pytest.mark.filterwarnings("ignore::cnnlab.core.errors.CnnlabWarning")
def test_all_is_one_page_that_loads_nothing_and_a_part_of_the_report(run: Run, tmp_path: Path) -> None:
    what = ["all", "maximize(steps=2)", "embedding(points=60)", "smoothgrad(n=2)", "honesty(draws=1, pictures=4)"]
    written = write_explanations(run, what, images=["test:3,4"])
    assert written.page is not None and not written.left_out
    text = written.page.read_text("utf-8")
    assert len(text) < 3_000_000 and not OUTSIDE.search(text)
    for one in written.explanations:
        assert f"<h2>{one.title}</h2>" in text and one.figures
        for figure in one.figures:
            assert f'id="figure-{re.sub("[^a-z0-9]+", "-", figure.key.lower())}"' in text
    assert text.count('class="embedding"') == 1 and "What it does not show:" in text
    files = {path.name for pair in written.files.values() for path in pair}
    assert files | {"explain.html", RECORD} <= names(written.folder)

    report = write_runs_report([run], tmp_path / "report").read_text("utf-8")
    assert "What it looks at, and what it learned" in report
    assert report.count("data:image/png;base64") >= len(written.files)


def test_what_a_model_by_itself_cannot_have_is_left_out_with_its_reason(run: Run, tmp_path: Path) -> None:
    model = run.folder / "model.safetensors"
    with pytest.raises(UsageError, match="mistakes are of a run, which has data and predictions on record"):
        write_explanations(model, "mistakes", tmp_path)
    Image.new("L", (8, 8), 200).save(tmp_path / "grey.png")
    written = write_explanations(
        model, ["all", "maximize(steps=2)", "smoothgrad(n=2)"], tmp_path / "out", images=[tmp_path / "grey.png"]
    )
    assert set(written.left_out or {}) == {"dead-units", "embedding", "mistakes"}
    assert written.name == "model.safetensors" and "What could not be made" in (written.page or tmp_path).read_text()


@pytest.mark.slow(4)
def test_captions_of_maps_say_what_was_found_of_their_method(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnnlab.explain import RandomisationTest

    what = "saliency|grad-cam|honesty(draws=1, pictures=4)"
    monkeypatch.setattr(RandomisationTest, "verdict", property(lambda test: "fails"))
    honesty, first = write_explanations(run, what, tmp_path / "a", images=["test:3,4"]).explanations
    sentence = "aliency fails the model-randomisation test on this network"
    assert honesty.key == "honesty" and sentence in first.figures[0].caption
    assert re.search(r"saliency \(.*\) and grad-cam \(.*\) fail\.", honesty.figures[0].caption)
    assert [test["verdict"] for test in honesty.numbers["tests"]] == ["fails", "fails"]
    assert {"deletion", "insertion"} <= set(honesty.numbers["rankings"])
    # Wherever later figures are written.
    (later,) = write_explanations(run, "saliency", tmp_path / "b", images=["test:5"]).explanations
    assert sentence in later.figures[0].caption
    # Of another layer nothing was found out.
    (other,) = write_explanations(run, "grad-cam", tmp_path, images=["test:5"], layer="conv1").explanations
    assert "fails the model" not in other.figures[0].caption
    monkeypatch.setattr(RandomisationTest, "verdict", property(lambda test: "undecided"))
    write_explanations(run, what, tmp_path, images=["test:3,4"])
    (third,) = write_explanations(run, "saliency", tmp_path, images=["test:5"]).explanations
    assert "does not decide whether saliency fails" in third.figures[0].caption
    monkeypatch.setattr(RandomisationTest, "verdict", property(lambda test: "passes"))
    write_explanations(run, what, tmp_path, images=["test:3,4"])
    (again,) = write_explanations(run, "saliency", tmp_path, images=["test:5"]).explanations
    assert "model-randomisation" not in again.figures[0].caption


@pytest.fixture(scope="module")
def other(run: Run) -> Run:
    """The same with another seed."""
    return cnnlab.train(
        data="digits", model="cnn(filters=[4])", epochs=1, seed=1, runs=run.folder.parent, precision="float32"
    )


def test_guided_of_a_layer_is_of_its_channels(run: Run, tmp_path: Path) -> None:
    written = write_explanations(run, "guided", tmp_path, images=["test:3,4"], layer="conv1", channels=[2, 0])
    (one,) = written.explanations
    assert one.key == "guided-channels" and (tmp_path / "guided-conv1.png").is_file()
    assert one.figures[0].caption.startswith("guided-backpropagation of conv1, 2 channels, of run")
    assert "write torch.relu" not in one.figures[0].caption
    wanted = [each["channel"] for each in one.numbers["channels"]]
    assert wanted == [2, 0] and set(one.numbers["channels"][0]["activations"]) == {"test:3", "test:4"}
    (strongest,) = write_explanations(run, "deconvnet", tmp_path, layer="relu1").explanations
    assert len(strongest.numbers["channels"]) == 4 and "most active" in strongest.figures[0].caption
    assert (tmp_path / "deconvnet-relu1.svg").is_file()


def test_guided_beside_a_map_of_the_layer_is_of_the_class_unless_channels_are_named() -> None:
    options = {"layer": True, "channels": False, "beside": False}
    assert read_what(["guided|gradcam"]).with_options(**options).names == ("guided-backpropagation", "grad-cam")
    assert read_what(["guided|saliency"]).with_options(**options).names == ("saliency", "guided-channels")
    named = read_what(["guided|gradcam"]).with_options(**(options | {"channels": True}))
    assert named.names == ("grad-cam", "guided-channels")
    assert "seeds" in read_what(["all"]).with_options(layer=False, channels=False, beside=True).names
    assert "seeds" not in read_what(["all"]).with_options(**options).names


def test_channels_are_chosen_of_filters_activations_and_maximised_pictures(run: Run, tmp_path: Path) -> None:
    what = "filters|activations|maximize(steps=2)"
    found = write_explanations(run, what, tmp_path, images=["test:3"], layer="conv1", channels=[3, 1]).explanations
    by_key = {one.key: one for one in found}
    assert "2 of 4 filters" in by_key["filters"].figures[0].caption
    assert sorted(by_key["activations"].numbers["activations"][0]["most active"]) == [1, 3]
    assert [each["unit"] for each in by_key["maximize"].numbers["units"]] == ["channel 3", "channel 1"]
    with pytest.raises(UsageError, match="channels are those of a layer"):
        write_explanations(run, "maximize", tmp_path, channels=[3])
    with pytest.raises(UsageError, match="saliency goes by no channels: leave --channels out"):
        write_explanations(run, "saliency", tmp_path, channels=[3])
    with pytest.raises(UsageError, match="channels 0 to 3, and no 9"):
        write_explanations(run, "guided", tmp_path, channels=[9])


def test_maps_of_two_trainings_stand_side_by_side_with_how_alike_they_are(run: Run, other: Run, tmp_path: Path) -> None:
    what = "saliency|grad-cam|seeds(pictures=5)"
    written = write_explanations(run, what, tmp_path, beside=[other.name], runs=run.folder.parent)
    one = next(each for each in written.explanations if each.key == "seeds")
    assert [each["method"] for each in one.numbers["seeds"]] == ["saliency", "grad-cam"]
    assert all(-1 <= each["rank correlation between trainings"] <= 1 for each in one.numbers["seeds"])
    assert f"run {other.name}" in one.figures[0].caption and "of a map is the seed" in one.figures[0].caption
    assert "recipes differ" not in one.figures[0].caption
    assert (tmp_path / "seeds.png").is_file() and (tmp_path / "seeds-maps.png").is_file()
    with pytest.raises(UsageError, match=r"beside another training.*--beside RUN"):
        write_explanations(run, "seeds", tmp_path)
    with pytest.raises(UsageError, match="would be set beside itself"):
        write_explanations(run, "seeds", tmp_path, beside=[run.folder])


def test_two_runs_and_two_data_sets_stand_side_by_side(run: Run, other: Run, tmp_path: Path) -> None:
    what = "embedding(method=pca, points=60)"
    (one,) = write_explanations(run, what, tmp_path, beside=[other.folder]).explanations
    # Of the same data they are called by their own names.
    assert [each["name"] for each in one.numbers["data sets"]] == [run.name, other.name]
    assert "neighbours among the inputs of head" in one.figures[0].caption
    (pixels,) = write_explanations(run, what, tmp_path, layer="pixels", beside=["digits(size=8)"]).explanations
    assert "neighbours among the pixels" in pixels.figures[0].caption
    assert [each["name"] for each in pixels.numbers["data sets"]] == ["digits", "digits(size=8)"]
    assert (tmp_path / "embedding-data-sets.png").is_file() and pixels.numbers["easier"] in (None, "digits")
    for beside, images, said in [
        (["no-such"], [], "no-such"),
        ([other.folder, run.folder], [], "name one --beside"),
        ([other.folder], ["test:3,4"], "leave --images out"),
        ([run.folder / "model.safetensors"], [], "a model by itself, which has no data"),
    ]:
        with pytest.raises(CnnlabError, match=said):
            write_explanations(run, what, tmp_path, beside=beside, images=images)


def test_a_method_from_elsewhere_is_shown_with_what_it_says_of_itself(run: Run, tmp_path: Path) -> None:
    class Brightness(Method):
        """How bright a pixel is."""

        name: ClassVar[str] = "brightness"
        needs_gradient: ClassVar[bool] = False

        def explain(self, batch: Batch) -> Tensor:
            return batch.pixels

    ATTRIBUTIONS.add(RegistryEntry("brightness", Brightness, {}))
    try:
        (one,) = write_explanations(run, "brightness", tmp_path, images=["test:3"]).explanations
    finally:
        ATTRIBUTIONS.remove("brightness")
    assert one.meanings == {"brightness": "How bright a pixel is."} and one.key == "brightness"
    assert np.isfinite(one.numbers["attributions"][0]["pictures"][0]["high"])


def test_names_are_nothing_but_text_on_the_page(run: Run, tmp_path: Path) -> None:
    hostile = tmp_path / "<script>[9pt]x.png"
    Image.new("L", (8, 8), 200).save(hostile)
    written = write_explanations(run, "saliency", tmp_path / "out", images=[hostile])
    from cnnlab.reports.writing.explain_page import explain_page

    text = explain_page("run \x1b[31m<img src=x>", written.explanations, {"a<b": "c\x1b"})
    assert "\x1b" not in text and "<img src=x>" not in text and "<script>[9pt]" not in text


@pytest.mark.parametrize(("members", "steps"), [(1, 256), (3, 85), (9, 64)])
def test_an_ensemble_takes_as_many_steps_in_all_members_together(
    members: int, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = EnsembleClassifier(
        [small_classifier((1, 8, 8)) for _ in range(members)],
        [f"member {number}" for number in range(members)],
        WeightedMean(weights=(1.0,) * members),
    )
    asked: list[int] = []

    def made(*given: object, steps: int, **options: object) -> None:
        asked.append(steps)
        raise UsageError("seen")

    monkeypatch.setattr("cnnlab.reports.explanations.units.maximize", made)
    with pytest.raises(UsageError, match="seen"):
        write_explanations(whole.eval(), "maximize", "unused")
    assert asked == [steps]
