"""A training that there is already: found by the words that asked for it, its record brought up to date."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from cnnlab.core.errors import CnnlabError
from cnnlab.core.given_objects import places, with_places
from cnnlab.core.messages import note
from cnnlab.runs import Run, RunStore
from cnnlab.runs.record import CHECKPOINT, flattened, write_recipe
from cnnlab.training.known_commands import Command


def note_finished(run: Run) -> None:
    """Says that there is nothing left to train."""
    note(f"This recipe is trained already: {run.folder}. Train another run of it with --again.")


def keep_places(run: Run, recipe: Mapping[str, Any]) -> None:
    """Writes down where objects given in Python are imported from now, where they are given from another place.

    :param recipe: that which was asked for: the same as that of the run, but for such places.
    """
    texts = [value for value in flattened(recipe).values() if isinstance(value, str)]
    found = {key: path for text in texts for key, path in places(text).items()}
    recorded = run.recipe
    updated = _with_places(recorded, found)
    if updated != recorded:
        # Of a folder that cannot be written the run itself is there all the same.
        with suppress(CnnlabError):
            write_recipe(run.folder, updated)


def _with_places(value: Any, found: Mapping[tuple[str, str], str]) -> Any:
    if isinstance(value, str):
        return with_places(value, found)
    if isinstance(value, Mapping):
        return {key: _with_places(part, found) for key, part in value.items()}
    return [_with_places(part, found) for part in value] if isinstance(value, list) else value


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
