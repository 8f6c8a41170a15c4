"""An authorization server of ours in front of a scripted one, with time under the test's hand."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any, Self

from proxy.authentication.subject_token import SubjectToken
from proxy.config import models
from proxy.config.units import Secret
from proxy.exchange.authorization_server import AuthorizationServer
from proxy.exchange.record import ExchangeRecord
from proxy.exchange.token_exchange import TokenRequest
from proxy.runtime import Background

from .issuer import NOW, StillClock
from .scripted_server import ScriptedServer, answer

ISSUED = "urn:ietf:params:oauth:token-type:access_token"
TOKEN = {
    "access_token": "canary-access",
    "token_type": "Bearer",
    "expires_in": 300,
    "issued_token_type": ISSUED,
    "scope": "orders:read",
}
GOOD = answer(200, TOKEN)
REQUEST = TokenRequest("okta", "token_exchange", audience=("api://orders",), scopes=("orders:read",))
CLIENT = models.Client(id="0oa9", secret=Secret("canary-secret"))


def make_subject_token(name: str = "alice") -> SubjectToken:
    identity = name.encode().ljust(32, b".")
    return SubjectToken(f"canary-subject-{name}", "okta", "https://as", name, {}, identity, NOW + 600)


ALICE = make_subject_token()


@dataclass
class Exchanging:
    """``server`` says to ``script`` what it would say to Okta; ``slept`` are the pauses it asked for."""

    script: ScriptedServer
    settings: dict[str, Any] = field(default_factory=dict)
    clock: StillClock = field(default_factory=StillClock)
    slept: list[float] = field(default_factory=list)
    records: list[ExchangeRecord] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        await self.script.__aenter__()
        self.background = Background()
        settings = {"issuer": self.script.url, "token_url": self.script.url + "/token", "client": CLIENT}
        self.server = AuthorizationServer(
            "okta",
            models.AuthorizationServer(**settings | self._placed()),
            clock=self.clock,
            background=self.background,
            on_exchange=self.records.append,
            sleep=self._sleep,
            random=lambda: 0.5,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.background.aclose()
        await self.server.aclose()
        await self.script.__aexit__()

    @property
    def asked(self) -> list[Any]:
        return self.script.asked

    def _placed(self) -> dict[str, Any]:
        return {
            name: value.format(self.script.url) if isinstance(value, str) else value
            for name, value in self.settings.items()
        }

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)


def exchanging(*script: Any, tls: ssl.SSLContext | None = None, **settings: Any) -> Exchanging:
    """Answers in turn; settings of the authorization server by name, with ``{}`` for the script's URL."""
    return Exchanging(ScriptedServer(*script, tls=tls), settings)
