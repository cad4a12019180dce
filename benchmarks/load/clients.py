"""Clients that ask one after another, each over a connection of its own; told one JSON document, answers one.

Nothing but sockets and a loop, so that little of the machine goes to asking.
"""

import asyncio
import base64
import json
import sys
import time
from typing import Any


async def _client(job: dict[str, Any], place: int, until: float, seconds: list[float], codes: dict[str, int]) -> None:
    requests = [base64.b64decode(each) for each in job["requests"]]
    reader, writer = await asyncio.open_connection("127.0.0.1", job["port"])
    while time.perf_counter() < until:
        began = time.perf_counter()
        writer.write(requests[place % len(requests)])
        place += 1
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        seconds.append(time.perf_counter() - began)
        code = head[9:12].decode()
        codes[code] = codes.get(code, 0) + 1
    writer.close()


async def _load(job: dict[str, Any]) -> dict[str, Any]:
    seconds: list[float] = []
    codes: dict[str, int] = {}
    began = time.perf_counter()
    until = began + job["seconds"]
    await asyncio.gather(*(_client(job, place, until, seconds, codes) for place in range(job["clients"])))
    lasted = time.perf_counter() - began
    seconds.sort()

    def quantile(share: float) -> float:
        return seconds[min(len(seconds) - 1, int(share * len(seconds)))]

    facts = {"requests": len(seconds), "a_second": len(seconds) / lasted, "codes": codes}
    return facts | {"p50": quantile(0.5), "p99": quantile(0.99), "longest": seconds[-1]}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_load(json.load(sys.stdin)))))
