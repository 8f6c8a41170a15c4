"""Everything that is put beside our proxy, one class for each, and the one port they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from tests.support.certificates import Issued

from ..processes import Running

Secured = Literal["caller", "upstream"]  # on which side there is TLS, where there is any


@dataclass(frozen=True)
class Surroundings:
    """What a peer is started with: where it forwards to, whose tokens it gets, where it runs."""

    upstream_port: int
    authorization_server_port: int
    secure_upstream_port: int  # the same upstream, over TLS
    jwks: str
    public_key_pem: str
    certificate: Issued  # of localhost, for whoever serves TLS; by the authority in ``ca_file``
    ca_file: Path
    cores: frozenset[int]
    folder: Path  # the peer's own, for configuration and log
    secured: Secured | None = None
    upstream_token: str = "Bearer upstream-token-set-by-the-proxy"

    @property
    def forwards_to(self) -> int:
        """The upstream's port, as ``secured`` has it."""
        return self.secure_upstream_port if self.secured == "upstream" else self.upstream_port


class Peer(Protocol):
    """One proxy."""

    name: str
    verifies: str  # how it verifies the caller's token; "no" where it does not

    def available(self) -> str | None:
        """Installs or finds the program; the reason where that cannot be."""

    def start(self, around: Surroundings, port: int) -> Running:
        """Starts it on ``port`` of the loopback, on the given cores."""


def all_peers() -> Sequence[Peer]:
    """Ours first, then by what they are written in."""
    from . import caddy, direct, envoy, fastify, haproxy, nginx, ours, python  # noqa: PLC0415

    return (
        ours.Ours(),
        direct.Direct(),
        envoy.Envoy(cached=True),
        envoy.Envoy(cached=False),
        envoy.EnvoyAsking(),
        nginx.Nginx(),
        nginx.NginxWithNjs(),
        haproxy.HAProxy(verifying=False),
        haproxy.HAProxy(verifying=True),
        caddy.Caddy(),
        fastify.Fastify(),
        python.CrudeSketch(),
        python.PlainHttpx(),
        python.FastapiProxyLib(),
        python.Mitmproxy(),
    )
