"""What the folders of a tree of pictures mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.data.formats.folder_layout import FolderLayout, arrange


def layout(*names: str, empty: tuple[str, ...] = (), root: str | None = None) -> FolderLayout:
    folders = {"/".join(name.split("/")[:end]) for name in names for end in range(1, name.count("/") + 1)}
    return arrange(names, folders | set(empty), root)


def test_folders_are_classes() -> None:
    arranged = layout("dog/1.png", "cat/2.jpg", "cat/1.jpg")
    assert arranged.classes == ("cat", "dog")
    assert arranged.images == {"train": ["cat/1.jpg", "cat/2.jpg", "dog/1.png"]}
    assert arranged.labels == {"train": [0, 0, 1]}
    assert arranged.problems == () and arranged.notes == ()


def test_images_further_down_belong_to_the_class_above() -> None:
    assert layout("cat/2019/a.jpg", "cat/b.jpg", "dog/x/y/c.jpg").labels == {"train": [0, 0, 1]}


def test_whole_numbers_are_in_the_order_of_their_values() -> None:
    assert layout("10/a.png", "9/a.png", "100/a.png").classes == ("9", "10", "100")


@pytest.mark.parametrize("word", ["val", "valid", "validation", "VAL"])
def test_splits_stand_above_classes(word: str) -> None:
    names = [f"{split}/{label}/1.png" for split in ("train", word, "test") for label in ("cat", "dog")]
    arranged = layout(*names)
    assert list(arranged.images) == ["train", "validation", "test"]
    assert arranged.labels == {"train": [0, 1], "validation": [0, 1], "test": [0, 1]}
    assert arranged.images["validation"] == [f"{word}/cat/1.png", f"{word}/dog/1.png"]


def test_folder_that_holds_everything_is_entered() -> None:
    assert layout("photos/cat/1.png", "photos/dog/1.png", "readme.md").classes == ("cat", "dog")
    assert list(layout("a/b/train/cat/1.png", "a/b/train/dog/1.png").images) == ["train"]
    arranged = layout("images/cat/1.png", "images/dog/1.png", "annotations/1.xml")
    assert arranged.classes == ("cat", "dog")


def test_root_may_be_given() -> None:
    arranged = layout("PetImages/Cat/1.png", "PetImages/Dog/1.png", "extra/2.png", root="PetImages/")
    assert arranged.classes == ("Cat", "Dog")
    assert arranged.notes == ("1 pictures outside PetImages were passed over: extra/2.png.",)


def test_class_missing_from_a_split_is_a_problem() -> None:
    arranged = layout("train/cat/1.png", "train/dog/1.png", "train/owl/1.png", "val/cat/1.png", empty=("val/dog",))
    assert len(arranged.problems) == 1
    assert "validation (val) has no pictures of these classes" in arranged.problems[0]
    assert "dog, owl" in arranged.problems[0]


def test_class_missing_from_train_is_a_problem() -> None:
    arranged = layout("train/cat/1.png", "train/dog/1.png", *(f"test/{c}/1.png" for c in ("cat", "dog", "owl")))
    assert "train (train) has no pictures of these classes, which the data has otherwise: owl" in arranged.problems[0]


def test_split_without_class_folders_is_unlabelled() -> None:
    arranged = layout("train/cat/1.png", "train/dog/1.png", "test/7.png", "test/3.png")
    assert arranged.labels["test"] is None
    assert arranged.images["test"] == ["test/3.png", "test/7.png"]
    assert arranged.problems == ()


def test_loose_images_are_a_problem() -> None:
    arranged = layout("cat/1.png", "dog/1.png", "3.png")
    assert "1 pictures of train lie in no class folder: 3.png" in arranged.problems[0]
    assert arranged.images == {"train": ["cat/1.png", "dog/1.png"]}


def test_folder_beside_the_splits_is_a_problem() -> None:
    assert "owl stands beside train" in layout("train/a/1.png", "train/b/1.png", "owl/1.png").problems[0]


def test_two_folders_for_one_split_are_a_problem() -> None:
    names = [f"{split}/{c}/1.png" for split in ("train", "val", "valid") for c in "ab"]
    assert "val and valid both are validation" in layout(*names).problems[0]


@pytest.mark.parametrize("names", [["1.png", "2.png"], ["cat/1.png", "cat/2.png"], [], ["train/cat/1.png"]])
def test_fewer_than_two_classes_are_a_problem(names: list[str]) -> None:
    assert "class folder" in layout(*names).problems[0]


def test_files_without_suffix_are_images_where_no_file_has_one() -> None:
    assert layout("cat/1", "cat/2", "dog/1", "notes.txt").labels == {"train": [0, 0, 1]}
    arranged = layout("cat/1.png", "dog/1.png", "cat/LICENSE", "README")
    assert arranged.images == {"train": ["cat/1.png", "dog/1.png"]} and arranged.problems == ()


def test_other_files_and_empty_folders_are_noted() -> None:
    arranged = layout("cat/1.png", "dog/1.png", "cat/notes.txt", empty=("owl",))
    assert arranged.problems == ()
    assert "notes.txt" in arranged.notes[0] and "owl" in arranged.notes[1]


words = st.text("ab/.1train", min_size=1, max_size=12)


@given(st.sets(words.filter(lambda name: all(part.strip(".") for part in name.split("/"))), max_size=12))
def test_any_tree_is_understood_or_refused_with_reason(names: set[str]) -> None:
    arranged = layout(*names)
    assert arranged.problems or len(arranged.classes) > 1
    for split, images in arranged.images.items():
        labels = arranged.labels[split]
        assert labels is None or len(labels) == len(images)
        assert set(images) <= names
