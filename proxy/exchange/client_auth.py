"""How we authenticate at an authorization server (RFC 6749 §2.3, RFC 7521 §4.2, RFC 7523 §2.2).

Credentials are read at every use, so that a file swapped by a rotation counts from the next request on.
"""

from __future__ import annotations

import logging
import secrets
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote

import jwt

from ..config.models import Client
from ..config.secret_file import SecretFile
from ..jose.private_keys import ClientKey, load_keys, public_jwk, thumbprint
from .token_exchange import Form

log = logging.getLogger(__name__)

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFE = 120  # s: long enough for a slow server, short enough to be worthless soon


@dataclass(frozen=True, slots=True)
class Credentials:
    """What goes along with one request: an ``Authorization`` field, or fields of the form.

    ``source`` is what they were made from: two that are equal would be refused alike. ``signed`` ones hold a
    time of signing, and no secret.
    """

    authorization: str | None = field(default=None, repr=False)
    form: Form = field(default_factory=list, repr=False)
    source: bytes = field(default=b"", repr=False)
    signed: bool = False


class ClientAuthentication(Protocol):
    """Proves who we are."""

    def authenticate(self, url: str, now: float) -> Credentials:
        """Fresh credentials for one request to ``url`` at ``now`` (epoch s, by the server's clock).

        Raises OSError or ValueError where they cannot be read.
        """
        ...


class ClientSecret:
    """``client_secret_basic`` and ``client_secret_post`` (RFC 6749 §2.3.1)."""

    def __init__(self, client_id: str, read: Callable[[], bytes], *, in_form: bool) -> None:
        self._client_id = client_id
        self._read = read
        self._in_form = in_form

    def authenticate(self, url: str, now: float) -> Credentials:
        source = self._read()
        secret = source.decode()
        if not secret:
            raise ValueError("the client secret is empty")
        if self._in_form:
            return Credentials(
                form=[("client_id", self._client_id), ("client_secret", secret)], source=source
            )
        # Both halves are form-encoded first, or a colon or a percent sign would break the pair apart.
        pair = f"{quote(self._client_id, safe='')}:{quote(secret, safe='')}"
        return Credentials(authorization=f"Basic {b64encode(pair.encode()).decode()}", source=source)


class PrivateKeyJWT:
    """``private_key_jwt`` (RFC 7523 §3): a fresh assertion for each request."""

    def __init__(self, client_id: str, keys: KeyFile) -> None:
        self._client_id = client_id
        self._keys = keys

    def authenticate(self, url: str, now: float) -> Credentials:
        key = self._keys.read()[0]
        assertion = jwt.encode(
            {
                "iss": self._client_id,
                "sub": self._client_id,
                "aud": url,
                "jti": secrets.token_urlsafe(16),
                "iat": int(now),
                "exp": int(now) + ASSERTION_LIFE,
            },
            key.key,
            algorithm=key.alg,
            headers={"kid": key.key_id},
        )
        form = [
            ("client_id", self._client_id),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion),
        ]
        return Credentials(form=form, source=thumbprint(public_jwk(key.key)).encode(), signed=True)


class KeyFile:
    """The private keys of a file that is read again when it changes; the first signs, all are published."""

    def __init__(self, file: SecretFile, *, alg: str | None = None, key_id: str | None = None) -> None:
        self._file = file
        self._alg = alg
        self._key_id = key_id
        self._content: bytes | None = None
        self._keys: tuple[ClientKey, ...] = ()

    def read(self) -> tuple[ClientKey, ...]:
        """Raises OSError or ValueError where there was never a readable key of the right kind."""
        content = self._file.read()
        if content != self._content:
            try:
                self._keys = load_keys(content, alg=self._alg, key_id=self._key_id)
            except ValueError as error:
                if not self._keys:
                    raise
                # Half-written in the middle of a rotation: the keys read last still stand.
                log.warning("the client's key file is unsound", extra={"error": str(error)})
            self._content = content
        return self._keys


def build_key_file(client: Client) -> KeyFile | None:
    """The key file that ``client`` names, if it authenticates by one."""
    if client.auth != "private_key_jwt" or client.private_key_file is None:
        return None
    return KeyFile(SecretFile(client.private_key_file), alg=client.signing_alg, key_id=client.key_id)


def build_client_authentication(client: Client, key_file: KeyFile | None = None) -> ClientAuthentication:
    """What ``client`` says; whatever it lacks is noticed here, with a ValueError."""
    if client.auth == "private_key_jwt":
        key_file = key_file or build_key_file(client)
        if key_file is None:
            raise ValueError("private_key_jwt needs private_key_file")
        return PrivateKeyJWT(client.id, key_file)
    return ClientSecret(client.id, _secret_reader(client), in_form=client.auth == "client_secret_post")


def _secret_reader(client: Client) -> Callable[[], bytes]:
    if client.secret_file is not None:
        return SecretFile(client.secret_file).read
    if client.secret is None:
        raise ValueError(f"{client.auth} needs secret or secret_file")
    secret = client.secret.get_secret_value().encode()
    return lambda: secret
