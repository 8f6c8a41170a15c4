"""The upstream engine: our own client side of HTTP, because forwarding is what this program is for."""

from .body import RequestBody
from .options import Options, TLSOptions
from .origin import Origin, parse_origin
from .pool import Upstream
from .port import UpstreamPool, UpstreamResponse
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
    "UpstreamPool",
    "UpstreamResponse",
    "build_context",
    "parse_origin",
]
