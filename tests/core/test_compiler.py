"""PyTorch's compiler is loaded when something is to be compiled, and not before."""

import importlib
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from cnnlab.core.compiler import compiler_put_off

COMPILER = "torch._dynamo"
PROGRAM = """
import sys
import torch, cnnlab
from cnnlab.core.compiler import compiler_put_off
from cnnlab.models import summary_without_weights
from cnnlab.models.vision_libraries import vision_library

def is_loaded():
    return bool({"torch._dynamo", "sympy"} & set(sys.modules))

small = dict(data="digits", subset=40, model="mlp(hidden=[8])", batch_size=20, precision="float32", runs=sys.argv[1])
cnnlab.train(**small, optimizer="adamw", epochs=1)
for model in ("vgg-like", "resnet50v2", "vgg16"):
    summary_without_weights(model, (1, 28, 28), 10)
vision_library("timm")
with compiler_put_off():
    put_off = torch._dynamo.utils.get_optimize_ddp_mode()
assert not is_loaded()
import torchvision
assert torchvision.ops.roi_align(torch.ones(1, 1, 4, 4), torch.tensor([[0.0, 0, 0, 3, 3]]), 2).shape == (1, 1, 2, 2)
naflex = vision_library("timm.models.naflexvit").NaFlexRopeIterator
assert naflex is not None
compiled = torch.compile(lambda x: x + 1, backend="eager")
assert compiled(torch.ones(2)).tolist() == [2, 2]
assert is_loaded() and type(sys.modules["torch._dynamo"]).__name__ == "module"
assert torch._dynamo.utils.get_optimize_ddp_mode() == put_off
# What was put off before is left alone by the compiler from now on.
cnnlab.train(**small, optimizer="adamw", epochs=1, seed=1)
"""


@pytest.fixture
def not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The modules as they are before the compiler is loaded, which the tests around this one may have done."""
    for name in (COMPILER, f"{COMPILER}.utils"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def double(number: int) -> int:
    return 2 * number


@pytest.mark.slow(6)
def test_trainings_and_networks_need_none_and_it_is_there_when_asked_for(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("not_loaded")
def test_a_function_to_be_left_alone_is_called_as_it_is_until_the_compiler_is_loaded(monkeypatch) -> None:
    with compiler_put_off():
        disabled = importlib.import_module(COMPILER).disable(double, recursive=False)
        assert disabled(3) == 6
    assert disabled(4) == 8 and COMPILER not in sys.modules

    asked: list[dict[str, Any]] = []

    def disable(function: Callable[..., int], **options: Any) -> Callable[..., int]:
        asked.append(options)
        return lambda number: -function(number)

    compiler = ModuleType(COMPILER)
    vars(compiler)["disable"] = disable
    monkeypatch.setitem(sys.modules, COMPILER, compiler)
    assert [disabled(1), disabled(2)] == [-2, -4] and asked == [{"recursive": False}]


@pytest.mark.usefixtures("not_loaded")
def test_a_block_within_another_leaves_the_stand_in_to_it() -> None:
    with compiler_put_off():
        with compiler_put_off():
            outer = sys.modules[COMPILER]
        assert sys.modules[COMPILER] is outer
        outer.graph_break()
    assert COMPILER not in sys.modules


def test_a_compiler_that_is_loaded_stays(monkeypatch) -> None:
    compiler = ModuleType(COMPILER)
    monkeypatch.setitem(sys.modules, COMPILER, compiler)
    with compiler_put_off():
        assert sys.modules[COMPILER] is compiler
    assert sys.modules[COMPILER] is compiler
