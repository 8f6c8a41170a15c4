"""RFC 9449 §8, §9: nonces of ours, which tell that a proof was made just now and for us.

None is kept: a nonce is the time at which it was given, authenticated. All who have the key take each other's.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Callable, Sequence
from typing import Final

from ..jose.encoding import decode_base64url, encode_base64url
from ..runtime import Clock

STEP: Final = 60  # s after which another one is given
LIFETIME: Final = 300  # s for which one is taken
AHEAD: Final = 60  # s that the clock of a replica may be ahead of ours

# Authenticates what it is given: always alike, and as nobody else can.
Sign = Callable[[bytes], bytes]

_TIME: Final = struct.Struct("!I")


class ProofNonces:
    """``read_keys`` gives those in force now: the first signs, all are good."""

    def __init__(self, read_keys: Callable[[], Sequence[Sign]], clock: Clock) -> None:
        self._read_keys = read_keys
        self._clock = clock

    @property
    def current(self) -> str:
        """The one to be used from now on."""
        given_at = _TIME.pack(int(self._clock.time()) // STEP * STEP)
        return encode_base64url(given_at + self._read_keys()[0](given_at))

    def accepts(self, nonce: str) -> bool:
        """Whether it is one of ours that has not ended."""
        try:
            content = decode_base64url(nonce)
        except ValueError:
            return False
        given_at, signature = content[: _TIME.size], content[_TIME.size :]
        if len(given_at) != _TIME.size or not any(
            hmac.compare_digest(sign(given_at), signature) for sign in self._read_keys()
        ):
            return False
        age: float = self._clock.time() - _TIME.unpack(given_at)[0]
        return -AHEAD <= age <= LIFETIME


def sign_with(secret: bytes) -> Sign:
    """HMAC-SHA256 by a key of one supervisor's processes alone."""
    return lambda content: hmac.digest(secret, b"dpop nonce\0" + content, "sha256")
