"""Triton's own client is answered, as a program apart: it puts an event loop of its own in the place of Python's."""

import subprocess
import sys

import pytest

from cnnlab.serving import Server

pytest.importorskip("tritonclient")

PROGRAM = """
import sys
import numpy as np
import tritonclient.http as http

address, token = sys.argv[1:]
client = http.InferenceServerClient(address)
bearer = {"Authorization": f"Bearer {token}"}
words = [b"cat", "cat"]
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("animals", headers={**bearer})
assert client.get_server_metadata(headers={**bearer})["extensions"] == ["binary_tensor_data", "classification"]
assert client.get_model_metadata("animals", "1", headers={**bearer})["inputs"][0]["shape"] == [-1, 1, 2, 2]
pixels = np.array([[255] * 4, [0] * 4], np.uint8).reshape(2, 1, 2, 2)
for binary in (True, False):
    given = http.InferInput("images", [2, 1, 2, 2], "UINT8")
    given.set_data_from_numpy(pixels, binary_data=binary)
    for outputs in (None, [http.InferRequestedOutput(name, binary_data=binary) for name in ("logits", "class")]):
        answer = client.infer("animals", [given], outputs=outputs, request_id="7", headers={**bearer})
        assert answer.get_response()["id"] == "7"
        assert answer.as_numpy("logits").tolist() == [[4, 3, 3], [0, 0, -1]]
        assert [word in words for word in answer.as_numpy("class")] == [True, True]
    wanted = http.InferRequestedOutput("logits", binary_data=binary, class_count=1)
    best = client.infer("animals", [given], outputs=[wanted], headers={**bearer}).as_numpy("logits")
    assert best.shape == (2, 1) and best[0, 0] in (b"4.000000:0:cat", "4.000000:0:cat")
try:
    client.infer("plants", [given], headers={**bearer})
except http.InferenceServerException as error:
    assert "there is no model" in error.message(), error
else:
    raise AssertionError
"""


@pytest.mark.slow(3)
def test_the_client_of_triton_is_answered_by_bytes_and_by_json(server: Server) -> None:
    words = [sys.executable, "-c", PROGRAM, server.address.removeprefix("http://"), server.token or ""]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
