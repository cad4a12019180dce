"""What a server takes on, and what it refuses."""

import math
from dataclasses import dataclass

from cnnlab.core.errors import UsageError

HEADER_SECONDS = 10.0
"""How long a client may take over the head of a request, and over taking an answer."""
_MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """How much a server computes at once, and what is too much, too large or too slow.

    :param batch: pictures computed at once.
    :param wait: milliseconds that the first of a batch waits for others whose requests have begun; 0 to wait for none.
    :param queue: pictures that wait to be computed, and that one request may hold; of more a request is refused.
    :param body: bytes of a request.
    :param pixels: of an encoded picture, before it is decoded.
    :param seconds: for a request to arrive, and again for it to be answered.
    :param connections: open at once.
    :raises UsageError: for one that cannot be meant.
    """

    batch: int = 32
    wait: float = 2.0
    queue: int = 1024
    body: int = 16 * _MIB
    pixels: int = 50_000_000
    seconds: float = 30.0
    connections: int = 512

    def __post_init__(self) -> None:
        for name in ("batch", "queue", "body", "pixels", "connections"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}={getattr(self, name)} lets nothing through; it is at least 1.")
        if not 0 <= self.wait <= 1000:
            raise UsageError(f"wait={self.wait} is no wait that goes unnoticed; it is from 0 to 1000 milliseconds.")
        if not (self.seconds > 0 and math.isfinite(self.seconds)):
            raise UsageError(f"seconds={self.seconds} is no time to answer in; it is above 0.")

    @property
    def json(self) -> int:
        """Bytes of a JSON document, which takes up to twenty times as many when it is read."""
        return min(self.body, 4 * _MIB)

    @property
    def held(self) -> int:
        """Bytes of all requests that are being read or answered."""
        return max(16 * self.body, 256 * _MIB)
