"""A map of pictures as part of a page: points by class, and the picture of the one that is pointed at."""

import base64
import io
import json
import math
from typing import TYPE_CHECKING

import numpy as np

from cnnlab.core.sinks import for_html, for_markup, visible
from cnnlab.explain import Embedding
from cnnlab.reports.colours import SOFT, class_colours

if TYPE_CHECKING:
    import numpy.typing as npt

MOST = 4000
"""Points of a page: with its picture each is a quarter of a kilobyte to one."""
_SPAN = 1000
_BAND = 100
"""Pictures in a row of the sheet of pictures."""


def embedding_fragment(embedding: Embedding, most: int = MOST, seed: int = 0) -> str:
    """HTML that stands by itself: an SVG of points, all their pictures in one sheet, and a few lines of script.

    Where scripts are not run the points and the legend are still seen. Names are text, whatever they say.

    :param most: points; of more a draw by the seed, which the text below says.
    """
    count = len(embedding)
    chosen = np.arange(count)
    if count > most:
        chosen = np.sort(np.random.default_rng(seed).permutation(count)[:most])
    points = _on_page(embedding.positions)[chosen]
    names = tuple(map(visible, embedding.names)) or ("",)
    labels = np.zeros(len(chosen), np.int64) if embedding.labels is None else embedding.labels[chosen]
    colours = class_colours(len(names)) if embedding.labels is not None else (SOFT,)
    sheet, height, width = _sheet(embedding.thumbnails[chosen])
    predicted = None if embedding.predicted is None else embedding.predicted[chosen].tolist()
    facts = {
        "x": points[:, 0].tolist(),
        "y": points[:, 1].tolist(),
        "label": labels.tolist(),
        "predicted": predicted,
        "ids": [visible((embedding.words or embedding.ids)[place]) for place in chosen.tolist()],
        "names": list(names),
        "columns": _BAND,
        "size": [width, height],
    }
    said = (
        f"{len(chosen):,} of {count:,} pictures, drawn by lot. Point at one to see it."
        if count > most
        else "Point at one to see it."
    )
    legend = "".join(
        f'<li><span style="background:{colour}"></span>{for_html(name)}</li>'
        for colour, name in zip(colours, names, strict=True)
        if name
    )
    paths = "".join(
        _path(points[labels == label], colour, names[label])
        for label, colour in enumerate(colours)
        if (labels == label).any()
    )
    return for_markup(
        _FRAGMENT.format(
            span=_SPAN,
            alt=for_html(f"Map of {embedding.of}, by {embedding.method}"),
            paths=paths,
            legend=legend,
            said=for_html(said),
            facts=for_html(json.dumps(facts, separators=(",", ":"))),
            sheet=sheet,
            style=_STYLE,
            script=_SCRIPT,
        )
    )


def _on_page(positions: "npt.NDArray[np.float64]") -> "npt.NDArray[np.int64]":
    """Whole numbers from 0 to 1000, y downwards."""
    low, reach = positions.min(0), max(float(np.ptp(positions, axis=0).max()), 1e-300)
    inner = 0.96 * _SPAN
    places = (positions - low - np.ptp(positions, axis=0) / 2) / reach * inner + _SPAN / 2
    places[:, 1] = _SPAN - places[:, 1]
    whole: npt.NDArray[np.int64] = places.round().astype(np.int64)
    return whole


def _path(points: "npt.NDArray[np.int64]", colour: str, name: str) -> str:
    """All points of a class as one element: lines of no length with round ends."""
    dots = "".join(f"M{x} {y}h0" for x, y in points.tolist())
    return f'<path d="{dots}" stroke="{colour}"><title>{for_html(name)}</title></path>'


def _sheet(thumbnails: "npt.NDArray[np.uint8]") -> tuple[str, int, int]:
    """All pictures as one JPEG within an address, a hundred in a row, and the size of one."""
    from PIL import Image

    count, channels, height, width = thumbnails.shape
    rows = math.ceil(count / _BAND)
    columns = min(count, _BAND)
    padded = np.zeros((rows * columns, channels, height, width), np.uint8)
    padded[:count] = thumbnails
    tiles = padded.reshape(rows, columns, channels, height, width).transpose(0, 3, 1, 4, 2)
    pixels = tiles.reshape(rows * height, columns * width, channels)
    image = Image.fromarray(np.ascontiguousarray(pixels[..., :3] if channels > 2 else pixels[..., 0]))
    content = io.BytesIO()
    image.save(content, "JPEG", quality=70)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}", height, width


_STYLE = (
    ".embedding{position:relative;max-width:46rem}.embedding svg{width:100%;display:block;border:1px solid #8884}"
    ".embedding path{fill:none;stroke-width:7;stroke-linecap:round;opacity:.75}"
    ".embedding ul{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1rem;padding:0;margin:.5rem 0}"
    ".embedding li span{display:inline-block;width:.8em;height:.8em;border-radius:50%;margin-right:.35em}"
    ".embedding .shown{position:absolute;pointer-events:none;background:#fff;color:#222;border:1px solid #888;"
    "padding:.4rem;font-size:.85rem;max-width:14rem;overflow-wrap:anywhere;z-index:1}"
    ".embedding .shown b,.embedding .shown i{display:block}"
    ".embedding .shown i{image-rendering:pixelated;transform-origin:0 0}"
    ".embedding .ring{fill:none;stroke:currentColor;stroke-width:3}"
)
# The nearest point within reach is shown: its picture from the sheet, its class, what was predicted, its name.
_SCRIPT = """(() => {
const root = document.currentScript.parentElement, svg = root.querySelector("svg");
const data = JSON.parse(root.dataset.facts), box = root.querySelector(".shown"), ring = root.querySelector(".ring");
const [width, height] = data.size, scale = Math.max(1, Math.floor(112 / Math.max(width, height)));
const frame = box.querySelector("b"), tile = box.querySelector("i"), words = box.querySelector("span");
tile.style.cssText = `width:${width}px;height:${height}px;transform:scale(${scale})`;
tile.style.backgroundImage = `url(${root.dataset.sheet})`;
frame.style.cssText = `width:${width * scale}px;height:${height * scale}px;margin:0 0 .3rem`;
const hide = () => { box.hidden = true; ring.setAttribute("visibility", "hidden"); };
const show = event => {
  const seen = svg.getBoundingClientRect(), unit = SPAN / seen.width;
  const x = (event.clientX - seen.left) * unit, y = (event.clientY - seen.top) * unit;
  let best = -1, least = 900;
  for (let i = 0; i < data.x.length; i++) {
    const away = (data.x[i] - x) ** 2 + (data.y[i] - y) ** 2;
    if (away < least) { least = away; best = i; }
  }
  if (best < 0) return hide();
  const row = Math.floor(best / data.columns), column = best % data.columns;
  tile.style.backgroundPosition = `-${column * width}px -${row * height}px`;
  const name = data.names[data.label[best]], taken = data.predicted && data.names[data.predicted[best]];
  words.textContent = name + (taken && taken !== name ? ` (taken for ${taken})` : "") + ` · ${data.ids[best]}`;
  ring.setAttribute("cx", data.x[best]); ring.setAttribute("cy", data.y[best]);
  ring.setAttribute("visibility", "visible");
  box.hidden = false;
  const left = data.x[best] / unit, top = data.y[best] / unit;
  box.style.left = `${left > seen.width / 2 ? Math.max(0, left - box.offsetWidth - 12) : left + 12}px`;
  box.style.top = `${top > seen.height / 2 ? Math.max(0, top - box.offsetHeight - 12) : top + 12}px`;
};
svg.addEventListener("pointermove", show); svg.addEventListener("pointerdown", show);
svg.addEventListener("pointerleave", hide);
})();""".replace("SPAN", str(_SPAN))
_FRAGMENT = (
    '<div class="embedding" data-facts="{facts}" data-sheet="{sheet}"><style>{style}</style>'
    '<svg viewBox="0 0 {span} {span}" role="img" aria-label="{alt}">{paths}'
    '<circle class="ring" r="11" visibility="hidden"/></svg>'
    '<div class="shown" hidden><b><i></i></b><span></span></div>'
    "<ul>{legend}</ul><p>{said}</p><script>{script}</script></div>"
)
