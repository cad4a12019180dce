"""A server is told to stop: what was asked is answered, and nothing new is taken."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cnnlab.serving import open_server
from cnnlab.serving.engine import Answering, Pixels, TorchEngine
from cnnlab.testing.tiny_networks import linear_classifier


def test_what_is_asked_is_answered_and_what_comes_later_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    is_computing, is_let_on, usual = threading.Event(), threading.Event(), TorchEngine.opened

    @contextmanager
    def opened(engine: TorchEngine) -> Iterator[Answering]:
        with usual(engine) as answer:

            def held_back(pixels: Pixels) -> Any:
                if pixels.any():
                    is_computing.set()
                    is_let_on.wait(10)
                return answer(pixels)

            yield held_back

    monkeypatch.setattr(TorchEngine, "opened", opened)
    answers: list[int] = []
    with open_server(linear_classifier(), port=0) as server:
        place, head = server.address.removeprefix("http://"), {"Authorization": f"Bearer {server.token}"}
        body = '{"inputs":[{"name":"images","datatype":"UINT8","shape":[1,1,2,2],"data":[9,9,9,9]}]}'

        def ask() -> None:
            connection = http.client.HTTPConnection(place, timeout=20)
            connection.request("POST", f"/v2/models/{server.name}/infer", body, head)
            answers.append(connection.getresponse().status)
            connection.close()

        asking = threading.Thread(target=ask)
        asking.start()
        assert is_computing.wait(10)
        server.stop()
        until = time.monotonic() + 10
        while time.monotonic() < until:
            late = http.client.HTTPConnection(place, timeout=5)
            try:
                late.request("GET", "/v2/health/live")
                late.getresponse()
            except OSError:
                break
            finally:
                late.close()
            time.sleep(0.02)
        else:
            raise AssertionError("it goes on taking connections")
        assert answers == []
        is_let_on.set()
        asking.join(10)
    assert answers == [200]


def test_a_model_that_cannot_answer_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(engine: TorchEngine) -> Any:
        raise RuntimeError("no device")

    monkeypatch.setattr(TorchEngine, "opened", opened)
    with pytest.raises(RuntimeError, match="no device"), open_server(linear_classifier(), port=0):
        pass
