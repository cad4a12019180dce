"""``cnnlab arithmetic``."""

import pytest

QUESTION = [
    "conv",
    "128x128x32",
    "--filters",
    "16",
    "--kernel",
    "3",
    "--stride",
    "2",
    "--padding",
    "0",
    "--dilation",
    "1",
]


def test_convolution_is_answered_with_its_formula(cnnlab):
    text = cnnlab("arithmetic", *QUESTION).stdout
    assert text.startswith("a convolution of 16 filters 3×3×32 on 128×128×32 gives 63×63×16\n")
    assert "floor((height + 2·padding - kernel) / stride) + 1" in text
    assert "weights = kernel · kernel · channels · filters = 3·3·32·16 = 4,608" in text
    assert "multiply-adds = weights · positions = 4,608·63·63 = 18,289,152" in text


def test_answers_are_json_too(document):
    answer = document("arithmetic", *QUESTION)
    assert answer["output"] == [63, 63, 16] and answer["parameters"] == 4_624
    assert document("arithmetic", "pool", "7x7x256", "--ceil", "--kind", "avg")["output"] == [4, 4, 256]
    assert document("arithmetic", "conv", "5x5x1", "--filters", "2", "--padding", "same")["output"] == [5, 5, 2]
    assert document("arithmetic", "dense", "4x4x256", "--units", "1024", "--no-bias")["parameters"] == 4_194_304
    assert document("arithmetic", "dense", "1024", "--units", "10")["output"] == [10]


def test_a_kernel_and_a_window_may_be_wider_than_high(cnnlab, document):
    answer = document("arithmetic", "conv", "8x20x3", "--filters", "2", "--kernel", "3x5", "--stride", "1x2")
    assert answer["output"] == [6, 8, 2] and answer["weights"] == 3 * 5 * 3 * 2
    words = ["--filters", "2", "--kernel", "3×5", "--padding", "1x2", "--dilation", "1x2"]
    assert document("arithmetic", "conv", "8x20x3", *words)["output"] == [8, 16, 2]
    assert document("arithmetic", "pool", "8x20x3", "--size", "1x4", "--stride", "1x3")["output"] == [8, 6, 3]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("conv 4x4x3 --filters 3 --kernel 2x3x4", "--kernel takes a whole number of at least 1, or height and width"),
        ("conv 4x4x3 --filters 3 --stride 0", "--stride takes a whole number of at least 1"),
        ("conv 4x4x3 --filters 3 --dilation two", "--dilation takes a whole number of at least 1"),
        ("pool 4x4x3 --size 2.5", "--size takes a whole number of at least 1"),
        ("conv 128x128 --filters 3", "height×width×channels"),
        ("conv 4x4x3 --filters 3 --kernel 7", "does not fit"),
        ("conv 4x4x3 --filters 3 --padding wide", "same or valid"),
        ("conv 4x4x3", "--filters"),
        ("conv 4x4x3 --filters 0", "--filters"),
        ("pool 4x4x3 --kind mean", "--kind"),
        ("dense 4x4 --units 3", "4x4x256"),
        ("dense many --units 3", "many"),
    ],
)
def test_wrong_questions_are_one_paragraph(cnnlab, words, expected):
    result = cnnlab("arithmetic", *words.split(), exit_code=2)
    assert expected in result.stderr and result.stderr.count("\n") == 1 and not result.stdout


def test_a_picture_of_numbers_is_convolved_window_by_window(cnnlab, document):
    words = ("arithmetic", "conv", "--input", "[[1,2,3],[4,5,6],[7,8,9]]", "--weights", "[[1,0],[0,1]]")
    assert document(*words)["result"] == [[6.0, 8.0], [12.0, 14.0]]
    assert document(*words, "--padding", "1")["result"][0] == [1.0, 2.0, 3.0, 0.0]
    assert "14" in cnnlab(*words).stdout


def test_a_picture_of_numbers_is_pooled(document):
    picture = "[[1,2,5,6],[3,4,7,8],[0,0,1,1],[0,4,1,1]]"
    assert document("arithmetic", "pool", "--input", picture)["result"] == [[4.0, 8.0], [4.0, 1.0]]
    assert document("arithmetic", "pool", "--input", picture, "--kind", "avg")["result"] == [[2.5, 6.5], [1.0, 1.0]]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["conv"], "give the size of the picture"),
        (["conv", "3x3x1", "--input", "[[1]]"], "give the size of the picture"),
        (["conv", "3x3x1"], "how many filters"),
        (["conv", "--input", "[[1]]"], "need those of a filter"),
        (["conv", "--input", "[[1", "--weights", "[[1]]"], "--input takes rows of numbers"),
        (["conv", "--input", "[[1]]", "--weights", "3"], "--weights takes rows of numbers"),
        (["pool"], "give the size of the picture"),
    ],
)
def test_a_picture_is_given_by_its_size_or_its_numbers(cnnlab, words, complaint):
    assert complaint in cnnlab("arithmetic", *words, exit_code=2).stderr
