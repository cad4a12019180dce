"""Mirrors that follow the record of a run while it is written.

Each has a thread of its own, which looks into the folder of the run every few seconds. A training waits for none of
them: where one fails or hangs, the record goes on, and the mirror tries again from it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from pathlib import Path

from cnnlab.core.errors import RunBusyError, StorageError
from cnnlab.core.messages import warn
from cnnlab.core.registry import BoundCall
from cnnlab.core.sinks import in_short
from cnnlab.core.spec import ParsedSpec
from cnnlab.runs.lock import who
from cnnlab.runs.mirrors.mirror import Mirror, RunCopy, mirrors
from cnnlab.runs.mirrors.recorded import RecordReader
from cnnlab.runs.record import INFO
from cnnlab.runs.run import Run

_BETWEEN = 2.0
"""Seconds between two looks."""
_PATIENCE, _PATIENCE_AGAIN = 15.0, 1.0
"""Seconds for which the end of a training waits for a mirror: first, and once it was waited for in vain."""
_MOST_REASON = 300
_MOST_AT_ONCE = 10_000
_told: ContextVar[Callable[[str], object]] = ContextVar("told", default=warn)
_unanswered: set[str] = set()
"""The mirrors that this process has waited for in vain, by their specs."""


class Follower:
    """One mirror of one run."""

    def __init__(self, folder: Path, bound: BoundCall[Mirror]) -> None:
        self.folder, self.spec, self.mirror = folder, str(bound.call), bound.build()
        self.fault: str | None = None
        self._reader = RecordReader(folder, self.mirror.steps)
        self._copy: RunCopy | None = None
        self._is_over, self._is_told = threading.Event(), False
        # A process that ends does not wait for a server that never answers.
        self._thread = threading.Thread(target=self._follow, name=f"mirror-{bound.name}", daemon=True)

    def begin(self) -> None:
        """Starts to follow."""
        self._thread.start()

    def ask_to_end(self) -> None:
        """What is on record by now is the last that it copies."""
        self._is_over.set()

    def wait(self) -> None:
        """Waits for the last of it, for as long as that is worth it, and tells where it is not.

        One that is merely slow goes on for as long as the process lives.
        """
        self._thread.join(_PATIENCE_AGAIN if self.spec in _unanswered else _PATIENCE)
        if self._thread.is_alive():
            _unanswered.add(self.spec)
            self.fault = self.fault or "it has not answered in time"
        else:
            _unanswered.discard(self.spec)
        self.tell()

    def tell(self) -> None:
        """Warns once that the mirror is not what it should be."""
        if self.fault is not None and not self._is_told:
            self._is_told = True
            name = self.spec.partition("(")[0]
            _told.get()(
                f"{self.folder.name} is not mirrored in {self.mirror.title} for now: {self.fault}. Its record is whole "
                "all the same, and nothing waits for the mirror. To bring that up to date later: cnnlab runs mirror "
                f"{self.folder.name} --to {name}"
            )

    def _follow(self) -> None:
        is_over = False
        while not is_over:
            # Asked before the record is read, so that what is written last is not missed.
            is_over = self._is_over.is_set()
            self._attempt(is_over)
            if not is_over:
                self._is_over.wait(_BETWEEN)

    def _attempt(self, is_over: bool) -> None:
        try:
            self.copy(is_over)
        except Exception as error:  # whatever a server, a disk or a library comes up with
            text = " ".join(str(error).split()) or type(error).__name__
            self.fault = in_short(text, _MOST_REASON).rstrip(".")
            self._let_go()

    def copy(self, is_over: bool) -> None:
        """Copies what is on record and not in the mirror."""
        run = Run(self.folder)
        if self._copy is None:
            self._reader = RecordReader(self.folder, self.mirror.steps)
            self._copy = self.mirror.open(run)
        points = self._reader.new_points()
        while part := list(islice(points, _MOST_AT_ONCE)):
            self._copy.add([point for point in part if not self._copy.has(point)])
        if is_over:
            self._copy.end(run)
            self._let_go()
        self.fault = None

    def _let_go(self) -> None:
        copy, self._copy = self._copy, None
        if copy is not None:
            try:
                copy.close()
            except Exception as error:
                self.fault = self.fault or in_short(str(error), _MOST_REASON)


@contextmanager
def telling(tell: Callable[[str], object]) -> Iterator[None]:
    """A block in which ``tell`` is called with what would be warned of mirrors that fail."""
    token = _told.set(tell)
    try:
        yield
    finally:
        _told.reset(token)


@contextmanager
def mirrored(
    folder: Path, spec: ParsedSpec[tuple[BoundCall[Mirror], ...]] | None
) -> Iterator[Callable[[object], None]]:
    """A block in which the record of a run is written, and mirrors follow it.

    It is given a function to call after each epoch, which warns of a mirror that fails.

    :param spec: of the recipe; None where nothing is mirrored.
    """
    followers = [Follower(folder, bound) for bound in (() if spec is None else spec.parsed)]
    for follower in followers:
        follower.begin()

    def tell(_: object) -> None:
        for follower in followers:
            follower.tell()

    try:
        yield tell
    finally:
        for follower in followers:
            follower.ask_to_end()
        for follower in followers:
            follower.wait()


def mirror_run(run: Run, spec: str | BoundCall[Mirror]) -> None:
    """Brings the mirror of a run that is not being trained up to date; what it has already is not written again.

    :param spec: of the mirror, such as ``mlflow(experiment=depth)``.
    :raises UsageError: for a mirror that there is not, or whose package is missing.
    :raises RunBusyError: while the run is trained, which mirrors it itself where its recipe says so.
    :raises StorageError: where the mirror cannot be written.
    """
    bound = mirrors.bind(spec)
    bound.build().check()
    if not (run.folder / INFO).is_file() or run.is_running:
        raise RunBusyError(
            f"{run.folder} is being trained, by {who(run.folder)}. It is mirrored while it is trained where its recipe "
            f"says mirror={bound.name}; or wait until it is done."
        )
    follower = Follower(run.folder, bound)
    try:
        follower.copy(is_over=True)
    except Exception as error:
        follower._let_go()
        text = in_short(" ".join(str(error).split()), _MOST_REASON).rstrip(".")
        raise StorageError(f"{run.name} cannot be mirrored in {follower.mirror.title}: {text}.") from error
