"""What text from outside becomes before it is written somewhere: each kind of place has signs that it would obey.

Names of files, classes, runs and columns are somebody's own words. Everything that writes them goes through the
function for its place.
"""

import re
from html import escape

MOST_SHOWN = 200
"""Letters of one input, such as a path, that a message shows."""
_MOST_SAID = 4_000
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
# Words in quotes, or one word. A quote opens where no letter stands before it and no space behind.
_LONG_INPUT = re.compile(
    rf"(?<!\w)(?P<quote>['\"])(?=\S)(?:(?!(?P=quote)).){{{MOST_SHOWN + 1},}}(?P=quote)(?!\w)|\S{{{MOST_SHOWN + 1},}}",
    re.DOTALL,
)
_MARKDOWN = re.compile(r"[\\`*_{}\[\]()<>#!|~&$]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "−": "$-$",
    "–": "--",
    "×": r"$\times$",
    "±": r"$\pm$",
    "∞": r"$\infty$",
    "…": r"\dots{}",
    "'": "'",
    '"': "''",
}


def visible(text: str) -> str:
    """Text with the signs that are not seen as escapes, such as ``\\x1b``; line breaks and tabs stay.

    These are codes that a terminal obeys, that turn the direction of reading, or that are no text at all.
    """
    return _CONTROL.sub(lambda sign: ascii(sign[0])[1:-1], text)


def is_utf8(text: str) -> bool:
    """Whether text can be written to a file; names of files that are not UTF-8 come with surrogates, which cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def for_terminal(text: str) -> str:
    """Text for a terminal, a message or a log."""
    return visible(text)


def for_message(text: str) -> str:
    """Text of an error or a warning: whatever a person gave is shown at two hundred letters at most."""
    return visible(in_short(_LONG_INPUT.sub(lambda found: in_short(found[0]), text), _MOST_SAID))


def in_short(text: str, most: int = MOST_SHOWN) -> str:
    """The text at so many letters at most, without its middle where it has more."""
    half = most // 2
    return text if len(text) <= most else f"{text[:half]}…{text[1 - half :]}"


def for_csv(text: str) -> str:
    """A cell of text in a table: what a spreadsheet would take for a formula is marked as text."""
    seen = visible(text)
    return f"'{seen}" if seen.startswith(_FORMULA) and not _is_number(seen) else seen


def for_markup(text: str) -> str:
    """A whole page or picture of markup, its text escaped already: without signs that are no XML."""
    return visible(text)


def for_html(text: str) -> str:
    """Text within a page that a notebook shows, in which the page finds nothing to obey."""
    return escape(visible(text))


def for_markdown(text: str) -> str:
    """Text within a line or a cell of Markdown: what would be a mark is written as the entity of its sign."""
    return _MARKDOWN.sub(lambda sign: f"&#{ord(sign[0])};", " ".join(visible(text).split()))


def for_latex(text: str) -> str:
    """Text in which LaTeX finds nothing to obey, also at the beginning of a row."""
    seen = " ".join(visible(text).split())
    # After the end of a row, [9pt] would be the space below it, and * would forbid a page to end there.
    first = f"{{{seen[0]}}}" if seen[:1] in ("[", "*") else "".join(_LATEX.get(letter, letter) for letter in seen[:1])
    return first + "".join(_LATEX.get(letter, letter) for letter in seen[1:])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
