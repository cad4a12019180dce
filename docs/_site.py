"""What the site holds besides the pages of this folder, and what is read otherwise there than on the disk.

The README is its first page; the guide for contributors, the changes and the results of benchmarks are pages too, and
the reference has every name that ``import cnnlab`` gives. Links among them are written as they hold in the repository,
and are turned here into those of the site.
"""

import ast
import posixpath
import re
from pathlib import Path
from typing import Any

import griffe
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
RESULTS = "benchmarks/results"
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    **{f"{RESULTS}/{path.name}": f"{RESULTS}/{path.name}" for path in sorted((ROOT / RESULTS).glob("*.md"))},
}
"""The page of the site that is made of a file of the repository."""
INDEX = f"{RESULTS}/index.md"
REFERENCE = "reference.md"

_FIRST = ("training", "data", "runs", "evaluation", "models", "studies")
_ABOUT = """What `import cnnlab` gives. Names are imported when they are first used, so that the import itself loads
neither torch nor matplotlib. What rooms hold besides is shown on the pages about them."""

_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s:]+)(#[^)]*)?\)")
_ROW = re.compile(r"^\|.*\|$", re.MULTILINE)
_ROLE = re.compile(r":\w+:`~?(?:[\w.]+\.)?(\w+)`")
_RULED = re.compile(r"^(=+ =+\n.*?\n=+ =+)$", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages that lie outside of this folder."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    files.append(File.generated(config, INDEX, content=_list_of_results()))
    files.append(File.generated(config, REFERENCE, content=_reference()))
    return files


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:
    """Turns links of the repository into those of the site, and tables into what its parser takes for one."""
    uri = page.file.src_uri
    source = {page: source for source, page in PAGES.items()}.get(uri, uri if uri == INDEX else f"docs/{uri}")
    # A bar within code needs no backslash here, which would be shown.
    markdown = _ROW.sub(lambda row: re.sub(r"`[^`]+`", lambda code: code[0].replace("\\|", "|"), row[0]), markdown)
    return _LINK.sub(lambda link: _linked(link, source, uri), markdown)


def _linked(link: re.Match[str], source: str, uri: str) -> str:
    mark, text, place, anchor = link[1], link[2], link[3], link[4] or ""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), place))
    if text == target and target.endswith(".md"):
        # A page that is called by its file is called by its title here.
        text = _title(target)
    if target == RESULTS:
        target = INDEX
    elif target.startswith("docs/"):
        target = target.removeprefix("docs/")
    elif target in PAGES:
        target = PAGES[target]
    else:
        # Of the repository and not of the site, such as a file of code.
        return text
    return f"{mark}[{text}]({posixpath.relpath(target, posixpath.dirname(uri) or '.')}{anchor})"


def _list_of_results() -> str:
    links = [f"- [{_title(name)}]({Path(name).name})" for name in PAGES if name.startswith(RESULTS)]
    return "\n".join(["# Benchmarks", "", "What was measured, each with its machine and the command.", "", *links, ""])


def _reference() -> str:
    """The public names, room by room in the order in which they are met."""
    homes = public_names()
    rooms = sorted(homes, key=lambda room: (*_FIRST, room).index(room))
    parts = ["# Python", "", _ABOUT, ""]
    for room in rooms:
        parts += [f"## {room.rpartition('.')[2].capitalize()}", ""]
        parts += [line for name in homes[room] for line in (f"::: cnnlab.{name}", "")]
    return "\n".join(parts)


def public_names() -> dict[str, tuple[str, ...]]:
    """The names by the room that they come from, as ``cnnlab/__init__.py`` lists them."""
    for node in ast.walk(ast.parse((ROOT / "src/cnnlab/__init__.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "lazy_names":
            homes = ast.literal_eval(node.args[1])
            return {room: tuple(names) for room, names in homes.items() if room != "core.version"}
    raise ValueError("cnnlab/__init__.py lists no names")


def _title(name: str) -> str:
    """The first heading of a file of the repository."""
    return (ROOT / name).read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


class PlainDocstrings(griffe.Extension):
    """Docstrings without the roles of reStructuredText, and with its ruled tables kept in their columns."""

    def on_object(self, *, obj: griffe.Object, **more: Any) -> None:
        """Rewrites the docstring of whatever was read."""
        if obj.docstring is not None:
            text = _ROLE.sub(r"`\1`", obj.docstring.value)
            obj.docstring.value = _RULED.sub(r"```text\n\1\n```", text)
