"""Liveness and readiness: is the process serving, and may it be sent requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from .answer import Answer, answer_json

if TYPE_CHECKING:
    from ..app import App


def build_answers(app: App) -> dict[str, Callable[[], Awaitable[Answer]]]:
    async def healthz() -> Answer:
        return answer_json({"status": "ok"})

    async def readyz() -> Answer:
        reasons = app.parts.unready_reasons()
        if app.draining:
            return answer_json({"status": "draining", "reasons": ["shutting down"]}, 503)
        if not app.parts.ready:
            return answer_json({"status": "unready", "reasons": reasons}, 503)
        return answer_json({"status": "degraded" if reasons else "ready", "reasons": reasons})

    return {"/healthz": healthz, "/readyz": readyz}
