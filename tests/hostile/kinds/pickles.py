"""Pickles, tags and specs that would run code, wherever a file of theirs might be read."""

import io
import os
import pickle
import subprocess
from typing import Any

import numpy as np
import torch

from ..case import Case, Step, kind
from ..samples import arrays, cifar_files, npz, torch_file, zipped
from .archives import over_cifar
from .operations import over_data, over_model, over_runs, step


class _Calls:
    """What calls something once it is unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self._call


def evil(case: Case) -> Any:
    """An object that leaves the canary, by one of several ways, when its pickle is read."""
    path = str(case.canary)
    return case.random.choice(
        (
            _Calls(os.system, f"touch {path}"),
            _Calls(open, path, "w"),
            _Calls(os.mkdir, path),
            _Calls(eval, f"open({path!r}, 'w')"),
            _Calls(exec, f"open({path!r}, 'w')"),
            _Calls(subprocess.call, ["touch", path]),
            _Calls(os.symlink, "/", path),
        )
    )


def evil_pickle(case: Case, around: Any = None) -> bytes:
    """The pickle of such an object, or of what stands around it."""
    thing = evil(case) if around is None else around
    return pickle.dumps(thing, case.random.randrange(6))


@kind("pickle in cifar")
def in_cifar(case: Case) -> list[Step]:
    files = cifar_files()
    name = case.random.choice(list(files))
    around = case.random.choice(
        (None, {b"data": evil(case), b"labels": [0] * 10}, [evil(case)], {b"label_names": evil(case)})
    )
    files[name] = evil_pickle(case, around) + case.random.choice((b"", files[name]))
    return over_cifar(case, files)


@kind("pickle in npz")
def in_npz(case: Case) -> list[Step]:
    made = dict(arrays())
    name = case.random.choice(list(made))
    made[name] = np.array([evil(case)] * 3, dtype=object)
    content = npz(made)
    if case.random.random() < 0.3:
        content = zipped({"x_train.npy": evil_pickle(case), "y_train.npy": evil_pickle(case)})
    case.write("data.npz", content if case.random.random() < 0.8 else evil_pickle(case))
    return over_data(case, "data.npz")


@kind("pickle as weights")
def as_weights(case: Case) -> list[Step]:
    stream = io.BytesIO()
    torch.save({"fc.weight": torch.zeros(3, 4), "evil": evil(case)}, stream, pickle_protocol=2)
    content = case.random.choice((evil_pickle(case), stream.getvalue(), torch_file()[:40] + evil_pickle(case)))
    name = case.random.choice(("m.pt", "m.pth", "m.pkl", "m.safetensors", "m.ckpt", "m", "m.joblib"))
    case.write(name, content)
    if case.random.random() < 0.3:
        case.photos()
        return [step("train", "data=photos", f"model=squeezenet1_1(weights={name})", "epochs=1", "-q")]
    return over_model(case, name)


@kind("pickle in a run")
def in_run(case: Case) -> list[Step]:
    runs = case.runs("base", "stopped")
    case.photos()
    name = case.random.choice(("base", "stopped"))
    files = [path for path in sorted((runs / name).rglob("*")) if path.is_file()]
    path = case.random.choice([*files, runs / name / "checkpoint.pt", runs / name / "model.pt"])
    path.write_bytes(evil_pickle(case))
    return over_runs(case, [name])


@kind("code in words")
def in_words(case: Case) -> list[Step]:
    """Text that Python, YAML, a shell or a template would run."""
    path = case.canary
    text = case.random.choice(
        (
            f"__import__('os').system('touch {path}')",
            f"open('{path}', 'w')",
            f"!!python/object/apply:os.system ['touch {path}']",
            f"!!python/object/new:os.system [touch {path}]",
            "!!python/name:os.system",
            "!!python/module:os",
            f"$(touch {path})",
            f"`touch {path}`",
            f"; touch {path} ;",
            f"| touch {path}",
            "{{ ''.__class__.__mro__[1].__subclasses__() }}",
            f"(lambda: open('{path}', 'w'))()",
            f"eval(open('{path}','w'))",
            f"mlp(hidden=[open('{path}','w')])",
            f"folder(path='| touch {path}')",
        )
    )
    case.photos()
    key = case.random.choice(
        ("data", "model", "augment", "optimizer", "schedule", "objective", "epochs", "device", "name")
    )
    draw = case.random.random()
    if draw < 0.3:
        case.write("recipe.yaml", f"data: photos\n{key}: {text}\n".encode())
        return [step("train", "recipe.yaml", "-q")]
    if draw < 0.5:
        case.write(
            "study.yaml",
            f"question: why\nbase: {{data: photos}}\nvary:\n  {key}: [{text}]\nclaims: ['{text}']".encode(),
        )
        return [step("study", case.random.choice(("plan", "show")), "study.yaml")]
    lines = (
        ["train", f"{key}={text}", "-q"],
        ["train", "data=photos", f"{key}={text}", "-q"],
        ["data", "check", text],
        ["models", "show", text, "--input", "1x8x8"],
        ["augment", "preview", "data=photos", f"augment={text}"],
        ["predict", text, "photos"],
        ["runs", "show", text],
        ["report", text],
        ["list", text],
    )
    return [step(*case.random.choice(lines))]
