"""Requests that are refused: a status of HTTP, one sentence, and what else the client has to know."""

from collections.abc import Mapping

from cnnlab.core.sinks import for_message


class RefusedError(Exception):
    """A request that is not answered.

    :param status: of HTTP, from 400.
    :param reason: one sentence for whoever sent it; what it quotes of the request is shown as text and cut.
    :param headers: that the status asks for.
    """

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers = status, for_message(reason), dict(headers or {})


def busy(reason: str) -> RefusedError:
    """A request that may be sent again in a second."""
    return RefusedError(503, reason, {"Retry-After": "1"})


def gone(error: Exception) -> RefusedError:
    """A request that will not be answered, nor any after it."""
    return RefusedError(
        503,
        f"the model answers no more, since its thread ended ({type(error).__name__}: {error}). Start the server anew.",
    )
