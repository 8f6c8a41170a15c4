"""``client_secret_basic`` and ``client_secret_post`` (RFC 6749 §2.3.1)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable

from ..config.models import Client
from ..config.secret_file import SecretFile
from .credentials import Alternation, ClientAuthentication, Credentials
from .token_exchange import encode_component


class ClientSecret(ClientAuthentication):
    """A secret, or two while one takes the other's place: the one that was taken last goes first."""

    def __init__(self, client_id: str, read: Callable[[], list[bytes]], *, in_form: bool) -> None:
        self._client_id = client_id
        self._read = read
        self._in_form = in_form
        self._alternation = Alternation()
        self._made = Credentials()
        self._made_of: list[bytes] | None = None  # all secrets, as they were then

    def authenticate(self, url: str, now: float) -> Credentials:
        secrets = self._read()
        if secrets != self._made_of:
            self._made = self._choose(secrets)
            self._made_of = secrets
        return self._made

    def refuse(self, credentials: Credentials) -> None:
        self._alternation.refuse(credentials.source)
        self._made_of = None

    def identity(self) -> str:
        return self._client_id

    def _choose(self, secrets: list[bytes]) -> Credentials:
        candidates = [(secret, secret.decode()) for secret in secrets if secret]
        if not candidates:
            raise ValueError("the client secret is empty")
        return self._build(*self._alternation.choose(candidates))

    def _build(self, source: bytes, secret: str) -> Credentials:
        if self._in_form:
            return Credentials(
                form=[("client_id", self._client_id), ("client_secret", secret)], source=source
            )
        # Both halves are form-encoded first, or a colon or a percent sign would break the pair apart.
        pair = f"{encode_component(self._client_id)}:{encode_component(secret)}"
        return Credentials(authorization=f"Basic {b64encode(pair.encode()).decode()}", source=source)


def build_reader(client: Client) -> Callable[[], list[bytes]]:
    """What gives the secrets as they are now: the lines of the file, or the one in the configuration."""
    if client.secret_file is not None:
        file = SecretFile(client.secret_file)
        return lambda: file.read().splitlines()
    if client.secret is None:
        raise ValueError(f"{client.auth} needs secret or secret_file")
    secret = client.secret.get_secret_value().encode()
    return lambda: [secret]
