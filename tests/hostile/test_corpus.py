"""What the fuzzer kept, read again."""

import warnings
from contextlib import suppress
from pathlib import Path

import pytest

from cnnlab.core.errors import CnnlabError

from . import fuzz


@pytest.mark.parametrize("name", sorted(fuzz.TARGETS))
def test_what_the_fuzzer_kept_is_read_or_refused_in_a_sentence(name: str) -> None:
    files = sorted((fuzz.CORPUS / name).iterdir())
    assert files
    for path in files:
        fuzz.TARGETS[name](path.read_bytes())


@pytest.mark.parametrize("name", sorted(fuzz.TARGETS))
def test_something_that_was_kept_is_read_to_its_end(name: str) -> None:
    def is_read(path: Path) -> bool:
        with warnings.catch_warnings(), suppress(CnnlabError):
            warnings.simplefilter("ignore")
            fuzz.PLAIN[name](path.read_bytes())
            return True
        return False

    # A target that refuses all for want of something else fuzzes nothing.
    assert any(is_read(path) for path in sorted((fuzz.CORPUS / name).iterdir()))


def test_a_target_raises_what_is_no_refusal() -> None:
    @fuzz.target("planted", "words")
    def planted(content: bytes) -> None:
        raise ZeroDivisionError(content)

    fuzz.GROUPS["words"].remove("planted")
    del fuzz.PLAIN["planted"]
    with pytest.raises(ZeroDivisionError):
        fuzz.TARGETS.pop("planted")(b"x")
