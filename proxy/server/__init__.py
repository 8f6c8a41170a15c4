"""The server: uvicorn with a hardened subclass of its httptools protocol.

``serve`` runs the data port and the admin port in one process; ``Server`` is the same without signals.
``Connection`` is what our server adds to an ASGI scope.
"""

from .cycle import Connection
from .limits import Limits
from .serve import Server, serve

__all__ = ["Connection", "Limits", "Server", "serve"]
