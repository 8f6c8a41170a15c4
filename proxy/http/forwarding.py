"""What an intermediary says of the hop behind it: X-Forwarded-*, Via, Host (RFC 9110 §7.6.3, RFC 7239 §8.1).

The peer is the socket's. What it says of those before it counts only if it is in ``trusted_proxies``.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from .headers import Ended, Field, Fields, RequestFilter, append
from .withholding import CredentialNames

Network = IPv4Network | IPv6Network

_MEMO_SIZE: Final = 4096  # peers
_SCHEMES: Final = frozenset({b"http", b"https"})
_PROTOS: Final = {proto: (b"x-forwarded-proto", proto.encode("ascii")) for proto in ("http", "https")}
_VERSIONS: Final = ("1.0", "1.1", "2", "3")  # of HTTP, as ASGI has them
# One host, perhaps with a port: nothing that a list or URL needs.
_AUTHORITY: Final = re.compile(rb"[A-Za-z0-9._~:\[\]-]+")


class Forwarding:
    """The forwarding fields of one listener. ``pseudonym`` is ours in ``Via``, and unlike any other process's.

    ``via`` is for what was received by HTTP/1.1, ``via_http2`` by HTTP/2 (RFC 9110 §7.6.3).

    Callers show credentials under ``names``; ``strip_headers`` are further fields that end here. ``external_url`` is
    the origin that all callers use, where that is one.
    """

    def __init__(
        self,
        trusted_proxies: Sequence[Network] = (),
        names: CredentialNames | None = None,
        strip_headers: Iterable[str] = (),
        external_url: str | None = None,
    ) -> None:
        self.pseudonym = b"obo-proxy-" + secrets.token_hex(4).encode()
        self._vias = {
            version: (b"via", version.encode("ascii") + b" " + self.pseudonym) for version in _VERSIONS
        }
        self.via = self._vias["1.1"]
        self.via_http2 = self._vias["2"]
        self.names = names or CredentialNames()
        self._networks = tuple(trusted_proxies)
        also = self.names.headers | {name.lower().encode("ascii") for name in strip_headers}
        self._strict = RequestFilter(trusted=False, also=also)
        self._trusting = RequestFilter(trusted=True, also=also)
        self._external_url = None if external_url is None else external_url.rstrip("/")
        self._memo: dict[str, bool] = {}

    def split(self, peer: str, fields: Fields) -> tuple[list[Field], Ended]:
        """The caller's fields that go on, and the values of those that end here."""
        which = self._trusting if self._networks and self._trusts(peer) else self._strict
        return which.split(fields)

    def build_fields(self, peer: str, proto: str, version: str, host: bytes, ended: Ended) -> list[Field]:
        """``X-Forwarded-For``, ``-Proto``, ``-Host`` and ``Via`` for a request whose ``ended`` fields are these.

        ``proto`` and ``version`` are how it came, as ASGI has them (``scheme``, ``http_version``).
        """
        via = self._vias[version]
        if b"via" in ended:
            via = append(ended, *via)
        address = peer.encode("ascii")
        if not self._networks or not self._trusts(peer):
            return [
                (b"x-forwarded-for", address),
                _PROTOS[proto],
                (b"x-forwarded-host", host),
                via,
            ]
        return [
            append(ended, b"x-forwarded-for", address),
            (b"x-forwarded-proto", ended.get(b"x-forwarded-proto", [proto.encode("ascii")])[0]),
            (b"x-forwarded-host", ended.get(b"x-forwarded-host", [host])[0]),
            via,
        ]

    def find_origin(self, peer: str, proto: str, host: bytes, ended: Ended) -> str:
        """Scheme and authority as the caller used them: a trusted peer may say so, if it says it plainly."""
        if self._external_url is not None:
            return self._external_url
        if self._networks and self._trusts(peer):
            said = ended.get(b"x-forwarded-proto", [b""])[0].lower()
            proto = said.decode("ascii") if said in _SCHEMES else proto
            said = ended.get(b"x-forwarded-host", [b""])[0]
            host = said if _AUTHORITY.fullmatch(said) else host
        return f"{proto}://{host.decode('latin-1')}"

    def vouches_for(self, peer: str) -> bool:
        """Whether what ``find_origin`` says of a request of ``peer`` is more than the caller's own word."""
        return self._external_url is not None or self._trusts(peer)

    def find_caller(self, peer: str, ended: Ended) -> str:
        """The address that called: the peer's, or the last one that a trusted peer says it forwards for."""
        said = ended.get(b"x-forwarded-for") if self._trusts(peer) else None
        return said[-1].rpartition(b",")[2].strip().decode("latin-1") if said else peer

    def _trusts(self, peer: str) -> bool:
        verdict = self._memo.get(peer)
        if verdict is None:
            verdict = bool(peer) and any(ip_address(peer) in network for network in self._networks)
            if len(self._memo) < _MEMO_SIZE:
                self._memo[peer] = verdict
        return verdict
