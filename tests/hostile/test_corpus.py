"""What the fuzzer kept, read again."""

import pytest

from . import fuzz


@pytest.mark.parametrize("name", sorted(fuzz.TARGETS))
def test_what_the_fuzzer_kept_is_read_or_refused_in_a_sentence(name: str) -> None:
    files = sorted((fuzz.CORPUS / name).iterdir())
    assert files
    for path in files:
        fuzz.TARGETS[name](path.read_bytes())


def test_a_target_raises_what_is_no_refusal() -> None:
    @fuzz.target("planted", "words")
    def planted(content: bytes) -> None:
        raise ZeroDivisionError(content)

    fuzz.GROUPS["words"].remove("planted")
    with pytest.raises(ZeroDivisionError):
        fuzz.TARGETS.pop("planted")(b"x")
