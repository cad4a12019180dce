"""One training on several devices: a process for each, and every logical batch divided among them.

Nothing here is imported unless several devices are asked for, or the process is one of several.
"""
