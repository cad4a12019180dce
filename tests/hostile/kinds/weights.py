"""Files of weights: safetensors with damage and lies, torch's pickles."""

import json
from collections.abc import Mapping
from typing import Any

from ..case import Case, Step, kind
from ..mutations import ODD_VALUES, damaged, odd_json
from ..samples import torch_file, weights
from .operations import over_model, step


@kind("safetensors damaged")
def safetensors_damaged(case: Case) -> list[Step]:
    content = (case.samples.run("base") / "model.safetensors").read_bytes()
    case.write("model.safetensors", damaged(content, case.random, weights()))
    return over_model(case, "model.safetensors")


@kind("safetensors that lie")
def safetensors_lies(case: Case) -> list[Step]:
    """A whole file in which the header, or what it says of the network, is not true."""
    header, tensors = _parts((case.samples.run("base") / "model.safetensors").read_bytes())
    if case.random.random() < 0.5:
        facts = json.loads(header["__metadata__"]["cnnlab"])
        header["__metadata__"]["cnnlab"] = odd_json(facts, case.random).decode(errors="replace")
    else:
        name = case.random.choice([name for name in header if name != "__metadata__"])
        key = case.random.choice(("dtype", "shape", "data_offsets"))
        odd = {
            "dtype": ("F64", "I64", "BF16", "BOOL", "F8_E4M3", "X", 3, None),
            "shape": ([-1], [2**63], [0], [], [1] * 70, ["a"], None, [2**40, 0], [1e9]),
            "data_offsets": ([0, 0], [0, 2**63], [-1, 4], [4, 0], [0], None),
        }[key]
        header[name][key] = case.random.choice((*odd, case.random.choice(ODD_VALUES)))
    case.write("model.safetensors", _joined(header, tensors))
    return over_model(case, "model.safetensors")


def _parts(content: bytes) -> tuple[dict[str, Any], bytes]:
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def _joined(header: Mapping[str, Any], tensors: bytes) -> bytes:
    text = json.dumps(header).encode(errors="replace")
    return len(text).to_bytes(8, "little") + text + tensors


@kind("starting weights")
def starting_weights(case: Case) -> list[Step]:
    """Weights for a network to start from, of every origin."""
    name = case.random.choice(("w.safetensors", "w.pt", "w.pth", "w.bin"))
    content = case.random.choice(
        (weights(), torch_file(), (case.samples.run("base") / "model.safetensors").read_bytes())
    )
    case.write(name, damaged(content, case.random))
    case.photos()
    network = case.random.choice(("vgg16", "resnet50v2", "squeezenet1_1"))
    return [step("train", "data=photos", f"model={network}(weights={name})", "epochs=1", "threads=1", "-q")]


@kind("torch files")
def torch_files(case: Case) -> list[Step]:
    name = case.random.choice(("model.pt", "model.pth", "model.safetensors", "model"))
    case.write(name, damaged(torch_file(), case.random))
    return over_model(case, name)
