"""Completion of command lines by the shell: bash, zsh and fish.

A shell asks at each press of the Tab key, so nothing here imports more than Python's own library: the words are those
of ``words.json``, which ``write_words.py`` makes of the commands and the registries, and a test compares the two.
"""
