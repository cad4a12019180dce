"""What a classifier says of many pictures, written to one file: a table, or a submission."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO, get_args

import torch

from cnnlab.core import memory
from cnnlab.core.digests import digest
from cnnlab.core.errors import DataError, UsageError, suggestion
from cnnlab.core.file_locks import only_writer
from cnnlab.core.files import cache_folder, file_stamp, read_regular, replacing, storage_errors, user_path, write_text
from cnnlab.core.lazy_imports import require
from cnnlab.core.messages import note, warn
from cnnlab.core.number_text import counted
from cnnlab.core.sinks import visible
from cnnlab.data import ImageFile
from cnnlab.data.formats.decode import WhiteUnknownError
from cnnlab.data.given_images import is_given_in_memory, paths_of
from cnnlab.evaluation.bulk_prediction.on_ray.outputs_on_ray import OnRay
from cnnlab.evaluation.bulk_prediction.outputs_here import Here, Place
from cnnlab.evaluation.bulk_prediction.read_ahead import Stretch, said_of_unreadable
from cnnlab.evaluation.bulk_prediction.stored_parts import StoredParts, digest_of
from cnnlab.evaluation.bulk_prediction.tables import RowWriter, TableRows, check_options, submission
from cnnlab.evaluation.prediction.open_model import open_model
from cnnlab.evaluation.prediction.predict import append_csv, found_images, predicted_columns, with_text
from cnnlab.evaluation.prediction.predictor import Predictor
from cnnlab.models import OwnNetwork, Predictable, weights_digest
from cnnlab.runs import Run

if TYPE_CHECKING:
    import pandas as pd

FileFormat = Literal["table", "kaggle"]
PARQUET = ".parquet"
_SECONDS_FOR_THE_LOCK = 2.0
_MOST_NOTE = 1 << 28
_TO_SKIP = (
    "Put them right and repeat the command, which goes on where it is, or leave them out with --skip-bad "
    '(on_bad="skip" in Python).'
)
_FOR_A_SAMPLE = (
    "Put them right and repeat the command, which goes on where it is: the sample has a row for each, so that none can "
    "be left out."
)


@dataclass(frozen=True)
class PredictedFile:
    """A file of predictions.

    :param predicted: how many pictures it has a row of.
    :param unreadable: pictures that were left out, each with the reason.
    :param was_there: whether nothing had to be done, for it was there with just that in it.
    """

    path: Path
    predicted: int
    unreadable: tuple[str, ...] = ()
    was_there: bool = False


def predict_to_file(
    run: Run | Predictable | str | Path,
    images: Any,
    out: str | Path,
    *,
    format: FileFormat | None = None,
    top: int = 1,
    probabilities: bool | None = None,
    like: str | Path | None = None,
    on_bad: Literal["refuse", "skip"] = "refuse",
    device: str | None = None,
    network: OwnNetwork | None = None,
    offline: bool = False,
    on: str | None = None,
    workers: int | None = None,
    cpus: int | None = None,
    gpus: float | None = None,
) -> PredictedFile:
    """Predicts any number of pictures into one file, in little memory.

    What was predicted is kept in a hidden folder beside the file, where a call after a kill goes on; at the end the
    file is written whole and the folder removed. A call for what is in the file already does nothing.

    :param run: or a model by itself, or the name of either, as :func:`cnnlab.open_model` takes it.
    :param images: paths as :func:`cnnlab.predict` takes them: files, folders, archives, and CSV files that name some.
    :param out: ``.csv`` (or ``.txt``), or ``.parquet`` where pyarrow is installed.
    :param format: ``table`` has the columns of :meth:`ImagePredictions.frame`; ``kaggle`` an id, which is the name of
        the file without suffix, and a label, rows in the order of the ids where these are numbers.
    :param top: how many classes to tell of each picture, the likeliest first; in a submission apart by spaces.
    :param probabilities: whether each class has a column; by default in a table of the likeliest class alone, and in a
        submission where ``like`` has them.
    :param like: a sample submission, whose ids, order and header are taken; it means ``format="kaggle"``.
    :param on_bad: whether a picture that cannot be read is refused, or skipped with a warning that names it.
    :param device: another device than the one that the run was trained on.
    :param network: the network of one's own that the run was trained on, or what makes it.
    :param offline: never tries the network for weights.
    :param on: ``ray`` or ``ray://HOST:PORT`` for the nodes of a Ray cluster to predict; the file is the same.
    :param workers: there, at once; by default as many as there is room for.
    :param cpus: cores of each worker there; by default the threads that the run was trained with, or one.
    :param gpus: of each worker there, where fractions share one; by default one where the model is run on a GPU.
    :raises DataError: naming what is missing, cannot be read, or does not go with the sample.
    :raises StorageError: when the file cannot be written, or another process is at it.
    """
    memory.ask_for_large_pages()
    out, format = _checked(out, format, like, on_bad)
    paths = paths_of(images)
    if is_given_in_memory(paths):
        raise UsageError("pictures in memory are predicted by cnnlab.predict(…), and written by its save_csv.")
    with _place(on, workers=workers, cpus=cpus, gpus=gpus) as place:
        model = open_model(run, network=network, offline=offline)
        predictor = place.predictor(model, device=device, network=network)
        check_options(predictor, top, probabilities, is_submission=format == "kaggle")
        found: Sequence[ImageFile] = found_images(paths)
        if paths is images:
            found = list({image.name: image for image in found}.values())
        found, rows = _rows_of(found, predictor, format, top, probabilities, like)
        remedy = _FOR_A_SAMPLE if like is not None else _TO_SKIP
        job = _Job(out, found, predictor, rows, _key(model, predictor), place, on_bad == "skip", remedy)
        with only_writer(out, _SECONDS_FOR_THE_LOCK):
            return job.known() or job.done()


def _rows_of(
    found: Sequence[ImageFile],
    predictor: Predictor,
    format: FileFormat | None,
    top: int,
    probabilities: bool | None,
    like: str | Path | None,
) -> tuple[Sequence[ImageFile], RowWriter]:
    """The pictures in the order of the file, and what writes its rows."""
    if format == "kaggle":
        return submission(found, predictor, top, probabilities, None if like is None else user_path(like))
    return found, TableRows(found, top, top == 1 if probabilities is None else probabilities)


@dataclass
class _Job:
    """One file to be made.

    :param key: the digest of the model and of how it is run.
    :param place: where that is done.
    :param skips: whether pictures that cannot be read are left out; ``remedy`` what to do about them where not.
    """

    out: Path
    images: Sequence[ImageFile]
    predictor: Predictor
    rows: RowWriter
    key: str
    place: Place
    skips: bool
    remedy: str

    def known(self) -> PredictedFile | None:
        """What there is to say of the file where it is there already, with all this in it."""
        try:
            facts = json.loads(read_regular(self._note_path(), _MOST_NOTE))
            is_it = facts["of"] == self._content and facts["stamp"] == list(file_stamp(self.out.stat()))
            if is_it and (self.skips or not facts["unreadable"]):
                return PredictedFile(self.out, int(facts["predicted"]), tuple(facts["unreadable"]), was_there=True)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            # Nothing is known of it.
            return None
        return None

    def done(self) -> PredictedFile:
        """Predicts what is not predicted yet, and writes the file."""
        parts = StoredParts(self.out, self.key, self.images)
        self._go_on_from(parts)
        self._predict(parts)
        predicted = len(self.images) - len(parts.unreadable)
        if not predicted:
            raise DataError(f"none of these pictures could be read: {'; '.join(parts.unreadable[:5])}")
        with _writing(self.out) as write:
            for part in parts:
                outputs, places = part.load()
                if len(places):
                    columns = predicted_columns(self.predictor, torch.from_numpy(outputs))
                    write(self.rows.frame(places.tolist(), columns))
        self._remember(predicted, parts.unreadable)
        parts.remove()
        return PredictedFile(self.out, predicted, parts.unreadable)

    def _go_on_from(self, parts: StoredParts) -> None:
        """Tells what was predicted before."""
        parts.clear_leftovers()
        if parts.unreadable and not self.skips:
            raise DataError(said_of_unreadable(parts.unreadable, self.remedy))
        for text in parts.unreadable:
            warn(f"left out: {text}")
        if parts.end:
            note(f"{parts.end:,} of {counted(len(self.images), 'picture')} were predicted before; the rest follows.")

    def _predict(self, parts: StoredParts) -> None:
        if parts.end == len(self.images):
            return
        with self.place.outputs(self.images, self.predictor) as source:
            batches = source.batches(parts.end)
            while parts.end < len(self.images):
                stretch = Stretch(batches, self.skips, self.remedy)
                try:
                    outputs = source.outputs(stretch)
                except WhiteUnknownError:
                    source.tell_white()
                    batches = source.batches(parts.end)
                    continue
                parts.add(outputs.numpy(), stretch.places, stretch.end, stretch.unreadable, by_all=source.is_white_told)

    @cached_property
    def _content(self) -> str:
        """The digest of all that the file depends on."""
        return digest([self.key, digest_of(self.images), self.out.suffix.lower(), self.rows.key])

    def _note_path(self) -> Path:
        return cache_folder() / "predictions" / f"{digest(str(self.out.resolve()))[:40]}.json"

    def _remember(self, predicted: int, unreadable: Sequence[str]) -> None:
        facts = {"of": self._content, "stamp": list(file_stamp(self.out.stat()))}
        text = json.dumps({**facts, "predicted": predicted, "unreadable": list(unreadable)})
        write_text(self._note_path(), text + "\n")


def _checked(
    out: str | Path, format: FileFormat | None, like: str | Path | None, on_bad: str
) -> tuple[Path, FileFormat]:
    """Refuses options that do not go together.

    :raises UsageError: with those that do.
    """
    if format is not None and format not in get_args(FileFormat):
        raise UsageError(f"there is no format {format!r}. {suggestion(format, get_args(FileFormat))}")
    if like is not None and format == "table":
        raise UsageError("like= is a sample of a submission, and format=table writes a table. Leave one of them out.")
    if like is not None and on_bad == "skip":
        raise UsageError("a submission needs a row for each id of its sample, so that no picture can be left out.")
    path = user_path(out)
    if path.suffix.lower() == PARQUET:
        require("pyarrow", "writing Parquet", "parquet")
    return path, format or ("table" if like is None else "kaggle")


def _place(on: str | None, *, workers: int | None, cpus: int | None, gpus: float | None) -> Place:
    """Where pictures are predicted.

    :raises UsageError: for what cannot be, or is asked of a cluster where none is named.
    """
    if on is not None:
        return OnRay(on, workers, cpus, gpus)
    asked = {"workers": workers, "cpus": cpus, "gpus": gpus}
    named = [name for name, value in asked.items() if value is not None]
    if named:
        raise UsageError(f"{', '.join(named)}: this is asked of a cluster. Name it (on ray), or leave it out.")
    return Here()


def _key(model: Run | Predictable, predictor: Predictor) -> str:
    """The digest of a model and of how it is run."""
    classifier = predictor.classifier
    own = [
        [type(part).__name__, *(str(getattr(part, name, None)) for name in ("model", "mean", "std", "permute"))]
        for part in classifier.modules()
        if isinstance(part, Predictable)
    ]
    facts = {
        "run": [model.digest, model.started] if isinstance(model, Run) else None,
        "weights": weights_digest(classifier),
        "parts": own,
        "pixels": [list(classifier.shape), classifier.resize, classifier.resampling, list(classifier.whites)],
        "told": [classifier.objective, {name: list(names) for name, names in classifier.classes.items()}],
        "run by": [predictor.device, predictor.precision, predictor.kernels],
    }
    return digest(facts)


@contextmanager
def _writing(out: Path) -> Iterator[Callable[["pd.DataFrame"], None]]:
    """A block that is given a function for the next rows; the file takes its place once the block ends well."""
    with replacing(out) as temporary, storage_errors(out), ExitStack() as stack:
        if out.suffix.lower() == PARQUET:
            yield _parquet_writer(temporary, stack)
        else:
            yield _csv_writer(stack.enter_context(temporary.open("w", encoding="utf-8", newline="")))


def _csv_writer(file: TextIO) -> Callable[["pd.DataFrame"], None]:
    def write(frame: "pd.DataFrame") -> None:
        append_csv(file, frame, with_header=file.tell() == 0)

    return write


def _parquet_writer(path: Path, stack: ExitStack) -> Callable[["pd.DataFrame"], None]:
    arrow, parquet = (require(name, "writing Parquet", "parquet") for name in ("pyarrow", "pyarrow.parquet"))
    writers: list[Any] = []

    def write(frame: "pd.DataFrame") -> None:
        # It holds nothing but valid text, which names of files need not be.
        table = arrow.Table.from_pandas(with_text(frame, visible), preserve_index=False)
        if not writers:
            writers.append(stack.enter_context(parquet.ParquetWriter(path, table.schema)))
        writers[0].write_table(table)

    return write
