"""Clients that ask one after another, each over a connection of its own; told one JSON document, answers one.

Nothing but sockets and a loop, so that little of the machine goes to asking. What is not answered in :data:`LONGEST`
seconds, or is cut off, has failed: it is counted by itself, and the client goes on over a new connection.
"""

import asyncio
import base64
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

LONGEST = 30.0
"""Seconds from a request to the end of its answer."""
_PAUSE = 0.1
"""Seconds before a new connection, so that a server that is gone is not asked in vain by the thousand."""


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Found:
    """What all clients found: seconds and statuses of what was answered, and how often what was not."""

    seconds: list[float] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)


async def _client(job: dict[str, Any], place: int, until: float, found: Found) -> None:
    requests = [base64.b64decode(each) for each in job["requests"]]
    streams: Streams | None = None
    while time.perf_counter() < until:
        began, request = time.perf_counter(), requests[place % len(requests)]
        place += 1
        try:
            async with asyncio.timeout(LONGEST):
                streams = streams or await asyncio.open_connection("127.0.0.1", job["port"])
                code = await _asked(streams, request)
        except (OSError, EOFError) as error:
            found.failed["not answered in time" if isinstance(error, TimeoutError) else "cut off"] += 1
            if streams is not None:
                streams[1].close()
            streams = None
            await asyncio.sleep(_PAUSE)
        else:
            found.seconds.append(time.perf_counter() - began)
            found.codes[code] += 1
    if streams is not None:
        streams[1].close()


async def _asked(streams: Streams, request: bytes) -> str:
    """The status of the answer, which is read to its end."""
    reader, writer = streams
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]))
    return head[9:12].decode()


async def _load(job: dict[str, Any]) -> dict[str, Any]:
    found, began = Found(), time.perf_counter()
    until = began + job["seconds"]
    await asyncio.gather(*(_client(job, place, until, found) for place in range(job["clients"])))
    lasted, seconds = time.perf_counter() - began, sorted(found.seconds)
    if not seconds:
        sys.exit(f"no request was answered: {dict(found.failed)}")

    def quantile(share: float) -> float:
        return seconds[min(len(seconds) - 1, int(share * len(seconds)))]

    facts = {"requests": len(seconds), "a_second": len(seconds) / lasted, "codes": found.codes, "failed": found.failed}
    return facts | {"p50": quantile(0.5), "p99": quantile(0.99), "longest": seconds[-1]}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_load(json.load(sys.stdin)))))
