"""The org's authorization servers over HTTP, under one base URL as at Okta."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from .client_authentication import authenticate_client
from .control import build_control_routes
from .dpop_proofs import verify_proof
from .form import parse_form
from .refusals import Refused
from .sign_in import SignIn
from .signals import build_signal_routes
from .signing import encode_base64url
from .tenant import CLIENT_CREDENTIALS, GRANTS, JWT_BEARER, TOKEN_EXCHANGE, Client, Server, Tenant
from .token_endpoint import TokenEndpoint
from .tokens import is_live, override, read_token, user_of
from .wire import Wire

_ENDPOINTS = ("token", "keys", "introspect", "authorize")
_GRANT_NAMES = {
    TOKEN_EXCHANGE: "token_exchange",
    CLIENT_CREDENTIALS: "client_credentials",
    JWT_BEARER: "jwt_bearer",
}
_NO_STORE = {"cache-control": "no-cache, no-store", "pragma": "no-cache"}


def build_authorization_server(tenant: Tenant) -> Wire:
    """The whole org as one ASGI app."""
    routes = [route for server in tenant.servers.values() for route in _Endpoints(tenant, server).routes()]
    app = Starlette(
        routes=[*routes, *build_control_routes(tenant), *build_signal_routes(tenant)],
        exception_handlers={Refused: _answer_refusal},  # type: ignore[dict-item]
    )
    return Wire(app, tenant, _name_endpoint)


def _name_endpoint(path: str) -> str | None:
    if "/.well-known/" in path:
        return "metadata"
    last = path.rsplit("/", 1)[-1]
    return last if last in _ENDPOINTS else None


async def _answer_refusal(request: Request, refused: Refused) -> Response:
    nonces = request.scope.get("demo.nonces")
    headers = {"dpop-nonce": nonces[-1]} if nonces and refused.name == "use_dpop_nonce" else {}
    return JSONResponse(refused.body(), refused.status, {**_NO_STORE, **headers})


def _build_tls_metadata(base: str | None) -> dict[str, Any]:
    """RFC 8705 §3.3 and §5, where there is somewhere to show a certificate."""
    if base is None:
        return {}
    aliases = {"token_endpoint": f"{base}/token", "introspection_endpoint": f"{base}/introspect"}
    return {"mtls_endpoint_aliases": aliases, "tls_client_certificate_bound_access_tokens": True}


class _Endpoints:
    """One server's endpoints."""

    def __init__(self, tenant: Tenant, server: Server) -> None:
        self._tenant = tenant
        self._server = server
        self._tokens = TokenEndpoint(tenant, server)
        self._sign_in = SignIn(tenant, server)

    def routes(self) -> list[Route]:
        """Metadata at RFC 8414's place and at the two that Okta also has, and the endpoints."""
        path, endpoints = self._server.path, self._server.endpoints
        authorization_server, openid = (
            "/.well-known/oauth-authorization-server",
            "/.well-known/openid-configuration",
        )
        places = dict.fromkeys(
            [f"{authorization_server}{path}", f"{path}{authorization_server}", f"{path}{openid}"]
        )
        served: list[tuple[str, Callable[[Request], Awaitable[Response]], list[str]]] = [
            *((place, self._serve_metadata, ["GET"]) for place in places),
            (f"{endpoints}/keys", self._serve_keys, ["GET"]),
            (f"{endpoints}/token", self._serve_token, ["POST"]),
            (f"{endpoints}/introspect", self._serve_introspection, ["POST"]),
            (f"{endpoints}/authorize", self._sign_in.answer, ["GET", "POST"]),
            (f"{endpoints}/sts/redirect", self._note_consent, ["GET"]),
        ]
        return [Route(place, endpoint, methods=methods) for place, endpoint, methods in served]

    async def _serve_metadata(self, request: Request) -> Response:
        base = self._tenant.url + self._server.endpoints
        tls = self._tenant.tls_url
        methods = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]
        methods += ["tls_client_auth", "self_signed_tls_client_auth"] if tls else []
        return JSONResponse(
            _build_tls_metadata(tls and tls + self._server.endpoints)
            | {
                "issuer": self._tenant.issuer(self._server.name),
                "authorization_endpoint": f"{base}/authorize",
                "token_endpoint": f"{base}/token",
                "jwks_uri": f"{base}/keys",
                "introspection_endpoint": f"{base}/introspect",
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": list(GRANTS),
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": sorted(self._server.scopes),
                "token_endpoint_auth_methods_supported": methods,
                "introspection_endpoint_auth_methods_supported": methods,
                "code_challenge_methods_supported": ["S256"],
                "dpop_signing_alg_values_supported": ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"],
            },
            headers={"cache-control": "max-age=86400, must-revalidate"},
        )

    async def _serve_keys(self, request: Request) -> Response:
        # Those of the org's own access tokens are nobody's business but Okta's; those of its events are public.
        keys = list(self._server.published_keys.published)
        if self._server.name == "org":
            keys += self._tenant.event_keys.published
        return JSONResponse({"keys": keys}, headers={"cache-control": self._tenant.faults.keys_cache_control})

    async def _serve_token(self, request: Request) -> Response:
        form = parse_form(await request.body())
        wire: Wire = request.scope["demo.wire"]
        wire.note_form(request.scope, form, _GRANT_NAMES.get(form.get("grant_type", ""), "other_grant"))
        client = await self._authenticate(request, form, "token")
        confirmation = self._confirm(request, client)
        answer = self._tokens.answer(client, form, confirmation)
        return JSONResponse(override(answer, self._tenant.faults.members), headers=_NO_STORE)

    async def _serve_introspection(self, request: Request) -> Response:
        """RFC 7662 §2.2 with Okta's members; of a token that is not live nothing but that is told."""
        form = parse_form(await request.body())
        await self._authenticate(request, form, "introspect")
        if not form.get("token"):
            raise Refused("request_missing_token")
        return JSONResponse(self._introspect(form["token"]), headers=_NO_STORE)

    async def _note_consent(self, request: Request) -> Response:
        """Where a user agrees; the handle is good once."""
        consent = self._tenant.consent_handles.pop(request.query_params.get("dataHandle", ""), None)
        if consent is None:
            return PlainTextResponse("This link is no longer good.\n", 400)
        self._tenant.consents.add(consent)
        return PlainTextResponse("Agreed. Go back, and ask again.\n")

    def _introspect(self, token: str) -> dict[str, Any]:
        try:
            claims = read_token(self._tenant, token)
        except jwt.PyJWTError:
            return {"active": False}
        if not is_live(self._tenant, claims) or claims.get("iss") != self._tenant.issuer(self._server.name):
            return {"active": False}
        user = user_of(self._tenant, claims)
        members = {
            "active": True,
            "scope": " ".join(claims.get("scp", [])),
            "username": user.login if user else None,
            "client_id": claims.get("cid"),
            "token_type": "DPoP" if "cnf" in claims else "Bearer",
        }
        names = ("exp", "iat", "sub", "aud", "iss", "jti", "uid", "auth_time", "acr", "cnf")
        return override(members, {name: claims.get(name) for name in names})

    async def _authenticate(self, request: Request, form: dict[str, str], endpoint: str) -> Client:
        url = self._find_url(request, endpoint)
        certificate = request.scope.get("demo.certificate")
        return await authenticate_client(
            self._tenant, request.headers.get("authorization"), form, url, certificate
        )

    def _find_url(self, request: Request, endpoint: str) -> str:
        """The endpoint as it was called: over TLS it has another address."""
        base = self._tenant.tls_url if request.url.scheme == "https" else self._tenant.url
        return f"{base}{self._server.endpoints}/{endpoint}"

    def _confirm(self, request: Request, client: Client) -> dict[str, str]:
        """What the token will be bound to (RFC 7800 §3.1): a key by its proof, the certificate shown, or nothing."""
        jkt = self._check_dpop(request, client)
        confirmation = {} if jkt is None else {"jkt": jkt}
        certificate = request.scope.get("demo.certificate")
        if client.binds_tokens and certificate:
            confirmation["x5t#S256"] = encode_base64url(hashlib.sha256(certificate).digest())
        return confirmation

    def _check_dpop(self, request: Request, client: Client) -> str | None:
        """The thumbprint to which the token will be bound; None where the client sends no proof and need not."""
        proofs = request.headers.getlist("dpop")
        if not proofs and not client.dpop_required:
            return None
        request.scope["demo.nonces"] = self._tenant.dpop_nonces
        return verify_proof(
            proofs,
            method="POST",
            url=self._find_url(request, "token"),
            now=self._tenant.now(),
            seen=self._tenant.seen_proofs,
            nonces=self._tenant.dpop_nonces,
        )
