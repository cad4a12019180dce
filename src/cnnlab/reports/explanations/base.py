"""What an explanation is when it is shown, how one is asked for, and what it is made of."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from cnnlab.core.registry import Registry
from cnnlab.reports.contents.tables import Table
from cnnlab.reports.explanations.subject import ExplainSubject
from cnnlab.reports.figures.titles import entitle

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class ExplainedFigure:
    """A figure that explains something.

    :param key: names its files.
    :param title: what it is of; ``caption`` how it is read, with model, layer, method and class.
    :param draw: the figure with these words in it, or, for a page that has them beside it, without.
    """

    key: str
    title: str
    caption: str
    draw: "Callable[[bool], Figure]"


@dataclass(frozen=True)
class Explanation:
    """A part of what is explained: figures, with what the method means and where its limits are.

    :param meanings: by method, what it shows and what it does not.
    :param fragment: HTML that stands by itself, such as a map with pictures; empty for none.
    :param numbers: what is shown, as plain values.
    """

    key: str
    title: str
    meanings: Mapping[str, str]
    figures: tuple[ExplainedFigure, ...]
    tables: tuple[Table, ...] = ()
    fragment: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def figure_with_title(key: str, title: str, caption: str, draw: "Callable[[], Figure]") -> ExplainedFigure:
    """A figure that has no words of its own: title and caption go above it."""

    def drawn(with_words: bool) -> "Figure":
        figure = draw()
        if with_words:
            entitle(figure, title, caption)
        return figure

    return ExplainedFigure(key, title, caption, drawn)


def with_caption(draw: "Callable[..., Figure]", caption: str) -> "Callable[[bool], Figure]":
    """A figure that takes its caption, which is left out for a page that has it beside the figure."""
    return lambda with_words: draw(caption=caption if with_words else "")


class Kind(ABC):
    """A kind of explanation. Subclasses write :meth:`explain`; what a spec may say of them are their arguments.

    :param name: under which it is registered.
    :param takes: which of ``images``, ``layer``, ``target``, ``channels`` and ``beside`` it goes by.
    """

    name: ClassVar[str]
    takes: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def explain(self, subject: ExplainSubject) -> Explanation:
        """What is shown of a model.

        :raises CnnlabError: in a sentence, where this model or its data has nothing of the kind.
        """


_ROOM = "cnnlab.reports.explanations"
EXPLANATIONS: Registry[Kind] = Registry(
    "explanation",
    homes={
        **dict.fromkeys(("filters", "activations", "maximize", "dead-units"), f"{_ROOM}.units"),
        **dict.fromkeys(("embedding", "embedding-epochs"), f"{_ROOM}.embedding"),
        "guided-channels": f"{_ROOM}.channels",
        "mistakes": f"{_ROOM}.mistakes",
        "honesty": f"{_ROOM}.honesty",
        "seeds": f"{_ROOM}.seeds",
    },
)
"""Kinds of explanations by name, besides every attribution."""
