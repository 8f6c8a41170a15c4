"""The upstream engine: our own HTTP/1.1 client side, because forwarding is what this program is for."""

from .body import RequestBody
from .origin import Origin
from .pool import Upstream
from .response import Response
from .tls import ClientCertificate, PresentedCertificate, build_context

__all__ = [
    "ClientCertificate",
    "Origin",
    "PresentedCertificate",
    "RequestBody",
    "Response",
    "Upstream",
    "build_context",
]
