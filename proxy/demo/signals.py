"""What the org sends when a user's access ends: shared signals (SSF, CAEP) and Universal Logout, as Okta makes them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from .tenant import Tenant
from .tokens import override

# What receivers of the demo's are called by, wherever they run.
AUDIENCE = "http://obo-proxy.demo/signals/demo"
PATH = "/signals/demo"
REVOCATION_PATH = "/signals/demo/universal-logout"
REVOCATION_URL = f"http://obo-proxy.demo{REVOCATION_PATH}"
CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
RISC = "https://schemas.openid.net/secevent/risc/event-type/"
EVENTS: Mapping[str, str] = {
    "session-revoked": f"{CAEP}session-revoked",
    "credential-change": f"{CAEP}credential-change",
    "token-claims-change": f"{CAEP}token-claims-change",
    "account-disabled": f"{RISC}account-disabled",
    "verification": "https://schemas.openid.net/secevent/ssf/event-type/verification",
    "stream-updated": "https://schemas.openid.net/secevent/ssf/event-type/stream-updated",
}
UNIVERSAL_LOGOUT = "universal-logout"
_TIMEOUT = 10.0  # s


def build_entry(tenant: Tenant) -> dict[str, Any]:
    """The entry of ``signals`` by which a proxy hears of the org."""
    return {
        "authorization_server": "default",
        "issuer": tenant.url,
        "jwks_url": f"{tenant.url}/oauth2/v1/keys",
        "audience": AUDIENCE,
        "path": PATH,
        "revocation_path": REVOCATION_PATH,
    }


def build_subject(tenant: Tenant, login: str) -> dict[str, Any]:
    """As Okta names a user: by the org and the user's id there."""
    return {"format": "iss_sub", "iss": tenant.url, "sub": tenant.user(login).uid}


def sign_event(
    tenant: Tenant,
    event: str,
    login: str = "alice",
    *,
    header: Mapping[str, Any] | None = None,
    payload: Mapping[str, Any] | None = None,
    **changes: Any,
) -> str:
    """A security event token (RFC 8417); ``changes`` are put over its claims, None leaves one out."""
    now = tenant.now()
    said = {"subject": {"user": build_subject(tenant, login)}, "event_timestamp": int(now * 1000)}
    about_stream = event in ("verification", "stream-updated")
    content = {"state": "demo"} if about_stream else override(said, payload or {})
    claims = {
        "iss": tenant.url,
        "jti": f"set-{secrets.token_hex(16)}",
        "iat": int(now),
        "aud": AUDIENCE,
        "events": {EVENTS.get(event, event): content},
    }
    return tenant.event_keys.sign(override(claims, changes), {"typ": "secevent+jwt", **(header or {})})


def sign_credential(tenant: Tenant, *, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
    """What a request for Universal Logout shows; ``changes`` as above."""
    now = int(tenant.now())
    claims = {
        "jti": secrets.token_hex(16),
        "iss": tenant.url,
        "sub": tenant.clients["obo-proxy"].id,
        "aud": REVOCATION_URL,
        "exp": now + 300,
        "nbf": now - 300,
        "iat": now,
    }
    fields = {"typ": "global-token-revocation+jwt", **(header or {})}
    return tenant.event_keys.sign(override(claims, changes), fields)


async def send(tenant: Tenant, to: str, event: str, login: str) -> httpx.Response:
    """Send it to the proxy at the URL ``to``; what it answers. Raises httpx.HTTPError."""
    async with httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT) as client:
        if event == UNIVERSAL_LOGOUT:
            body = {"sub_id": {"format": "email", "email": tenant.user(login).login}}
            headers = {"authorization": f"Bearer {sign_credential(tenant)}"}
            return await client.post(f"{to}{REVOCATION_PATH}", json=body, headers=headers)
        headers = {"content-type": "application/secevent+jwt", "accept": "application/json"}
        return await client.post(f"{to}{PATH}", content=sign_event(tenant, event, login), headers=headers)


def build_signal_routes(tenant: Tenant) -> list[Route]:
    """``POST /demo/signals``: ``{"event": "session-revoked", "user": "alice", "to": "http://127.0.0.1:8080"}``."""

    async def send_signal(request: Request) -> Response:
        kinds = (*EVENTS, UNIVERSAL_LOGOUT)
        try:
            asked = dict(await request.json())
            event, login = asked.get("event", "session-revoked"), asked.get("user", "alice")
            to = str(asked.get("to", tenant.proxy_url)).rstrip("/")
            if event not in kinds or login not in tenant.users:
                raise ValueError(event)
        except (TypeError, ValueError):
            return PlainTextResponse(
                f"an event is one of {', '.join(kinds)}, a user of {', '.join(tenant.users)}\n", 400
            )
        try:
            answer = await send(tenant, to, event, login)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return PlainTextResponse(f"no proxy at {to}: {type(error).__name__}\n", 502)
        body = json.loads(answer.content) if answer.content else None
        return JSONResponse(
            {"event": event, "user": login, "to": to, "status": answer.status_code, "body": body}
        )

    return [Route("/demo/signals", send_signal, methods=["POST"])]
