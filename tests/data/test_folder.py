"""Trees of pictures as data: folders and archives, what is refused, and what the cache keeps."""

import io
import logging
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnnlab import data
from cnnlab.core.errors import CnnlabWarning, DataError, StorageError
from cnnlab.data import EncodedImages, TensorImages, cache, cached_loading, ingest, memmap
from cnnlab.data.formats.decode import Form
from cnnlab.data.raw_images import Chunk, RawImageFiles

Write = Callable[..., Path]
Files = Callable[..., dict[str, bytes]]
Make = Callable[..., bytes]
WHOLE = {"validation": 0, "test": 0}
SPLITS = ("train/", "val/", "test/")


def test_who_waits_for_another_process_that_decodes_the_same_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cnnlab")
    folder, entered = tmp_path / "decoded" / "digest", []

    def enter() -> None:
        with cache.locked(folder):
            entered.append(folder)

    with ThreadPoolExecutor(1) as pool, cache.locked(folder):
        pool.submit(enter)
        deadline = time.monotonic() + 20
        while not caplog.messages and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not entered
    assert caplog.messages == ["waiting for another process that decodes the same pictures …"] and entered == [folder]


@pytest.mark.parametrize("target", ["photos.zip", "photos.tar", "photos.tar.gz"])
def test_archive_and_folder_of_the_same_images_have_one_digest(write: Write, files: Files, target: str) -> None:
    folder = data.load_data(write(files(SPLITS)))
    archive = data.load_data(write(files(SPLITS), target))
    assert archive.digest == folder.digest
    assert archive.name == folder.name == "photos"
    assert list(archive.train.ids) == list(folder.train.ids)


def test_images_labels_and_ids_are_those_of_the_files(write: Write, files: Files) -> None:
    contents = files()
    train = data.load_data(write(contents), **WHOLE).train
    pixels, targets = train.batch(torch.arange(12))
    assert list(train.ids) == [f"{label}/{n}.png" for label in ("cat", "dog") for n in range(6)]
    assert train.classes == {"label": ("cat", "dog")}
    assert targets["label"].tolist() == [0] * 6 + [1] * 6
    for place, name in enumerate(train.ids):
        expected = np.asarray(Image.open(io.BytesIO(contents[name]))).transpose(2, 0, 1)
        assert np.array_equal(pixels[place].numpy(), expected)


def test_splits_of_the_tree_are_those_of_the_data(write: Write, files: Files) -> None:
    dataset = data.load_data(write(files(SPLITS)))
    assert {name: len(part) for name, part in dataset.parts()} == {"train": 12, "validation": 12, "test": 12}
    assert dataset.test.ids[0] == "test/cat/0.png"


def test_split_without_classes_has_no_targets(write: Write, files: Files, image: Make) -> None:
    dataset = data.load_data(write({**files(("train/",)), "test/7.png": image(99)}))
    assert dataset.test.targets == {} and list(dataset.test.ids) == ["test/7.png"]


def without(contents: dict[str, bytes], folder: str) -> dict[str, bytes]:
    return {name: content for name, content in contents.items() if not name.startswith(folder)}


def test_class_missing_from_a_split_is_warned_of_by_name(write: Write, files: Files) -> None:
    path = write(without(files(SPLITS), "val/dog"))
    with pytest.warns(CnnlabWarning, match=r"photos: validation \(val\) has no pictures of these classes.*: dog\."):
        dataset = data.load_data(path)
    assert dataset.validation.classes == {"label": ("cat", "dog")} and len(dataset.validation) == 6


def test_class_missing_from_train_keeps_from_training_but_not_from_scoring(write: Write, files: Files) -> None:
    path = write(without(files(SPLITS), "train/dog"))
    with pytest.raises(DataError, match=r"photos: train \(train\) has no pictures of these classes.*: dog\."):
        data.load_data(path)
    assert len(data.load_data(path, for_training=False).train) == 6


def test_a_split_may_be_a_link_to_another(write: Write, files: Files) -> None:
    path = write(files(("train/", "test/")))
    (path / "val").symlink_to("test")
    with pytest.warns(CnnlabWarning, match="12 of validation are also in test"):
        dataset = data.load_data(path)
    assert {name: len(part) for name, part in dataset.parts()} == {"train": 12, "validation": 12, "test": 12}


def test_empty_folders_called_like_splits_do_no_harm(write: Write, files: Files) -> None:
    path = write(files())
    for name in ("train", "test"):
        (path / name).mkdir()
    assert len(data.load_data(path, **WHOLE).train) == 12


def test_size_and_channels_are_as_asked(write: Write, files: Files) -> None:
    path = write(files())
    assert data.load_data(f"folder({path}, size=8)").shape == (3, 8, 8)
    assert data.load_data(f"folder({path}, size=[5, 7], channels=grey)").shape == (1, 5, 7)
    assert data.load_data({"name": "folder", "path": str(path), "resize": "pad", "size": 9}).shape == (3, 9, 9)


def test_grey_images_give_one_channel_and_any_colour_three(write: Write, image: Make) -> None:
    grey = {f"{label}/{n}.png": image(ord(label) * 100 + n, mode="L") for label in "ab" for n in range(40)}
    assert data.load_data(write(grey, "grey")).shape[0] == 1
    mixed = data.load_data(write({**grey, "b/37.png": image(99)}, "mixed"), **WHOLE).train
    assert mixed.shape[0] == 3
    first = mixed.batch([0])[0][0]
    assert torch.equal(first[0], first[1])


def test_different_sizes_are_refused_with_the_remedy(write: Write, files: Files, image: Make) -> None:
    path = write({**files(), "dog/9.png": image(99, size=(9, 9))})
    with pytest.raises(DataError, match=r"6×4, 9×9.*size=96"):
        data.load_data(path)
    assert data.load_data(f"folder({path}, size=6)").shape == (3, 6, 6)


def broken(files: Files) -> dict[str, bytes]:
    contents = files()
    contents["cat/2.png"] = contents["cat/2.png"][:60]
    contents["dog/0.png"] = b"not a picture"
    contents["dog/5.png"] = b""
    return contents


@pytest.mark.parametrize("target", ["photos", "photos.zip"])
def test_every_unreadable_file_is_named(write: Write, files: Files, target: str) -> None:
    path = write(broken(files), target)
    for _ in range(2):
        with pytest.raises(DataError, match="3 files cannot be read") as caught:
            data.load_data(path)
        for told in ("cat/2.png: it is", "dog/0.png: it is not a picture", "dog/5.png: the file is empty"):
            assert told in str(caught.value)


def test_unreadable_files_are_left_out_and_recorded_where_asked(write: Write, files: Files) -> None:
    with pytest.warns(CnnlabWarning, match=r"3 files .*cat/2.png: .*dog/0.png: .* They were left out"):
        dataset = data.load_data(f"folder({write(broken(files))}, on_bad=skip)", **WHOLE)
    assert len(dataset.train) == 9
    assert "cat/2.png" not in dataset.train.ids
    assert dataset.train.targets["label"].tolist() == [0] * 5 + [1] * 4
    assert [name for name, _ in dataset.source["skipped"]] == ["cat/2.png", "dog/0.png", "dog/5.png"]


def test_split_of_unreadable_files_only_is_refused(write: Write) -> None:
    with pytest.raises(DataError, match="no readable picture in train"):
        data.load_data(f"folder({write({'a/1.png': b'', 'b/1.png': b''})}, on_bad=skip)")


def test_duplicates_across_splits_are_warned_of_and_dropped_on_request(write: Write, files: Files) -> None:
    contents = files(SPLITS)
    contents["test/cat/0.png"] = contents["train/dog/3.png"]
    contents["val/dog/1.png"] = contents["train/dog/3.png"]
    path = write(contents)
    with pytest.warns(CnnlabWarning, match="1 of train are also in test, 1 of train are also in validation"):
        dataset = data.load_data(path)
    assert dataset.source["duplicates"] == {"train in test": 1, "train in validation": 1, "validation in test": 1}
    dataset = data.load_data(f"folder({path}, dedupe=true)")
    assert len(dataset.train) == 11 and "train/dog/3.png" not in dataset.train.ids
    assert dataset.source["dropped_duplicates"] == 1


def refuse_to_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr("cnnlab.data.raw_images.decode", refuse)


def test_second_load_decodes_nothing(write: Write, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(files(SPLITS))
    first = data.load_data(path)
    refuse_to_decode(monkeypatch)
    second = data.load_data(path)
    assert second.digest == first.digest
    assert list(second.train.ids) == list(first.train.ids)
    assert data.statistics(second.train) == data.statistics(TensorImages(first.train.pixels()))


def test_a_size_that_all_pictures_have_decodes_nothing_anew_and_another_does(
    write: Write, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(files(SPLITS))
    plain, cropped = data.load_data(path), data.load_data(f"folder({path}, size=[4, 5])")
    assert plain.train.shape == (3, 4, 6) and cropped.train.shape == (3, 4, 5)
    refuse_to_decode(monkeypatch)
    sized = data.load_data(f"folder({path}, size=[4, 6], resize=crop)")
    assert sized.digest == plain.digest and torch.equal(sized.test.batch([1, 0])[0], plain.test.batch([1, 0])[0])
    with pytest.raises(AssertionError, match="decoded again"):
        data.load_data(f"folder({path}, size=[6, 4])")


def test_moved_images_are_known_by_their_content(
    write: Write, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(files(), "photos.zip")
    first = data.load_data(path)
    refuse_to_decode(monkeypatch)
    moved = path.rename(tmp_path / "moved.zip")
    assert data.load_data(moved).digest == first.digest


def test_changed_images_are_decoded_again(write: Write, files: Files, image: Make) -> None:
    path = write(files())
    first = data.load_data(path).digest
    (path / "cat/0.png").write_bytes(image(99))
    assert data.load_data(path).digest != first


def test_damaged_cache_is_made_again(write: Write, files: Files, tmp_path: Path) -> None:
    path = write(files())
    first = data.load_data(path).digest
    (entry,) = (Path(os.environ["CNNLAB_CACHE"]) / "decoded").glob("*/train.pixels")
    entry.write_bytes(entry.read_bytes()[:-1])
    assert data.load_data(path).digest == first
    (entry.parent / "index.json").write_text("{")
    assert data.load_data(path).digest == first


@pytest.mark.parametrize("cache", ["encoded", "none"])
def test_digest_does_not_depend_on_how_images_are_kept(write: Write, files: Files, cache: str) -> None:
    path = write(files(SPLITS))
    raw = data.load_data(f"folder({path}, size=5)")
    other = data.load_data(f"folder({path}, size=5, cache={cache})")
    assert other.digest == raw.digest
    assert torch.equal(other.test.batch([3, 1])[0], raw.test.batch([3, 1])[0])
    assert data.statistics(other.train) == data.statistics(raw.train)


def test_encoded_images_are_decoded_on_the_way(write: Write, files: Files) -> None:
    train = data.load_data(f"folder({write(files())}, cache=encoded)", **WHOLE).train
    assert isinstance(train, EncodedImages) and train.pixels() is None
    assert train.batch([2, 2])[0].shape == (2, 3, 4, 6)


def test_set_too_large_for_memory_stays_on_the_disk(
    write: Write, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(files())
    small = data.load_data(path)
    monkeypatch.setattr(memmap, "memory_limit", lambda: 0)
    large = data.load_data(path)
    assert large.train.pixels() is None and small.train.pixels() is not None
    assert torch.equal(large.train.batch([1, 0])[0], small.train.batch([1, 0])[0])
    assert large.digest == small.digest


def test_set_too_large_for_the_disk_stays_encoded(write: Write, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(files())
    monkeypatch.setattr(cached_loading, "_room", lambda: 100)
    assert isinstance(data.load_data(path, **WHOLE).train, EncodedImages)
    refuse_to_decode(monkeypatch)
    assert isinstance(data.load_data(path, **WHOLE).train, EncodedImages)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_may_not_be_written_to_costs_only_the_cache(write: Write, files: Files, tmp_path: Path) -> None:
    path = write(files())
    Path(os.environ["CNNLAB_CACHE"]).chmod(0o500)
    with pytest.warns(CnnlabWarning, match="in memory only"):
        assert len(data.load_data(path, **WHOLE).train) == 12


def test_full_disk_costs_only_the_cache_and_leaves_nothing(
    write: Write, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StorageError("the disk is full.")

    path = write(files())
    monkeypatch.setattr("cnnlab.data.cache.FolderStore.finish", full)
    with pytest.warns(CnnlabWarning, match="the disk is full"):
        assert len(data.load_data(path, **WHOLE).train) == 12
    with pytest.raises(StorageError):
        data.load_data(f"folder({path}, cache=raw)")
    assert [item.suffix for item in (Path(os.environ["CNNLAB_CACHE"]) / "decoded").iterdir()] == [".lock"]


def test_what_a_killed_process_left_is_removed(write: Write, files: Files, tmp_path: Path) -> None:
    path = write(files())
    data.load_data(path)
    (entry,) = (item for item in (Path(os.environ["CNNLAB_CACHE"]) / "decoded").iterdir() if item.is_dir())
    shutil.rmtree(entry)
    leftover = entry.parent / f".{entry.name}.abc"
    leftover.mkdir()
    data.load_data(path)
    assert entry.is_dir() and not leftover.exists()


def test_two_loads_at_once_decode_once(write: Write, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(files(SPLITS, count=40))
    read = Counter[str]()
    whole = RawImageFiles.load

    def counted(images: RawImageFiles, places: range, form: Form) -> Chunk:
        if len(places) > 1:
            read.update(images.ids[place] for place in places)
        return whole(images, places, form)

    monkeypatch.setattr(RawImageFiles, "load", counted)
    with ThreadPoolExecutor(3) as pool:
        digests = set(pool.map(lambda _: data.load_data(path).digest, range(3)))
    assert len(digests) == 1
    assert len(read) == 240 and set(read.values()) == {1}


def test_order_of_images_does_not_depend_on_chunks(write: Write, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(files(count=20))
    whole = data.load_data(f"folder({path}, cache=none)", **WHOLE)
    monkeypatch.setattr(ingest, "_CHUNK", 3)
    assert data.load_data(f"folder({path}, cache=none)", **WHOLE).digest == whole.digest
