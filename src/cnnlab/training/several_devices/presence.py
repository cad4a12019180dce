"""Whether this process is one of several that train one network; told without importing torch."""

import os

from cnnlab.core.errors import TrainingError

RENDEZVOUS = "CNNLAB_RENDEZVOUS"
"""The file by which the processes find each other that cnnlab itself starts."""
_OF_TORCHRUN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
LOG_LEVEL = "TORCH_CPP_LOG_LEVEL"
"""The variable by which torch is told, before it is loaded, to keep to itself that no weight was left unused."""


class PeerFailedError(TrainingError):
    """Another process of the same training failed first, and has told why or died without a word.

    :param is_told: whether it has, so that nobody else need tell.
    """

    def __init__(self, message: str, is_told: bool) -> None:
        super().__init__(message)
        self.is_told = is_told


def is_one_of_several() -> bool:
    """Whether ``torchrun``, or cnnlab itself, started this process as one of several."""
    if RENDEZVOUS in os.environ:
        return True
    size = os.environ.get("WORLD_SIZE", "1")
    return all(name in os.environ for name in _OF_TORCHRUN) and size.isdecimal() and int(size) > 1


def is_first() -> bool:
    """Whether this process writes and prints: it is the only one, or the first of several."""
    return not is_one_of_several() or os.environ["RANK"] == "0"
