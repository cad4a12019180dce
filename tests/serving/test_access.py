"""Who is answered: by token, host and origin; what is said of wrong options."""

import contextlib
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cnnlab.core.errors import StorageError, UsageError
from cnnlab.serving import Limits, Server, open_server
from cnnlab.serving.access import TOKEN, Access, is_loopback, names_of, new_token, said_token
from cnnlab.serving.refusals import RefusedError
from cnnlab.testing.tiny_networks import linear_classifier

SECRET = "0123456789abcdef"


def refused(access: Access, path: str = "/v2", **headers: str) -> int | None:
    """The status that a request is refused with, or None."""
    sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    try:
        access.check({"path": path, "headers": sent})
    except RefusedError as error:
        return error.status
    return None


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", None),
        ("LOCALHOST:8000", None),
        ("[::1]:8000", None),
        ("127.0.0.1", 421),
        ("127.0.0.1:8001", 421),
        ("localhost.evil.org:8000", 421),
        ("evil.org", 421),
        ("127.0.0.1:8000@evil.org", 421),
        ("", 421),
    ],
)
def test_hosts_are_the_servers_own_with_their_port(host: str, status: int | None) -> None:
    assert refused(Access(None, names_of("127.0.0.1", 8000)), host=host) == status


def test_every_address_answers_under_addresses_and_names_that_are_allowed() -> None:
    access = Access(None, names_of("0.0.0.0", 8000, ["Pictures.example.org"]), 8000)
    taken = ("192.168.1.5:8000", "[fe80::1]:8000", "pictures.example.org")
    assert [refused(access, host=host) for host in taken] == [None] * 3
    others = ("evil.org:8000", "192.168.1.5", "192.168.1.5:80", "pictures.example.org:8000", "localhost:8000")
    assert [refused(access, host=host) for host in others] == [421] * 5


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {SECRET}", None),
        (f"bearer {SECRET}", None),
        (f"Bearer {SECRET}x", 401),
        (f"Bearer {SECRET[:-1]}", 401),
        (f"Basic {SECRET}", 401),
        (SECRET, 401),
        ("Bearer \xff", 401),
        ("", 401),
    ],
)
def test_the_token_is_asked_for(authorization: str, status: int | None) -> None:
    access = Access(SECRET, names_of("localhost", 80))
    assert refused(access, host="localhost", authorization=authorization) == status
    assert refused(access, "/v2/health/live", host="localhost", authorization=authorization) is None


def test_pages_of_other_sites_are_not_answered() -> None:
    access = Access(None, names_of("localhost", 8000))
    own = {"host": "localhost:8000"}
    assert refused(access, **own, origin="http://localhost:8000") is None
    for origin in ("http://evil.org", "null", "http://localhost:9000"):
        assert refused(access, **own, origin=origin) == 403


def test_two_hosts_or_two_tokens_are_none() -> None:
    access = Access(SECRET, names_of("localhost", 80))
    host, token = (b"host", b"localhost"), (b"authorization", f"Bearer {SECRET}".encode())
    for headers, status in (([host, host, token], 421), ([host, token, token], 401)):
        with pytest.raises(RefusedError) as caught:
            access.check({"path": "/v2", "headers": headers})
        assert caught.value.status == status


def test_a_server_refuses_over_http_and_tells_no_other_site_to_come(ask: Callable[..., Any]) -> None:
    answer = ask("/v2", headers={"Authorization": "Bearer wrong"})
    assert answer.status == 401 and answer.headers["www-authenticate"] == "Bearer"
    assert ask("/v2", headers={"Host": "evil.org"}).status == 421
    assert ask("/v2", headers={"Origin": "http://evil.org"}).status == 403
    assert not [name for name in ask("/v2").headers if name.startswith("access-control")]
    assert "server" not in ask("/v2").headers


def test_tokens_are_read_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN, raising=False)
    assert said_token(None) is None and len(new_token()) >= 32 and new_token() != new_token()
    monkeypatch.setenv(TOKEN, SECRET)
    (tmp_path / "token").write_text("another-one-of-some-length\n")
    assert said_token(None) == SECRET and said_token(tmp_path / "token") == "another-one-of-some-length"


@pytest.mark.parametrize("token", ["", "short", "with a space in the middle", "é" * 20, "x" * 600])
def test_tokens_that_are_guessed_or_fit_no_header_are_refused_and_not_told(token: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(token)
    with pytest.raises(UsageError) as caught:
        said_token(tmp_path / "token")
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "is_local"), [("127.0.0.2", True), ("::1", True), ("0.0.0.0", False), ("x.org", False)]
)
def test_loopback_is_this_machine_alone(host: str, is_local: bool) -> None:
    assert is_loopback(host) == is_local


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"host": "0.0.0.0", "asks_for_token": False}, "Leave --no-token out"),
        ({"host": "no.such.host.invalid"}, "there is no address"),
        ({"host": "203.0.113.7"}, "nothing can listen at 203.0.113.7"),
        ({"port": 70_000}, "port 70000 cannot be"),
        ({"allow_hosts": ["http://x.org"]}, "takes a name as clients write it"),
        ({"top": 0}, "top=0"),
        ({"token": "short"}, "16 to 512"),
    ],
)
def test_options_that_cannot_be_meant(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_server(linear_classifier(), **{"port": 0, **options})


@pytest.mark.parametrize(
    "limit", [{"batch": 0}, {"queue": 0}, {"wait": -1}, {"wait": 1e9}, {"seconds": 0}, {"body": 0}]
)
def test_limits_that_let_nothing_through(limit: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(limit))):
        Limits(**limit)


def test_a_port_that_is_taken_is_told_before_the_model_is_read(server: Server) -> None:
    port = int(server.address.rpartition(":")[2])
    with pytest.raises(StorageError, match=f"port {port} of 127.0.0.1 is taken by another program"):
        open_server("no-such-run", port=port)


def test_a_port_is_free_again_when_there_is_no_such_model() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for _ in range(2):
        with pytest.raises(UsageError, match="there are no runs"):
            open_server("no-such-run", port=port)


def test_a_connection_that_says_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnlab.serving.connections.HEADER_SECONDS", 0.2)
    with open_server(linear_classifier(), port=0) as running:
        host, _, port = running.address.removeprefix("http://").rpartition(":")
        with socket.create_connection((host, int(port)), timeout=10) as slow:
            slow.sendall(b"GET /v2 HTTP/1.1\r\nHo")
            began = time.monotonic()
            with contextlib.suppress(ConnectionResetError):
                assert slow.recv(1) == b""
            assert time.monotonic() - began < 5


def test_a_body_that_comes_too_slowly_is_refused() -> None:
    with open_server(linear_classifier(), port=0, limits=Limits(seconds=0.2)) as running:
        host, _, port = running.address.removeprefix("http://").rpartition(":")
        head = f"POST /predict HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {running.token}\r\n"
        with socket.create_connection((host, int(port)), timeout=10) as slow:
            slow.sendall(f"{head}Content-Length: 10\r\n\r\nabc".encode())
            assert b" 408 " in slow.recv(100)
