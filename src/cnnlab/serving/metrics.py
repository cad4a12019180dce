"""What a server counts, in the form that Prometheus reads."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_PICTURES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Numbers of one server, apart from those of any other in the process."""

    def __init__(self) -> None:
        self._registry = into = CollectorRegistry()
        self._requests = Counter("cnnlab_requests", "Requests that were answered.", ["route", "code"], registry=into)
        self._seconds = Histogram(
            "cnnlab_request_seconds",
            "From the head of a request to its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=into,
        )
        self._batches = Histogram(
            "cnnlab_batch_pictures", "Pictures computed together.", buckets=_PICTURES, registry=into
        )
        self._forward = Histogram("cnnlab_batch_seconds", "Computing a batch.", buckets=_SECONDS, registry=into)
        self._queue = Gauge("cnnlab_queue_pictures", "Pictures that wait to be computed.", registry=into)
        ProcessCollector(registry=self._registry)

    def watch_queue(self, length: Callable[[], int]) -> None:
        """Tells how many pictures wait, by a function that is called when the numbers are read."""
        self._queue.set_function(length)

    def answered(self, route: str, code: int, seconds: float) -> None:
        """Counts a request.

        :param route: the pattern of its path, of which there are few, whatever paths are asked for.
        """
        self._requests.labels(route, str(code)).inc()
        self._seconds.labels(route).observe(seconds)

    def computed(self, pictures: int, seconds: float) -> None:
        """Counts a batch."""
        self._batches.observe(pictures)
        self._forward.observe(seconds)

    def text(self) -> bytes:
        """All of them."""
        return generate_latest(self._registry)
