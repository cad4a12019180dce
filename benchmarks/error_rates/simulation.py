"""Simulated studies of which the truth is known, and the table of what was measured in them."""

import math
import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from kept import Kept

from cnnlab.evaluation import compare_settings

SD = 0.004
"""Between repeats, of every setting that scatters as the others do."""
MORE = 10
"""So many times the studies tell whether what came out beyond a promise did so by chance."""
Array = np.ndarray[Any, np.dtype[np.float64]]
Generator = np.random.Generator


@dataclass(frozen=True)
class Row:
    """A measured share of studies.

    :param promised: what it should be, in words.
    """

    section: str
    of: str
    measured: float
    n: int
    promised: str

    @property
    def margin(self) -> float:
        """Two standard errors; of a share that never or always occurred, what three in n leave."""
        return max(2 * math.sqrt(self.measured * (1 - self.measured) / self.n), 3 / self.n if self.n else 0.0)


class Simulation:
    """Rows as they are measured.

    :param kept: what an earlier start measured already.
    """

    def __init__(self, studies: float, kept: Kept) -> None:
        self.studies, self.kept, self.rows = studies, kept, list[Row]()

    def share(self, section: str, of: str, promised: str, n: int, happens: Callable[[Generator], bool]) -> None:
        """Adds how often something happens in ``n`` studies.

        Where that is not what is promised, other studies are drawn, :data:`MORE` times as many, and what these show is
        added: of many cases some are beyond by chance.
        """
        n = max(20, round(n * self.studies))
        found = self._measured(f"{section} {of}", f"{section} | {of} | {n}", n, happens)
        if is_broken(promised, found):
            n *= MORE
            found = self._measured(f"{section} {of} again", f"{section} | {of} | {n} | again", n, happens)
        self.add(section, of, found, n, promised)

    def _measured(self, drawn_for: str, key: str, n: int, happens: Callable[[Generator], bool]) -> float:
        generator = np.random.default_rng(zlib.crc32(drawn_for.encode()))
        share: float = self.kept.get(key, lambda: {"share": sum(bool(happens(generator)) for _ in range(n)) / n})[
            "share"
        ]
        return share

    def add(self, section: str, of: str, measured: float, n: int, promised: str) -> None:
        """Adds a share that was measured otherwise."""
        self.rows.append(Row(section, of, float(measured), n, promised))
        print(f"{section} | {of} | {measured:.4f} | {n}", flush=True)


def study(
    generator: Generator, settings: int, repeats: int, spreads: Iterable[float] = (), seeds: float = 1.5
) -> pd.DataFrame:
    """Accuracies of settings that are all alike on average; ``seeds`` is what a seed does to all of them."""
    scale = np.ones(settings)
    spreads = list(spreads)
    scale[: len(spreads)] = spreads
    noise = generator.normal(0, SD, (repeats, settings)) * scale + generator.normal(0, seeds * SD, (repeats, 1))
    return pd.DataFrame(0.9 + noise, columns=[f"s{place}" for place in range(settings)])


def is_called(table: pd.DataFrame, **options: Any) -> bool:
    """Whether any difference is called one."""
    # The repeats that are lacking are reckoned at once for a difference so large.
    found = compare_settings(table, smallest=1e3, **options)
    return any(one.verdict in ("better", "worse") for one in found.differences)


def is_broken(promised: str, measured: float) -> bool:
    """Whether a measured share is not what is promised, as in ``at most 6%`` or ``at least 93%``."""
    found = re.fullmatch(r"(at most|at least) ([\d.]+)%.*", promised)
    if found is None:
        return False
    limit = float(found[2]) / 100
    return measured > limit if found[1] == "at most" else measured < limit


def table(rows: list[Row]) -> str:
    """As Markdown, a table a section."""
    lines = []
    for section in dict.fromkeys(row.section for row in rows):
        lines += [f"## {section[0].upper()}{section[1:]}", "", "| of | measured | margin | studies | promised |"]
        lines += ["| --- | ---: | ---: | ---: | --- |"]
        for row in (row for row in rows if row.section == section):
            margin = f"±{100 * row.margin:.1f}" if row.n else "exact"
            lines.append(f"| {row.of} | {100 * row.measured:.1f}% | {margin} | {row.n or ''} | {row.promised} |")
        lines.append("")
    return "\n".join(lines)


def summary(rows: list[Row]) -> str:
    """As Markdown, a line for each promise: how many cases were simulated, and what came out in the worst of them."""
    lines = ["| what | promised | worst case | cases | studies each |", "| --- | --- | ---: | ---: | ---: |"]
    for section, promised in dict.fromkeys((row.section, row.promised) for row in rows):
        cases = [row for row in rows if (row.section, row.promised) == (section, promised)]
        studies = "exact" if not cases[0].n else f"{min(row.n for row in cases):,}"
        lines.append(f"| {section} | {promised} | {_worst(cases)} | {len(cases)} | {studies} |")
    return "\n".join(lines) + "\n"


def _worst(cases: list[Row]) -> str:
    """The largest share where it is to be small, the smallest where it is to be large, else the range."""
    promised, ordered = cases[0].promised, sorted(cases, key=lambda row: row.measured)
    if promised.startswith(("at most", "never")):
        ordered = ordered[-1:]
    elif promised.startswith("at least"):
        ordered = ordered[:1]
    ends = dict.fromkeys((ordered[0], ordered[-1]))
    shown = (f"{100 * row.measured:.1f}%" + (f" ± {100 * row.margin:.1f}" if row.n else "") for row in ends)
    return " to ".join(shown)
