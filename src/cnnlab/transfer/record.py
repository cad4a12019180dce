"""``transfer.json``: what was compared, what came out, and what rebuilds the best, beside its ``run.json``."""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from cnnlab.core.files import write_text
from cnnlab.runs import Run
from cnnlab.runs.kept_record import damaged_record, read_kept_record
from cnnlab.runs.record import TRANSFER

Metric: TypeAlias = Literal["macro_f1", "accuracy"]
METRICS: tuple[Metric, ...] = ("macro_f1", "accuracy")
Vary: TypeAlias = Literal["split", "seed"]
FILE = TRANSFER
FORMAT = 2
_Count = Annotated[int, Field(ge=0)]
_Number = Annotated[float, Field(allow_inf_nan=False)]
_Scores = dict[str, _Number]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ColumnRecord(_Strict):
    """The features of one backbone at one layer.

    :param label: what tables call it.
    :param backbone: its spec without weights; ``weights`` digest of their file, ``named`` as they were; None of pixels,
        whose ``layer`` is empty.
    :param features: how many numbers a picture becomes.
    :param shape: channels, height and width of the pictures.
    :param deviation: of the number format from float32; see :mod:`cnnlab.transfer.number_format`.
    :param seconds: that computing took, of ``computed`` pictures that the cache did not have.
    """

    label: str
    backbone: str
    weights: str | None
    named: str | None
    layer: str
    features: Annotated[int, Field(ge=1)]
    shape: tuple[int, int, int]
    precision: str
    kernels: str
    deviation: _Number
    seconds: _Number
    computed: _Count

    @property
    def network(self) -> str:
        """The backbone by its name alone: labels name the layer too where there are several."""
        return self.label.removesuffix(f" {self.layer}")


class CandidateRecord(_Strict):
    """One candidate of a search, cross-validated.

    :param classifier: its spec in short, with all that was searched over.
    :param pictures: how many it was judged on; where a subsample is searched first, the best few come twice.
    :param mean: of the metric over the folds, each counted by its pictures.
    :param deviation: the standard deviation of the metric over the folds, with one degree of freedom less.
    :param seconds: that fitting and predicting took, all folds together.
    """

    classifier: str
    pictures: _Count
    mean: _Number
    deviation: _Number
    seconds: _Number


class RepeatRecord(_Strict):
    """One classifier in one repeat.

    :param classifier: its spec in short, as it was fitted, with all that was searched over; ``settings`` with every
        argument.
    :param scores: on validation, by metric.
    :param pictures: that it was scored on; ``trained`` that it was fitted to, draws of these not counted.
    :param tried: how many candidates a search went through.
    :param searched: these, in the order in which they were judged; ``judged_by`` the metric, or ``loss``.
    """

    seed: int
    classifier: str
    settings: str
    scores: _Scores
    pictures: _Count
    trained: _Count
    fit_seconds: _Number
    predict_seconds: _Number
    tried: _Count = 1
    searched: tuple[CandidateRecord, ...] = ()
    judged_by: str | None = None
    notes: tuple[str, ...] = ()


class RowRecord(_Strict):
    """A classifier, or a search over one, on the features of a column, in every repeat."""

    column: _Count
    classifier: str
    repeats: Annotated[tuple[RepeatRecord, ...], Field(min_length=1)]


class ChoiceRecord(_Strict):
    """What was chosen in one repeat, on its validation pictures, and what that came to on test.

    :param row: its place among the rows.
    :param test: scores by metric, and ``n``; None without a test split.
    """

    seed: int
    row: _Count
    test: _Scores | None = None


class TransferRecord(_Strict):
    """What rebuilds the best classifier, and all that it was compared with.

    :param metric: by which the best was chosen.
    :param augment: what training pictures went through, and ``views`` of how many draws of each features were made
        besides those of the picture itself, which classifiers were fitted to as well.
    :param choices: by repeat; the first is that which is stored.
    :param module: of the backbone's network, whose outputs are the features.
    :param files: digests of the two files that hold it.
    """

    format: int
    metric: Metric
    vary: Vary
    augment: str | None = None
    views: _Count = 0
    columns: Annotated[tuple[ColumnRecord, ...], Field(min_length=1)]
    rows: Annotated[tuple[RowRecord, ...], Field(min_length=1)]
    choices: Annotated[tuple[ChoiceRecord, ...], Field(min_length=1)]
    module: str
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    files: dict[str, str]

    @property
    def best(self) -> RowRecord:
        """The row that is stored."""
        return self.rows[self.choices[0].row]

    @property
    def best_column(self) -> ColumnRecord:
        """The features that it takes."""
        return self.columns[self.best.column]


def write_record(folder: Path, record: TransferRecord) -> None:
    """Replaces the file whole."""
    write_text(folder / FILE, record.model_dump_json(indent=1) + "\n")


def read_record(run: Run | Path) -> TransferRecord:
    """The record of a transfer.

    :raises UsageError: for a run that is none.
    :raises DataError: when the file is damaged.
    """
    record = read_kept_record(
        run, FILE, TransferRecord, FORMAT, missing="was not made by cnnlab transfer", made="transfer"
    )
    rows, columns = len(record.rows), len(record.columns)
    if any(choice.row >= rows for choice in record.choices) or any(row.column >= columns for row in record.rows):
        path = (run.folder if isinstance(run, Run) else run) / FILE
        raise damaged_record(path, "it names rows or columns that it does not hold", "transfer")
    return record
