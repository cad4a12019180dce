"""What a person names to be evaluated: a run, or a model file by itself."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnlab.models import Classifier
    from cnnlab.runs import Run


def find_run_or_classifier(name: str, runs: Path | None) -> "Run | Classifier":
    """The run of that name, or the classifier in that file.

    :raises RunNotFoundError: when there is neither.
    :raises ModelFileError: for a file that holds no classifier of ours.
    """
    if Path(name).is_file():
        from cnnlab.models import load_classifier

        classifier: Classifier = load_classifier(name)
        return classifier
    from cnnlab.runs import RunStore

    return RunStore(runs or "runs").find(name)
