"""Requests that are refused: the right status, one sentence, and a server that lives on."""

import io
import json
import socket
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from cnnlab.serving import Server

INFER = "/v2/models/animals/infer"
HEAD = "Inference-Header-Content-Length"
GOOD = {"name": "images", "datatype": "UINT8", "shape": [1, 1, 2, 2], "data": [0, 0, 0, 0]}


def request(**changes: Any) -> bytes:
    """A request whose one input is changed."""
    return json.dumps({"inputs": [{**GOOD, **changes}]}).encode()


def binary(size: Any, behind: bytes, shape: Any = (1, 1, 2, 2), **more: Any) -> tuple[bytes, dict[str, str]]:
    given = {"name": "images", "datatype": "UINT8", "shape": list(shape), "parameters": {"binary_data_size": size}}
    head = json.dumps({"inputs": [{**given, **more}]}).encode()
    return head + behind, {HEAD: str(len(head))}


def bomb() -> bytes:
    """A PNG of some hundred bytes that says it has 300 million pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        whole = kind + content
        return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

    header = struct.pack(">IIBBBBB", 20_000, 15_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def blank(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (width, height)).save(file, "PNG")
    return file.getvalue()


def form(*parts: bytes) -> bytes:
    return b"".join(b"--e\r\n" + part + b"\r\n" for part in parts) + b"--e--\r\n"


FILE = b'Content-Disposition: form-data; name="f"; filename="p.png"\r\n\r\nnothing'
FORM = {"Content-Type": "multipart/form-data; boundary=e"}
PNG = {"Content-Type": "image/png"}

TENSORS: list[tuple[str, bytes, dict[str, str], int, str]] = [
    ("no JSON", b"{", {}, 400, "is no JSON"),
    ("nothing", b"", {}, 400, "is no JSON"),
    ("no text", b"\xff\xfe\x00", {}, 400, "is no JSON"),
    ("not a number", b'{"inputs": [NaN]}', {}, 400, "is no JSON"),
    ("deep", b"[" * 100_000, {}, 400, "is no JSON"),
    ("deep objects", b'{"a":' * 30_000, {}, 400, "is no JSON"),
    ("a list", b"[]", {}, 400, "does not follow the protocol"),
    ("no inputs", b'{"inputs": []}', {}, 400, "inputs"),
    ("two inputs", json.dumps({"inputs": [GOOD, GOOD]}).encode(), {}, 400, "inputs"),
    ("another input", request(name="x" * 5000), {}, 400, "there is no input"),
    ("a name that obeys", request(name="\x1b[31m\u202e"), {}, 400, r"\x1b[31m\u202e"),
    ("floats", request(datatype="FP32"), {}, 400, "is UINT8"),
    ("another shape", request(shape=[1, 4]), {}, 400, "[N, 1, 2, 2]"),
    ("huge shape", request(shape=[10**30, 1, 2, 2]), {}, 413, "at most 64 pictures"),
    ("negative shape", request(shape=[-1, 1, 2, 2]), {}, 400, "[N, 1, 2, 2]"),
    ("shape of text", request(shape="1122"), {}, 400, "shape"),
    ("shape of truth", request(shape=[True, 1, 2, 2]), {}, 400, "shape"),
    ("many dimensions", request(shape=[1] * 1000), {}, 400, "shape"),
    ("too few numbers", request(data=[0]), {}, 400, "does not have the shape"),
    ("too many pictures", request(shape=[65, 1, 2, 2], data=[0] * 260), {}, 413, "at most 64 pictures"),
    ("too large a number", request(data=[0, 0, 0, 256]), {}, 400, "from 0 to 255"),
    ("a huge number", b'{"inputs":[{"name":"images","datatype":"UINT8","shape":[1,1,2,2],"data":[0,0,0,%s]}]}'
     % (b"9" * 4000), {}, 400, "from 0 to 255"),
    ("a number beyond digits", b'{"id": %s}' % (b"9" * 50_000), {}, 400, ""),
    ("below 0", request(data=[0, 0, 0, -1]), {}, 400, "from 0 to 255"),
    ("a fraction", request(data=[0, 0, 0, 0.5]), {}, 400, "from 0 to 255"),
    ("truth", request(data=[0, 0, 0, True]), {}, 400, "from 0 to 255"),
    ("text among numbers", request(data=["x" * 9000, 0, 0, 0]), {}, 400, "from 0 to 255"),
    ("ragged", request(data=[[[[0, 0], [0]]]]), {}, 400, "does not have the shape"),
    ("mixed depths", request(data=[[[[0, 0], 0]]]), {}, 400, "does not have the shape"),
    ("neither", request(data=None), {}, 400, "neither data nor"),
    ("shared memory", request(parameters={"shared_memory_region": "r"}), {}, 400, "shared memory"),
    ("another output", json.dumps({"inputs": [GOOD], "outputs": [{"name": "logit"}]}).encode(), {}, 400, "logits"),
    ("an output twice", json.dumps({"inputs": [GOOD], "outputs": [{"name": "class"}] * 2}).encode(), {}, 400, "twice"),
    ("classes of none", json.dumps({"inputs": [GOOD], "outputs": [
        {"name": "confidence", "parameters": {"classification": 1}}]}).encode(), {}, 400, "no classification"),
    ("classes below 0", json.dumps({"inputs": [GOOD], "outputs": [
        {"name": "logits", "parameters": {"classification": -1}}]}).encode(), {}, 400, "how many classes"),
    ("binary is 3", json.dumps({"inputs": [GOOD], "parameters": {"binary_data_output": 3}}).encode(), {}, 400, "true"),
    ("packed", b"{}", {"Content-Encoding": "gzip"}, 415, "Content-Encoding"),
    ("too large", b" " * 200_001, {}, 413, "at most 200,000 bytes"),
    ("a header length below 0", request(), {HEAD: "-1"}, 400, HEAD),
    ("a header length of words", request(), {HEAD: "1e3"}, 400, HEAD),
    ("a header length in other digits", request(), {HEAD: "\u00b2"}, 400, HEAD),
    ("a huge header length", request(), {HEAD: "9" * 4000}, 400, HEAD),
    ("a header longer than the body", request(), {HEAD: "5000"}, 400, HEAD),
    ("a header cut short", request(), {HEAD: "20"}, 400, "is no JSON"),
    ("bytes nobody owns", request() + b"1234", {HEAD: str(len(request()))}, 400, "no input says"),
    ("bytes too few", *binary(4, b"123"), 400, "has 4 bytes"),
    ("bytes too many", *binary(4, b"12345"), 400, "has 4 bytes"),
    ("a huge size", *binary(10**30, b"1234"), 400, "has 4 bytes"),
    ("a size below 0", *binary(-4, b"1234"), 400, "has 4 bytes"),
    ("a size of truth", *binary(True, b"1"), 400, "has 4 bytes"),
    ("data twice", *binary(4, b"1234", data=[0, 0, 0, 0]), 400, "both data and"),
]  # fmt: skip

PICTURES: list[tuple[str, bytes, dict[str, str], int, str]] = [
    ("no picture", b"hello", PNG, 400, "not a picture"),
    ("nothing", b"", PNG, 400, "empty"),
    ("cut off", blank(90, 90)[:60], PNG, 400, "cannot be read"),
    ("a bomb", bomb(), PNG, 413, "20,000×15,000 pixels"),
    ("more pixels than allowed", blank(200, 100), PNG, 413, "more than 10,000 are not decoded"),
    ("another kind", b"{}", {"Content-Type": "application/json"}, 415, "multipart/form-data"),
    ("no boundary", form(FILE), {"Content-Type": "multipart/form-data"}, 400, "form"),
    ("no form", b"hello", FORM, 400, "form"),
    ("no end", b"--e\r\n" + FILE, FORM, 400, "form"),
    ("no file", form(b'Content-Disposition: form-data; name="f"\r\n\r\nx'), FORM, 400, "this one has 0"),
    ("two files", form(FILE, FILE), FORM, 400, "this one has 2"),
    ("many parts", form(*[FILE] * 1000), FORM, 400, "parts"),
    ("no picture in it", form(FILE), FORM, 400, "not a picture"),
    ("too large", b"\0" * 200_001, PNG, 413, "at most 200,000 bytes"),
]


def check_refused(answer: Any, status: int, phrase: str) -> None:
    assert answer.status == status, answer.body
    assert set(answer.json) == {"error"} and phrase in answer.json["error"], answer.json
    assert len(answer.json["error"]) < 500 and "\x1b" not in answer.json["error"]


@pytest.mark.parametrize(("body", "headers", "status", "phrase"), [c[1:] for c in TENSORS], ids=[c[0] for c in TENSORS])
def test_tensors_that_cannot_be_meant(
    ask: Callable[..., Any], body: bytes, headers: dict[str, str], status: int, phrase: str
) -> None:
    check_refused(ask(INFER, body, headers=headers), status, phrase)


@pytest.mark.parametrize(
    ("body", "headers", "status", "phrase"), [c[1:] for c in PICTURES], ids=[c[0] for c in PICTURES]
)
def test_pictures_that_cannot_be_read(
    ask: Callable[..., Any], body: bytes, headers: dict[str, str], status: int, phrase: str
) -> None:
    check_refused(ask("/predict", body, headers=headers), status, phrase)


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/", "GET", 404),
        ("/v2/models/plants", "GET", 404),
        ("/v2/models/animals/versions/2/infer", "POST", 404),
        ("/v2/models/../animals", "GET", 404),
        ("/docs", "GET", 404),
        ("/predict", "GET", 405),
        (INFER, "DELETE", 405),
        ("/predict?top=0", "POST", 400),
        ("/predict?top=1e9", "POST", 400),
    ],
)
def test_paths_and_methods_that_there_are_not(ask: Callable[..., Any], path: str, method: str, status: int) -> None:
    check_refused(ask(path, b"" if method == "POST" else None, method=method), status, "")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /v2 HTTP/1.1\r\nX: " + b"a" * 40_000 + b"\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 4000 + b"\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_cut_off(server: Server, sent: bytes) -> None:
    host, _, port = server.address.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(9).startswith(b"HTTP/1.1 ") and connection.recv(1) in b"4"


def test_the_server_lives_on(ask: Callable[..., Any]) -> None:
    assert ask(INFER, {"inputs": [GOOD]}).status == 200


def test_a_body_without_a_length_is_cut_off_at_the_limit(server: Server) -> None:
    host, _, port = server.address.removeprefix("http://").rpartition(":")
    head = f"POST /predict HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {server.token}\r\n"
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(4):
            connection.sendall(b"10000\r\n" + b"\0" * 0x10000 + b"\r\n")
            time.sleep(0.01)
        assert b"413" in connection.recv(100)
