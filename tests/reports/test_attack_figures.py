"""What figures of attacks show, as arrays; that they are drawn and written; and their place in a report."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from cnnlab.attacks import ATTACKS, Adversarial, Answers, Check, Source
from cnnlab.attacks.accuracy_curve import Curve
from cnnlab.core.errors import UsageError
from cnnlab.reports.attacks.folder import AttackFigures
from cnnlab.reports.attacks.write import attack_figures
from cnnlab.reports.contents import attacks as contents
from cnnlab.reports.figures.attack_curves import draw_class_matrix, draw_curve, draw_lengths
from cnnlab.reports.figures.attack_examples import draw_examples
from cnnlab.reports.figures.style import style
from cnnlab.reports.figures.titles import entitle

CLASSES = ("cat", "dog", "owl")
SOURCE = Source("run first", "pets", "test", 40, 7, (4, 8, 15, 16), ("a", "b", "c", "d"), "label", "pgd-0123")


def adversarial(*, targets: list[int] | None = None, eps: float | None = 0.2, spread: float = 0.2) -> Adversarial:
    """Pictures of 2×2: a cat that becomes a dog, a dog that stays, an owl that becomes a cat, a cat wrong at first."""
    labels = np.array([0, 1, 2, 0])
    origin = np.full((4, 1, 2, 2), 0.4, np.float32)
    pixels = origin.copy()
    pixels[0, 0, 0, 0] += spread
    pixels[1, 0, 1, 1] -= spread
    pixels[2, 0, 0, 0] += spread
    sure = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
    before, after = Answers(np.array([0, 1, 2, 1]), sure), Answers(np.array([1, 1, 0, 1]), sure)
    counts = np.ones(4, np.int64)
    goal = None if targets is None else np.array(targets)
    rows = (np.arange(4), origin, pixels, labels, goal, before, after, after, counts, counts, 0 * counts, -counts)
    return Adversarial("pgd(eps=0.2)", CLASSES, *rows, norm="linf", eps=eps, source=SOURCE)


def test_examples_are_those_that_fool_with_class_confidence_and_size() -> None:
    found = adversarial()
    assert list(contents.examples_of(found)) == [0, 2]
    sheet = contents.example_sheet(found)
    original, change, changed = sheet.columns
    assert original.words == (("cat", "90%"), ("owl", "70%")) and changed.words == (("dog", "90%"), ("cat", "70%"))
    assert sheet.factor == 2 and change.title == "change × 2"
    # 0.4 is 102 of 255, and 0.6 is 153.
    assert change.words[0] == ("L∞ 51/255", "L2 0.2", "1 pixel")
    np.testing.assert_allclose(change.pictures[0, 0], [[0.9, 0.5], [0.5, 0.5]], atol=1e-6)
    np.testing.assert_allclose(changed.pictures[0, 0, 0, 0], 0.6, atol=1e-6)
    caption = contents.examples_caption(found, "pgd(eps=0.2)", sheet)
    assert "run first" in caption and "2 of 2 that fool it" in caption and "seed 7" in caption and "× 2" in caption


def test_where_nothing_fools_what_was_tried_is_shown_and_said() -> None:
    found = adversarial(targets=[2, 2, 1, 2])
    assert not found.fooled.any() and list(contents.examples_of(found)) == [0, 1, 2]
    sheet = contents.example_sheet(found)
    assert "None of 3 rows fools it" in contents.examples_caption(found, "pgd", sheet)


@pytest.mark.parametrize(("largest", "factor"), [(0.5, 1), (0.26, 1), (0.25, 2), (0.031, 10), (1.0, 0.5), (0.0, 500)])
def test_changes_are_magnified_by_a_round_number_that_keeps_them_between_black_and_white(
    largest: float, factor: float
) -> None:
    assert contents.factor_of(np.array([[[[largest, -largest / 2]]]], np.float32)) == factor


def test_a_matrix_of_what_classes_become() -> None:
    shares = contents.class_shares(adversarial())
    assert shares is not None
    # The cat that was wrong at first does not count.
    np.testing.assert_allclose(shares.shares, [[0, 1, 0], [0, 1, 0], [1, 0, 0]])
    wanted = contents.class_shares(adversarial(targets=[1, 0, 1, 2]))
    assert wanted is not None
    # Where no picture was tried there is no share, which is not a share of nothing.
    none = np.nan
    np.testing.assert_allclose(wanted.shares, [[none, 1, none], [0, none, none], [none, 0, none]])
    np.testing.assert_allclose(wanted.counts, [[0, 1, 0], [1, 0, 0], [0, 1, 0]])


def test_where_no_picture_was_tried_the_matrix_says_so() -> None:
    wanted = contents.class_shares(adversarial(targets=[1, 0, 1, 2]))
    assert wanted is not None
    with style():
        axes = draw_class_matrix(wanted, is_targeted=True).axes[0]
    assert sorted(text.get_text() for text in axes.texts) == ["100", *"––––––"]


def test_changed_pixels_are_counted_over_what_fools_and_only_where_few_are() -> None:
    assert contents.changed_pixels(adversarial()) is None
    sparse = adversarial()
    wide = np.kron(np.ones((1, 1, 2, 2), np.float32), sparse.origin)
    pixels = wide.copy()
    pixels[0, 0, 0, 0], pixels[2, 0, 3, 3] = 1, 1
    found = Adversarial(**{**vars(sparse), "origin": wide, "pixels": pixels})
    shown = contents.changed_pixels(found)
    assert shown is not None
    maps, words = shown
    assert words == ("all 2", "cat: 1", "owl: 1")
    assert maps[0, 0, 0] == maps[0, 3, 3] == 0.5 and maps[0].sum() == 1 and maps[1, 0, 0] == 1


def test_a_table_has_a_row_an_attack() -> None:
    table = contents.attack_table([adversarial()], ["pgd"])
    (row,) = table.texts()
    assert row[:4] == ["pgd", "4", "75.00", "25.00"] and row[6] == "66.67"


def test_which_pictures_were_attacked_is_told_in_words() -> None:
    assert SOURCE.of == "4 of 40 test pictures of pets, drawn by seed 7"
    assert dataclasses.replace(SOURCE, split="all", size=4).of == "4 pictures of pets"


def test_what_casts_doubt_on_an_attack_has_a_table_and_where_nothing_does_there_is_none() -> None:
    doubted = dataclasses.replace(
        adversarial(),
        doubts=("The outputs look like probabilities.",),
        checks=(Check("more steps", "Take more steps.", True), Check("black box", "Squares fooled none.", False)),
    )
    table = contents.doubts_table([adversarial(), doubted], ["fgsm", "pgd"])
    assert table is not None
    assert table.texts() == [["pgd", "The outputs look like probabilities."], ["pgd", "Take more steps."]]
    assert contents.doubts_table([adversarial()], ["fgsm"]) is None


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("pgd(norm=linf, eps=0.03137254901960784, steps=20)", "pgd(eps=8/255, steps=20)"),
        ("pgd(eps=0.1, step=0.00392156862745098)", "pgd(eps=0.1, step=1/255)"),
        ("fgsm(norm=l2, eps=0.2)", "fgsm(norm=l2, eps=0.2)"),
        ("deepfool(overshoot=0.03137254901960784)", "deepfool(overshoot=0.03137254901960784)"),
    ],
)
def test_budgets_are_told_in_grey_levels_where_they_are_such(spec: str, words: str) -> None:
    assert contents.attack_words(spec) == words
    assert str(ATTACKS.bind(words)) == str(ATTACKS.bind(spec))


def test_every_figure_is_drawn() -> None:
    least, noise = np.array([[0.1, np.inf, 0.0], [np.inf, 0.2, 0.0]]), np.array([0.2, np.inf, 0.0])
    alone = Curve(("pgd",), "linf", (0.1, 0.2), least[:1], noise, (), SOURCE)
    several = Curve(("pgd", "fgsm"), "linf", (0.1, 0.2), least, noise, (), SOURCE)
    shares = contents.class_shares(adversarial())
    assert shares is not None
    assert [line.get_label() for line in draw_curve(alone).axes[0].lines] == ["pgd", "uniform-noise"]
    whole, *_ = draw_curve(several).axes[0].lines
    assert whole.get_label() == "all together"
    np.testing.assert_allclose(whole.get_ydata(), [2 / 3, 1 / 3, 0])  # type: ignore[arg-type]
    with style():
        for figure in (
            draw_examples(contents.example_sheet(adversarial()), "A caption."),
            draw_curve(alone),
            draw_curve(several),
            draw_class_matrix(shares, is_targeted=True),
            draw_lengths(np.array([0.1, 0.2, 0.4], np.float32), "l2"),
        ):
            assert figure.axes


def test_a_least_change_has_the_distribution_of_its_lengths() -> None:
    keys = [figure.key for figure in attack_figures(adversarial(eps=None), "deepfool")]
    assert keys == ["examples", "classes", "lengths"]
    assert [figure.key for figure in attack_figures(adversarial(), "pgd")] == ["examples", "classes"]


def test_figures_never_replace_what_somebody_else_wrote(tmp_path: Path) -> None:
    figures = list(attack_figures(adversarial(), "pgd"))
    (tmp_path / "pgd-0123-examples.png").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"was not written by cnnlab attack or cnnlab fool"):
        AttackFigures(tmp_path).write("pgd-0123", "pgd", "run first", figures)
    assert (tmp_path / "pgd-0123-examples.png").read_bytes() == b"mine"
    other = AttackFigures(tmp_path / "new").write("pgd-0123", "pgd", "run first", figures[:1], [("0.png", b"1")])
    again = AttackFigures(tmp_path / "new").write("pgd-0123", "pgd", "run first", figures[:1], [("0.png", b"2")])
    assert other.files == again.files and again.pictures[0].read_bytes() == b"2"


@pytest.mark.parametrize("words", [20, 60, 120])
def test_labels_under_a_square_of_classes_are_within_the_figure_under_any_caption(words: int) -> None:
    names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    shares = contents.ClassShares(names, np.eye(10), np.full((10, 10), 9))
    with style():
        figure = draw_class_matrix(shares, is_targeted=False)
        entitle(figure, "What classes become", "word " * words)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        (axes,) = figure.axes
        assert axes.xaxis.label.get_window_extent(canvas.get_renderer()).y0 > 0
