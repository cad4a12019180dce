"""What the record of a run says of why it learned nothing."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

NOTHING_FOUND = "nothing that was looked for explains it"


@dataclass(frozen=True)
class Finding:
    """One thing that was seen of a run that learned nothing.

    :param kind: what it is in a word or two, such as ``dead units``.
    :param text: the sentence with numbers and names of layers, and what to do.
    """

    kind: str
    text: str


@dataclass(frozen=True)
class Diagnosis:
    """Whether a run learned nothing, and what is seen of it.

    :param seen: by what it is told that nothing was learned, in a sentence; empty for a run that learned.
    """

    seen: str = ""
    findings: tuple[Finding, ...] = ()

    def __bool__(self) -> bool:
        """Whether nothing was learned."""
        return bool(self.seen)

    @property
    def kinds(self) -> tuple[str, ...]:
        """What was found, in a word or two each, in the order in which it should be looked at."""
        return tuple(finding.kind for finding in self.findings)

    @property
    def lines(self) -> tuple[str, ...]:
        """What a person reads: by what it is told, and then what was found; nothing of a run that learned."""
        if not self:
            return ()
        found = [f"{finding.kind}: {finding.text}" for finding in self.findings]
        return (self.seen, *(found or [f"{NOTHING_FOUND}."]))

    def to_dict(self) -> dict[str, Any]:
        """As ``run.json`` holds it."""
        return asdict(self)

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> "Diagnosis | None":
        """As ``run.json`` held it; None where it holds none."""
        if stored is None:
            return None
        findings = tuple(Finding(str(one["kind"]), str(one["text"])) for one in stored.get("findings") or ())
        return cls(str(stored.get("seen") or ""), findings)
