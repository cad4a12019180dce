"""A terminal for tests: what a program writes to it, and what a person sees of that from moment to moment."""

import io
import re
from collections.abc import Iterator

_PIECES = re.compile(r"\x1b\[[?0-9;]*[a-zA-Z]|\r|\n|[^\x1b\r\n]+")


class Terminal(io.StringIO):
    """A file that calls itself a terminal."""

    def isatty(self) -> bool:
        return True

    @property
    def screens(self) -> Iterator[list[str]]:
        """Its lines after each piece of what was written, as the escapes that move up and clear lines leave them."""
        lines, row, column = [""], 0, 0
        for piece in _PIECES.findall(self.getvalue()):
            if piece == "\n":
                row, column = row + 1, 0
                lines += [""] * (row + 1 - len(lines))
            elif piece == "\r":
                column = 0
            elif piece.startswith("\x1b"):
                count = int((re.findall(r"\d+", piece) or ["1"])[0])
                if piece[-1] == "A":
                    row = max(0, row - count)
                elif piece[-1] == "K":
                    lines[row] = "" if piece == "\x1b[2K" else lines[row][:column]
            else:
                before, after = lines[row][:column].ljust(column), lines[row][column + len(piece) :]
                lines[row], column = before + piece + after, column + len(piece)
            yield list(lines)
