"""Digests of plain values."""

import hashlib
import io
import subprocess
import sys
from pathlib import Path

import pytest

from cnnlab.core import digests
from cnnlab.core.digests import canonical_json, digest


def test_json_has_sorted_keys_and_no_spaces() -> None:
    assert (
        canonical_json({"b": [1, 2.5, None], "a": {"d": True, "c": "é"}}) == '{"a":{"c":"é","d":true},"b":[1,2.5,null]}'
    )


def test_digest_is_sha256_of_the_canonical_json() -> None:
    assert digest({"b": 1, "a": "é"}) == hashlib.sha256('{"a":"é","b":1}'.encode()).hexdigest()


def test_order_of_keys_does_not_count_and_that_of_lists_does() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest([1, 2]) != digest([2, 1])


def test_bytes_are_digested_as_they_are() -> None:
    assert digest(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest("abc") != digest(b"abc")


def test_digest_is_the_same_in_another_process() -> None:
    code = "from cnnlab.core.digests import digest; print(digest({'x': {'b': 1.5, 'a': ['é', None]}}))"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert there == digest({"x": {"a": ["é", None], "b": 1.5}})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_number_without_a_plain_form_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        digest({"a": value})


def test_object_without_a_plain_form_is_refused() -> None:
    with pytest.raises(TypeError, match="serializable"):
        digest({"a": object()})


def test_a_file_that_has_nothing_to_give_just_now_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Drained(io.RawIOBase):
        left = [b"some"]

        def read(self, size: int = -1) -> bytes | None:
            return self.left.pop() if self.left else None

        def readinto(self, buffer: object) -> None:
            return None

    monkeypatch.setattr(digests, "open_regular", lambda path: Drained())
    assert digests.file_digest(Path("x")) == hashlib.sha256(b"some").hexdigest()
