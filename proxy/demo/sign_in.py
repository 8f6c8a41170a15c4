"""The authorization endpoint: Authorization Code with PKCE (RFC 7636), and a page to choose who signs in."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from html import escape
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from .form import parse_form
from .refusals import Refused
from .tenant import AUTHORIZATION_CODE, Client, Server, Tenant

_CODE_LIFETIME = 60  # s, Okta's
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sign in to the demo</title>
<style>
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 4rem auto; padding: 0 1rem; }}
button {{ font: inherit; display: block; width: 100%; margin: .5rem 0; padding: .75rem; cursor: pointer; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #111; color: #eee; }} }}
</style>
</head>
<body>
<main>
<h1>Sign in to the demo</h1>
<p>{client} asks for <strong>{scope}</strong>. Nobody has a password here: choose who you are.</p>
<form method="post">
{hidden}
{buttons}
</form>
</main>
</body>
</html>
"""
_PAGE_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "referrer-policy": "no-referrer",
}


class SignIn:
    """One server's authorization endpoint."""

    def __init__(self, tenant: Tenant, server: Server) -> None:
        self._tenant = tenant
        self._server = server

    async def answer(self, request: Request) -> Response:
        """The page; after the choice, the redirect back with ``code`` and ``state``, or with the refusal."""
        parameters = dict(request.query_params) | (
            parse_form(await request.body()) if request.method == "POST" else {}
        )
        client = self._check_client(parameters)
        try:
            self._check_request(parameters)
            if request.method == "GET":
                return HTMLResponse(self._render(client, parameters), headers=_PAGE_HEADERS)
            answer = {"code": self._make_code(client, parameters)}
        except Refused as refused:
            answer = {"error": refused.error, "error_description": refused.description}
        if "state" in parameters:
            answer["state"] = parameters["state"]
        return RedirectResponse(_add_query(parameters["redirect_uri"], answer), 302)

    def _check_client(self, parameters: Mapping[str, str]) -> Client:
        """What must hold before anything may be sent to ``redirect_uri``."""
        client = self._tenant.client_of(parameters.get("client_id"))
        if client is None or AUTHORIZATION_CODE not in client.grant_types:
            raise Refused("invalid_client_id")
        if not _is_loopback(parameters.get("redirect_uri", "")):
            raise Refused("illegal_redirect_uri")
        return client

    def _check_request(self, parameters: Mapping[str, str]) -> None:
        if parameters.get("response_type") != "code":
            raise Refused("unsupported_response_type")
        if not parameters.get("code_challenge"):
            raise Refused("pkce_missing_challenge")
        if parameters.get("code_challenge_method") != "S256":
            raise Refused("pkce_unsupported_code_challenge_method")
        if not self._server.scopes.issuperset(parameters.get("scope", "").split()):
            raise Refused("no_matching_scope")

    def _make_code(self, client: Client, parameters: Mapping[str, str]) -> str:
        user = self._tenant.users.get(parameters.get("login", ""))
        if user is None or not user.active or not user.assigned:
            raise Refused("user_not_assigned")
        user.signed_in = True
        code, now = secrets.token_urlsafe(32), self._tenant.now()
        self._tenant.codes[code] = {
            "client_id": client.id,
            "redirect_uri": parameters["redirect_uri"],
            "code_challenge": parameters["code_challenge"],
            "scope": parameters.get("scope", ""),
            "nonce": parameters.get("nonce"),
            "login": user.login,
            "auth_time": int(now),
            "expires_at": now + _CODE_LIFETIME,
        }
        return code

    def _render(self, client: Client, parameters: Mapping[str, str]) -> str:
        hidden = "\n".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
            for name, value in parameters.items()
        )
        buttons = "\n".join(
            f'<button name="login" value="{escape(user.login)}">{escape(user.name)}</button>'
            for user in self._tenant.users.values()
            if user.active and user.assigned
        )
        scope = escape(parameters.get("scope", ""))
        return _PAGE.format(client=escape(client.name), scope=scope, hidden=hidden, buttons=buttons)


def _is_loopback(redirect_uri: str) -> bool:
    """RFC 8252 §7.3: http on the loopback interface, with any port."""
    parts = urlsplit(redirect_uri)
    return (
        parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost") and not parts.fragment
    )


def _add_query(url: str, parameters: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"
