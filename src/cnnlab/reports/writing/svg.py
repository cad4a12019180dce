"""Figures as SVG and PDF: the same input gives the same bytes; and as part of a page, where they take its colours."""

import io
import re
from typing import TYPE_CHECKING

from cnnlab.core.sinks import for_markup
from cnnlab.reports.colours import BAD, COLOURS, FAINT, GOOD, GREY, INK, PAPER, SOFT
from cnnlab.reports.figures.style import HALO, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VARIABLES = {
    INK: "ink",
    SOFT: "soft",
    FAINT: "faint",
    GREY: "grey",
    PAPER: "paper",
    GOOD: "good",
    BAD: "bad",
    **{colour: f"c{place}" for place, colour in enumerate(COLOURS[:-1])},
}
"""The page's names for the colours of figures, so that dark and light each have their own."""
_NOTHING = {"Date": None, "Creator": None, "Format": None, "Type": None}
_RIM = f"paint-order: stroke; stroke: {PAPER.lower()}; stroke-width: 2.6px; stroke-linejoin: round"
_COLOUR = re.compile("|".join(map(re.escape, VARIABLES)), re.IGNORECASE)
_BY_LOWER = {colour.lower(): name for colour, name in VARIABLES.items()}
_TAG = re.compile(r"<[^<>]*>")
_FINE = re.compile(r"-?\d+\.\d{3,}")
_UNTURNED = re.compile(r' transform="rotate\(-?0 [^"]*\)"')
_NAMED, _OWN = re.compile(r'(?:url\(|href=")#([^")]+)'), re.compile(r' id="([^"]+)"(?=[^<>]*>)')
_ID = re.compile(r'(?<=[ "])((?:id|clip-path|xlink:href)=")(url\(#|#)?(?!data:)([^")]+)')


def svg_of(figure: "Figure") -> str:
    """The figure by itself, on white paper."""
    text = _drawn(figure).replace(f'<g id="{HALO}">', f'<g style="{_RIM}">')
    head, rest = re.split(r"(?<=>)\n(?= <metadata>| <defs>)", text, maxsplit=1)
    return f'{head}\n <rect width="100%" height="100%" fill="white"/>\n{rest}'


def pdf_of(figure: "Figure") -> bytes:
    """The figure by itself, its text as text."""
    content = io.BytesIO()
    with style():
        figure.savefig(content, format="pdf", metadata={"CreationDate": None, "ModDate": None})
    return content.getvalue()


def inline(svg: str, prefix: str) -> str:
    """The figure as part of a page: in the page's colours, its ids its own, as wide as there is room."""
    start, end = svg.index("<svg"), svg.rindex("</svg>")
    view = re.search(r'viewBox="([^"]+)"', svg)
    body = svg[svg.index(">", start) + 1 : end]
    body = body.replace('<rect width="100%" height="100%" fill="white"/>', "")
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = _TAG.sub(lambda tag: _of_the_page(tag[0], prefix), body)
    named = set(_NAMED.findall(body))
    body = _OWN.sub(lambda m: m[0] if m[1] in named else "", body)
    body = re.sub(r"<g/>|<g>\s*</g>", "", body)
    body = re.sub(r"\n\s*", "\n", body).strip()
    return f'<svg viewBox="{view[1] if view else ""}" aria-hidden="true" focusable="false">{body}</svg>'


def _of_the_page(tag: str, prefix: str) -> str:
    """A tag with its colours and ids; what stands between tags are names and numbers, which stay as they are."""
    tag = _ID.sub(lambda m: f"{m[1]}{m[2] or ''}{prefix}-{m[3]}", tag).replace("xlink:href=", "href=")
    # The page has a font of its own.
    tag = _UNTURNED.sub("", tag).replace("font-family: 'DejaVu Sans'; ", "")
    # A hundredth of a point is not seen; it is of what is drawn larger.
    if "scale(" not in tag and "matrix(" not in tag:
        tag = _FINE.sub(lambda m: f"{float(m[0]):.2f}", tag)
    return _COLOUR.sub(lambda m: f"var(--{_BY_LOWER[m[0].lower()]})", tag)


def _drawn(figure: "Figure") -> str:
    content = io.StringIO()
    with style():
        _lay_out(figure)
        figure.savefig(content, format="svg", metadata=_NOTHING, transparent=True)
    return for_markup(content.getvalue())


def _lay_out(figure: "Figure") -> None:
    """Puts everything in its place, for this format and those that follow; left to ``savefig``, all is drawn twice."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    layout, canvas, dpi = figure.get_layout_engine(), figure.canvas, figure.dpi
    if layout is None:
        return
    # By the sizes that text has in this format.
    figure.set_canvas(FigureCanvasSVG(figure))
    try:
        layout.execute(figure)
    finally:
        figure.set_canvas(canvas)
        figure.set_dpi(dpi)
    # With "none", a placeholder would stand there, for which savefig draws twice as well.
    figure.set_layout_engine(None)
