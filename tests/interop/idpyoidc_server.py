"""An authorization server made of PyPI's idpyoidc, for the tests of the exchange.

Client authentication, proofs, sessions, policies and tokens are its own; here is only the HTTP around them, which
the library leaves to others.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

from idpyoidc.message.oauth2 import AuthorizationRequest
from idpyoidc.server import Server
from idpyoidc.server.authn_event import create_authn_event
from idpyoidc.server.configure import ASConfiguration
from idpyoidc.server.exception import ClientAuthenticationError, InvalidClient, UnAuthorizedClient
from idpyoidc.server.oauth2.add_on.dpop import token_post_parse_request
from idpyoidc.server.oauth2.authorization import Authorization
from idpyoidc.server.oauth2.introspection import Introspection
from idpyoidc.server.oauth2.token import Token

from ..support.scripted_server import Asked, ScriptedServer, answer

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
METHODS = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
SCOPES = ["orders:read"]


class IdpyoidcServer:
    """Listens on loopback while it is entered. Its tokens live for a minute, whatever it says of them."""

    def __init__(self, folder: Path, *, dpop: bool = False) -> None:
        self._folder = folder
        self._dpop = dpop
        self._http = ScriptedServer(self._serve)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        self.issuer = self._http.url
        settings = ASConfiguration(conf=self._configure(), base_path=str(self._folder))
        self.library = Server(settings, cwd=str(self._folder))
        if self._dpop:
            self.library.context.provider_info["dpop_signing_alg_values_supported"] = ["ES256"]
            self.library.endpoint["token"].post_parse_request.insert(0, token_post_parse_request)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.__aexit__()

    @property
    def asked(self) -> list[Asked]:
        """What has come so far."""
        return self._http.asked

    def register(
        self, client_id: str, method: str, *, secret: str = "", jwks: dict[str, Any] | None = None
    ) -> None:
        """Make a client known, with its secret or its public keys."""
        context = self.library.context
        context.cdb[client_id] = {
            "client_id": client_id,
            "client_secret": secret,
            "client_salt": "salt",
            "redirect_uris": [("https://app.example/callback", "")],
            "response_types_supported": ["code"],
            "grant_types_supported": [EXCHANGE, "client_credentials"],
            "allowed_scopes": SCOPES,
            "token_endpoint_auth_method": method,
        }
        if jwks is not None:
            self.library.keyjar.import_jwks(jwks, client_id)

    def mint(self, user: str, client_id: str) -> tuple[str, str]:
        """A subject token of ``user``, who logged in at that client, and the ``sub`` that stands in it."""
        context = self.library.context
        manager = context.session_manager
        request = AuthorizationRequest(
            client_id=client_id,
            redirect_uri="https://app.example/callback",
            scope=SCOPES,
            state="state",
            response_type="code",
        )
        session_id = manager.create_session(
            create_authn_event(user),
            request,
            user_id=user,
            client_id=client_id,
            sub_type="public",
            token_usage_rules=context.authz.usage_rules(client_id),
        )
        grant = manager[session_id]
        found = None
        for kind in ("authorization_code", "access_token"):
            found = grant.mint_token(
                session_id=session_id,
                context=context,
                token_class=kind,
                token_handler=manager.token_handler[kind],
                based_on=found,
                scope=SCOPES,
                resources=["api://default"],
            )
        return found.value, grant.sub

    def _serve(self, asked: Asked) -> bytes:
        if asked.target == "/.well-known/openid-configuration":
            return answer(200, self._metadata())
        if asked.target == "/jwks.json":
            return answer(200, self.library.keyjar.export_jwks())
        endpoint = self.library.endpoint.get(asked.target.strip("/"))
        return answer(404) if endpoint is None else self._ask(endpoint, asked)

    def _ask(self, endpoint: Any, asked: Asked) -> bytes:
        about = {"headers": asked.headers, "url": self.issuer + asked.target, "method": asked.method}
        try:
            request = endpoint.parse_request(asked.form, http_info=about)
            result = request if "error" in request else endpoint.process_request(request)
        except (ClientAuthenticationError, InvalidClient, UnAuthorizedClient):
            return answer(401, {"error": "invalid_client"})
        except ValueError:  # what its DPoP add-on says of a missing or bad proof
            return answer(400, {"error": "invalid_dpop_proof"})
        if "error" in result:
            return answer(400, result.to_dict())
        said = endpoint.do_response(request=request, **result)
        return answer(200, json.loads(said["response"]))

    def _metadata(self) -> dict[str, str]:
        return {
            "issuer": self.issuer,
            "token_endpoint": self.issuer + "/token",
            "introspection_endpoint": self.issuer + "/introspection",
            "jwks_uri": self.issuer + "/jwks.json",
        }

    def _configure(self) -> dict[str, Any]:
        secret_keys = [{"type": "oct", "use": ["enc"], "kid": kid} for kid in ("password", "salt")]
        usage = {"supports_minting": ["access_token"]}
        return {
            "issuer": self.issuer,
            "keys": {"uri_path": "jwks.json", "key_defs": [{"type": "EC", "crv": "P-256", "use": ["sig"]}]},
            "token_handler_args": {
                "jwks_defs": {"key_defs": [{"type": "oct", "bytes": 24, "use": ["enc"], "kid": "code"}]},
                "code": {"lifetime": 600},
                "token": {
                    "class": "idpyoidc.server.token.jwt_token.JWTToken",
                    "kwargs": {"lifetime": 60, "aud": ["api://default"]},
                },
            },
            "endpoint": {
                "authorization": {"path": "authorization", "class": Authorization, "kwargs": {}},
                "token": {"path": "token", "class": Token, "kwargs": {"client_authn_method": METHODS}},
                "introspection": {
                    "path": "introspection",
                    "class": Introspection,
                    "kwargs": {"client_authn_method": METHODS},
                },
            },
            "authz": {
                "class": "idpyoidc.server.authz.AuthzHandling",
                "kwargs": {
                    "grant_config": {
                        "usage_rules": {
                            "authorization_code": usage,
                            "access_token": usage | {"expires_in": 600},
                        },
                        "expires_in": 43200,
                    }
                },
            },
            "authentication": {
                "anon": {
                    "acr": "anon",
                    "class": "idpyoidc.server.user_authn.user.NoAuthn",
                    "kwargs": {"user": "nobody"},
                }
            },
            "userinfo": {"class": "idpyoidc.server.user_info.UserInfo", "kwargs": {"db": {"alice": {}}}},
            "session_params": {"encrypter": {"kwargs": {"keys": {"key_defs": secret_keys}, "iterations": 1}}},
            "scopes_to_claims": {"orders:read": []},
        }
