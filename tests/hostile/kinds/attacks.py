"""What attacks came to, beside a run: files that are damaged or lie; and words that say what is attacked and how."""

import json
import os

import numpy as np
from safetensors.numpy import save

from ..case import Case, Step, kind
from ..mutations import damaged, odd_json
from ..samples import CLASSES, SIZE
from .operations import step
from .weights import _joined, _parts
from .words import PIECES, odd_text

_ATTACKS = (
    "pgd(norm=l2, eps=0.5, steps=2)",
    "fgsm(eps=8/255)",
    "uniform-noise(norm=l1, repeats=2)",
    "ifgsm(target=all, steps=1)",
    "mifgsm(target=cat, momentum=0.5, steps=1)",
)
_ORIGINS = ("noise", "pattern", "universal", "photos", "photos/cat/0.png", "..", "nothing", "\x1b[31m", "a\0b", "-")
_TARGETS = ("cat", "0", "99", "all", "second", "", "\x1b[31m", "x" * 5000)
_CHECKS = b'{"format": 1, "pictures": 4, "checks": [{"name": "x", "finding": "y", "is_warning": true}]}'


def stored(count: int = 4) -> bytes:
    """A file as an attack leaves it."""
    draw = np.random.default_rng(0)
    origin = draw.integers(0, 256, (count, 3, SIZE, SIZE), dtype=np.uint8)
    rows = np.arange(count)
    sure = np.full(count, 0.5, np.float32)
    arrays = {
        "origin": origin,
        "pixels": (origin / 255).astype(np.float32),
        "places": rows,
        "labels": rows % 3,
        **dict.fromkeys(("forwards", "backwards", "flat", "by"), rows),
        **{f"{name}_predicted": rows % 3 for name in ("before", "after", "kept")},
        **{f"{name}_sure": sure for name in ("before", "after", "kept")},
    }
    facts = {
        "kind": "adversarial pictures",
        "format": 2,
        "key": "0" * 64,
        "first": 0,
        "end": count,
        "attack": "fgsm(norm=linf, eps=0.1, target=none)",
        "norm": "linf",
        "eps": 0.1,
        "classes": list(CLASSES),
        "model": "run base",
        "data": "photos",
        "split": "test",
        "size": count,
        "seed": 0,
        "column": "label",
        "name": "fgsm-000000000000",
        "places": rows.tolist(),
        "ids": [str(row) for row in rows],
        **{name: [] for name in ("facts", "members", "doubts")},
    }
    return save(arrays, {"cnnlab": json.dumps(facts)})


@kind("what attacks came to")
def files(case: Case) -> list[Step]:
    runs = case.runs("base")
    case.photos()
    folder = runs / "base" / "attacks" / "fgsm-000000000000"
    folder.mkdir(parents=True)
    path = folder / case.random.choice(("000000-000004.safetensors", "000000-000004.safetensors", "x.safetensors"))
    content, draw = stored(), case.random.random()
    if draw < 0.4:
        path.write_bytes(damaged(content, case.random))
    elif draw < 0.8:
        header, tensors = _parts(content)
        facts = json.loads(header["__metadata__"]["cnnlab"])
        header["__metadata__"]["cnnlab"] = odd_json(facts, case.random).decode(errors="replace")
        path.write_bytes(_joined(header, tensors))
    elif draw < 0.9:
        os.mkfifo(path)
    else:
        path.mkdir()
    if case.random.random() < 0.3:
        (folder / "checks.json").write_bytes(damaged(_CHECKS, case.random))
    if case.random.random() < 0.3:
        (runs / "base" / "attacks" / "attacks.json").write_bytes(damaged(b'{"made_by": "x"}', case.random))
    lines = (["report", "base"], ["attack", "base", "fgsm", "n=4"], ["runs", "show", "base"])
    return [step(*case.random.choice(lines))]


@kind("words of attacks")
def words(case: Case) -> list[Step]:
    case.runs("base")
    case.photos()
    draw = case.random.random()
    if draw < 0.5:
        text = odd_text(case, case.random.choice(_ATTACKS), PIECES)
        return [step("attack", "base", "n=2", "--", text)]
    if draw < 0.6:
        text = odd_text(case, "2/255,8/255", PIECES)
        return [step("attack", "base", "n=2", "--curve", "fgsm", "--", f"budgets={text}")]
    target = case.random.choice(_TARGETS)
    options = case.random.choice((["n=1", "steps=2"], ["confidence=2"], ["eps=-1"], ["generations=1"], ["norm=l9"]))
    return [step("fool", "base", f"from={case.random.choice(_ORIGINS)}", f"target={target}", *options)]
