"""The demo's own paths at the authorization server: ready tokens, and the fault switch over HTTP."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from .tenant import Tenant
from .tokens import mint

_FAULTS = ("slow", "hold", "release", "fail", "rate_limit", "garbage", "redirect")


def build_control_routes(tenant: Tenant) -> list[Route]:
    """``GET /demo/token/{user}``, ``PUT /demo/users/{user}``, ``POST`` and ``DELETE /demo/faults``.

    No fault touches them.
    """

    async def add_user(request: Request) -> Response:
        tenant.user(request.path_params["user"])
        return Response(status_code=204)

    async def give_token(request: Request) -> Response:
        """A fresh token; ``expires_in`` (s, may be negative), ``audience`` and ``scope`` may be asked for."""
        login = request.path_params["user"]
        if login not in tenant.users:
            return PlainTextResponse(f"no such user; there are {', '.join(tenant.users)}\n", 404)
        try:
            token = mint(tenant, login, **_parse_wishes(request))
        except ValueError:
            return PlainTextResponse("expires_in is a number of seconds\n", 400)
        return PlainTextResponse(token + "\n", headers={"cache-control": "no-store"})

    async def set_fault(request: Request) -> Response:
        """``{"fault": "slow", "endpoint": "token", "seconds": 2}``: a method of ``Faults`` with its arguments."""
        try:
            wishes = dict(await request.json())
            fault = wishes.pop("fault")
            if fault not in _FAULTS:
                raise KeyError(fault)
            getattr(tenant.faults, fault)(**wishes)
        except (TypeError, ValueError, KeyError):
            return PlainTextResponse(f"a fault is one of {', '.join(_FAULTS)}, with its arguments\n", 400)
        return JSONResponse({"fault": fault, **wishes})

    async def clear_faults(request: Request) -> Response:
        tenant.faults.clear()
        return Response(status_code=204)

    return [
        Route("/demo/token/{user}", give_token, methods=["GET"]),
        Route("/demo/users/{user}", add_user, methods=["PUT"]),
        Route("/demo/faults", set_fault, methods=["POST"]),
        Route("/demo/faults", clear_faults, methods=["DELETE"]),
    ]


def _parse_wishes(request: Request) -> dict[str, Any]:
    asked = request.query_params
    wishes: dict[str, Any] = {}
    if "expires_in" in asked:
        wishes["expires_in"] = float(asked["expires_in"])
    if "audience" in asked:
        wishes["audience"] = asked["audience"]
    if "scope" in asked:
        wishes["scopes"] = asked["scope"].split()
    return wishes
