"""Over the connections of our own engine, which are kept for the next request (RFC 9112 §9.3).

A new connection for each exchange costs several times what the exchange does. A connection is used again only
where nothing unread was left on it, so no answer can reach another user. A form is never sent twice here, not
even where the server had closed the connection meanwhile: whoever signs requests repeats them, signed anew.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import NamedTuple

from ...config.models import AuthorizationServer
from ...config.urls import parse_url
from ...errors import Overloaded, UpstreamBroken, UpstreamError
from ...http.headers import Field
from ...runtime import Sweep
from ...upstream import Options, Origin, Response, TLSOptions, Upstream, build_context
from ..answer import Answer
from .bounds import MAX_CONNECT, check_alert, check_encoding, check_size, unreachable

MAX_CONNECTIONS = 256  # to one origin: more than its endpoints' bulkheads let out at once
DEFAULT_PORTS = {"https": 443, "http": 80}


class Place(NamedTuple):
    """Where a URL leads; ``target`` and ``host_field`` are as a request names it (RFC 9112 §3.2.1, §3.2)."""

    secure: bool
    host: str
    port: int
    host_field: str
    target: str


def parse_place(url: str) -> Place:
    """AuthorizationServerUnavailable for what is no URL that we could ask."""
    parts = parse_url(url)
    if parts is None or parts.hostname is None:
        raise unreachable(f"not a URL to ask: {url!r:.200}")
    default = DEFAULT_PORTS[parts.scheme]
    port = parts.port or default
    host_field = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Place(
        secure=parts.scheme == "https",
        host=parts.hostname,
        port=port,
        host_field=host_field if port == default else f"{host_field}:{port}",
        target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
    )


class Direct:
    """The connections are made and used on one running loop; ``context`` shows a certificate of ours."""

    def __init__(self, settings: AuthorizationServer, context: ssl.SSLContext | None = None) -> None:
        self._tls = TLSOptions(ca_file=settings.ca_file)
        self._shows_certificate = context is not None
        # Reading all authorities takes long, and a server over plain HTTP hardly ever needs them.
        needed = settings.ca_file is not None or settings.issuer.startswith("https:")
        self._context = context or (build_context(self._tls) if needed else None)
        # Once connected, a request lasts as long as who awaits it allows; the engine merely must not give up before.
        patience = 2 * settings.timeout
        self._options = Options(
            connect=min(settings.timeout, MAX_CONNECT),
            response=patience,
            idle=patience,
            max_connections=MAX_CONNECTIONS,
        )
        self._sweep = Sweep()
        self._upstreams: dict[tuple[bool, str, int], Upstream] = {}
        self._closed = False
        self._places: dict[str, Place] = {}  # few: a server has no more than four endpoints

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Raises AuthorizationServerUnavailable or ExchangeResponseInvalid."""
        place = self._places.get(url) or self._places.setdefault(url, parse_place(url))
        upstream = self._upstreams.get(place[:3]) or self._connect(place)
        message = build_head(method, place, headers, len(body)) + body
        try:
            # With its head the body is in the engine's sight one piece, and of GETs alone it repeats that.
            response = await upstream.send_message(
                message, method=method, body=None, idempotent=method == "GET"
            )
            return await _read(response)
        except (UpstreamError, UpstreamBroken, Overloaded) as error:
            if self._shows_certificate:
                check_alert(error)
            raise unreachable(error) from None

    async def aclose(self) -> None:
        self._closed = True
        self._sweep.stop()
        for upstream in self._upstreams.values():
            await upstream.aclose()

    def _connect(self, place: Place) -> Upstream:
        """One pool for each origin, whatever its endpoints."""
        if self._closed:
            raise unreachable("the proxy is closing")
        if not self._upstreams:
            self._sweep.start()
        if place.secure and self._context is None:
            self._context = build_context(self._tls)
        context = self._context if place.secure else None
        origin = Origin(place.host, place.port, context=context, server_name=place.host if context else None)
        upstream = self._upstreams[place[:3]] = Upstream(origin, self._options, self._sweep)
        return upstream


def build_head(method: str, place: Place, headers: Mapping[str, str], length: int) -> bytes:
    """A request head (RFC 9112 §3); the headers are our own, and hold no line ends."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if length:
        lines += f"Content-Length: {length}\r\n"
    return f"{method} {place.target} HTTP/1.1\r\nHost: {place.host_field}\r\n{lines}\r\n".encode("ascii")


async def _read(response: Response) -> Answer:
    try:
        headers = _join(response.headers)
        check_encoding(headers.get("content-encoding", "identity"))
        body, whole = response.take()
        if not whole:
            body = await _read_on(response, body)
        check_size(len(body))
        return Answer(response.status, headers, body)
    finally:
        response.close()


async def _read_on(response: Response, first: bytes) -> bytes:
    body = bytearray(first)
    while piece := await response.read():
        body += piece
        check_size(len(body))
    return bytes(body)


def _join(fields: list[Field]) -> dict[str, str]:
    """Header fields by name, repeated ones as one list (RFC 9110 §5.3)."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in fields:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
