"""How much of everything a connection may ask of us."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..config.models import Listen

LAST_CALL: Final = 0.5  # s of a drain: new requests are still served, each as its connection's last


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Sizes in bytes, times in seconds; those without a default are the configuration's."""

    max_header_bytes: int  # all field lines together
    max_header_fields: int
    max_connections: int
    header_timeout: float
    keep_alive_timeout: float
    max_field_bytes: int = 16 * 1024  # one field line: the largest token is as long
    max_target_bytes: int = 8 * 1024  # RFC 9112 §3 recommends at least 8000
    body_timeout: float = 30.0  # that a request body may keep us waiting, beyond what its rate explains
    write_timeout: float = 60.0  # within which the peer takes what the rate asks for, while data waits for it
    # Bytes/s, both ways. The slowest plans sold are throttled to 64 kbit/s: eight transfers at once have as much
    # each. Below it whoever holds an upstream's connection costs others more than the transfer is worth.
    least_rate: float = 1024.0
    websockets: bool = True  # else a handshake is served as the plain request that it is, too
    grpc: bool = True  # likewise a call of gRPC's: it is refused by HTTP's status
    linger_timeout: float = 2.0  # to let the peer read an answer that came before its body was read

    @property
    def least_taken(self) -> float:
        """Bytes that a peer for whom data waits takes within ``write_timeout``."""
        return self.least_rate * self.write_timeout

    @classmethod
    def of(cls, listen: Listen) -> Limits:
        """The limits that the configuration sets; the others stay as they are."""
        return cls(
            max_header_bytes=listen.max_header_bytes,
            max_header_fields=listen.max_header_fields,
            max_connections=listen.max_connections,
            header_timeout=listen.header_timeout,
            keep_alive_timeout=listen.keep_alive_timeout,
        )
