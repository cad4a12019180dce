"""The metrics of one split."""

from collections.abc import Iterator, Mapping
from typing import Any

from cnnlab.core.displays import html_table


class Scores(Mapping[str, float]):
    """Metrics by name, read as ``scores.accuracy`` or ``scores["accuracy"]``; empty where nothing was scored yet.

    :param values: metrics by name, and ``n``, the number of samples they were taken on.
    :param what: whose scores they are, for messages.
    """

    def __init__(self, values: Mapping[str, Any], what: str = "scores") -> None:
        values = dict(values)
        self.n = int(values.pop("n", 0) or 0)
        self._values = {name: float("nan") if value is None else value for name, value in values.items()}
        self._what = what

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> float:
        if name.startswith("_"):
            raise AttributeError(name)
        for word in (name, name.replace("_", "-")):
            if word in self._values:
                return self._values[word]
        known = f"it has {', '.join(self)}" if self else "nothing was scored yet"
        raise AttributeError(f"{self._what}: there is no {name!r}; {known}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(name.replace("-", "_") for name in self)]

    def __repr__(self) -> str:
        shown = [
            f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}" for name, value in self.items()
        ]
        return f"Scores({', '.join([*shown, f'n={self.n}'])})" if self else "Scores()"

    def _repr_html_(self) -> str:
        rows = [(name.replace("_", " "), float(value)) for name, value in self.items()]
        return html_table((self._what, f"{self.n:,} pictures"), rows) if rows else "<p>nothing was scored yet</p>"

    def to_dict(self) -> dict[str, float]:
        """The metrics and ``n``."""
        return {**self._values, "n": self.n} if self else {}
