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
    """A TCP or unix-domain address; over TLS where ``context`` is there, or a ``certificate`` that we show."""

    host: str = ""
    port: int = 0
    path: str = ""
    context: ssl.SSLContext | None = field(default=None, repr=False)
    server_name: str | None = None
    certificate: ClientCertificate | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path else f"{self.host}:{self.port}"

    async def connect(self, protocol: asyncio.Protocol, timeout: float) -> None:  # noqa: ASYNC109
        """Connect ``protocol`` within ``timeout`` (s), its name resolved anew each time.

        Raises UpstreamTimeout, or UpstreamUnreachable for whatever else the network, the resolver and TLS
        may say.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._open(lambda: protocol)
        except TimeoutError as error:
            raise UpstreamTimeout(f"no connection to {self} within {timeout:g} s") from error
        except OSError as error:
            raise UpstreamUnreachable(f"no connection to {self}: {error}") from error

    async def _open(self, factory: Callable[[], asyncio.Protocol]) -> None:
        loop = asyncio.get_running_loop()
        if self.path:
            await loop.create_unix_connection(factory, self.path)
        else:
            context = self.certificate.current().context if self.certificate else self.context
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
        server_name=tls.server_name or parts.hostname,
        certificate=ClientCertificate(tls) if tls.cert_file else None,
    )
