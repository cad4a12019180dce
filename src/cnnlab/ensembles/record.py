"""``ensemble.json``: what an ensemble is made of, and what is known of it, beside its ``run.json``."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from cnnlab.core.digests import file_digest
from cnnlab.core.errors import UsageError
from cnnlab.core.files import write_text
from cnnlab.ensembles.analysis import Analysis
from cnnlab.ensembles.combinations import AnyCombination, Share
from cnnlab.ensembles.cross_validation import CrossValidation
from cnnlab.runs import Run
from cnnlab.runs.kept_record import read_kept_record
from cnnlab.runs.record import TRANSFER

FILE = "ensemble.json"
FORMAT = 1
MOST_VIEWS = 1024
_MODEL = "model.safetensors"
_LONGEST_NAME = 255
_MOST_MEMBERS = 4096
# A path would lead out of the folder that holds both.
_FOLDER = r"^[^/\\\x00]*[^/\\\x00.][^/\\\x00]*$"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class MemberRecord(_Strict):
    """One member.

    :param name: of its folder, beside that of the ensemble.
    :param digest: of its recipe; ``weights`` of the file that it predicts with.
    :param epoch: whose weights are meant, where these are not the selected ones.
    :param share: its weight in the whole; None where the method has no such number.
    """

    name: Annotated[str, Field(max_length=_LONGEST_NAME, pattern=_FOLDER)]
    digest: str
    weights: str
    epoch: Annotated[int, Field(ge=0)] | None = None
    share: Share | None = None


class ViewsRecord(_Strict):
    """The views of a picture that one member is asked about; see :class:`~cnnlab.ensembles.methods.base.Views`."""

    pipeline: str
    count: Annotated[int, Field(ge=2, le=MOST_VIEWS)]
    seed: Annotated[int, Field(ge=0)]


class EnsembleRecord(_Strict):
    """What rebuilds an ensemble, and what was found out about it when it was made.

    :param method: canonical spec.
    :param combination: of the members' outputs; None where their weights were averaged, and the folder holds a
        ``model.safetensors`` of its own.
    :param classes: in the order in which its outputs count them.
    :param notes: sentences on how it was made.
    :param cross_validation: where its members are the networks of folds, what the recipe came to.
    """

    format: int
    method: str
    members: Annotated[tuple[MemberRecord, ...], Field(min_length=1, max_length=_MOST_MEMBERS)]
    combination: AnyCombination | None = None
    views: ViewsRecord | None = None
    classes: dict[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()
    analysis: Analysis | None = None
    cross_validation: CrossValidation | None = None

    @property
    def needs(self) -> list[str]:
        """The runs that it cannot predict without."""
        return [] if self.combination is None else list(dict.fromkeys(member.name for member in self.members))


def write_record(folder: Path, record: EnsembleRecord) -> None:
    """Replaces the file whole."""
    write_text(folder / FILE, record.model_dump_json(indent=1) + "\n")


def read_record(run: Run | Path) -> EnsembleRecord:
    """The record of an ensemble.

    :raises UsageError: for a run that is none.
    :raises DataError: when the file is damaged.
    """
    return read_kept_record(run, FILE, EnsembleRecord, FORMAT, missing="is no ensemble", made="ensemble")


def weights_digest(run: Run, epoch: int | None = None) -> str:
    """Digest of what a run predicts with: its file of weights, or what an ensemble or a transfer is made of.

    It is known also of a run that was imported without weights, so that ensembles of it are found.

    :raises UsageError: when it has none.
    """
    left_out = run.weights_left_out.get(_MODEL) if epoch is None else None
    if left_out is not None:
        return left_out
    path = run.folder / _MODEL if epoch is None else run.stored_epochs[epoch]
    if run.is_ensemble and epoch is None and not path.is_file():
        # What cannot be read is no member, though its predictions are there.
        read_record(run)
        path = run.folder / FILE
    if run.is_transfer and epoch is None:
        path = run.folder / TRANSFER
    try:
        return file_digest(path)
    except OSError as error:
        raise UsageError(
            f"{run.name} cannot be a member: its {path.name} cannot be read ({error.strerror}). Train it anew."
        ) from error
