"""Verdicts of the model-randomisation test, kept where captions of the same model's maps find them.

Those of a run lie in its folder, in ``honesty.json``, those of a model by itself in the user's cache. Either is by the
digest of the weights, so that what was found of others is told of none.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from cnnlab.core.errors import StorageError
from cnnlab.core.file_locks import only_writer
from cnnlab.core.files import cache_folder, read_regular, write_text
from cnnlab.core.messages import warn
from cnnlab.core.registry import BoundCall
from cnnlab.explain.attribution import Method
from cnnlab.explain.honesty.methods import bound_method, short_name
from cnnlab.explain.honesty.randomisation import RandomisationTest, Verdict
from cnnlab.models import Predictable, weights_digest
from cnnlab.runs import Run

FILE = "honesty.json"
_FOLDER = "honesty"
_FORMAT = 1
_MOST_BYTES = 1 << 22


class KeptVerdict(BaseModel):
    """What one test came to.

    :param method: its canonical spec; ``layer`` that it is of, if any.
    :param sentence: with the numbers that it rests on.
    """

    model_config = ConfigDict(frozen=True)

    method: str
    layer: str | None
    verdict: Verdict
    sentence: str


_Kept: TypeAlias = dict[tuple[str, str | None], KeptVerdict]
"""Verdicts by method and layer."""


class _Record(BaseModel):
    format: int
    weights: str
    verdicts: tuple[KeptVerdict, ...]


class Verdicts:
    """What was found of one model's maps, in this call and in earlier ones.

    :param run: that the model is of; None for a model by itself.
    """

    def __init__(self, model: Predictable, run: Run | None) -> None:
        self._model, self._run = model, run

    @cached_property
    def weights(self) -> str:
        """The digest by which they are kept."""
        return weights_digest(self._model)

    @cached_property
    def path(self) -> Path:
        """The file that they are kept in."""
        return cache_folder() / _FOLDER / self.weights[:40] / FILE if self._run is None else self._run.folder / FILE

    @cached_property
    def _kept(self) -> _Kept:
        # Of large networks a digest takes a second: not where there is nothing to be told.
        return _read(self.path, self.weights) if self.path.is_file() else {}

    def keep(self, tests: Sequence[RandomisationTest]) -> None:
        """Puts tests on record, in the place of earlier ones of the same method and layer."""
        methods = [str(bound_method(test.method)) for test in tests]
        added = {
            (method, test.layer): KeptVerdict(
                method=method, layer=test.layer, verdict=test.verdict, sentence=test.sentence
            )
            for method, test in zip(methods, tests, strict=True)
        }
        self._kept = _joined(self._kept, added)
        try:
            with only_writer(self.path):
                # Another process may have added some since this one has read them.
                self._kept = _joined(_read(self.path, self.weights), added)
                record = _Record(format=_FORMAT, weights=self.weights, verdicts=tuple(self._kept.values()))
                write_text(self.path, record.model_dump_json(indent=1) + "\n")
        except StorageError as error:
            warn(f"Later captions will not tell what was found of these maps: {error}")

    def told(self, method: BoundCall[Method], layer: str | None) -> str:
        """What is to be said under maps by a method; nothing where it passed, or was not tested.

        Of a method that was tested with other arguments alone it is what was found with these.
        """
        exact = self._kept.get((str(method), layer))
        if exact is not None:
            return "" if exact.verdict == "passes" else exact.sentence
        alike = [one for one in self._kept.values() if one.layer == layer and _name(one.method) == method.name]
        if not alike or alike[-1].verdict == "passes":
            return ""
        return f"With other arguments, {short_name(alike[-1].method)}: {alike[-1].sentence}"


def _name(method: str) -> str:
    return method.partition("(")[0]


def _joined(earlier: _Kept, later: _Kept) -> _Kept:
    """Both, the later in the place of earlier ones; the last one told of stands last."""
    return {**{key: one for key, one in earlier.items() if key not in later}, **later}


def _read(path: Path, weights: str) -> _Kept:
    """What is on record of these weights; nothing where there is no record, or none that can be read."""
    try:
        record = _Record.model_validate_json(read_regular(path, _MOST_BYTES))
    except (OSError, ValidationError):
        return {}
    is_known = (record.format, record.weights) == (_FORMAT, weights)
    return {(one.method, one.layer): one for one in record.verdicts} if is_known else {}
