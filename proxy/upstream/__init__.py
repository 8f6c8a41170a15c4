"""The upstream engine: our own HTTP/1.1 client side, because forwarding is what this program is for."""

from .body import RequestBody
from .options import Options, TLSOptions
from .origin import Origin, parse_origin
from .pool import Upstream
from .response import Response
from .tls import ClientCertificate, PresentedCertificate, build_context

__all__ = [
    "ClientCertificate",
    "Options",
    "Origin",
    "PresentedCertificate",
    "RequestBody",
    "Response",
    "TLSOptions",
    "Upstream",
    "build_context",
    "parse_origin",
]
