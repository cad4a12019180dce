"""Words that name runs, or are conditions for all that fit."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnnlab.core.errors import UsageError

if TYPE_CHECKING:
    from cnnlab.runs import RunStore, RunSummary


def fitting(
    store: "RunStore", words: Sequence[str], everything: "Sequence[RunSummary]", verb: str
) -> "list[RunSummary]":
    """The runs that fit all of the words, where these are conditions; none where they are names.

    :param everything: all runs of the store.
    :param verb: what is done with them, as in ``Delete by names or by conditions``.
    :raises UsageError: for names among conditions, and where nothing fits.
    """
    from cnnlab.runs.filter_language import chosen, is_condition, read_filter
    from cnnlab.runs.record import is_run

    conditions = [word for word in words if is_condition(word) and not is_run(store.root / word)]
    if not conditions:
        return []
    if len(conditions) < len(words):
        name = next(word for word in words if word not in conditions)
        raise UsageError(
            f"{name!r} is the name of a run, or no condition. {verb} by names or by conditions, not by both."
        )
    found = chosen(everything, read_filter(conditions))
    if not found:
        raise UsageError(f"no run under {store.root} fits {' and '.join(conditions)}. See them: cnnlab runs list")
    return found
