"""Completion: what may stand next on a command line, and how each shell is told."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cnnlab.cli.completion import candidates as module
from cnnlab.cli.completion.candidates import candidates
from cnnlab.cli.completion.shells import SHELLS, for_bash, for_fish, for_zsh, read_line, script
from cnnlab.cli.completion.words import FILE, words

BREAKS = " \t\n\"'@><=;|&(:"
"""Where bash breaks words."""


def texts(line: str) -> list[str]:
    """What may stand in the place of the last word."""
    *before, word = [typed.text for typed in read_line(line)]
    return [each.text for each in candidates(before, word)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("tr", ["train", "transfer"]),
        ("transfer exa", ["examples/classifiers"]),
        ("transfer rep", ["repeats="]),
        ("transfer examples/classifiers rep", ["repeats="]),
        ("transfer vary=s", ["vary=split", "vary=seed"]),
        ("transfer classifiers=sv", ["classifiers=svc"]),
        ("cache cl", ["clear"]),
        ("cache clear f", ["features"]),
        ("runs sh", ["show"]),
        ("train da", ["data="]),
        ("train data=fas", ["data=fashion-mnist"]),
        ("train data=fashion-mnist da", []),
        ("train optimizer=adamw", ["optimizer=adamw", "optimizer=adamw(", "optimizer=adamwsn"]),
        ("train optimizer=sgd(lr", ["optimizer=sgd(lr="]),
        ("train optimizer=sgd(lr=", ["optimizer=sgd(lr=0.001"]),
        ("train optimizer=sgd(lr=0.1", ["optimizer=sgd(lr=0.1)", "optimizer=sgd(lr=0.1,"]),
        ("train optimizer=sgd(lr=0.1,mom", ["optimizer=sgd(lr=0.1,momentum="]),
        ("train optimizer=sgd(0.1,mom", ["optimizer=sgd(0.1,momentum="]),
        ("train optimizer=sgd(lr=0.1,l", []),
        ("train optimizer=sgd(lr=0.1,nesterov=t", ["optimizer=sgd(lr=0.1,nesterov=true"]),
        ("train 'optimizer=sgd(lr=0.1, mom", ["optimizer=sgd(lr=0.1, momentum="]),
        ("train 'augment=flip|rot", ["augment=flip|rotate"]),
        ("train 'augment=flip(vertical)|quart", ["augment=flip(vertical)|quarter_turn"]),
        ("train 'augment=flip(ver", ["augment=flip(vertical"]),
        ("train 'augment=rotate(10, fill=re", ["augment=rotate(10, fill=reflect"]),
        ("train 'model=cnn(init=glorot-u", ["model=cnn(init=glorot-uniform"]),
        ("train 'model=cnn(init=constant(va", ["model=cnn(init=constant(value="]),
        ("train 'model=cnn(activation=el", ["model=cnn(activation=elu"]),
        ("train 'model=conv(32)|alex", []),
        ("train 'model=conv(32)|flat", ["model=conv(32)|flatten"]),
        ("train 'model=mlp(hidden=[64", ["model=mlp(hidden=[64,", "model=mlp(hidden=[64]"]),
        ("train 'model=mlp(hidden=[64], drop", ["model=mlp(hidden=[64], dropout="]),
        ("train balance=", ["balance=weights", "balance=sampler", "balance=none"]),
        ("train compile=", ["compile=true", "compile=false"]),
        ("train batch_size=", ["batch_size=256"]),
        ("train optimizer=sgd optimizer.mom", ["optimizer.momentum="]),
        ("train optimizer.betas=", ["optimizer.betas=[0.9, 0.999]"]),
        ("train recipe:mn", ["recipe:mnist"]),
        ("train --device cu", ["cuda"]),
        ("train --device=cu", ["--device=cuda"]),
        ("train --name data=x data=fashion", ["data=fashion-mnist"]),
        ("train --qui", ["--quick", "--quiet"]),
        ("train --quiet --qui", ["--quick"]),
        ("evaluate last per", ["perturb="]),
        ("evaluate last perturb=gaussian", ["perturb=gaussian-noise", "perturb=gaussian_noise"]),
        ("evaluate last split=val", ["split=validation"]),
        ("ensemble a b method=gre", ["method=greedy"]),
        ("figure last conf", ["confusion"]),
        ("list optim", ["optimizers"]),
        ("list schedules one", ["one-cycle"]),
        ("models show vgg-l", ["vgg-like"]),
        ("models show vgg-like obj", ["objective="]),
        ("models list lecun-n", ["lecun-normal"]),
        ("augment list quart", ["quarter_turn"]),
        ("augment cost flip|quart", []),
        ("augment cost 'flip|quart", ["flip|quarter_turn"]),
        ("recipes show fash", ["fashion-mnist"]),
        ("study run examples/dep", ["examples/depth"]),
        ("study run examples/depth repe", ["repeats="]),
        ("study run examples/depth vary.aug", ["vary.augment="]),
        ("study run examples/depth design=one", ["design=one-at-a-time"]),
        ("runs list --sort test_a", ["test_accuracy"]),
        ("predict pretrained:alex", ["pretrained:alexnet"]),
        ("completion zs", ["zsh"]),
        ("arithmetic conv 28x", []),
        ("explain last --beside fashion-m", ["fashion-mnist"]),
        ("explain last --what guided-ch", ["guided-channels"]),
        ("frobnicate x", []),
    ],
)
def test_a_word_is_completed(line: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert texts(line) == expected


def test_arguments_are_told_with_what_they_take_and_their_defaults() -> None:
    found = {each.text: each for each in candidates(["train"], "optimizer=sgd(")}
    assert found["optimizer=sgd(lr="].about == "a number above 0, default 0.001"
    assert found["optimizer=sgd(nesterov="].about == "true or false, default false"
    assert not any(each.is_final for each in found.values())


def test_runs_are_completed_the_latest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CNNLAB_RUNS", raising=False)
    for age, name in enumerate(["new", "middle", "old (1)"]):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").write_text("{}")
        os.utime(tmp_path / "runs" / name / "run.json", (1_000_000 - age, 1_000_000 - age))
    (tmp_path / "runs" / "no-run").mkdir()
    for line in ("runs show", "resume", "extend", "runs compare", "runs delete"):
        assert texts(f"{line} ")[:4] == ["last", "new", "middle", "old (1)"]
    for line in ("predict", "evaluate", "ensemble", "report", "figure"):
        assert {"last", "new", "middle", "old (1)"} <= set(texts(f"{line} "))
    assert texts("runs compare new ")[:3] == ["last", "middle", "old (1)"]
    (tmp_path / "elsewhere" / "there").mkdir(parents=True)
    (tmp_path / "elsewhere" / "there" / "run.json").write_text("{}")
    assert texts("runs show --runs elsewhere ") == ["last", "there"]
    monkeypatch.setenv("CNNLAB_RUNS", str(tmp_path / "elsewhere"))
    assert texts("runs show ") == ["last", "there"]
    monkeypatch.setenv("CNNLAB_RUNS", str(tmp_path / "nowhere"))
    assert texts("runs show ") == []


@pytest.mark.parametrize("name", ["a\x1b[31m", "two\nlines", "tab\tin", "\u202eback"])
def test_names_that_a_shell_or_a_terminal_would_obey_are_left_out(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CNNLAB_RUNS", str(tmp_path))
    (tmp_path / name).mkdir()
    (tmp_path / name / "run.json").write_text("{}")
    assert texts("runs show ") == ["last"]
    assert texts("predict last ") == []


def test_signs_that_bash_would_obey_are_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNLAB_RUNS", str(tmp_path))
    (tmp_path / "x$(rm -r y);`z`").mkdir()
    (tmp_path / "x$(rm -r y);`z`" / "run.json").write_text("{}")
    assert for_bash("cnnlab runs show x", BREAKS) == ["x\\$\\(rm\\ -r\\ y\\)\\;\\`z\\`"]
    assert for_bash("cnnlab runs show 'x", BREAKS) == ["x$(rm -r y);`z`"]
    assert for_bash('cnnlab runs show "x', BREAKS) == ["x\\$(rm -r y);\\`z\\`"]


def test_studies_recipes_and_files_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CNNLAB_RUNS", raising=False)
    (tmp_path / "rabbits.yaml").touch()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cats.zip").touch()
    (tmp_path / "photos" / ".hidden").touch()
    (tmp_path / "runs/studies/depths").mkdir(parents=True)
    (tmp_path / "runs/studies/depths/study.yaml").touch()
    assert texts("study run ra") == ["rabbits.yaml"]
    assert texts("study run dep") == ["depths"]
    assert texts("report dep") == ["depths"]
    assert texts("train rab") == ["rabbits.yaml"]
    assert texts("train data=ph") == ["data=photos/"]
    assert texts("train 'data=folder(path=photos/c") == ["data=folder(path=photos/cats.zip"]
    assert texts("predict last photos/") == ["photos/cats.zip"]
    assert texts("figure last curves --out ph") == ["photos/"]


def test_every_command_that_takes_words_has_them_completed() -> None:
    def walk(command: dict[str, Any], path: list[str]) -> list[tuple[str, list[str]]]:
        inner = command.get("commands", {})
        own = [(" ".join(path), command["arguments"])] if command.get("arguments") else []
        return own + [each for name, part in inner.items() for each in walk(part, [*path, name])]

    taking = dict(walk(words()["commands"], []))  # type: ignore[arg-type]
    assert set(module.TAKES) == set(taking)
    assert {kind for kinds in module.TAKES.values() for kind in kinds} == set(module._WORDS)
    assert all(len(module.TAKES[path]) in (1, len(metavars)) for path, metavars in taking.items())


def test_the_words_are_those_of_the_commands_and_registries() -> None:
    """Where this fails: ``python -m cnnlab.cli.completion.write_words``."""
    # In a process of its own, for other tests register names too.
    code = "import sys; from cnnlab.cli.completion.write_words import text; sys.stdout.write(text())"
    made = subprocess.run([sys.executable, "-X", "utf8", "-c", code], capture_output=True, check=True)
    there, here = json.loads(FILE.read_text(encoding="utf-8")), json.loads(made.stdout.decode())
    assert set(there) == set(here)
    for part in ("commands", "keys", "study", "recipes", "studies", "lists"):
        assert there[part] == here[part], part
    assert all(key["about"] for key in here["keys"].values()), "a line in write_words.py for the new key"
    for kind in here["kinds"]:
        # Optimisers come from a library too, of which another version may be there.
        ours = {name for name, (about, *_) in here["kinds"][kind].items() if "pytorch-optimizer" not in about}
        assert ours == {n for n, (about, *_) in there["kinds"][kind].items() if "pytorch-optimizer" not in about}, kind
        for name in ours:
            assert _arguments(there, kind, name) == _arguments(here, kind, name), (kind, name)


def _arguments(table: dict[str, Any], kind: str, name: str) -> list[Any]:
    about, *places = table["kinds"][kind][name]
    return [about, *(table["arguments"][place] for place in places)]


def test_what_is_completed_is_accepted_as_it_stands() -> None:
    """Every name of every kind, written as completed, is taken by the registry of that kind."""
    from cnnlab.cli.completion.write_words import registries
    from cnnlab.core.spec import Call

    for kind, registry in registries().items():
        registry.complete()
        for name in words()["kinds"][kind]:
            assert registry.entry(Call(name)).name == name


@pytest.mark.parametrize(
    ("typed", "texts"),
    [
        ("cnnlab train a\\ b", ["cnnlab", "train", "a b"]),
        ("cnnlab train 'a b", ["cnnlab", "train", "a b"]),
        ('cnnlab train "a \\" b', ["cnnlab", "train", 'a " b']),
        ('cnnlab train x="y z"\'w', ["cnnlab", "train", "x=y zw"]),
        ("cd here && cnnlab train ", ["cnnlab", "train", ""]),
        ("echo 'a|b' | cnnlab tr", ["cnnlab", "tr"]),
        ("", [""]),
    ],
)
def test_a_line_is_read_as_the_shells_read_it(typed: str, texts: list[str]) -> None:
    assert [word.text for word in read_line(typed)] == texts


@pytest.mark.parametrize(
    ("typed", "replies"),
    [
        ("cnnlab train data=fas", ["fashion-mnist"]),
        ("cnnlab train 'data=fas", ["data=fashion-mnist"]),
        ("cnnlab train da", ["data=\t"]),
        ("cnnlab train 'da", ["data=", "data=…"]),
        ("cnnlab train recipe:mn", ["mnist"]),
        (
            "cnnlab train 'optimizer=sgd(lr=0.1,mom",
            ["optimizer=sgd(lr=0.1,momentum=", "optimizer=sgd(lr=0.1,momentum=…"],
        ),
        ("cnnlab train optimizer='sgd(mom", ["sgd(momentum=", "sgd(momentum=…"]),
        ("cnnlab train optimizer=sgd\\(mom", ["sgd\\(momentum=\t"]),
        # An equals sign that is not quoted breaks the word too.
        ("cnnlab train optimizer=sgd\\(lr=0.1,mom", ["0.1,momentum=\t"]),
        ("cnnlab train optimizer=adamw", ["adamw", "adamw\\(", "adamwsn"]),
        ('cnnlab train "augment=flip|rot', ["augment=flip|rotate"]),
        ("cnnlab frobnicate", []),
        ("ls", []),
    ],
)
def test_bash_is_told_what_to_put_after_its_own_break(typed: str, replies: list[str]) -> None:
    assert for_bash(typed, BREAKS) == replies


def test_bash_lists_what_each_is() -> None:
    listed = for_bash("cnnlab train 'optimizer=sgd(", BREAKS, is_listing=True)
    assert listed[0] == "optimizer=sgd(lr=            a number above 0, default 0.001"


def test_zsh_is_told_words_and_what_they_are() -> None:
    first, *_ = for_zsh("cnnlab train 'optimizer=sgd(")
    assert first.split("\t") == [
        "optimizer=sgd(lr=",
        "optimizer=sgd(lr=            -- a number above 0, default 0.001",
        "",
    ]
    assert for_zsh("cnnlab train data=fas")[0].endswith("\t ")


def test_fish_is_told_words_and_what_they_are() -> None:
    assert for_fish("cnnlab train data=fas") == ["data=fashion-mnist\tArticles of clothing"]
    # It puts a space behind the only one, but not after an equals sign.
    assert len(for_fish("cnnlab train da")) == 1
    assert len(for_fish("cnnlab train optimizer=sgd\\(lr=")) == 2


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_each_shell_is_printed(shell: str, cnnlab: Any) -> None:
    assert cnnlab("completion", shell).stdout == script(shell)


@pytest.mark.parametrize("given", [[], ["powershell"]])
def test_of_other_shells_those_that_there_are_are_named(given: list[str], cnnlab: Any) -> None:
    assert "bash, fish, zsh" in cnnlab("completion", *given, exit_code=2).stderr


def test_an_answer_takes_nothing_that_is_slow_to_load(tmp_path: Path) -> None:
    code = (
        "import os, sys; os.environ['_CNNLAB_COMPLETE'] = 'fish'; sys.argv = ['cnnlab', 'cnnlab train optimizer=s']\n"
        "from cnnlab.cli import main; main()\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), sep='\\n')"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    loaded = printed.stdout.splitlines()
    assert any(line.startswith("optimizer=sgd\t") for line in loaded)
    assert not {"torch", "numpy", "typer", "rich", "yaml", "pydantic", "pandas"} & set(loaded)


def test_an_answer_takes_little_time_of_the_processor(tmp_path: Path) -> None:
    from cnnlab.cli.completion.candidates import candidates as asked

    began = time.process_time()
    for word in ("optimizer=", "optimizer=sgd(", "model=cnn(", "data="):
        assert asked(["train"], word)
    assert time.process_time() - began < 0.3
