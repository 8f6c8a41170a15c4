"""What a step of the examination found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..config import models
from ..errors import ProxyError
from ..runtime import Clock

Verdict = Literal["pass", "warn", "fail", "skip"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One step with its verdict; ``about`` is the server, route or URL it was tried on, if any.

    ``summary`` says what was found, which for a failure is its cause; ``remedy`` what mends it. ``code`` is the
    error's of the contract's table. ``seconds`` is the time the step took. No field ever holds a token or a secret.
    """

    step: str
    about: str
    verdict: Verdict
    summary: str
    remedy: str = ""
    code: str | None = None
    seconds: float = 0.0

    def as_document(self) -> dict[str, Any]:
        """The finding in JSON's terms."""
        return {
            "step": self.step,
            "about": self.about,
            "verdict": self.verdict,
            "summary": self.summary,
            "remedy": self.remedy,
            "code": self.code,
            "seconds": round(self.seconds, 4),
        }


def build_failure(
    step: str, about: str, error: ProxyError, *, summary: str = "", remedy: str = ""
) -> Finding:
    """The finding that ``error`` is; ``summary`` and ``remedy`` say it better where they are given."""
    return Finding(step, about, "fail", summary or str(error), remedy or error.remedy, code=error.code)


def name_places(finding: Finding, server: models.AuthorizationServer) -> Finding:
    """``finding``, whose remedy names our app and the authorization server: whoever reads it knows where to click."""
    client_id = server.client.id if server.client else None
    client = f"(the app of client id {client_id})" if client_id else "(our app)"
    remedy = finding.remedy.replace("(our app)", client)
    return replace(finding, remedy=remedy.replace("(the server)", f"({server.issuer})"))


async def examine(clock: Clock, step: str, about: str, probe: Callable[[], Awaitable[Finding]]) -> Finding:
    """What ``probe`` finds, and how long it took; a ProxyError is a failure of ``step``."""
    began = clock.monotonic()
    try:
        finding = await probe()
    except ProxyError as error:
        finding = build_failure(step, about, error)
    return replace(finding, seconds=clock.monotonic() - began)
