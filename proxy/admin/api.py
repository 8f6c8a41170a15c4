"""The admin side for programs: status, configuration, inspection and purging, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..cache.replicas import RevocationOwed
from ..config.show import build_shown
from .bodies import read_json
from .inspection import inspect
from .status import build_status

if TYPE_CHECKING:
    from ..app import App


def build_routes(app: App) -> list[Route]:
    async def status(_: Request) -> Response:
        return JSONResponse(build_status(app))

    async def config(_: Request) -> Response:
        return JSONResponse(build_shown(app.settings))

    async def inspect_token(request: Request) -> Response:
        asked = await read_json(request, "route", optional=("token",))
        return JSONResponse(await inspect(app, asked["token"], asked["route"]))

    async def purge(request: Request) -> Response:
        asked = await read_json(request, "issuer", "subject")
        try:
            purged = await app.parts.store.cache.purge(asked["issuer"], asked["subject"])
        except RevocationOwed as owed:
            return JSONResponse({"purged": owed.dropped, "shared": owed.reason}, 503)
        return JSONResponse({"purged": purged})

    return [
        Route("/api/status", status),
        Route("/api/config", config),
        Route("/api/inspect", inspect_token, methods=["POST"]),
        Route("/api/purge", purge, methods=["POST"]),
    ]
