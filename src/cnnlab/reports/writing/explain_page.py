"""The page on everything that explains a model, in one file that loads nothing."""

import re
from collections.abc import Mapping, Sequence

from cnnlab.core.sinks import for_markup
from cnnlab.reports.explanations.base import Explanation
from cnnlab.reports.figures.style import style
from cnnlab.reports.writing.page import page_environment, page_file
from cnnlab.reports.writing.svg import inline, svg_of

_ENLARGED = 1.15
"""By how much a figure is drawn larger than by itself at most: the words of a narrow one would tower over the text."""
_SPACES = re.compile(r"[ \t]+\n")


def explain_page(name: str, explanations: Sequence[Explanation], left_out: Mapping[str, str]) -> str:
    """The page's text.

    :param name: of what is explained.
    :param left_out: what could not be made of it, with the reasons.
    """
    from markupsafe import Markup

    drawn: dict[str, Markup] = {}
    widths: dict[str, str] = {}
    for one in explanations:
        for figure in one.figures:
            with style():
                shown = figure.draw(False)
            drawn[figure.key] = Markup(inline(svg_of(shown), f"f{len(drawn)}"))
            widths[figure.key] = f"{_ENLARGED * shown.get_figwidth():.2f}in"
    text = (
        page_environment()
        .get_template("explain.html")
        .render(
            name=name,
            explanations=explanations,
            left_out=left_out,
            figures=drawn,
            widths=widths,
            fragments={one.key: Markup(one.fragment) for one in explanations},
            style=page_file("report.css"),
            script=page_file("report.js"),
            folder=".",
            swatch_of=lambda key: ("", ""),
        )
    )
    return for_markup(_SPACES.sub("\n", text))
