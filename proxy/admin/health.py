"""Liveness and readiness: is the process serving, and may it be sent requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from ..app import App


def build_routes(app: App) -> list[Route]:
    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        reasons = app.parts.unready_reasons()
        if app.draining:
            return JSONResponse({"status": "draining", "reasons": ["shutting down"]}, 503)
        if not app.parts.ready:
            return JSONResponse({"status": "unready", "reasons": reasons}, 503)
        return JSONResponse({"status": "degraded" if reasons else "ready", "reasons": reasons})

    return [Route("/healthz", healthz), Route("/readyz", readyz)]
