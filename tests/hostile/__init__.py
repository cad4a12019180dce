"""A campaign of hostile inputs: files, records, names and moments that a person, or somebody's ill will, may bring.

Each input is made from a seed, by one of the kinds of :mod:`.kinds`: valid files that are damaged, sizes that are
declared and not there, pickles and tags that would run code, pipes and devices in the place of files, signals and full
disks. The program is run over it in a process of its own, within bounds of time and memory, and what came of it is
judged: a refusal in a sentence is right; a traceback, a hang, memory without bounds, a file written elsewhere and code
that was run are faults.

    python -m tests.hostile --inputs 10000 --seed 1
"""
