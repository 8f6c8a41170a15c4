"""The server: uvicorn with a hardened subclass of its httptools protocol.

``serve`` runs the data port and the admin port in one process; ``Server`` is the same without signals.
"""

from .limits import Limits
from .serve import Server, serve

__all__ = ["Limits", "Server", "serve"]
