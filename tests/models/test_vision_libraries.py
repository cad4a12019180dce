"""The libraries of networks are loaded without the compiler, which works all the same when it is asked for."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from cnnlab.models.vision_libraries import vision_library
vision_library("timm")
assert "torch._dynamo" not in sys.modules
import torch, torchvision
assert torchvision.ops.roi_align(torch.ones(1, 1, 4, 4), torch.tensor([[0.0, 0, 0, 3, 3]]), 2).shape == (1, 1, 2, 2)
naflex = vision_library("timm.models.naflexvit").NaFlexRopeIterator
assert naflex is not None
compiled = torch.compile(lambda x: x + 1, backend="eager")
assert compiled(torch.ones(2)).tolist() == [2, 2]
assert type(sys.modules["torch._dynamo"]).__name__ == "module"
"""


@pytest.mark.slow(10)
def test_the_compiler_is_loaded_when_it_is_asked_for_and_not_before() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


SHOW = """
import sys
from cnnlab.models import summary_without_weights
for model in ("vgg-like", "resnet50v2", "vgg16"):
    summary_without_weights(model, (1, 28, 28), 10)
assert not {"torch._dynamo", "sympy"} & set(sys.modules)
"""


@pytest.mark.slow(10)
def test_a_network_that_is_looked_at_needs_no_compiler() -> None:
    done = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
