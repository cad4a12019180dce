"""Runs, studies and results of papers in one file, taken in by another store."""

import json
import lzma
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from cnnlab.core.digests import digest, file_digest
from cnnlab.core.errors import CnnlabError, DataError, ModelFileError, UsageError
from cnnlab.ensembles.record import weights_digest
from cnnlab.runs import Predictions, Run, RunStore, RunWriter
from cnnlab.runs.weights import parameters_of
from cnnlab.runs.writer import make_whole

MakeRun = Callable[..., Path]
RECIPE = {"data": "digits", "model": "mlp(hidden=[2])", "epochs": 3, "seed": 0}


@pytest.fixture
def make_run(root: Path) -> MakeRun:
    """Makes a finished run with predictions, weights and what never goes into a pack."""

    def make(name: str = "digits", *, repeat: int = 1, store: Path = root, finish: bool = True, **keys: object) -> Path:
        recipe = {**RECIPE, **keys}
        with RunWriter.create(store, digest=digest(recipe), recipe=recipe, name=name, repeat=repeat) as writer:
            writer.history([{"epoch": 1, "train_loss": 0.5}])
            writer.live({"step": 1, "loss": 0.5})
            outputs = {"label": np.arange(6, dtype=np.float32).reshape(3, 2) + repeat}
            targets = {"label": np.array([0, 1, 1])}
            facts = {"objective": "crossentropy()", "classes": {"label": ("a", "b")}, "data": "d", "split": "test"}
            writer.predictions(Predictions(outputs, targets, ids=("x", "y", "z"), **facts))
            weights = {"fc.weight": np.full((2, 3), repeat, np.float32), "norm.running_mean": np.zeros(3, np.float32)}
            save_file(weights, writer.path("model.safetensors"))
            for place in (
                "snapshots/epoch-1.safetensors",
                "checkpoint/state.safetensors",
                "curves.png",
                "explain/a.png",
            ):
                writer.path(place).parent.mkdir(exist_ok=True)
                writer.path(place).write_bytes(b"here")
            if finish:
                writer.finish({"test": {"n": 3, "accuracy": 0.5}})
        return writer.folder

    return make


@pytest.fixture
def other(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "other")


def files_below(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in (".lock", ".index.sqlite"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def members(pack: Path) -> list[str]:
    with tarfile.open(pack, "r:xz") as archive:
        return archive.getnames()


def test_the_record_and_the_predictions_arrive_to_the_byte(
    make_run: MakeRun, root: Path, other: RunStore, tmp_path: Path
) -> None:
    folder = make_run()
    packed = RunStore(root).export(tmp_path / "a.tar.xz", weights=True)
    assert packed.runs == (folder.name,) and packed.size == (tmp_path / "a.tar.xz").stat().st_size
    found = other.import_pack(tmp_path / "a.tar.xz")
    assert found.runs == [folder.name] and not found.there
    sent, came = files_below(folder), files_below(other.root / folder.name)
    kept = {
        "recipe.yaml",
        "run.json",
        "history.csv",
        "predictions/test.safetensors",
        "model.safetensors",
        "explain/a.png",
    }
    assert came == {name: content for name, content in sent.items() if name in kept}
    assert sent.keys() - came.keys() == {
        "live.jsonl", "curves.png", "snapshots/epoch-1.safetensors", "checkpoint/state.safetensors",
    }  # fmt: skip


def test_equal_content_gives_equal_bytes_in_any_order_and_at_any_time(
    make_run: MakeRun, root: Path, tmp_path: Path
) -> None:
    first, second = make_run(), make_run("late", seed=1)
    store = RunStore(root)
    store.export(tmp_path / "a.tar.xz", first, second)
    shutil.copytree(second, tmp_path / "copy" / second.name)
    shutil.copytree(first, tmp_path / "copy" / first.name, copy_function=shutil.copyfile)
    RunStore(tmp_path / "copy").export(tmp_path / "b.tar.xz", second.name, first.name)
    assert (tmp_path / "a.tar.xz").read_bytes() == (tmp_path / "b.tar.xz").read_bytes()


def test_without_weights_a_run_says_so_and_ensembles_still_know_it(
    make_run: MakeRun, root: Path, other: RunStore, tmp_path: Path
) -> None:
    folder = make_run()
    RunStore(root).export(tmp_path / "a.tar.xz", predictions=False)
    other.import_pack(tmp_path / "a.tar.xz")
    run = other.find(folder.name)
    assert run.splits == [] and run.came_without_weights and not Run(folder).came_without_weights
    # Two rows of three are trained; running means are not.
    assert parameters_of(run.folder) == 6 and "imported without" in str(run)
    assert weights_digest(run) == file_digest(folder / "model.safetensors")
    with pytest.raises(ModelFileError, match=r"imported without its weights.*--weights.*cnnlab train .*--again"):
        run.classifier()


def test_weights_that_come_later_are_added_if_they_are_those_of_the_run(
    make_run: MakeRun, root: Path, other: RunStore, tmp_path: Path
) -> None:
    folder = make_run()
    store = RunStore(root)
    store.export(tmp_path / "without.tar.xz")
    other.import_pack(tmp_path / "without.tar.xz")
    good = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(good[:-1] + b"?")
    store.export(tmp_path / "bad.tar.xz", weights=True)
    with pytest.raises(DataError, match=r"model\.safetensors of .* is not that of"):
        other.import_pack(tmp_path / "bad.tar.xz")
    assert other.find(folder.name).came_without_weights
    (folder / "model.safetensors").write_bytes(good)
    store.export(tmp_path / "good.tar.xz", weights=True)
    assert other.import_pack(tmp_path / "good.tar.xz").weights_added == [folder.name]
    assert not other.find(folder.name).came_without_weights
    assert (other.root / folder.name / "model.safetensors").read_bytes() == good
    assert other.import_pack(tmp_path / "good.tar.xz").there == [folder.name]


def test_what_is_there_is_left_alone_and_repeats_come_together(
    make_run: MakeRun, root: Path, other: RunStore, tmp_path: Path
) -> None:
    names = [make_run().name, make_run(repeat=2).name, make_run("late", seed=1).name]
    RunStore(root).export(tmp_path / "a.tar.xz")
    own = make_run("own", store=other.root, seed=1)
    before = files_below(own)
    found = other.import_pack(tmp_path / "a.tar.xz")
    # The store's own training of seed 1 stands for the other; the two repeats are no copies of one another.
    assert found.runs == names[:2] and found.there == [own.name] and files_below(own) == before
    again = other.import_pack(tmp_path / "a.tar.xz")
    assert not again.is_new and sorted(again.there) == sorted([*names[:2], own.name])


def test_a_name_that_is_taken_becomes_that_of_a_repeat(
    make_run: MakeRun, root: Path, other: RunStore, tmp_path: Path
) -> None:
    folder = make_run()
    RunStore(root).export(tmp_path / "a.tar.xz")
    unfinished = make_run(store=other.root, finish=False)
    found = other.import_pack(tmp_path / "a.tar.xz")
    assert found.renamed == {f"{folder.name}-2": folder.name}
    run = other.find(f"{folder.name}-2")
    assert (run.info["name"], run.repeat, run.status) == (f"{folder.name}-2", 2, "finished")
    assert Run(unfinished).status == "unfinished"
    assert other.import_pack(tmp_path / "a.tar.xz").there == [f"{folder.name}-2"]


def test_only_finished_runs_are_packed(make_run: MakeRun, root: Path, tmp_path: Path) -> None:
    unfinished = make_run(finish=False)
    with pytest.raises(UsageError, match="no run of it is finished"):
        RunStore(root).export(tmp_path / "a.tar.xz")
    with pytest.raises(UsageError, match=f"cnnlab resume {unfinished.name}"):
        RunStore(root).export(tmp_path / "a.tar.xz", unfinished.name)
    assert not (tmp_path / "a.tar.xz").exists()


def test_large_extras_stay_behind_and_are_told(
    make_run: MakeRun, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run()
    monkeypatch.setattr("cnnlab.runs.pack.MOST_EXTRA", 3)
    packed = RunStore(root).export(tmp_path / "a.tar.xz")
    assert packed.left_out == (f"explain/ of {folder.name} is not in it, for it has 4 B.",)
    assert f"runs/{folder.name}/explain/a.png" not in members(tmp_path / "a.tar.xz")


def write_paper(root: Path, run: str) -> None:
    """A study whose result names a run, and the results of a paper that names the study."""
    study, paper = root / "studies" / "depth", root / "papers" / "001-depth-laptop"
    result = {"folder": "elsewhere", "runs": "elsewhere", "settings": [{"trials": [{"run": run}, {"run": "gone-1"}]}]}
    maps = "repeat-0/maps/files"
    verdict = {
        "studies": ["depth"],
        "folder": "elsewhere",
        "pictures": [f"{maps}/maps.png", f"{maps}/filters.png"],
        "private": [f"{maps}/maps.png"],
    }
    for folder, name, content in (
        (study, "study.yaml", "question: How deep?\n"),
        (study, "state.json", "{}"),
        (study, "result.json", json.dumps(result)),
        (study, "report.html", "<html>"),
        (paper, "verdict.json", json.dumps(verdict)),
        (paper / "repeat-0" / "maps", "done.json", "{}"),
        (paper / "repeat-0" / "maps" / "files", "maps.png", "a photo"),
        (paper / "repeat-0" / "maps" / "files", "filters.png", "filters"),
        (paper / "repeat-0" / "maps" / "files", "filters.svg", "as they are in the other"),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def test_a_paper_brings_its_studies_and_their_runs(
    make_run: MakeRun, root: Path, other: RunStore, tmp_path: Path
) -> None:
    folder = make_run()
    make_run("late", seed=1)
    write_paper(root, folder.name)
    packed = RunStore(root).export(tmp_path / "a.tar.xz", papers=["001-*"])
    assert (packed.papers, packed.studies, packed.runs) == (("001-depth-laptop",), ("depth",), (folder.name,))
    assert packed.left_out == ("Of the study depth gone-1 is not finished, or gone.",)
    make_run(store=other.root, finish=False)
    other.import_pack(tmp_path / "a.tar.xz")
    study = other.root / "studies" / "depth"
    assert {path.name for path in study.iterdir()} - {".lock"} == {"study.yaml", "state.json", "result.json"}
    result = json.loads((study / "result.json").read_text())
    # It lies here now, and its run has another name.
    assert (result["folder"], result["runs"]) == (str(study), str(other.root))
    assert [trial["run"] for trial in result["settings"][0]["trials"]] == [f"{folder.name}-2", "gone-1"]
    paper = other.root / "papers" / "001-depth-laptop"
    assert json.loads((paper / "verdict.json").read_text())["folder"] == str(paper)
    assert (paper / "repeat-0" / "maps" / "done.json").read_text() == "{}"


def test_of_a_paper_the_pictures_that_the_report_shows_are_packed(
    make_run: MakeRun, root: Path, tmp_path: Path
) -> None:
    write_paper(root, make_run().name)
    RunStore(root).export(tmp_path / "a.tar.xz", papers=["001-*"])
    assert {name.rpartition("/")[2] for name in members(tmp_path / "a.tar.xz") if name.startswith("papers/")} == {
        "verdict.json",
        "done.json",
        "maps.png",
        "filters.png",
    }


def test_what_is_not_for_others_stays_out_of_a_public_pack(
    make_run: MakeRun, root: Path, other: RunStore, tmp_path: Path
) -> None:
    folder = make_run()
    write_paper(root, folder.name)
    info = json.loads((folder / "run.json").read_text())
    source = {"from": "/home/somebody/photos.zip", "homepage": "https://example.org/a/b", "scale": "/255"}
    said = 'read "/home/somebody/photos.zip", \\"C:\\\\Users\\\\somebody\\\\photos.zip\\", either/or/both, 8/255'
    (folder / "run.json").write_text(json.dumps({**info, "said": said, "data": {"name": "photos", "source": source}}))
    (root / "studies" / "depth" / "result.json").write_text(
        json.dumps({"settings": [{"trials": [{"run": folder.name}]}], "from": "C:\\Users\\somebody\\photos.zip"})
    )
    pack = tmp_path / "a.tar.xz"
    RunStore(root).export(pack, papers=["001-*"], public=True)
    names = {name.rpartition("/")[2] for name in members(pack)}
    assert "filters.png" in names
    assert not names & {"maps.png", "a.png"}
    content = lzma.decompress(pack.read_bytes())
    assert b"somebody" not in content
    assert b"photos.zip" in content
    other.import_pack(pack)
    taken = other.find(folder.name).info
    assert taken["data"]["source"] == {**source, "from": "photos.zip"}
    assert taken["said"] == 'read "photos.zip", \\"photos.zip\\", either/or/both, 8/255'


def test_studies_and_papers_stay_unless_they_are_to_be_replaced(
    make_run: MakeRun, root: Path, other: RunStore, tmp_path: Path
) -> None:
    write_paper(root, make_run().name)
    RunStore(root).export(tmp_path / "a.tar.xz", papers=["001-*"])
    other.import_pack(tmp_path / "a.tar.xz")
    own = other.root / "studies" / "depth" / "study.yaml"
    own.write_text("mine")
    assert other.import_pack(tmp_path / "a.tar.xz").kept == ["papers/001-depth-laptop", "studies/depth"]
    assert own.read_text() == "mine"
    found = other.import_pack(tmp_path / "a.tar.xz", replace=True)
    assert found.studies == ["depth"] and not found.kept and own.read_text() == "question: How deep?\n"
    assert not [path for path in other.root.iterdir() if path.name.startswith((".purged-", ".creating-"))]


def test_an_import_that_broke_off_goes_on_where_it_was(
    make_run: MakeRun, root: Path, other: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [make_run().name, make_run("late", seed=1).name]
    RunStore(root).export(tmp_path / "a.tar.xz")

    def stop_in_the_second(folder: Path, *given: object, **options: object) -> object:
        made = make_whole(folder, *given, **options)  # type: ignore[arg-type]
        monkeypatch.setattr("cnnlab.runs.unpack.make_whole", interrupt)
        return made

    def interrupt(folder: Path, fill: Callable[[Path], None], **options: object) -> None:
        def partly(inner: Path) -> None:
            fill(inner)
            raise KeyboardInterrupt

        make_whole(folder, partly)

    monkeypatch.setattr("cnnlab.runs.unpack.make_whole", stop_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        other.import_pack(tmp_path / "a.tar.xz")
    assert [path.name for path in other.root.iterdir() if path.name != ".index.sqlite"] == names[:1]
    monkeypatch.undo()
    found = other.import_pack(tmp_path / "a.tar.xz")
    assert (found.there, found.runs) == (names[:1], names[1:])


def rewritten(pack: Path, change: Callable[[str, bytes], bytes], more: bytes = b"") -> None:
    """The pack with files changed, packed by Python's own writer."""

    def parts() -> Iterator[bytes]:
        with tarfile.open(pack, "r:xz") as archive:
            for member in archive:
                file = archive.extractfile(member)
                assert file is not None
                content = change(member.name, file.read())
                member.size = len(content)
                yield member.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)

    pack.write_bytes(lzma.compress(b"".join([*parts(), more, bytes(1024)]), preset=0))


def header(name: str, type: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = type, size, link
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (header("../outside"), "no name that packs have"),
        (header("/etc/outside"), "no name that packs have"),
        (header("runs/x/../../../outside"), "no name that packs have"),
        (header("runs/x/run.sh"), "no name that packs have"),
        (header("runs/.trash/run.json"), "no name that packs have"),
        (header("runs/\x1b[31m/run.json"), "no name that packs have"),
        (header("studies/x/report.html"), "no name that packs have"),
        (header("studies/x/study.yaml"), "pack.json does not name"),
        (header("pack.json"), "no name that packs have"),
        (header("runs/x/run.json", tarfile.SYMTYPE, link="/etc/passwd"), "it holds a link"),
        (header("runs/x/run.json", tarfile.LNKTYPE, link="pack.json"), "it holds a link"),
        (header("runs/x/run.json", tarfile.CHRTYPE), "it holds a device"),
        (header("runs/x", tarfile.DIRTYPE), "it holds a folder"),
        (header("x", tarfile.XHDTYPE, 1 << 33), "no plain file"),
        (header("runs/x/model.safetensors", size=(512 << 20) + 1), "at most 512 MB"),
        (header("runs/x/model.safetensors", size=1 << 20), "no name|does not name"),
    ],
)
def test_what_no_pack_holds_is_refused_and_nothing_is_half(
    make_run: MakeRun, root: Path, other: RunStore, tmp_path: Path, more: bytes, said: str
) -> None:
    name = make_run().name
    RunStore(root).export(tmp_path / "a.tar.xz")
    rewritten(tmp_path / "a.tar.xz", lambda name, content: content, more)
    before = files_below(tmp_path)
    with pytest.raises(DataError, match=said) as refused:
        other.import_pack(tmp_path / "a.tar.xz")
    assert "\x1b" not in str(refused.value)
    came = files_below(tmp_path).keys() - before.keys()
    assert came == {f"other/{name}/{file}" for file in files_below(other.root / name)}


@pytest.mark.parametrize(
    ("file", "pattern", "put", "said"),
    [
        ("run.json", rb'"format": 1', b'"format": 2', "later version of cnnlab"),
        ("run.json", rb'"status": "finished"', b'"status": "failed"', "no finished run"),
        ("run.json", rb'"digest": "....', b'"digest": "0000', "not that of the run"),
        ("run.json", rb"^\{", b"", r"runs/digits-\w+/run.json is damaged"),
        ("recipe.yaml", rb"^", b"[", "recipe.yaml"),
        ("pack.json", rb'"format": 1', b'"format": 2', "later version of cnnlab"),
        ("pack.json", rb'"started": "', b'"begun": "', r"pack.json is damaged"),
        ("pack.json", rb'"history.csv",', b"", "which pack.json does not name"),
        ("pack.json", rb'"history.csv"', b'"ensemble.json", "history.csv"', "lacks ensemble.json"),
        ("pack.json", rb'"studies": \{\}', b'"studies": {"x": ["study.yaml"]}', "lacks studies/x"),
    ],
)
def test_records_that_do_not_fit_are_refused(
    make_run: MakeRun, root: Path, other: RunStore, tmp_path: Path, file: str, pattern: bytes, put: bytes, said: str
) -> None:
    make_run()
    RunStore(root).export(tmp_path / "a.tar.xz")
    count = 0

    def change(name: str, content: bytes) -> bytes:
        nonlocal count
        if name.endswith(file):
            content, found = re.subn(pattern, put, content, count=1)
            count += found
        return content

    rewritten(tmp_path / "a.tar.xz", change)
    assert count == 1
    with pytest.raises(DataError, match=said):
        other.import_pack(tmp_path / "a.tar.xz")
    assert len(other) == (1 if said == "lacks studies/x" else 0)
    assert not list(other.root.glob(".creating-*"))


def test_damage_cuts_and_what_is_no_pack_are_told_in_a_sentence(
    make_run: MakeRun, root: Path, other: RunStore, tmp_path: Path
) -> None:
    make_run()
    path = tmp_path / "a.tar.xz"
    RunStore(root).export(path)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for content in (b"", b"text", whole[:-1], whole[: len(whole) // 2], bytes(flipped), whole + b"x", whole + whole):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"is no whole pack of cnnlab's: .*\. Export or copy it anew\."):
            other.import_pack(path)
        assert not list(other.root.glob(".creating-*"))


def test_a_stream_that_unpacks_to_far_more_than_it_is_is_refused(
    other: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlab.core.limits._HARMLESS", 1 << 20)
    path = tmp_path / "a.tar.xz"
    path.write_bytes(lzma.compress(header("pack.json", size=4 << 20) + bytes(4 << 20), preset=0))
    with pytest.raises(CnnlabError, match="made to fill memory or disk"):
        other.import_pack(path)


def test_long_names_and_names_of_other_scripts_arrive(
    make_run: MakeRun, root: Path, other: RunStore, tmp_path: Path
) -> None:
    folder = make_run("größe-" + "x" * 90)
    odd = folder / "predictions" / f"test@{'y' * 120}.safetensors"
    shutil.copy(folder / "predictions" / "test.safetensors", odd)
    RunStore(root).export(tmp_path / "a.tar.xz")
    other.import_pack(tmp_path / "a.tar.xz")
    assert (other.root / folder.name / "predictions" / odd.name).read_bytes() == odd.read_bytes()
