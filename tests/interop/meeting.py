"""Our side of a meeting with an authorization server that none of us wrote."""

from __future__ import annotations

from typing import Any

from proxy.authentication.subject_token import SubjectToken
from proxy.config import models
from proxy.exchange.authorization_server import AuthorizationServer
from proxy.runtime import Background, SystemClock


class Meeting:
    """One client at that issuer, by its metadata alone."""

    def __init__(self, issuer: str, client: models.Client, **settings: Any) -> None:
        self._background = Background()
        self._server = AuthorizationServer(
            "as",
            models.AuthorizationServer(issuer=issuer, client=client, **settings),
            clock=SystemClock(),
            background=self._background,
        )

    async def __aenter__(self) -> AuthorizationServer:
        return self._server

    async def __aexit__(self, *_: object) -> None:
        await self._background.aclose()
        await self._server.aclose()


def make_subject_token(value: str, subject: str = "alice") -> SubjectToken:
    return SubjectToken(value, "as", "https://as", subject, {}, b"a" * 32, SystemClock().time() + 300)
