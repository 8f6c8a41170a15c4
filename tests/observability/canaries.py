"""Strings that must stand nowhere, and a search for them in whatever was captured."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from proxy.demo.wire import Recorded

_SECRET_FIELDS = {"subject_token", "actor_token", "assertion", "client_assertion", "client_secret", "token"}
_SECRET_HEADERS = {"authorization", "dpop", "cookie"}
_SHORTEST = 8  # characters; less may stand anywhere by chance


class Canaries:
    """Secrets by name, each in every form it may take on its way."""

    def __init__(self) -> None:
        self._forms: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._forms)

    def add(self, name: str, secret: str) -> str:
        """The secret, for use where it is named."""
        encoded = b64encode(secret.encode()).decode().rstrip("=")
        # A JWT's header is no secret, and much the same in all; its other parts are.
        parts = secret.split(".")[1:] if secret.count(".") == 2 else ()
        for form in {secret, quote(secret, safe=""), quote_plus(secret), encoded, *parts}:
            if len(form) >= _SHORTEST:
                self._forms.setdefault(form, name)
        return secret

    def add_recorded(self, requests: Iterable[Recorded]) -> None:
        """Every credential, assertion, proof and token that was on the wire."""
        for request in requests:
            for name, value in request.headers:
                if name in _SECRET_HEADERS:
                    scheme, _, credentials = value.partition(" ")
                    self.add(name, credentials or scheme)
                    if scheme == "Basic":
                        self.add("client_secret_basic", b64decode(credentials).decode().partition(":")[2])
            for name, value in request.form.items():
                if name in _SECRET_FIELDS:
                    self.add(name, value)

    def found_in(self, captured: str) -> set[str]:
        """The names of those that stand in ``captured``."""
        return {name for form, name in self._forms.items() if form in captured}
