"""The upstream engine: our own HTTP/1.1 client side, because forwarding is what this program is for."""

from .body import RequestBody
from .origin import Origin, build_context
from .pool import Upstream
from .response import Response

__all__ = ["Origin", "RequestBody", "Response", "Upstream", "build_context"]
