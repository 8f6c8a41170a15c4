"""The same client against PyPI's idpyoidc: an authorization server that none of us wrote."""

from __future__ import annotations

import jwt
import pytest

from proxy.config import models
from proxy.config.units import Secret
from proxy.errors import ExchangeMisconfigured, ExchangeResponseInvalid, SubjectTokenRefused
from proxy.exchange.token_exchange import TokenRequest
from proxy.jose.private_keys import ClientKey, build_jwks, generate_key, pem

from .idpyoidc_server import IdpyoidcServer
from .meeting import Meeting, make_subject_token

REQUEST = TokenRequest("as", "token_exchange", audience=("api://orders",), scopes=("orders:read",))
SECRET = "canary-0123456789abcdef"
# It does not decode what RFC 6749 §2.3.1 has encoded, so odd characters can only go into the form.
BASIC = models.Client(id="orders-proxy", secret=Secret(SECRET))
POST = models.Client(id="orders-proxy", auth="client_secret_post", secret=Secret(f"{SECRET}:%+ é/="))


def register_by_secret(server: IdpyoidcServer, client: models.Client) -> None:
    server.register(client.id, client.auth, secret=client.secret.get_secret_value())


@pytest.mark.parametrize("client", [BASIC, POST], ids=lambda client: client.auth)
async def test_an_exchange_by_secret(tmp_path, client):
    """X-08, C-11: the token is the user's and for the API; it ends when its own exp says."""
    async with IdpyoidcServer(tmp_path) as theirs, Meeting(theirs.issuer, client) as ours:
        register_by_secret(theirs, client)
        value, subject = theirs.mint("alice", client.id)
        token = await ours.grant(REQUEST, make_subject_token(value, subject))
        claims = jwt.decode(token.value, options={"verify_signature": False})
        assert (claims["sub"], claims["aud"]) == (subject, ["api://orders"])
        assert token.expires_at == claims["exp"]
        assert b"keys" in (await ours.fetch_signing_keys()).body


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
async def test_private_key_jwt(tmp_path, alg):
    """X-09: it checks the signature, the audience, and that no jti comes twice."""
    key = generate_key(alg)
    (tmp_path / "key.pem").write_bytes(pem(key))
    client = models.Client(
        id="signing", auth="private_key_jwt", private_key_file=tmp_path / "key.pem", key_id="k1"
    )
    async with IdpyoidcServer(tmp_path) as theirs, Meeting(theirs.issuer, client) as ours:
        theirs.register("signing", "private_key_jwt", jwks=build_jwks([ClientKey(key, alg, "k1")]))
        value, subject = theirs.mint("alice", "signing")
        for _ in range(3):
            assert await ours.grant(REQUEST, make_subject_token(value, subject))


async def test_dpop(tmp_path):
    """D-01: a token that says it is bound comes for a proof."""
    async with (
        IdpyoidcServer(tmp_path, dpop=True) as theirs,
        Meeting(theirs.issuer, BASIC, dpop=True) as ours,
        Meeting(theirs.issuer, BASIC) as without,
    ):
        register_by_secret(theirs, BASIC)
        value, subject = theirs.mint("alice", BASIC.id)
        token = await ours.grant(REQUEST, make_subject_token(value, subject))
        assert token.token_type == "DPoP"
        with pytest.raises(ExchangeMisconfigured):
            await without.grant(REQUEST, make_subject_token(value, subject))


async def test_its_refusals(tmp_path):
    """X-20: a subject token it does not know is the user's, a wrong secret is ours."""
    async with IdpyoidcServer(tmp_path) as theirs, Meeting(theirs.issuer, BASIC) as ours:
        theirs.register(BASIC.id, BASIC.auth, secret=SECRET)
        with pytest.raises(SubjectTokenRefused):
            await ours.grant(REQUEST, make_subject_token("not-one-of-its-own"))
        theirs.register(BASIC.id, BASIC.auth, secret="another")
        with pytest.raises(ExchangeMisconfigured):
            await ours.grant(REQUEST, make_subject_token("not-one-of-its-own"))


async def test_its_own_mistake_is_noticed(tmp_path):
    """X-03: for client credentials it says ``access_token`` where a token_type belongs."""
    async with IdpyoidcServer(tmp_path) as theirs, Meeting(theirs.issuer, BASIC) as ours:
        theirs.register(BASIC.id, BASIC.auth, secret=SECRET)
        with pytest.raises(ExchangeResponseInvalid, match="token_type"):
            await ours.grant(TokenRequest("as", "client_credentials", scopes=("orders:read",)), None)
