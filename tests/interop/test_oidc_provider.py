"""The same client against npm's oidc-provider: an authorization server that none of us wrote."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio

from proxy.authentication.subject_token import SubjectToken
from proxy.config import models
from proxy.config.units import Secret
from proxy.errors import ExchangeMisconfigured, SubjectTokenRefused
from proxy.exchange.token_exchange import TokenRequest
from proxy.jose.private_keys import ClientKey, build_jwks, generate_key, pem
from proxy.runtime import SystemClock

from .meeting import Meeting, make_subject_token
from .packages import WITHOUT_NODE, install, node

HERE = Path(__file__).parent / "oidc_provider"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ODD_SECRET = "canary:a%b+c d e/=&~"  # RFC 6749 Appendix A.2: any printable ASCII
USERS_KEY = generate_key("ES256")
CLIENT_KEYS = {alg: generate_key(alg) for alg in ("RS256", "ES256", "ES384")}
REQUEST = TokenRequest("as", "token_exchange", audience=("api://orders",), scopes=("orders:read",))
SERVICE = TokenRequest("as", "client_credentials", audience=("api://orders",), scopes=("orders:read",))

pytestmark = pytest.mark.skipif(WITHOUT_NODE, reason="node and npm are not here")


def make_client(client_id: str, method: str, **more: Any) -> dict[str, Any]:
    return {
        "client_id": client_id,
        "token_endpoint_auth_method": method,
        "grant_types": [EXCHANGE, "client_credentials"],
        "redirect_uris": [],
        "response_types": [],
    } | more


CLIENTS = [
    make_client("id:with%odd+chars", "client_secret_basic", client_secret=ODD_SECRET),
    make_client("post", "client_secret_post", client_secret=ODD_SECRET),
    make_client("bound", "client_secret_basic", client_secret="s", dpop_bound_access_tokens=True),
    *(
        make_client(
            alg,
            "private_key_jwt",
            token_endpoint_auth_signing_alg=alg,
            jwks=build_jwks([ClientKey(key, alg, f"kid-{alg}")]),
        )
        for alg, key in CLIENT_KEYS.items()
    ),
]


@pytest.fixture(scope="module")
def packages() -> Path:
    return install(HERE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def issuer(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    settings = {"clients": CLIENTS, "jwks": build_jwks([ClientKey(USERS_KEY, "ES256", "users")])}
    folder = tmp_path_factory.mktemp("issuer")
    async with node(HERE / "server.mjs", packages, folder, OBO_INTEROP=json.dumps(settings)) as process:
        assert process.stdout
        address = ""
        while not address.startswith("http://"):
            line = await process.stdout.readline()
            assert line, "the server did not start"
            address = line.decode().strip()
        yield address


def make_user_token(value: str | None = None) -> SubjectToken:
    end = int(SystemClock().time() + 300)
    return make_subject_token(
        value or jwt.encode({"sub": "alice", "exp": end}, USERS_KEY, "ES256", {"kid": "users"})
    )


BASIC = models.Client(id="id:with%odd+chars", secret=Secret(ODD_SECRET))
POST = models.Client(id="post", auth="client_secret_post", secret=Secret(ODD_SECRET))


@pytest.mark.parametrize("client", [BASIC, POST], ids=lambda client: client.auth)
async def test_secrets_with_every_odd_character(issuer, client):
    """X-08: by header and by form; metadata, the exchange, our own token, and introspection of it."""
    async with Meeting(issuer, client) as server:
        token = await server.grant(REQUEST, make_user_token())
        claims = jwt.decode(token.value, options={"verify_signature": False})
        assert (claims["sub"], claims["aud"], claims["scope"]) == ("alice", "api://orders", "orders:read")
        assert claims["client_id"] == client.id
        own = await server.grant(SERVICE, None)
        assert own.token_type == "Bearer"
        assert (await server.introspect("not-one"))["active"] is False
        assert b"keys" in (await server.fetch_signing_keys()).body


@pytest.mark.parametrize("alg", CLIENT_KEYS)
async def test_private_key_jwt(issuer, tmp_path, alg):
    """X-09: it checks signature, audience, times and replay of jti."""
    (tmp_path / "key.pem").write_bytes(pem(CLIENT_KEYS[alg]))
    client = models.Client(
        id=alg, auth="private_key_jwt", private_key_file=tmp_path / "key.pem", key_id=f"kid-{alg}"
    )
    async with Meeting(issuer, client) as server:
        for _ in range(3):
            assert (await server.grant(REQUEST, make_user_token())).token_type == "Bearer"


async def test_dpop_with_its_nonce(issuer):
    """D-01, D-02: its nonce is learnt and used; the token is bound to our key and no other."""
    client = models.Client(id="bound", secret=Secret("s"))
    async with Meeting(issuer, client, dpop=True) as server:
        for request, subject_token in ((REQUEST, make_user_token()), (SERVICE, None)):
            token = await server.grant(request, subject_token)
            assert token.token_type == "DPoP"
            claims = jwt.decode(token.value, options={"verify_signature": False})
            assert claims["cnf"] == {"jkt": server.dpop_key.thumbprint}
        assert server.status().dpop_nonce_known


async def test_its_refusals(issuer):
    """X-20: a bad subject token is the user's, a bad secret and a bad audience are ours."""
    async with Meeting(issuer, BASIC) as server:
        with pytest.raises(SubjectTokenRefused):
            await server.grant(REQUEST, make_user_token("a.b.c"))
        elsewhere = TokenRequest("as", "token_exchange", audience=("api://other",), scopes=("orders:read",))
        with pytest.raises(ExchangeMisconfigured):
            await server.grant(elsewhere, make_user_token())
    async with Meeting(
        issuer, models.Client(id="post", auth="client_secret_post", secret=Secret("wrong"))
    ) as server:
        with pytest.raises(ExchangeMisconfigured):
            await server.grant(REQUEST, make_user_token())
