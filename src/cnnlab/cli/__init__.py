"""The command line: one file a verb.

What is about the experiment is written ``key=value``, what is about the invocation ``--flag``. A verb imports what it
needs when it runs, so that help, completion and wrong usage answer at once.
"""


def main() -> None:
    """What the installed command ``cnnlab`` does: runs the words of the command line and leaves with the exit code."""
    from cnnlab.cli.app import app

    app(prog_name="cnnlab")
