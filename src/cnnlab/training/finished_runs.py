"""A training that is finished already, found by the words that asked for it."""

from cnnlab.core.messages import note
from cnnlab.runs import Run, RunStore
from cnnlab.runs.record import CHECKPOINT
from cnnlab.training.known_commands import Command


def note_finished(run: Run) -> None:
    """Says that there is nothing left to train."""
    note(f"This recipe is trained already: {run.folder}. Train another run of it with --again.")


def finished_run(command: Command, store: RunStore) -> Run | None:
    """The run that a command for a training came to before, where it is finished and clean; None otherwise."""
    answer = command.answer()
    if answer is None:
        return None
    runs = [run for run in store.by_digest(str(answer["digest"])) if run.status == "finished"]
    # What a kill left beside it is removed by the training proper.
    if not runs or ((runs[0].folder / CHECKPOINT).exists() and not runs[0].recipe.get("keep_checkpoint")):
        return None
    note_finished(runs[0])
    return runs[0]


def digest_to_keep(run: Run) -> dict[str, str] | None:
    """What is kept of a command for a training; nothing where it began with weights, which may change by themselves."""
    info = run.info
    if info.get("parent") or info.get("weights") or run.status != "finished":
        return None
    return {"digest": str(info["digest"])}
