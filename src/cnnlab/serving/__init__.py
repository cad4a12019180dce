"""Answering over HTTP what a stored classifier says of pictures: the Open Inference Protocol, and pictures as they are.

>>> server = cnnlab.serving.open_server("last")
>>> server.address, server.token
>>> server.run()
"""

from typing import TYPE_CHECKING

from cnnlab.core.lazy_imports import lazy_names

if TYPE_CHECKING:
    from cnnlab.serving.limits import Limits as Limits
    from cnnlab.serving.server import Server as Server
    from cnnlab.serving.server import open_server as open_server

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "limits": ("Limits",),
        "server": ("Server", "open_server"),
    },
)
