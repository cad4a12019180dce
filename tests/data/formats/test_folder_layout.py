"""What the folders of a tree of pictures mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.data.formats.folder_layout import FolderLayout, arrange
from cnnlab.data.formats.folder_splits import Splits


def layout(*names: str, empty: tuple[str, ...] = (), root: str | None = None, splits: Splits = "auto") -> FolderLayout:
    folders = {"/".join(name.split("/")[:end]) for name in names for end in range(1, name.count("/") + 1)}
    return arrange(names, folders | set(empty), root, splits)


def tree(*folders: str, classes: str = "ab") -> list[str]:
    """Two pictures of each class in each of these folders."""
    return [f"{folder}/{label}/{number}.png" for folder in folders for label in classes for number in range(2)]


def splits_of(arranged: FolderLayout) -> dict[str, str]:
    """The first folders of the splits, which must hold all classes and have no problem."""
    assert arranged.problems == () and arranged.classes == ("a", "b")
    assert all(labels == [0, 0, 1, 1] for labels in arranged.labels.values())
    return {split: names[0].removesuffix("/a/0.png") for split, names in arranged.images.items()}


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
    assert arranged.notes == ("1 picture outside PetImages was passed over: extra/2.png.",)


def test_class_missing_from_a_split_is_warned_of() -> None:
    arranged = layout("train/cat/1.png", "train/dog/1.png", "train/owl/1.png", "val/cat/1.png", empty=("val/dog",))
    assert arranged.problems == arranged.training_problems == ()
    assert arranged.warnings == ("validation (val) has no pictures of these classes, which train has: dog, owl.",)
    assert arranged.classes == ("cat", "dog", "owl") and arranged.labels["validation"] == [0]


def test_class_missing_from_train_keeps_from_training() -> None:
    arranged = layout("train/cat/1.png", "train/dog/1.png", *(f"test/{c}/1.png" for c in ("cat", "dog", "owl")))
    assert arranged.problems == ()
    told = "train (train) has no pictures of these classes, which the data has otherwise: owl"
    assert told in arranged.training_problems[0]


def test_split_without_class_folders_is_unlabelled() -> None:
    arranged = layout("train/cat/1.png", "train/dog/1.png", "test/7.png", "test/3.png")
    assert arranged.labels["test"] is None
    assert arranged.images["test"] == ["test/3.png", "test/7.png"]
    assert arranged.problems == ()


def test_loose_images_beside_class_folders_are_left_out_with_a_warning() -> None:
    arranged = layout("cat/1.png", "dog/1.png", "3.png")
    assert arranged.warnings == ("pictures of train in no class folder were left out, 1 in all: 3.png.",)
    assert arranged.images == {"train": ["cat/1.png", "dog/1.png"]} and arranged.problems == ()


@pytest.mark.parametrize("loose", ["sample.png", "pets/sample.png"])
def test_a_loose_image_keeps_no_folder_of_class_folders_from_being_entered(loose: str) -> None:
    arranged = layout(loose, "pets/cat/1.png", "pets/dog/1.png")
    assert arranged.classes == ("cat", "dog") and arranged.problems == ()
    assert arranged.images == {"train": ["pets/cat/1.png", "pets/dog/1.png"]}
    assert any("sample.png" in text for text in (*arranged.warnings, *arranged.notes))


@pytest.mark.parametrize(
    ("train", "other", "split"),
    [
        ("training_set", "test_set", "test"),
        ("Train", "Dev", "validation"),
        ("train2017", "val2017", "validation"),
        ("TrainImages", "ValImages", "validation"),
        ("images_train", "images_test", "test"),
        ("mytrain", "myvalid", "validation"),
        ("x-trainval", "x-test", "test"),
        ("training", "evaluation", "test"),
        ("train", "holdout", "test"),
        ("TRAIN DATA", "hold-out data", "test"),
        ("photos/training_set", "photos/test_set", "test"),
    ],
)
def test_splits_are_known_with_anything_around_the_word(train: str, other: str, split: str) -> None:
    arranged = layout(*tree(train, other))
    assert splits_of(arranged) == {"train": train, split: other}
    plain = train.lower() == "train" and other.lower() == "dev"
    told = f"{train.rpartition('/')[2]} as train, {other.rpartition('/')[2]} as {split}"
    assert plain == (arranged.notes == ()) and (plain or told in arranged.notes[0])


def test_what_is_held_out_beside_test_is_validation() -> None:
    assert splits_of(layout(*tree("train", "eval", "test"))) == {"train": "train", "validation": "eval", "test": "test"}


def test_splits_may_hold_a_folder_around_their_classes() -> None:
    names = tree("seg_train/seg_train", "seg_test/seg_test")
    assert splits_of(layout(*names)) == {"train": "seg_train/seg_train", "test": "seg_test/seg_test"}
    assert splits_of(layout(*tree("train/data", "test"))) == {"train": "train/data", "test": "test"}
    arranged = layout(*tree("train/data"), "test/data/1.png", "test/data/2.png")
    assert "train (train/data) has no pictures of these classes, which the data has otherwise: data" in str(arranged)


def test_splits_may_stand_below_the_classes() -> None:
    arranged = layout(*(f"{label}/{split}/{n}.png" for label in "ab" for split in ("train", "test") for n in range(2)))
    assert arranged.problems == () and arranged.classes == ("a", "b")
    assert arranged.images == {
        "train": ["a/train/0.png", "a/train/1.png", "b/train/0.png", "b/train/1.png"],
        "test": ["a/test/0.png", "a/test/1.png", "b/test/0.png", "b/test/1.png"],
    }
    assert arranged.labels == {"train": [0, 0, 1, 1], "test": [0, 0, 1, 1]}
    assert "train, test in those of the classes are taken for splits" in arranged.notes[0]


def test_folders_that_may_be_either_are_asked_about() -> None:
    names = tree("one", "two")
    arranged = layout(*names)
    assert "one, two all hold the same folders, a, b" in arranged.problems[0]
    assert "splits={train: one, test: two}" in arranged.problems[0]
    assert layout(*names, splits="none").classes == ("one", "two")
    assert splits_of(layout(*names, splits={"train": "two", "test": "one"})) == {"train": "two", "test": "one"}


def test_splits_without_train_are_asked_about() -> None:
    problem = layout(*tree("val", "test")).problems[0]
    assert problem.startswith("test, val are splits by their names, and none of them is train")
    assert "splits={train: val, test: test}" in problem


@pytest.mark.parametrize("word", ["train", "Train", "steam-train"])
def test_a_class_may_be_called_like_a_split_where_others_hold_pictures_too(word: str) -> None:
    assert layout("bus/1.png", "car/1.png", f"{word}/1.png").classes == tuple(sorted(["bus", "car", word]))
    vehicles = layout("vehicles/bus/1.png", "vehicles/car/1.png", f"vehicles/{word}/1.png")
    assert set(vehicles.classes) == {"bus", "car", word} and vehicles.problems == ()


def test_names_in_which_a_word_for_a_split_happens_to_be_are_classes() -> None:
    names = ("festival", "contest", "device", "strain")
    assert layout(*(f"{name}/1.png" for name in names[:3])).classes == tuple(sorted(names[:3]))
    assert layout("strain/1.png", "oak/1.png").classes == ("oak", "strain")


def test_what_a_person_says_of_the_splits_holds() -> None:
    names = [*tree("photos/x", "photos/y", "photos/z"), "photos/readme.png"]
    arranged = layout(*names, splits={"training": "x", "val": "photos/z/"})
    assert splits_of(arranged) == {"train": "photos/x", "validation": "photos/z"}
    assert "5 pictures outside the splits were passed over: photos/y/a/0.png" in str(arranged.notes)
    wrong = layout(*names, splits={"train": "x", "validation": "w"}).problems
    assert "splits= says validation: w, and there is no such folder; there are photos, photos/x, photos/x/a" in wrong[0]
    assert "it takes train, validation and test" in layout(*names, splits={"fit": "x"}).problems[0]
    assert "must say where train is" in layout(*names, splits={"test": "x"}).problems[0]


def test_empty_folders_called_like_splits_beside_classes_are_passed_over() -> None:
    arranged = layout("a/1.png", "b/1.png", empty=("train", "test"))
    assert arranged.classes == ("a", "b") and arranged.problems == ()
    assert arranged.notes == ("there are no pictures in these folders: test, train.",)


def test_composed_and_decomposed_letters_are_one_class() -> None:
    arranged = layout("train/caf\u00e9/1.png", "train/tea/1.png", "val/cafe\u0301/1.png", "val/tea/1.png")
    assert arranged.classes == ("caf\u00e9", "tea") and arranged.problems == ()
    assert arranged.images["validation"][0] == "val/cafe\u0301/1.png"


def test_folder_beside_the_splits_is_a_problem() -> None:
    problem = layout("train/a/1.png", "train/b/1.png", "owl/1.png").problems[0]
    assert "owl stands beside train" in problem and "splits={train: train}" in problem


def test_two_folders_for_one_split_are_a_problem() -> None:
    names = [f"{split}/{c}/1.png" for split in ("train", "val", "valid") for c in "ab"]
    assert "val and valid both are validation" in layout(*names).problems[0]


@pytest.mark.parametrize("names", [["1.png", "2.png"], []])
def test_no_classes_are_a_problem(names: list[str]) -> None:
    assert "there are no class folders" in layout(*names).problems[0]


@pytest.mark.parametrize("folders", [("train", "valley"), ("bullet train", "test tube"), ("training_set", "test_set")])
def test_folders_of_pictures_that_are_called_like_splits_are_refused_with_the_way_to_make_them_classes(
    folders: tuple[str, str],
) -> None:
    names = [f"{folder}/{number}.png" for folder in folders for number in range(3)]
    told = layout(*names).problems[0]
    assert all(folder in told for folder in folders) and "splits=none" in told
    assert list(layout(*names, splits="none").classes) == sorted(folders)


@pytest.mark.parametrize("names", [["cat/1.png", "cat/2.png"], ["train/cat/1.png"]])
def test_one_class_keeps_from_training(names: list[str]) -> None:
    arranged = layout(*names)
    assert arranged.problems == () and arranged.classes == ("cat",)
    assert "there is only one class folder with pictures, cat" in arranged.training_problems[0]


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
    assert arranged.problems or arranged.training_problems or len(arranged.classes) > 1
    for split, images in arranged.images.items():
        labels = arranged.labels[split]
        assert labels is None or len(labels) == len(images)
        assert set(images) <= names
