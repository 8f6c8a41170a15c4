"""The upstream engine for HTTP/2 (RFC 9113): the same calls as that for HTTP/1.1, over few connections."""

from .pool import Http2Upstream

__all__ = ["Http2Upstream"]
