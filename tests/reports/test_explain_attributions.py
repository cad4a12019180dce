"""Maps beside pictures: what is shown of each, what is said of it, and how it is drawn."""

from dataclasses import replace
from pathlib import Path
from xml.dom import minidom

import numpy as np
import pytest
import torch

from cnnlab.explain import Attribution
from cnnlab.explain.attribution import Scale
from cnnlab.explain.chosen_pictures import ChosenPictures
from cnnlab.reports.contents.explain_attributions import (
    AttributionSheet,
    MapColumn,
    attribution_caption,
    attribution_numbers,
    attribution_sheet,
    attribution_table,
)
from cnnlab.reports.figures.explain_attributions import draw_attributions, map_colours, scale_colours
from cnnlab.reports.figures.style import save_figure, style
from cnnlab.reports.writing.svg import svg_of

HOSTILE = ("[9pt]x", "a\x1b[31mb\u202e", "<script>$x^2$</script>")


def pictures(count: int = 2, names: tuple[str, ...] = ("cat", "dog"), channels: int = 1) -> ChosenPictures:
    pixels = torch.arange(count * channels * 6, dtype=torch.uint8).reshape(count, channels, 2, 3)
    called = tuple(f"test:{place}" for place in range(count))
    true = tuple(names[place % len(names)] for place in range(count))
    return ChosenPictures(pixels, called, true, true, ("90%",) * count, f"{count} pictures")


def attribution(values: np.ndarray, method: str = "occlusion(size=2)", scale: Scale = "signed", **more) -> Attribution:
    count = len(values)
    values = values.astype(np.float32)
    names, scores = ("dog",) * count, np.full(count, -2.5, np.float32)
    return Attribution(values, method, None, np.ones(count, np.int64), names, scores, scale, **more)


def test_a_map_and_its_raw_values_stand_beside_the_picture() -> None:
    values = np.array([[[0, 1, -4], [2, 0, 0]], [[0, 0, 0], [0, 0, 0.5]]])
    sheet = attribution_sheet(pictures(), [attribution(values)], raw=True)
    shown, raw = sheet.columns
    assert (shown.title, raw.title) == ("occlusion", "its raw values")
    assert shown.is_overlay and not raw.is_overlay
    assert raw.maps[0].tolist() == [[0, 0.25, -1], [0.5, 0, 0]]
    assert raw.words == (("−4 to 2",), ("0 to 0.5",)) and shown.words == (("dog", "−2.5"),) * 2
    assert sheet.labels == (("cat", "as cat", "90%, test:0"), ("dog", "as dog", "90%, test:1"))


def test_raw_gradients_keep_the_sign_of_the_largest_channel() -> None:
    values = np.zeros((1, 3, 1, 2))
    values[0, :, 0, 0] = 1, -5, 2
    sheet = attribution_sheet(pictures(1), [attribution(values, "saliency", "magnitude")], raw=True)
    assert sheet.columns[1].words == (("−5 to 0",),)
    assert not sheet.columns[0].is_overlay and sheet.columns[0].maps[0].tolist() == [[1, 0]]


def test_maps_of_a_class_stay_together() -> None:
    maps = np.ones((1, 2, 3))
    found = [attribution(maps, name) for name in ("a", "b", "c", "d")] * 2
    sheet = attribution_sheet(pictures(1), found, targets=["cat"] * 4 + ["dog"] * 4)
    assert [[column.title for column in band] for band in sheet.bands(6)] == [
        ["a: cat", "b: cat", "c: cat", "d: cat"],
        ["a: dog", "b: dog", "c: dog", "d: dog"],
    ]
    assert [len(band) for band in attribution_sheet(pictures(1), found).bands(6)] == [6, 2]


def test_a_caption_names_model_layer_method_class_and_what_is_noted() -> None:
    cam = replace(attribution(np.ones((2, 2, 3)), "grad-cam", "positive"), layer="conv4")
    one = attribution_caption(pictures(), [cam], "run x", target="dog")
    assert one.startswith("grad-cam at layer conv4 of run x, for dog, on 2 pictures.")
    other = attribution(np.zeros((2, 2, 3)), notes=("the map of picture 1 is blank: every value is 0",))
    both = attribution_caption(pictures(), [cam, other], "run x")
    assert "for the class that it predicts of each picture" in both
    assert "red speaks for what is explained" in both and "cut off, as its equation has it" in both
    assert one.count("where a map is 0 the picture is seen, in grey") == 1 and "white" not in both
    assert both.endswith("occlusion: the map of picture test:1 is blank: every value is 0.")


def test_numbers_have_a_row_for_each_picture_and_method() -> None:
    values = np.array([[[0, 1, -4], [2, 0, 0]], [[0, 0, 0], [0, 0, 0.5]]])
    found = [attribution(values, facts={"gap": np.array([0.25, 0.5], np.float32)})]
    rows = attribution_table(pictures(), found).rows
    assert rows[0] == ("test:0", "cat", "cat", "occlusion(size=2)", "dog", -2.5, -4.0, 2.0) and len(rows) == 2
    (plain,) = attribution_numbers(pictures(), found)
    assert plain["pictures"][1]["gap"] == 0.5 and plain["pictures"][0]["low"] == -4.0


def column(scale: str, value: float, *, is_overlay: bool = False) -> MapColumn:
    return MapColumn("m", np.full((1, 2, 3), value, np.float32), scale, (("w",),), is_overlay)  # type: ignore[arg-type]


def test_where_a_map_is_nothing_the_picture_is_seen_as_it_is() -> None:
    grey = np.full((1, 2, 3), 0.4, np.float32)
    for scale in ("signed", "positive", "range"):
        assert np.allclose(map_colours(column(scale, 0, is_overlay=True), 0, grey), 0.4)
    colour = np.stack([np.full((2, 3), part, np.float32) for part in (1.0, 0.0, 0.0)])
    assert np.allclose(map_colours(column("positive", 0, is_overlay=True), 0, colour), 0.299)


def test_what_speaks_for_is_red_and_against_is_blue() -> None:
    for_it, against = (scale_colours("signed", np.array([value], np.float32))[0] for value in (1.0, -1.0))
    assert for_it[0] > for_it[2] and against[2] > against[0]
    assert scale_colours("raw", np.zeros(1, np.float32)).min() > 0.95
    lightness = scale_colours("positive", np.linspace(0, 1, 9, dtype=np.float32)).sum(1)
    assert (np.diff(lightness) > 0).all()


def test_bars_say_where_their_scale_ends_and_name_every_method() -> None:
    by_pixel = np.ones((1, 3, 2, 3))
    found = [attribution(by_pixel, f"gradient-{number}", "magnitude") for number in range(4)]
    found.append(attribution(np.ones((1, 2, 3)), "grad-cam", "positive"))
    with style():
        figure = draw_attributions(attribution_sheet(pictures(1), found, raw=True))
    bars = [axes for axes in figure.axes if axes.images and axes.get_xticklabels()]
    told = [(axes.get_title().split(), [tick.get_text() for tick in axes.get_xticklabels()]) for axes in bars]
    assert sorted(("".join(words), *ends) for words, ends in told) == [
        ("grad-cam", "0", "largest"),
        ("gradient-0,gradient-1,gradient-2,gradient-3", "0", "99th pct."),
        ("rawvalues", "−99th pct.", "0", "99th pct."),
        ("rawvalues", "−largest", "0", "largest"),
    ]


def test_a_caption_says_of_maps_by_pixel_where_they_end_and_of_others_that_the_picture_is_seen() -> None:
    by_pixel = attribution(np.ones((1, 3, 2, 3)), "saliency", "magnitude")
    over = attribution(np.ones((1, 2, 3)), "occlusion", "signed")
    one, other, both = (
        attribution_caption(pictures(1), found, "run x") for found in ([by_pixel], [over], [by_pixel, over])
    )
    assert "99th percentile of its magnitudes" in one and "the picture is seen" not in one
    assert "to its largest magnitude" in other and "percentile" not in other and "white" not in other
    assert "over its picture to its largest magnitude, by pixel to the 99th percentile" in both
    # Names of methods keep their small letter wherever a sentence begins with one.
    assert one.startswith("saliency of") and ". saliency: from 0 (black)" in both


@pytest.mark.parametrize(("count", "methods", "rows"), [(1, 1, 1), (6, 1, 2), (3, 6, 3), (2, 8, 4)])
def test_every_picture_and_map_is_drawn(count: int, methods: int, rows: int) -> None:
    found = [attribution(np.ones((count, 2, 3)), f"method-{number}") for number in range(methods)]
    sheet = attribution_sheet(pictures(count, channels=3), found)
    with style():
        figure = draw_attributions(sheet, "words")
    images = [axes for axes in figure.axes if axes.images]
    bands = len(sheet.bands(6))
    # A bar of colours at the end.
    assert len(images) == count * (methods + bands) + 1
    tops = {round(axes.get_position().y1, 4) for axes in images[:-1]}
    assert len(tops) == rows
    assert all(axes.get_position().x0 >= 0 and axes.get_position().x1 <= 1 for axes in images)
    assert [text.get_text() for text in figure.texts][-1] == "words"


def test_names_are_nothing_but_text(tmp_path: Path) -> None:
    shown = pictures(3, HOSTILE)
    found = replace(attribution(np.ones((3, 2, 3))), target_names=HOSTILE)
    caption = attribution_caption(shown, [found], "run \x1b[31m[9pt]x")
    with style():
        figure = draw_attributions(attribution_sheet(shown, [found]), caption)
    for svg in (save_figure(figure, tmp_path / "a.svg").read_text("utf-8"), svg_of(figure)):
        minidom.parseString(svg)
        assert "<script" not in svg and not set(svg) & set("\u202e\x1b")


def test_a_sheet_without_columns_has_one_empty_band() -> None:
    assert AttributionSheet(np.zeros((1, 1, 2, 2), np.float32), (("a",),), ()).bands(6) == [()]
