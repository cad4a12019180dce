"""``python -m cnnlab``: the command line."""

from cnnlab.cli import main

main()
