"""What a codec tells its peer and allows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecOptions:
    """Sizes in bytes.

    ``max_header_bytes`` is told to the peer. A list twice as large ends the connection; one in between is for the
    message's rules to refuse, since the peer may not know the bound yet (RFC 9113 §10.5.1).
    """

    client: bool
    max_header_bytes: int = 64 * 1024
    max_held: int = 1024 * 1024  # of all streams, received and not consumed
    max_streams: int = 100  # that the peer may have open at once (RFC 9113 §5.1.2 wants no fewer)

    @property
    def most_header_bytes(self) -> int:
        """Of a field list, decompressed or as it comes."""
        return 2 * self.max_header_bytes
