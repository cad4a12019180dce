"""Damage: changes to bytes, and to values of JSON, that leave most of a file as it was."""

import json
import random
import re
from collections.abc import Callable
from typing import Any

_ODD_NUMBERS = (
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    2**63 - 1,
    2**64 - 1,
)
_ODD_TEXT = (b"-1", b"0", b"1e999", b"NaN", b"Infinity", b"99999999999999999999", b"null", b"true", b'"', b"\x00")
_NUMBER = re.compile(rb"\d+")

ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**70), 10**400, 0.5, 1e308, float("inf"), float("-inf"), float("nan"),
    "", " ", "\x00", "\x1b[31mred", "\ud800", "\u202e", "=1+1", "../../outside", "/etc/passwd", "~nosuchuser",
    "a" * 5000, "1" * 5000, "nan", [], {}, [[]], [None], {"": None}, "flip(", "mlp(hidden=[4]", "<b>&", "%s", "{0}",
    "\n", "日本",
)  # fmt: skip


def damaged(content: bytes, rng: random.Random, other: bytes = b"") -> bytes:
    """The content with one to four changes.

    :param other: what pieces may be taken from.
    """
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = rng.choice(_CHANGES)(content, rng, other or content)
    return content


def _flip(content: bytes, rng: random.Random, other: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if changed:
            changed[_place(changed, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwrite(content: bytes, rng: random.Random, other: bytes) -> bytes:
    width = rng.choice((1, 2, 4, 8))
    number = rng.choice(_ODD_NUMBERS) & (256**width - 1)
    place = _place(content, rng)
    return content[:place] + number.to_bytes(width, rng.choice(("little", "big"))) + content[place + width :]


def _cut(content: bytes, rng: random.Random, other: bytes) -> bytes:
    return content[: rng.choice((0, 1, len(content) // 2, len(content) - 1, _place(content, rng)))]


def _remove(content: bytes, rng: random.Random, other: bytes) -> bytes:
    start = _place(content, rng)
    return content[:start] + content[start + rng.choice((1, 2, 16, 100)) :]


def _repeat(content: bytes, rng: random.Random, other: bytes) -> bytes:
    start = _place(content, rng)
    piece = content[start : start + rng.choice((1, 4, 64, 1000))]
    return content[:start] + piece * rng.choice((2, 3, 50)) + content[start:]


def _insert(content: bytes, rng: random.Random, other: bytes) -> bytes:
    place = _place(content, rng)
    return content[:place] + rng.randbytes(rng.choice((1, 4, 100))) + content[place:]


def _splice(content: bytes, rng: random.Random, other: bytes) -> bytes:
    return content[: _place(content, rng)] + other[_place(other, rng) :]


def _clear(content: bytes, rng: random.Random, other: bytes) -> bytes:
    start, width = _place(content, rng), rng.choice((4, 16, 200))
    return content[:start] + bytes([rng.choice((0, 0xFF, 0x20))]) * width + content[start + width :]


def _append(content: bytes, rng: random.Random, other: bytes) -> bytes:
    return content + rng.choice((other, rng.randbytes(50), b"\x00" * 1000))


def _change_number(content: bytes, rng: random.Random, other: bytes) -> bytes:
    found = list(_NUMBER.finditer(content))
    if not found:
        return content
    place = rng.choice(found)
    return content[: place.start()] + rng.choice(_ODD_TEXT) + content[place.end() :]


def _encode(content: bytes, rng: random.Random, other: bytes) -> bytes:
    coding = rng.choice(("utf-16", "utf-8-sig", "utf-32", "cp037"))
    return content.decode("latin-1").encode(coding, errors="replace")


_CHANGES: tuple[Callable[[bytes, random.Random, bytes], bytes], ...] = (
    _flip, _flip, _overwrite, _overwrite, _cut, _remove, _repeat, _insert, _splice, _clear, _append, _change_number,
    _encode,
)  # fmt: skip


def _place(content: bytes | bytearray, rng: random.Random) -> int:
    """An index, more often near the beginning, where most formats say how the rest is to be read."""
    return rng.randrange(min(len(content), rng.choice((16, 64, 512, 1 << 30))) or 1)


def odd_json(content: Any, rng: random.Random) -> bytes:
    """A document of JSON with a few of its values, keys or letters replaced."""
    content = json.loads(json.dumps(content))
    for _ in range(rng.choice((1, 1, 2, 5))):
        content = _odd_within(content, rng)
    text = json.dumps(content, ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.1:
        text = "[" * 200_000 if rng.random() < 0.3 else text.replace("{", '{"a": ' + "[" * 3000 + "]" * 3000 + ", ", 1)
    encoded = text.encode("utf-8", errors="surrogatepass")
    return damaged(encoded, rng) if rng.random() < 0.15 else encoded


def _odd_within(content: Any, rng: random.Random) -> Any:
    """The document with one value below it replaced, its key removed or renamed."""
    if not isinstance(content, dict | list) or not content or rng.random() < 0.1:
        return rng.choice(ODD_VALUES)
    key: Any = rng.choice(list(content)) if isinstance(content, dict) else rng.randrange(len(content))
    draw = rng.random()
    if isinstance(content[key], dict | list) and content[key] and draw < 0.7:
        content[key] = _odd_within(content[key], rng)
    elif draw < 0.85:
        content[key] = rng.choice(ODD_VALUES)
    elif draw < 0.95 or isinstance(content, list):
        del content[key]
    else:
        content[str(rng.choice(ODD_VALUES))] = content.pop(key)
    return content
