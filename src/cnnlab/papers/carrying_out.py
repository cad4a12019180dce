"""Entries carried out, whatever kind they are of."""

from cnnlab.papers.commands import CommandEntry
from cnnlab.papers.entry import EntryAt
from cnnlab.papers.expectations import Question
from cnnlab.papers.format import Kind
from cnnlab.papers.result import EntryResult, store, stored
from cnnlab.papers.studies import StudyEntry
from cnnlab.papers.transfers import TransferEntry

_KINDS: dict[Kind, type[StudyEntry] | type[CommandEntry] | type[TransferEntry]] = {
    "study": StudyEntry,
    "commands": CommandEntry,
    "transfer": TransferEntry,
}


def carried_out(at: EntryAt) -> StudyEntry | CommandEntry | TransferEntry:
    """What carries an entry out.

    :raises UsageError: for an entry that cannot be meant.
    """
    return _KINDS[at.entry.file.kind](at)


def run_entry(at: EntryAt, workers: int | None = None) -> EntryResult:
    """Runs what an entry lacks, and stores what came out; one process at a time.

    :param workers: trainings at once; by default as many as a few timed steps show to be best.
    """
    entry = carried_out(at)
    with at.held():
        result = entry.run(workers)
        store(result)
    return result


def stored_result(at: EntryAt) -> EntryResult | None:
    """What was stored of an entry, judged anew where its file has changed since; None where nothing was."""
    result = stored(at.folder)
    if result is None or result.judged_by == at.judged_by:
        return result
    return carried_out(at).result()


def result_of(at: EntryAt) -> EntryResult:
    """What was stored of an entry, or what can be said now."""
    return stored_result(at) or carried_out(at).result()


def questions(at: EntryAt) -> list[Question]:
    """What can be expected of an entry: nothing of one that compares no settings."""
    return [
        Question(
            at.entry.file.title,
            one.part,
            one.metric,
            tuple(one.means),
            any(mean is not None for mean in one.means.values()),
        )
        for one in carried_out(at).comparisons()
        if len(one.means) > 1
    ]
