"""The page in a real browser, at the width of a phone and of a desk."""

import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from cnnlab.reports import write_study_report
from cnnlab.studies.result import Trial

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
WIDTHS = (390, 1280)
SMALLEST = 10.9
"""Pixels: text in figures is not smaller on a phone."""

FIRST = """<script>
window.found = {errors: [], cut: [], overlapping: [], small: []};
window.addEventListener("error", (e) => found.errors.push(String(e.message || e.target.outerHTML)), true);
window.addEventListener("unhandledrejection", (e) => found.errors.push(String(e.reason)));
document.addEventListener("securitypolicyviolation", (e) => found.errors.push(e.violatedDirective + e.blockedURI));
console.error = (...words) => found.errors.push(words.join(" "));
</script>"""
LAST = "<script>" + (Path(__file__).parent / "watch.js").read_text().replace("SMALLEST", str(SMALLEST)) + "</script>"


def look(page: Path, tmp_path: Path) -> list[dict]:
    """What the page says of itself at each width; a window cannot be as narrow as a phone, a frame can."""
    text = page.read_text()
    (tmp_path / "watched.html").write_text(
        text.replace("<head>", f"<head>{FIRST}").replace("</body>", f"{LAST}</body>")
    )
    frames = "".join(
        f'<iframe src="watched.html" style="width:{width}px;height:900px;border:0"></iframe>' for width in WIDTHS
    )
    hear = "addEventListener('message', (e) => { document.querySelector('pre').append(e.data + '\\n'); });"
    (tmp_path / "frames.html").write_text(f"<!DOCTYPE html><pre></pre><script>{hear}</script>{frames}")
    words = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    words += [
        "--window-size=1800,1200",
        "--virtual-time-budget=20000",
        "--dump-dom",
        f"file://{tmp_path / 'frames.html'}",
    ]
    result = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=240, check=True)
    lines = html.unescape(re.search(r"<pre>(.*?)</pre>", result.stdout, re.DOTALL)[1]).strip().splitlines()
    return sorted((json.loads(line) for line in lines), key=lambda view: view["width"])


@pytest.mark.slow(15)
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the path to open the page with")
def test_page_opens_without_errors_and_nothing_is_cut_off(study, tmp_path, no_pdf):
    result, runs = study
    long = replace(result.settings[1], trials=(*result.settings[1].trials, Trial(3, "failed", reason="x" * 300)))
    result = replace(result, settings=(result.settings[0], long, *result.settings[2:]), notes=("y" * 200,))
    page = write_study_report(result, runs, tmp_path / "out")
    views = look(page, tmp_path)
    assert [view["width"] for view in views] == list(WIDTHS)
    for view in views:
        assert view["errors"] == []
        assert view["cut"] == []
        assert view["overlapping"] == []
        assert view["small"] == []
        assert set(view["figures"]) == {1}
        assert view["up"] == sorted(view["up"]) and view["down"] == sorted(view["up"], reverse=True)
        assert view["sorted"] == "descending" and view["focus"]


@pytest.mark.slow(10)
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the path to open the page with")
def test_what_watches_the_page_sees_what_is_wrong(study, tmp_path, no_pdf):
    page = write_study_report(*study, tmp_path / "out")
    wrong = (
        '<div style="width:2000px">wide</div><img src="https://example.org/x.png"><script>missing()</script><footer>'
    )
    page.write_text(page.read_text().replace("<footer>", wrong))
    for view in look(page, tmp_path):
        assert any("missing" in text for text in view["errors"]) and any(
            "example.org" in text for text in view["errors"]
        )
        assert any("wide" in text for text in view["cut"])
