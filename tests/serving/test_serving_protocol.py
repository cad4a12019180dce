"""The Open Inference Protocol and ``/predict``, answers worked out on paper."""

import io
import json
import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnlab.core.version import __version__
from cnnlab.serving import open_server
from cnnlab.testing.tiny_networks import two_head_classifier

Ask = Callable[..., Any]
INFER = "/v2/models/animals/infer"
WHITE = [255, 255, 255, 255]
PICTURES = {"name": "images", "datatype": "UINT8", "shape": [2, 1, 2, 2], "data": [*WHITE, 0, 0, 0, 0]}


def png(size: tuple[int, int] = (2, 2), colour: Any = 255, mode: str = "L") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, "PNG")
    return file.getvalue()


def tensors(answer: Any) -> dict[str, Any]:
    return {each["name"]: each for each in answer["outputs"]}


def test_the_server_and_the_model_say_what_they_are(ask: Ask) -> None:
    extensions = ["binary_tensor_data", "classification"]
    assert ask("/v2").json == {"name": "cnnlab", "version": __version__, "extensions": extensions}
    about = ask("/v2/models/animals").json
    assert about == ask("/v2/models/animals/versions/1").json
    assert (about["name"], about["versions"], about["platform"]) == ("animals", ["1"], "pytorch")
    assert about["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, 1, 2, 2]}]
    assert about["outputs"] == [
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
        {"name": "class", "datatype": "BYTES", "shape": [-1]},
        {"name": "confidence", "datatype": "FP32", "shape": [-1]},
        {"name": "logits", "datatype": "FP32", "shape": [-1, 3]},
    ]
    assert about["parameters"]["labels"]["logits"] == ["cat", "dog", "owl"]


def test_health_is_told_without_a_token(ask: Ask) -> None:
    nobody = {"Authorization": ""}
    assert ask("/v2/health/live", headers=nobody).json == {"live": True}
    assert ask("/v2/health/ready", headers=nobody).json == {"ready": True}
    assert ask("/v2/models/animals/ready", headers=nobody).status == 401
    assert ask("/v2/models/animals/versions/1/ready").json == {"name": "animals", "ready": True}


def test_pictures_in_json_are_answered_by_every_tensor(ask: Ask) -> None:
    answer = ask(INFER, {"id": "seven", "inputs": [PICTURES]}).json
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("animals", "1", "seven")
    found = tensors(answer)
    assert found["logits"] == {"name": "logits", "datatype": "FP32", "shape": [2, 3], "data": [4, 3, 3, 0, 0, -1]}
    assert found["class"]["data"] == ["cat", "cat"] and found["class"]["shape"] == [2]
    e = math.e
    expected = [e / (e + 2), 1 / (e + 2), 1 / (e + 2), e / (2 * e + 1), e / (2 * e + 1), 1 / (2 * e + 1)]
    assert found["probabilities"]["data"] == pytest.approx(expected, abs=1e-6)
    assert found["confidence"]["data"] == pytest.approx([expected[0], expected[3]], abs=1e-6)


def test_lists_within_lists_say_the_same_as_a_flat_one(ask: Ask) -> None:
    nested = {**PICTURES, "data": [[[[255, 255], [255, 255]]], [[[0, 0], [0, 0]]]]}
    answers = [ask(INFER, {"inputs": [each], "outputs": [{"name": "logits"}]}).json for each in (PICTURES, nested)]
    assert answers[0] == answers[1] and len(answers[0]["outputs"]) == 1


def test_tensors_as_bytes_come_behind_the_json(ask: Ask) -> None:
    given = {"name": "images", "datatype": "UINT8", "shape": [1, 1, 2, 2], "parameters": {"binary_data_size": 4}}
    wanted = [{"name": "logits", "parameters": {"binary_data": True}}, {"name": "class"}]
    head = json.dumps({"inputs": [given], "outputs": wanted}).encode()
    length = {"Inference-Header-Content-Length": str(len(head))}
    answer = ask(INFER, head + bytes(WHITE), headers=length)
    assert answer.headers["content-type"] == "application/octet-stream"
    split = int(answer.headers["inference-header-content-length"])
    logits, names = json.loads(answer.body[:split])["outputs"]
    assert logits["parameters"] == {"binary_data_size": 12} and "data" not in logits
    assert struct.unpack("<3f", answer.body[split:]) == (4, 3, 3) and names["data"] == ["cat"]


def test_text_as_bytes_has_its_length_before_it(ask: Ask) -> None:
    request = {"inputs": [PICTURES], "outputs": [{"name": "class"}], "parameters": {"binary_data_output": True}}
    answer = ask(INFER, request)
    split = int(answer.headers["inference-header-content-length"])
    assert answer.body[split:] == b"\x03\0\0\0cat\x03\0\0\0cat"


def test_classes_out_of_an_output_are_the_largest_with_their_names(ask: Ask) -> None:
    wanted = [{"name": "logits", "parameters": {"classification": 2}}]
    (found,) = ask(INFER, {"inputs": [PICTURES], "outputs": wanted}).json["outputs"]
    assert found["datatype"] == "BYTES" and found["shape"] == [2, 2]
    assert found["data"] == ["4.000000:0:cat", "3.000000:1:dog", "0.000000:0:cat", "0.000000:1:dog"]


def test_more_pictures_than_a_batch_are_answered_in_their_order(ask: Ask) -> None:
    shades = np.arange(30, dtype=np.uint8)
    pixels = np.repeat(shades, 4).tolist()
    given = {"name": "images", "datatype": "UINT8", "shape": [30, 1, 2, 2], "data": pixels}
    (found,) = ask(INFER, {"inputs": [given], "outputs": [{"name": "logits"}]}).json["outputs"]
    assert np.reshape(found["data"], (30, 3))[:, 0] == pytest.approx(4 * shades / 255, abs=1e-6)


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", ""])
def test_a_picture_is_answered_with_the_likeliest_classes(kind: str, ask: Ask) -> None:
    answer = ask("/predict", png((9, 7)), headers={"Content-Type": kind}).json
    e = math.e
    assert answer["model"] == "animals" and answer["predicted"] == "cat"
    assert answer["confidence"] == pytest.approx(e / (e + 2), abs=1e-6)
    assert [each["class"] for each in answer["top"]] == ["cat", "dog"]
    assert len(ask("/predict?top=3", png(), headers={"Content-Type": kind}).json["top"]) == 3


def test_a_picture_in_a_form_is_the_same_picture(ask: Ask) -> None:
    lines = b'--edge\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'
    lines += b'--edge\r\nContent-Disposition: form-data; name="file"; filename="../../p.png"\r\n'
    lines += b"Content-Type: image/png\r\n\r\n" + png() + b"\r\n--edge--\r\n"
    by_form = ask("/predict", lines, headers={"Content-Type": "multipart/form-data; boundary=edge"})
    assert by_form.json == ask("/predict", png(), headers={"Content-Type": "image/png"}).json


def test_pictures_of_more_than_eight_bits_are_told_by_their_largest_value(ask: Ask) -> None:
    deep = io.BytesIO()
    Image.fromarray(np.full((2, 2), 65535, np.uint16)).save(deep, "PNG")
    kind = {"Content-Type": "image/png"}
    assert ask("/predict", deep.getvalue(), headers=kind).json == ask("/predict", png(), headers=kind).json


def test_several_columns_have_tensors_and_objects_of_their_own(ask_of: Ask) -> None:
    with open_server(two_head_classifier(), port=0, name="two") as running:
        given = {"name": "images", "datatype": "UINT8", "shape": [1, 1, 2, 2], "data": [51, 102, 153, 204]}
        found = tensors(ask_of(running, "/v2/models/two/infer", {"inputs": [given]}).json)
        told = ask_of(running, "/predict", png(), headers={"Content-Type": "image/png"}).json
    # left 4·1/5, right 2·4/5, and (1 - 2 + 3 - 4)/5, which is the number in the scale of -1 to 1.
    assert found["outputs"]["data"] == pytest.approx([0.8, 1.6, -0.4], abs=1e-6)
    assert found["side class"]["data"] == ["right"] and found["size value"]["data"] == pytest.approx([3], abs=1e-5)
    assert set(found) == {"side probabilities", "side class", "side confidence", "size value", "outputs"}
    assert told["side"]["predicted"] == "left" and told["size"] == {"predicted": 5.0}


def test_prometheus_reads_what_was_counted(ask: Ask) -> None:
    ask("/predict", png(), headers={"Content-Type": "image/png"})
    ask("/made/up/%1b[31m")
    text = ask("/metrics").body.decode()
    counted = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(counted['cnnlab_requests_total{code="200",route="/predict"}']) >= 1
    assert float(counted['cnnlab_requests_total{code="404",route="other"}']) >= 1
    assert float(counted["cnnlab_batch_pictures_sum"]) >= float(counted["cnnlab_batch_pictures_count"]) >= 1
    assert counted["cnnlab_queue_pictures"] == "0.0" and "made" not in text
