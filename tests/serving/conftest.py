"""A server of a network whose answers can be worked out on paper, and how it is asked."""

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("fastapi")

from cnnlab.serving import Limits, Server, open_server
from cnnlab.testing.tiny_networks import linear_classifier

TOKEN = "a-token-of-the-tests-alone"
LIMITS = Limits(batch=4, queue=64, body=200_000, pixels=10_000, seconds=5)


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Ask = Callable[..., Answer]


def asked(
    server: Server, path: str, body: Any = None, *, method: str | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """What a server answers; a body that is no bytes is JSON."""
    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Authorization": f"Bearer {server.token}", **(headers or {})}
    connection = http.client.HTTPConnection(server.address.removeprefix("http://"), timeout=20)
    try:
        method = method or ("GET" if body is None else "POST")
        connection.request(method, path, content, {name: value for name, value in given.items() if value})
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        connection.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """It knows cat, dog and owl, in grey pictures of 2×2; a white one has the logits 4, 3 and 3.

    It ends with the module: its loop would sleep for hours once a test elsewhere has set another clock.
    """
    with open_server(linear_classifier(), port=0, token=TOKEN, name="animals", limits=LIMITS, top=2) as running:
        yield running


@pytest.fixture
def ask_of() -> Ask:
    """Asks any server, which comes first."""
    return asked


@pytest.fixture
def ask(server: Server) -> Ask:
    """Asks the one of all tests."""
    return lambda *words, **options: asked(server, *words, **options)
