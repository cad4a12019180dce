"""The command line: one file a verb.

What is about the experiment is written ``key=value``, what is about the invocation ``--flag``. A verb imports what it
needs when it runs, so that help, completion and wrong usage answer at once.
"""

import gc
import io
import os
import sys


def main() -> None:
    """What the installed command ``cnnlab`` does: runs the words of the command line and leaves with the exit code."""
    if asking := os.environ.get("_CNNLAB_COMPLETE"):
        # A shell asks while somebody types: nothing else is imported for that.
        from cnnlab.cli.completion.shells import answer

        answer(asking)
        return
    try:
        _run()
    except KeyboardInterrupt:
        # Before a command began, while the program itself was read; later ones are told by what they stop.
        sys.stderr.write("cnnlab: stopped.\n")
        sys.exit(130)
    finally:
        # All of it goes with the process; to look through it for garbage before takes longer than many a command.
        gc.freeze()


def _run() -> None:
    from cnnlab.cli.app import app
    from cnnlab.core.memory import LARGE_PAGES

    # Torch may never be needed, so it is not imported for this; should it be, it finds the variable set.
    os.environ.setdefault(LARGE_PAGES, "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal cannot show is no reason to stop.
            stream.reconfigure(errors="replace")
    app(prog_name="cnnlab")
