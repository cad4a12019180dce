"""The data set of Ray Data through which portions of pictures go to workers, and what these say comes back in order.

It is made on the cluster by an actor of its own and not by the process that asks for predictions: Ray Data does not
work in one that is connected from outside (``ray://``), and its settings and its words would be left in that process.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from cnnlab.core.errors import UsageError, one_line
from cnnlab.core.lazy_imports import require

Answered: TypeAlias = tuple[bytes | None, str | None]
"""An answer, packed, None behind the last; and what went wrong, where something did."""


class Pipeline:
    """The actor. What is computed waits in Ray's object store, so much at a time, until it is asked for.

    :param portions: each packed.
    :param words: for the workers, as :func:`worker_class` takes them.
    :param workers: at once, each with so many ``cpus`` and so much of a GPU.
    """

    def __init__(self, portions: Sequence[bytes], words: Sequence[Any], workers: int, cpus: float, gpus: float) -> None:
        self._portions, self._words = portions, words
        self._workers, self._cpus, self._gpus = workers, cpus, gpus
        self._answers: Iterator[Answered] | None = None

    def next(self) -> Answered:
        """The answer to the next portion."""
        try:
            if self._answers is None:
                self._answers = self._started()
            return next(self._answers, (None, None))
        except UsageError as error:
            return None, str(error)
        except Exception as error:  # of Ray Data's own, or of a worker that died
            return None, one_line(error, -1)

    def _started(self) -> Iterator[Answered]:
        data = require("ray.data", "predicting on a Ray cluster", "ray")
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        # Parts are stored from the first picture on without a gap, so that what comes out of order is of no use.
        context.execution_options.preserve_order = True
        rows = data.from_items([{"portion": each} for each in self._portions], override_num_blocks=len(self._portions))
        answers = rows.map_batches(
            worker_class(),
            fn_constructor_args=tuple(self._words),
            batch_size=1,
            concurrency=self._workers,
            num_cpus=self._cpus,
            num_gpus=self._gpus,
        )
        return ((bytes(row["answer"]), row["problem"] or None) for row in answers.iter_rows())


def worker_class() -> type[Any]:
    """The class of the workers as Ray Data takes it.

    It is defined in here for its code to be sent as it is: a node that has no cnnlab is to say so. Nothing outside of
    its functions may be used in them.
    """

    class Worker:
        """:param config: packed; ``version`` of cnnlab, and ``handles`` of the mailbox and of the model."""

        def __init__(self, config: bytes, version: str, handles: Sequence[Any]) -> None:
            import socket

            import ray

            self.failed: str | None = None
            name = f"{socket.gethostname()}/{ray.get_runtime_context().get_node_id()[:8]}"
            try:
                from cnnlab.core.clusters.mailbox import packed, unpacked
                from cnnlab.evaluation.bulk_prediction.on_ray.picture_worker import PictureWorker
            except ImportError as error:
                self.failed = (
                    f"on {name} cnnlab does not load ({error}). Install it there: pip install cnnlab=={version}"
                )
                return
            self.packed, self.unpacked = packed, unpacked
            mailbox, model = handles
            self.worker = PictureWorker(name, unpacked(config), model, mailbox)

        def __call__(self, rows: dict[str, Any]) -> dict[str, Any]:
            if self.failed is not None:
                return {"answer": [b""], "problem": [self.failed]}
            # Of one row at a time.
            answer = self.worker.answer(self.unpacked(bytes(rows["portion"][0])))
            return {"answer": [self.packed(answer)], "problem": [""]}

    return Worker
