"""``cnnlab completion``."""

from typing import Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.completion.shells import SHELLS, script

Shell = Annotated[str | None, typer.Argument(metavar="SHELL", help=f"One of: {', '.join(SHELLS)}.", show_default=False)]


def completion(shell: Shell = None) -> None:
    """Print the script by which a shell completes commands, keys, values, arguments of specs, runs and studies.

    echo 'source <(cnnlab completion bash)' >> ~/.bashrc

    echo 'source <(cnnlab completion zsh)' >> ~/.zshrc

    cnnlab completion fish > ~/.config/fish/completions/cnnlab.fish
    """
    from cnnlab.core.errors import UsageError, suggestion

    if shell is None:
        raise UsageError(f"say for which shell, as in: cnnlab completion {SHELLS[0]}. {suggestion('', SHELLS)}")
    if shell not in SHELLS:
        raise UsageError(f"there is no completion for {shell!r}. {suggestion(shell, SHELLS)}")
    output.write(script(shell).rstrip("\n"))
