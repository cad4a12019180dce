"""Maps and mistakes as they are shown: where things stand, what captions say, and that names are only text."""

import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from xml.dom import minidom

import numpy as np
import pytest

from cnnlab.explain import (
    Embedding,
    EmbeddingOverEpochs,
    LabelErrors,
    LearningOrder,
    MistakePage,
    NearDuplicate,
    NearDuplicates,
    map_quality,
)
from cnnlab.explain.embedding.data_sets import DataSetComparison, difference_of_shares
from cnnlab.reports.colours import class_colours
from cnnlab.reports.contents.explain_embedding import (
    class_places,
    data_sets_caption,
    embedding_caption,
    embedding_title,
    epochs_caption,
    quality_table,
    silhouette_table,
    spread_places,
)
from cnnlab.reports.contents.explain_mistakes import (
    PictureGroup,
    duplicate_groups,
    duplicates_caption,
    duplicates_table,
    label_error_groups,
    label_errors_caption,
    learning_caption,
    learning_groups,
    mistake_groups,
    mistakes_caption,
    sureness,
)
from cnnlab.reports.figures.explain_embedding import draw_data_sets, draw_embedding, draw_embedding_epochs
from cnnlab.reports.figures.explain_mistakes import draw_picture_groups
from cnnlab.reports.figures.style import save_figure, style
from cnnlab.reports.writing.embedding_map import embedding_fragment
from cnnlab.reports.writing.svg import svg_of

HOSTILE = ("</script><script>alert(1)</script>", "a\u202eb\x1b[31m", '"><img src=x onerror=alert(1)>')


def made(names: tuple[str, ...] = ("left", "right", "top"), n: int = 60, epoch: int | None = None) -> Embedding:
    draw = np.random.default_rng(0)
    labels = np.arange(n) % len(names)
    centres = 9 * draw.normal(size=(len(names), 2))
    positions = centres[labels] + draw.normal(size=(n, 2))
    codes = np.hstack([positions, draw.normal(size=(n, 6))])
    return Embedding(
        positions=positions,
        labels=labels,
        names=names,
        predicted=np.roll(labels, 1),
        ids=tuple(f"picture {i}" for i in range(n)),
        thumbnails=draw.integers(0, 256, (n, 1, 7, 5)).astype(np.uint8),
        method="tsne(perplexity=none, iterations=500)",
        space="inputs of head (96 numbers)",
        of=f"{n} test pictures of made",
        model="run-1",
        quality=map_quality(codes, positions, labels),
        kept=0.9,
        epoch=epoch,
    )


def test_thumbnails_are_spread_over_the_map() -> None:
    corners = np.array([[0, 0], [0, 9], [9, 0], [9, 9], [4.5, 4.5], [4.6, 4.5], [4.5, 4.6]], float)
    assert sorted(spread_places(corners, 5)[1:].tolist()) == [0, 1, 2, 3]
    assert len(spread_places(corners, 7, apart=1.0)) == 5
    assert spread_places(np.empty((0, 2)), 3).tolist() == []
    # Of many points those that stand alone are passed over, however far they are.
    many = np.vstack([np.random.default_rng(0).normal(size=(200, 2)), [[90, 90], [-80, 70]]])
    assert not {200, 201} & {*spread_places(many, 20).tolist()}


def test_the_name_of_a_class_stands_among_its_points() -> None:
    found = made()
    assert found.labels is not None
    for label, (x, y) in class_places(found).items():
        own = found.positions[found.labels == label]
        assert [x, y] in own.tolist() and np.abs(np.median(own, axis=0) - [x, y]).max() < 2


def test_what_a_map_keeps_is_told_with_it() -> None:
    found = made()
    caption = embedding_caption(found)
    assert embedding_title(found).startswith("t-SNE of inputs of head (96 numbers) of run-1: 60 test pictures")
    assert f"Trustworthiness {found.quality.trustworthiness:.3f}" in caption
    assert "hold 90% of the variance" in caption and "the axes do not" in caption
    table, by_class = quality_table([found], ["x"], "map"), silhouette_table(found)
    assert table.rows[0][:3] == ("x", 60, found.quality.trustworthiness)
    assert by_class is not None and [row[:2] for row in by_class.rows] == [("left", 20), ("right", 20), ("top", 20)]


@pytest.mark.parametrize("names", [("a", "b"), tuple(f"class {i}" for i in range(30))], ids=["few", "many"])
def test_maps_are_drawn_of_few_and_of_many_classes(names: tuple[str, ...]) -> None:
    one = made(names)
    over = EmbeddingOverEpochs((made(names, epoch=0), made(names, epoch=4), made(names, epoch=7)))
    interval = difference_of_shares(50, 60, 40, 60)
    with style():
        first = draw_embedding(one)
        panels = draw_embedding_epochs(over)
        sides = draw_data_sets(DataSetComparison(("mnist", "other"), (one, one), interval))
    assert sum(bool(text.get_text()) for text in first.axes[0].texts) == (2 if len(names) == 2 else 0)
    assert len(first.legends) == (len(names) == 2)
    assert len(first.axes[0].images) > 5
    assert [axes.get_title()[:7] for axes in panels.axes[:3]] == ["epoch 0", "epoch 4", "epoch 7"]
    assert not panels.axes[3].get_visible()
    assert [axes.get_title().splitlines()[0] for axes in sides.axes] == ["mnist", "other"]
    assert "0.00 to epoch 4" in epochs_caption(over)
    assert "mnist is easier than other" in data_sets_caption(
        DataSetComparison(("mnist", "other"), (one, one), interval)
    )


def test_colours_of_classes_are_all_different() -> None:
    for count in (2, 10, 11, 100):
        assert len(set(class_colours(count))) == count


def test_the_page_holds_the_points_their_pictures_and_their_facts() -> None:
    found = made()
    text = embedding_fragment(found)
    facts = json.loads(html.unescape(re.search(r'data-facts="([^"]*)"', text)[1]))  # type: ignore[index]
    assert len(facts["x"]) == 60 and facts["size"] == [5, 7] and facts["ids"][7] == "picture 7"
    assert min(facts["x"] + facts["y"]) >= 0 and max(facts["x"] + facts["y"]) <= 1000
    # To the right on the map is to the right on the page, and up is up.
    order = np.argsort(found.positions, axis=0)
    assert np.diff(np.array(facts["x"])[order[:, 0]]).min() >= 0
    assert np.diff(np.array(facts["y"])[order[:, 1]]).max() <= 0
    assert sum(len(re.findall("M", d)) for d in re.findall(r'<path d="([^"]*)"', text)) == 60
    assert (
        len(json.loads(html.unescape(re.search(r'data-facts="([^"]*)"', embedding_fragment(found, 20))[1]))["x"]) == 20
    )  # type: ignore[index]
    assert "20 of 60 pictures" in embedding_fragment(found, 20)
    assert "http" not in text.replace("http://www.w3.org", "")


def test_names_are_nothing_but_text_in_pages_and_pictures(tmp_path: Path) -> None:
    found = made(HOSTILE)
    text = embedding_fragment(found)
    assert text.count("<script") == 1 and "<img" not in text and not set(text) & set("\u202e\x1b")
    facts = json.loads(html.unescape(re.search(r'data-facts="([^"]*)"', text)[1]))  # type: ignore[index]
    assert not set("".join(facts["names"])) & set("\u202e\x1b")
    pixels = np.zeros((1, 6, 6), np.uint8)
    group = mistake_groups(_page(HOSTILE, pixels))
    with style():
        figures = [draw_embedding(found), draw_picture_groups(group)]
    for figure in figures:
        written = save_figure(figure, tmp_path / "figure.svg").read_text("utf-8")
        for svg in (written, svg_of(figure)):
            minidom.parseString(svg)
            assert "<script" not in svg and not set(svg) & set("\u202e\x1b")


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
POINT = """<script>setTimeout(() => {
const root = document.querySelector(".embedding"), data = JSON.parse(root.dataset.facts);
const svg = root.querySelector("svg"), at = svg.getBoundingClientRect(), box = root.querySelector(".shown");
const move = (x, y) => svg.dispatchEvent(new PointerEvent("pointermove",
  {clientX: at.left + x / 1000 * at.width, clientY: at.top + y / 1000 * at.height}));
move(data.x[17], data.y[17]);
document.title = `${!box.hidden} ${box.innerText.trim()} ${root.querySelector("i").style.backgroundPosition}`;
move(-500, -500);
document.title += ` ${box.hidden}`;
}, 50)</script>"""


@pytest.mark.slow(5)
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the path to open the page with")
def test_the_picture_pointed_at_is_shown_with_its_class_and_what_it_was_taken_for(tmp_path: Path) -> None:
    (tmp_path / "map.html").write_text(f'<meta charset="utf-8">{embedding_fragment(made())}{POINT}')
    words = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    words += ["--virtual-time-budget=2000", "--dump-dom", f"file://{tmp_path / 'map.html'}"]
    result = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=240, check=True)
    # Of the three classes in turn the eighteenth picture is of the last, and was taken for the one before.
    expected = "true top (taken for right) · picture 17 -85px 0px true"
    assert re.search("<title>(.*?)</title>", result.stdout)[1] == expected  # type: ignore[index]


def _page(names: tuple[str, ...], pixels: np.ndarray) -> MistakePage:
    zero, one = np.array([0, 0]), np.array([1, 2])
    return MistakePage(
        places=np.array([4, 9]),
        ids=("4", "9"),
        true=zero,
        predicted=one,
        confidence=np.array([0.99999, 0.8]),
        groups=np.array([0, 1]),
        titles=(f"{names[0]} taken for {names[1]}", "second"),
        totals=(12, 3),
        names=names,
        column="label",
        split="test",
        of="100 test pictures, run r",
        wrong=15,
        count=100,
        pixels=np.stack([pixels, pixels]),
    )


def test_mistakes_are_told_by_class_with_how_sure_they_are() -> None:
    page = _page(("cat", "dog", "owl"), np.zeros((1, 6, 6), np.uint8))
    first, second = mistake_groups(page)
    assert first.title == "cat taken for dog: 1 of 12" and second.title == "second: 1 of 3"
    assert first.pictures[0].all_lines == ("cat", "as dog", "> 99.9% sure", "test:4")
    assert mistakes_caption(page).startswith("15 mistakes on 100 test pictures, run r (15.00%).")


def test_doubtful_labels_and_late_ones_are_told() -> None:
    pixels, zero = np.zeros((1, 1, 6, 6), np.uint8), np.zeros(1, np.int64)
    probabilities = (np.array([0.02]), np.array([0.95]))
    joint = np.array([[8, 2], [0, 10]])
    errors = LabelErrors(
        zero, ("7",), zero, zero + 1, *probabilities, joint, ("cat", "dog"), "label", "test", "it", 20, pixels
    )
    assert label_error_groups(errors)[0].pictures[0].lines == ("cat?", "rather dog", "2.0% to 95.0%")
    assert sureness(1) == "100.0% sure" and sureness(0.0002) == "< 0.1% sure"
    assert "1 label of it" in label_errors_caption(errors) and "10.0% of all labels" in label_errors_caption(errors)
    right = np.array([[True, False], [False, True]])
    order = LearningOrder(
        (1, 5), right, np.where(right, 0.9, 0.1), np.zeros(2, np.int64), np.array([1, 0]), ("cat", "dog"), ("x", "y"),
        "validation", "two", pixels, pixels
    )  # fmt: skip
    late, forgotten = learning_groups(order)
    assert late.pictures[0].all_lines[3:] == ("validation:1", "y")
    assert late.title == "Learned last: 1 of 1" and late.pictures[0].lines == ("cat", "from epoch 5", "10% → 90%")
    assert forgotten.pictures[0].lines == ("cat", "now dog", "90% → 10%")
    assert "asked after epochs 1, 5" in learning_caption(order)


def test_doubles_are_called_by_what_asks_for_them_and_the_rule_is_told() -> None:
    pair = NearDuplicate("test", 4, "cat/9.jpg", "train", 11, "11", 0.21, False, True, True)
    found = NearDuplicates((pair,), (0.3,), "photos", (("test", "train", 50),), np.zeros((1, 2, 1, 6, 6), np.uint8))
    first, second = duplicate_groups(found)[0].pictures
    assert first.all_lines == ("share 0.21", "mirrored, labels differ", "test:4", "cat/9.jpg")
    assert second.all_lines == ("in train", "train:11")
    assert "50 of test in train (0.30)" in duplicates_caption(found) and "by chance" in duplicates_caption(found)
    given = duplicates_caption(replace(found, is_given=True))
    assert "at most 0.3 of the distance to the tenth nearest" in given and "by chance" not in given
    assert duplicates_table(found).rows == (("test:4", "cat/9.jpg", "train:11", 0.21, "differ"),)


def test_words_stay_with_their_pictures_when_a_title_makes_the_figure_grow() -> None:
    pixels = np.zeros((1, 6, 6), np.uint8)
    groups = mistake_groups(_page(("cat", "dog", "owl"), pixels))
    figure = draw_picture_groups((*groups, PictureGroup("third", groups[0].pictures)))
    assert not figure.texts and len(figure.axes) == 3
    assert [text.get_text() for text in figure.axes[0].texts] == [
        *("cat", "as dog", "> 99.9% sure", "test:4", groups[0].title)
    ]
