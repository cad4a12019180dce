"""The process of one device, as :mod:`cnnlab.training.several_devices.launch` starts it.

One line of JSON comes in: what to train. While it trains, ``{"warning": …}`` goes out, and at its end one of
``{"folder": …}``, ``{"stopped": signal, "where": …}`` and ``{"error": …, "kind": …}``; only one process tells an error.
"""

import json
import os
import signal
import sys
import threading
import traceback
import warnings
from typing import Any

from cnnlab.core import errors
from cnnlab.core.errors import CnnlabError, CnnlabWarning
from cnnlab.core.messages import printing_notes, quietly
from cnnlab.training.several_devices.presence import PeerFailedError


def main() -> int:
    """Trains what is asked for; the exit code."""
    # What libraries print goes where it disturbs nobody, and the stream is left to what is said here.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(**content: Any) -> None:
        out.write(json.dumps(content) + "\n")
        out.flush()

    # Until the training heeds it, this ends the process, and without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    order = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_leave_with_the_other_end, daemon=True).start()
    _pass_warnings_on(say)
    from cnnlab.training import api
    from cnnlab.training.divergence import DivergedError
    from cnnlab.training.signals import Interrupted

    request = order["request"]
    try:
        with printing_notes() if order["shows"] else quietly():
            if order["verb"] == "train":
                run = api.train(request.pop("recipe"), **request)
            else:
                run = api.resume(request.pop("run"), **request)
    except Interrupted as error:
        say(stopped=error.number, where=error.where)
        return error.exit_code
    except PeerFailedError as error:
        # Which has told, or whose end is seen by the process that started it.
        return error.exit_code
    except DivergedError as error:
        say(error=str(error), kind=type(error).__name__, step=error.step, rate=error.rate)
        return error.exit_code
    except CnnlabError as error:
        say(error=str(error), kind=_known_kind(error))
        return error.exit_code
    except Exception as error:
        traceback.print_exc()
        say(error="".join(traceback.format_exception(error)), kind=type(error).__name__)
        return 1
    say(folder=str(run.folder))
    return 0


def _known_kind(error: CnnlabError) -> str:
    """What the process that started this one knows it as: some rooms have more particular ones."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == errors.__name__)


def _leave_with_the_other_end() -> None:
    """Ends this process when the one that started it is gone: it holds the other end of standard input."""
    sys.stdin.buffer.read()
    os._exit(1)


def _pass_warnings_on(say: Any) -> None:
    others = warnings.showwarning

    def show(message: Any, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, CnnlabWarning):
            say(warning=str(message))
        else:
            others(message, category, *place, **more)

    warnings.simplefilter("always", CnnlabWarning)
    warnings.showwarning = show


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Not by way of Python's own end, which would wait for the thread that listens.
    os._exit(code)
