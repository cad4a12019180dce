"""What inputs are made of, a file for each sort; importing this registers them all."""

from . import (
    archives,
    arrays,
    attacks,
    declared_sizes,
    ensembles,
    in_python,
    names,
    pickles,
    pictures,
    records,
    special_files,
    system,
    tables,
    transfers,
    weights,
    words,
)

__all__ = [
    "archives",
    "arrays",
    "attacks",
    "declared_sizes",
    "ensembles",
    "in_python",
    "names",
    "pickles",
    "pictures",
    "records",
    "special_files",
    "system",
    "tables",
    "transfers",
    "weights",
    "words",
]
