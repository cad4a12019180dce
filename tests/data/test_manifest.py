"""Tables of pictures and targets."""

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cnnlab import data
from cnnlab.core.errors import CnnlabWarning, DataError, SpecError

Write = Callable[..., Path]
Make = Callable[..., bytes]
WHOLE = {"validation": 0, "test": 0}


@pytest.fixture
def photos(write: Write, image: Make) -> Path:
    """A folder with the pictures a.png to f.png."""
    return write({f"{name}.png": image(seed) for seed, name in enumerate("abcdef")})


def table(folder: Path, text: str, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_path_and_label(photos: Path) -> None:
    train = data.load_data(table(photos, "path,label\nb.png,dog\na.png,cat\nf.png,dog\n"), **WHOLE).train
    assert list(train.ids) == ["b.png", "a.png", "f.png"]
    assert train.classes == {"label": ("cat", "dog")}
    assert train.targets["label"].tolist() == [1, 0, 1]


def test_manifest_and_folder_of_the_same_images_have_one_digest(write: Write, files: Callable[..., dict]) -> None:
    folder = write(files())
    rows = "".join(f"{label}/{n}.png,{label}\n" for label in ("cat", "dog") for n in range(6))
    assert data.load_data(table(folder, f"path,label\n{rows}")).digest == data.load_data(folder).digest


def test_split_column(photos: Path) -> None:
    rows = "path,label,split\na.png,x,train\nb.png,y,train\nc.png,x,valid\nd.png,y,test\n"
    dataset = data.load_data(table(photos, rows))
    assert [list(part.ids) for _, part in dataset.parts()] == [["a.png", "b.png"], ["c.png"], ["d.png"]]
    assert dataset.validation.targets["label"].tolist() == [0]


def test_test_rows_without_label_are_unlabelled(photos: Path) -> None:
    rows = "path,label,split\na.png,x,train\nb.png,y,train\nc.png,,test\n"
    assert data.load_data(table(photos, rows), validation=0).test.targets == {}


@pytest.mark.parametrize("rows", ["a,cat\nb,dog\nc,dog\n", "f,1\nb,2\nc,2\n", "zz,dog\nb,dog\nc,cat\n"])
@pytest.mark.parametrize("images", ["photos", "photos.zip"])
def test_first_row_without_a_header_is_not_lost(
    photos: Path, write: Write, tmp_path: Path, rows: str, images: str
) -> None:
    write({path.name: path.read_bytes() for path in photos.iterdir()}, images)
    path = table(tmp_path, rows)
    for name in ("csv", "manifest"):
        with pytest.raises(DataError, match="begins with a picture; its first line must name the columns"):
            data.load_data({"name": name, "path": str(path), "images": str(tmp_path / images)})
    path = table(tmp_path, f"image,which\n{rows}")
    spec = {"name": "csv", "path": str(path), "images": str(tmp_path / images), "on_bad": "skip"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CnnlabWarning)
        assert data.load_data(spec, **WHOLE).train.ids[-1] == "c"


@pytest.mark.parametrize(
    "rows",
    [
        "a,10,12,cat\nb,10,12,dog\nc,9,12,dog\n",
        "a,10,10,cat\nb,10,12,dog\nc,9,12,dog\n",
        "zz,10,12,cat\nb,10,12,dog\nc,9,12,dog\n",
        "cat,a\ndog,b\ndog,c\n",
        "zz,0.5\nb,0.25\nc,0.75\n",
        "sep=;\na;cat\nb;dog\nc;dog\n",
        '"sep=;"\na;cat\nb;dog\nc;dog\n;\n',
    ],
)
def test_nor_is_it_where_there_are_sizes_or_numbers_or_other_separators(photos: Path, rows: str) -> None:
    with pytest.raises(DataError, match="begins with a picture; its first line must name the columns"):
        data.load_data(table(photos, rows))


def test_headings_may_be_numbers_and_names_of_pictures(photos: Path) -> None:
    path = table(photos, "image,a,0\na,1,0\nb,0,1\nc,1,1\n")
    train = data.load_data({"name": "csv", "path": str(path), "targets": ["a", "0"]}, **WHOLE).train
    assert list(train.ids) == ["a", "b", "c"] and list(train.targets) == ["a", "0"]


def test_missing_label_in_train_is_refused(photos: Path) -> None:
    with pytest.raises(DataError, match="label is empty in 1 of 2 rows"):
        data.load_data(table(photos, "path,label\na.png,x\nb.png,\n"))


def test_kaggle_ids_find_their_images_beside_the_table(photos: Path, tmp_path: Path) -> None:
    photos.rename(tmp_path / "train")
    train = data.load_data(table(tmp_path, "id,label\na,cat\nc,dog\n", "trainLabels.csv"), **WHOLE).train
    assert list(train.ids) == ["a", "c"]


@pytest.mark.parametrize("target", ["elsewhere", "pictures.zip", "pictures.tar.gz"])
def test_images_may_be_elsewhere(write: Write, image: Make, tmp_path: Path, target: str) -> None:
    where = write({f"{name}.png": image(seed) for seed, name in enumerate("abc")}, target)
    path = table(tmp_path, "id,label\na,cat\nb.png,dog\nzz,dog\n")
    spec = {"name": "csv", "path": str(path), "images": str(where)}
    with pytest.raises(DataError, match="zz: there is no such file"):
        data.load_data(spec)
    with pytest.warns(CnnlabWarning, match="zz: there is no such file.* It was left out"):
        dataset = data.load_data({**spec, "on_bad": "skip"}, **WHOLE)
    assert list(dataset.train.ids) == ["a", "b.png"]
    assert dataset.train.targets["label"].tolist() == [0, 1]


def test_several_targets(photos: Path) -> None:
    rows = "path,hour,minute,price,place\na.png,3,59,1.5,x\nb.png,11,0,2,y\n"
    path = table(photos, rows)
    train = data.load_data(f"csv({path}, targets=[hour, minute])", **WHOLE).train
    assert train.targets["hour"].tolist() == [3, 11] and train.targets["minute"].tolist() == [59, 0]
    assert train.classes["hour"] == tuple(map(str, range(12)))
    train = data.load_data(f"csv({path}, targets=[price, place])", **WHOLE).train
    assert train.targets["price"].dtype == torch.float32 and train.targets["price"].tolist() == [1.5, 2.0]
    assert train.classes == {"place": ("x", "y")}


def test_numbers_that_count_no_classes_are_floats(photos: Path) -> None:
    path = table(photos, "path,year,change\na.png,1990,-3\nb.png,2020,4\n")
    train = data.load_data(f"csv({path}, targets=[year, change])", **WHOLE).train
    assert train.classes == {} and train.targets["year"].tolist() == [1990.0, 2020.0]


def test_whole_numbers_in_a_label_column_are_classes(photos: Path) -> None:
    train = data.load_data(table(photos, "path,label\na.png,10\nb.png,9\nc.png,10\n"), **WHOLE).train
    assert train.classes == {"label": ("9", "10")} and train.targets["label"].tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "text",
    [
        "path;label\na.png;x\nb.png;y\n",
        "\ufeffpath\tlabel\na.png\tx\nb.png\ty\n",
        "sep=;\npath;label\na.png;x\nb.png;y\n",
        "\ufeffsep=|\r\npath|label\r\na.png|x\r\nb.png|y\r\n",
        "path,label\na.png,x\nb.png,y\n   \n,\n",
    ],
)
def test_semicolons_tabs_byte_order_marks_and_what_excel_leaves_are_read(photos: Path, text: str) -> None:
    train = data.load_data(table(photos, text), **WHOLE).train
    assert list(train.ids) == ["a.png", "b.png"] and train.classes == {"label": ("x", "y")}


@pytest.mark.parametrize("name", ["{label}\\{n}.png", ".\\{label}\\{n}.png", "./{label}/{n}.png", "{label}//{n}"])
@pytest.mark.parametrize("target", ["photos", "photos.zip"])
def test_paths_as_other_systems_write_them_are_found(
    write: Write, files: Callable[..., dict], tmp_path: Path, name: str, target: str
) -> None:
    images = write(files(), target)
    rows = "".join(f"{name.format(label=label, n=n)},{label}\n" for label in ("cat", "dog") for n in range(6))
    train = data.load_data(f"csv({table(tmp_path, 'path,label' + chr(10) + rows)}, images={images})", **WHOLE).train
    assert train.digest == data.load_data(images, **WHOLE).train.digest


def test_letters_composed_and_decomposed_are_the_same(photos: Path) -> None:
    (photos / "a.png").rename(photos / "caf\u00e9.png")
    text = "path,label\ncafe\u0301.png,the\u0301\nb.png,th\u00e9\nc.png,x\n"
    train = data.load_data(table(photos, text), **WHOLE).train
    assert train.classes == {"label": ("th\u00e9", "x")} and train.targets["label"].tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows"),
        ("path,label\n", "no rows"),
        ("a.png,cat\nb.png,dog\n", "first line must name the columns"),
        ("path,label\na.png,cat,x\n", "row 2: 3 cells"),
        ("path,label,label\na.png,cat,x\n", "same name"),
        ("path,length,width\na.png,1,2\n", "targets="),
        ("path,label,split\na.png,x,train\nb.png,x,holdout\n", "holdout"),
        ("path,label,split\na.png,x,test\n", "no row says train"),
    ],
)
def test_table_that_does_not_fit_is_refused(photos: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        data.load_data(table(photos, text))


def test_column_that_is_not_there_is_refused_with_the_nearest(photos: Path) -> None:
    path = table(photos, "path,label\na.png,x\n")
    with pytest.raises(DataError, match="Did you mean label"):
        data.load_data(f"csv({path}, targets=lable)")
    with pytest.raises(SpecError, match="has no argument 'target'"):
        data.load_data(f"csv({path}, target=label)")


def test_table_that_is_no_text_is_refused(photos: Path) -> None:
    path = photos / "labels.csv"
    path.write_bytes(b"path,label\n\xff\xfe\x00,x\n")
    with pytest.raises(DataError, match="UTF-8"):
        data.load_data(path)


def test_a_table_too_large_for_the_memory_is_refused(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnlab.core.limits.free_memory", lambda: 100)
    with pytest.raises(DataError, match=r"takes .* of memory"):
        data.load_data(table(photos, "path,label\na.png,cat\nb.png,dog\n"))


@pytest.mark.parametrize("name", ["a\0b.png", "x" * 5000 + ".png", "a\ud800.png"])
def test_a_name_that_no_file_can_have_is_refused(photos: Path, name: str) -> None:
    text = f"path,label\na.png,cat\nb.png,dog\n{name},cat\n"
    (photos / "t.csv").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(DataError, match=r"cannot be read as pictures|as a CSV file"):
        data.load_data(photos / "t.csv")
