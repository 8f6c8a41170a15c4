"""Where an upstream is, and how a connection to it is opened and trusted."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ..errors import UpstreamTimeout, UpstreamUnreachable
from .options import TLSOptions
from .tls import ClientCertificate, build_context


@dataclass(frozen=True, slots=True)
class Origin:
    """A TCP or unix-domain address; over TLS where ``context`` is there, or a ``certificate`` that we show.

    ``http2_context`` is for the connections that speak HTTP/2, where a certificate has none of its own.
    """

    host: str = ""
    port: int = 0
    path: str = ""
    context: ssl.SSLContext | None = field(default=None, repr=False)
    server_name: str | None = None
    certificate: ClientCertificate | None = field(default=None, repr=False)
    http2_context: ssl.SSLContext | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path else f"{self.host}:{self.port}"

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken."""
        return self.context is not None or self.certificate is not None

    async def connect(
        self,
        protocol: asyncio.Protocol,
        timeout: float,  # noqa: ASYNC109
        *,
        http2: bool = False,
    ) -> None:
        """Connect ``protocol`` within ``timeout`` (s), its name resolved anew each time; over TLS it offers its ALPN.

        Raises UpstreamTimeout, or UpstreamUnreachable for whatever else the network, the resolver and TLS
        may say.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._open(lambda: protocol, self._find_context(http2=http2))
        except TimeoutError as error:
            raise UpstreamTimeout(f"no connection to {self} within {timeout:g} s") from error
        except OSError as error:
            raise UpstreamUnreachable(f"no connection to {self}: {error}") from error

    def _find_context(self, *, http2: bool) -> ssl.SSLContext | None:
        shown = self.certificate.current() if self.certificate else self
        if not http2 or not self.secure:
            return shown.context
        if shown.http2_context is None:  # or it would be spoken without TLS
            raise RuntimeError(f"{self} has no context for HTTP/2")
        return shown.http2_context

    async def _open(self, factory: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        if self.path:
            await loop.create_unix_connection(factory, self.path)
        else:
            await loop.create_connection(
                factory, self.host, self.port, ssl=context, server_hostname=self.server_name
            )


def parse_origin(url: str, tls: TLSOptions | None = None) -> Origin:
    """``http://host[:port]``, ``https://host[:port]`` or ``unix:/path.sock``; ValueError for anything else."""
    parts = urlsplit(url)
    if parts.scheme == "unix" and parts.path.startswith("/"):
        return Origin(path=parts.path)
    if not parts.hostname:
        raise ValueError(f"not an upstream URL: {url!r}")
    if parts.scheme == "http":
        return Origin(parts.hostname, parts.port or 80)
    if parts.scheme != "https":
        raise ValueError(f"neither http, https nor unix: {url!r}")
    tls = tls or TLSOptions()
    return Origin(
        parts.hostname,
        parts.port or 443,
        context=None if tls.cert_file else build_context(tls),
        http2_context=build_context(tls, "h2") if tls.http2 and not tls.cert_file else None,
        server_name=tls.server_name or parts.hostname,
        certificate=ClientCertificate(tls) if tls.cert_file else None,
    )
