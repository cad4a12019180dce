"""What a conformance suite is made of: checks, each of one promise, which say in a sentence what was broken.

No test framework is needed: a check is called, and raises :class:`AssertionError` where the promise is broken.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

C = TypeVar("C")
F = TypeVar("F", bound=Callable[..., None])


class Check:
    """One promise, tried on one member when called.

    :param name: short, without spaces; pytest shows it as the id of a parametrized test.
    :param promise: the sentence that a message begins with.
    """

    def __init__(self, name: str, subject: str, promise: str, attempt: Callable[[], None]) -> None:
        self.__name__ = name
        self.subject, self.promise, self._attempt = subject, promise, attempt

    def __call__(self) -> None:
        """Tries it.

        :raises AssertionError: where the promise is broken, whatever was raised on the way.
        """
        try:
            self._attempt()
        except AssertionError as broken:
            raise AssertionError(f"{self.subject}: {self.promise} {broken}") from None
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise AssertionError(f"{self.subject}: {self.promise} It raised {reason}") from error

    def __repr__(self) -> str:
        return f"<check {self.__name__} of {self.subject}>"


class Suite(Generic[C]):
    """The checks of one kind of thing, in order; each takes what is set up for a member."""

    def __init__(self) -> None:
        self._promises: list[Callable[[C], None]] = []

    def check(self, function: F) -> F:
        """A decorator: the function is a check; the first line of its docstring is the promise."""
        self._promises.append(function)
        return function

    def __iter__(self) -> Iterator[str]:
        return (function.__name__ for function in self._promises)

    def checks(self, subject: str, prepared: Callable[[], AbstractContextManager[C]]) -> list[Check]:
        """Every check of one member, to be called in any order.

        :param prepared: sets the member up for a check, and clears up after it.
        """
        return [
            Check(function.__name__, subject, _promise(function), _bound(function, prepared))
            for function in self._promises
        ]


def run(checks: Sequence[Check]) -> None:
    """Calls all of them, up to the first that raises."""
    for check in checks:
        check()


def require(condition: object, message: str) -> None:
    """Like ``assert``, which Python leaves out with ``-O``."""
    if not condition:
        raise AssertionError(message)


def _promise(function: Callable[..., None]) -> str:
    return (function.__doc__ or "").partition("\n")[0]


def _bound(function: Callable[[C], None], prepared: Callable[[], AbstractContextManager[C]]) -> Callable[[], None]:
    def attempt() -> None:
        with prepared() as case:
            function(case)

    return attempt
