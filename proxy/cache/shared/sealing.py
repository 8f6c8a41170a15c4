"""Values sealed and names hidden before they leave this process: AES-256-GCM (NIST SP 800-38D) and HMAC.

From each key of the key file come, by HKDF (RFC 5869), a key to encrypt with, a key to name with and an id.
What is sealed under one name opens under no other: the name is authenticated with the value. A nonce is
random, so one key is good for some 2^32 values (SP 800-38D §8.3): at a thousand a second, replace it monthly.
"""

from __future__ import annotations

import hmac
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ...config.files import parse_encryption_keys

VERSION: Final = b"\x01"
KEY_SIZE: Final = 32
_ID_SIZE: Final = 8
_NONCE_SIZE: Final = 12
_HEAD_SIZE: Final = len(VERSION) + _ID_SIZE


class SealingKey:
    """One line of the key file at work."""

    def __init__(self, secret: bytes) -> None:
        derive = HKDF(SHA256(), 2 * KEY_SIZE + _ID_SIZE, salt=None, info=b"obo-proxy shared cache 1").derive
        derived = derive(secret)
        self._aead = AESGCM(derived[:KEY_SIZE])
        self._naming_key = derived[KEY_SIZE : 2 * KEY_SIZE]
        self._head = VERSION + derived[2 * KEY_SIZE :]

    def name(self, kind: bytes, digest: bytes) -> bytes:
        """A name that tells nothing to those without the key (32 hexadecimal digits)."""
        return hmac.digest(self._naming_key, kind + b"\0" + digest, "sha256").hex()[:32].encode()

    def sign(self, content: bytes) -> bytes:
        """What only those with the key can say of ``content`` (32 bytes)."""
        return hmac.digest(self._naming_key, b"signature\0" + content, "sha256")

    def seal(self, name: bytes, value: bytes) -> bytes:
        """``value`` encrypted, to be opened under ``name`` alone; never the same bytes twice."""
        nonce = os.urandom(_NONCE_SIZE)
        return self._head + nonce + self._aead.encrypt(nonce, value, self._head + name)

    def open(self, name: bytes, sealed: bytes) -> bytes | None:
        """What was sealed under ``name`` with this key; None for anything else."""
        nonce, ciphertext = sealed[_HEAD_SIZE : _HEAD_SIZE + _NONCE_SIZE], sealed[_HEAD_SIZE + _NONCE_SIZE :]
        if not sealed.startswith(self._head) or len(nonce) < _NONCE_SIZE:
            return None
        try:
            return self._aead.decrypt(nonce, ciphertext, self._head + name)
        except InvalidTag:
            return None


def parse_key_file(content: bytes) -> tuple[SealingKey, ...]:
    """The keys of a key file. Raises ValueError, which shows nothing of them."""
    return tuple(map(SealingKey, parse_encryption_keys(content)))
