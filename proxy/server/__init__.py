"""The server: HTTP/1.1 by a protocol of our own on httptools, websockets with the library of that name.

``serve`` runs the data port and the admin port in one process; ``Server`` is the same without signals. With
several ``workers`` a supervisor binds both ports and deals the connections to processes of their own.
"""

from .limits import Limits
from .serve import Server, serve

__all__ = ["Limits", "Server", "serve"]
