"""Requests to a server: tensors and pictures whose bytes are damaged, or say what cannot be."""

import http.client
import json

from ..case import Case, Step, kind
from ..mutations import damaged, odd_json
from ..samples import PICTURE_KINDS, picture

_LENGTH = "Inference-Header-Content-Length"
_ODD_LENGTHS = ("-1", "0", "1e3", "9" * 4000, "\xb2", "")
_REFUSALS = (400, 413, 415)
_IMAGES = {"name": "images", "datatype": "UINT8", "shape": [1, 1, 2, 2]}
_GOOD = {"inputs": [_IMAGES | {"data": [0, 64, 128, 255]}], "outputs": [{"name": "class"}]}


@kind("requests to a server")
def requests(case: Case) -> list[Step]:
    """The body of one request, which is answered or refused, and after which the server answers another."""
    path, body, headers = case.random.choice((_tensors, _tensors_as_bytes, _picture, _form))(case)
    case.write("body", body)
    return [Step((f"POST {path} {headers}",), python=lambda _: _ask(path, body, headers))]


Request = tuple[str, bytes, dict[str, str]]


def _tensors(case: Case) -> Request:
    return "/v2/models/tiny/infer", odd_json(_GOOD, case.random), {"Content-Type": "application/json"}


def _tensors_as_bytes(case: Case) -> Request:
    given = {"inputs": [_IMAGES | {"parameters": {"binary_data_size": 4}}]}
    head = odd_json(given, case.random) if case.random.random() < 0.7 else json.dumps(given).encode()
    length = str(len(head)) if case.random.random() < 0.7 else case.random.choice(_ODD_LENGTHS)
    return "/v2/models/tiny/infer", head + damaged(bytes(4), case.random), {_LENGTH: length}


def _picture(case: Case) -> Request:
    form = case.random.choice(PICTURE_KINDS)
    body = damaged(picture(case.number, form), case.random, picture(case.number + 1))
    return "/predict", body, {"Content-Type": case.random.choice((f"image/{form.lower()}", "image/x", "image/png"))}


def _form(case: Case) -> Request:
    head = b'--e\r\nContent-Disposition: form-data; name="file"; filename="p.png"\r\n\r\n'
    body = damaged(head + picture(case.number) + b"\r\n--e--\r\n", case.random)
    return "/predict", body, {"Content-Type": "multipart/form-data; boundary=e"}


def _ask(path: str, body: bytes, headers: dict[str, str]) -> None:
    from cnnlab.core.errors import UsageError
    from cnnlab.serving import open_server
    from cnnlab.testing.tiny_networks import linear_classifier

    with open_server(linear_classifier(), port=0, name="tiny") as server:

        def answer(path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
            connection = http.client.HTTPConnection(server.address.removeprefix("http://"), timeout=20)
            given = {"Authorization": f"Bearer {server.token}", **headers}
            connection.request("POST", path, body, given)
            response = connection.getresponse()
            return response.status, response.read()

        status, said = answer(path, body, headers)
        after, _ = answer("/v2/models/tiny/infer", json.dumps(_GOOD).encode(), {})
    if after != 200:
        raise RuntimeError(f"the server answers {after} from then on")
    if status in _REFUSALS:
        raise UsageError(json.loads(said)["error"])
    if status != 200:
        raise RuntimeError(f"{status}: {said[:200]!r}")
    print(json.dumps(json.loads(said)))
