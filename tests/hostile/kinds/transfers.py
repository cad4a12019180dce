"""Transfers: records that say what cannot be, pipelines of scikit-learn that are none, and files that ask for one."""

import io
import json
import shutil
import zipfile
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from ..case import Case, Step, kind
from ..mutations import ODD_VALUES, damaged, odd_json
from ..samples import zipped
from .operations import step
from .pickles import evil_pickle
from .words import PIECES, odd_text

_WIDTH, _CLASSES = 512, 3
_SPECS = (
    "knn",
    "decision-tree",
    "random-forest(n_estimators=3)",
    "svc",
    "svc(kernel=linear)",
    "sgd",
    "sgd(loss=log_loss)",
    "logistic-regression",
    "gaussian-nb",
    "adaboost(n_estimators=3)",
)
_CLASSES_OF_OTHERS = (
    ("os", "system"),
    ("builtins", "eval"),
    ("subprocess", "Popen"),
    ("sklearn.ensemble._bagging", "BaggingClassifier"),
    ("sklearn.preprocessing._function_transformer", "FunctionTransformer"),
    ("numpy", "object_"),
    ("sklearn.tree._tree", "Tree"),
    ("collections", "OrderedDict"),
)
_LOADERS = ("ObjectNode", "FunctionNode", "MethodNode", "PartialNode", "ReduceNode", "TreeNode", "NdArrayNode", "none")


def _transfer(case: Case) -> Path:
    """The folder of the sample, as a run in the folder of work."""
    case.photos()
    case.runs("base")
    return Path(shutil.copytree(case.samples.transfer, case.work / "runs" / "features"))


def _over_transfer(case: Case) -> list[Step]:
    lines = (
        ["predict", "features", "photos"],
        ["predict", "features", "photos"],
        ["evaluate", "features", "data=photos"],
        ["runs", "show", "features"],
        ["runs", "list"],
        ["report", "features"],
        ["report", "features", "base"],
        ["ensemble", "features", "base", "--name", "new"],
        ["figure", "features", "confusion"],
    )
    return [step(*case.random.choice(lines), *case.random.choice(([], ["--json"])))]


@kind("transfer.json")
def transfer_json(case: Case) -> list[Step]:
    """What was compared and chosen, replaced one by one or damaged; or a file beside it that is gone or another."""
    folder = _transfer(case)
    path = folder / "transfer.json"
    draw = case.random.random()
    if draw < 0.7:
        path.write_bytes(odd_json(json.loads(path.read_text()), case.random))
    elif draw < 0.85:
        path.write_bytes(damaged(path.read_bytes(), case.random))
    else:
        other = folder / case.random.choice(("backbone.safetensors", "pipeline.skops", "run.json"))
        content = other.read_bytes()
        other.unlink()
        if case.random.random() < 0.7:
            other.write_bytes(damaged(content, case.random))
    return _over_transfer(case)


@kind("pipeline of a transfer")
def pipeline(case: Case) -> list[Step]:
    """A pipeline that bears the digest on record, and whose bytes, types, numbers or arrays are others."""
    folder = _transfer(case)
    content = _fitted(case.random.choice(_SPECS))
    draw = case.random.random()
    if draw < 0.2:
        content = damaged(content, case.random)
    elif draw < 0.25:
        content = evil_pickle(case)
    else:
        content = _rewritten(case, content)
    (folder / "pipeline.skops").write_bytes(content)
    record = json.loads((folder / "transfer.json").read_text())
    record["files"]["pipeline.skops"] = sha256(content).hexdigest()
    (folder / "transfer.json").write_text(json.dumps(record))
    return [step("predict", "features", "photos")] if case.random.random() < 0.8 else _over_transfer(case)


@cache
def _fitted(spec: str) -> bytes:
    from cnnlab.transfer.classifiers import classifiers
    from cnnlab.transfer.fitting import fit
    from cnnlab.transfer.pipeline_files import pipeline_bytes

    features = np.random.default_rng(0).normal(size=(24, _WIDTH)).astype(np.float32)
    return pipeline_bytes(fit(classifiers.bind(spec), features, np.arange(24) % _CLASSES, 0).pipeline)


def _rewritten(case: Case, content: bytes) -> bytes:
    """The archive with one of its files changed: the description, or an array."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    arrays = sorted(name for name in files if name.endswith(".npy"))
    draw = case.random.random()
    if draw < 0.4 and arrays:
        name = case.random.choice(arrays)
        files[name] = _odd_array(case, files[name])
    elif draw < 0.5 and arrays:
        first, second = case.random.choice(arrays), case.random.choice(arrays)
        files[first], files[second] = files[second], files[first]
    elif draw < 0.6:
        files.pop(case.random.choice(sorted(files)))
    elif draw < 0.8:
        schema = json.loads(files["schema.json"])
        node = case.random.choice(_nodes(schema))
        module, name = case.random.choice(_CLASSES_OF_OTHERS)
        node |= {"__module__": module, "__class__": name}
        if case.random.random() < 0.5:
            node["__loader__"] = case.random.choice(_LOADERS)
        files["schema.json"] = json.dumps(schema).encode()
    else:
        files["schema.json"] = odd_json(json.loads(files["schema.json"]), case.random)
    return zipped(files)


def _nodes(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, dict):
        own = [schema] if "__loader__" in schema else []
        return own + [node for each in schema.values() for node in _nodes(each)]
    return [node for each in schema for node in _nodes(each)] if isinstance(schema, list) else []


def _odd_array(case: Case, content: bytes) -> bytes:
    """An array with other values, another shape or kind, a header that promises more, or a pickle."""
    draw = case.random.random()
    if draw < 0.25:
        return damaged(content, case.random)
    if draw < 0.35:
        return evil_pickle(case)
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if draw < 0.6 and array.size and array.dtype.fields is None:
        array = array.copy()
        odd = case.random.choice((np.nan, np.inf, -1, 2**31 - 1, -(2**31), 0, 1e300))
        with np.errstate(all="ignore"):
            array.flat[case.random.randrange(array.size)] = np.array(odd).astype(array.dtype)
    elif draw < 0.6 and array.size:
        array = array.copy()
        name = case.random.choice(array.dtype.names)
        array[name].flat[case.random.randrange(array.size)] = case.random.choice((-1, -2, 0, 2**31 - 1, 10**6))
    elif draw < 0.8:
        array = case.random.choice((array[:0], array.reshape(-1), array[None], np.concatenate([array, array])))
    else:
        kinds = (np.float64, np.float32, np.int32, np.uint8, "U4")
        array = np.zeros(case.random.choice(((), (1,), array.shape)), case.random.choice(kinds))
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


@kind("files that ask for a transfer")
def asked(case: Case) -> list[Step]:
    """Keys of a transfer in YAML, with odd values, of odd kinds, and damaged."""
    case.photos()
    keys: dict[str, Any] = {
        "data": "folder(path=photos, size=32)",
        "backbones": f"squeezenet1_1(weights={case.samples.weights})",
        "classifiers": "knn, gaussian-nb",
        "layer": "pooled",
        "augment": "flip|shift(0.1)",
        "views": 1,
        "search": "knn(n_neighbors=[1, 3])",
        "subsample": 0.9,
        "cv": 2,
        "metric": "accuracy",
        "validation": 5,
        "test": 5,
        "repeats": 1,
        "vary": "split",
        "seed": 0,
        "name": "new",
    }
    for key in case.random.sample(sorted(keys), case.random.choice((1, 1, 2))):
        value, draw = keys[key], case.random.random()
        if draw < 0.4:
            keys[key] = case.random.choice(ODD_VALUES)
        elif isinstance(value, str):
            keys[key] = odd_text(case, value, PIECES)
        else:
            keys[key] = case.random.choice((0, 1, 2, 3, 7, 24, 10**6, 0.01, 0.5, 1.0, None))
    # JSON is YAML, and takes whatever value there is.
    content = json.dumps(keys, ensure_ascii=case.random.random() < 0.5).encode(errors="surrogatepass")
    case.write("asked.yaml", damaged(content, case.random) if case.random.random() < 0.2 else content)
    return [step("transfer", "asked.yaml", "-q", "--offline")]
