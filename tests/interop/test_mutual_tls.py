"""RFC 8705 against npm's oidc-provider: both ways to be known by a certificate, and tokens bound to it."""

from __future__ import annotations

import json
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio

from proxy.config import models
from proxy.errors import ExchangeMisconfigured
from proxy.exchange.authorization_server import AuthorizationServer
from proxy.exchange.token_exchange import AccessToken
from proxy.jose.certificates import load_certificates
from proxy.jose.private_keys import ClientKey, build_jwks, load_keys
from tests.support.certificates import Authority, Issued, sign_itself
from tests.support.kubelet import Volume

from .meeting import Meeting
from .packages import WITHOUT_NODE, install, node
from .test_oidc_provider import HERE, REQUEST, SERVICE, USERS_KEY, make_client, make_user_token

pytestmark = pytest.mark.skipif(WITHOUT_NODE, reason="node and npm are not here")

SPIFFE_ID = "spiffe://example.org/ns/orders/sa/proxy"
AUTHS = ["tls_client_auth", "self_signed_tls_client_auth"]


@dataclass
class Provider:
    """The provider's address, the authority that it trusts, and our certificate that nobody has issued."""

    issuer: str
    authority: Authority
    own: Issued


@dataclass
class Stage:
    """The provider, the authority that it trusts, and a volume with our pair for each way."""

    issuer: str
    authority: Authority
    volumes: dict[str, Volume]

    def meet(self, client_id: str, auth: str, **settings: Any) -> Meeting:
        volume = self.volumes[auth]
        client = models.Client(
            id=client_id, auth=auth, cert_file=volume / "tls.crt", key_file=volume / "tls.key"
        )
        return Meeting(self.issuer, client, ca_file=self.authority.ca_file, **settings)

    def thumbprint(self, auth: str) -> str:
        return load_certificates((self.volumes[auth] / "tls.crt").read_bytes())[0].thumbprint


def content(issued: Issued) -> dict[str, bytes]:
    return {"tls.crt": issued.cert_file.read_bytes(), "tls.key": issued.key_file.read_bytes()}


def register(issued: Issued) -> dict[str, Any]:
    """The JWK Set by which a certificate that nobody has issued is known (RFC 8705 §2.2.2)."""
    der = ssl.PEM_cert_to_DER_cert(issued.cert_file.read_text())
    [jwk] = build_jwks(load_keys(issued.key_file.read_bytes()))["keys"]
    return {"keys": [jwk | {"x5c": [b64encode(der).decode()]}]}


def make_clients(own: Issued) -> list[dict[str, Any]]:
    by_name = {"tls_client_auth_subject_dn": "CN=obo-proxy"}
    bound = {"tls_client_certificate_bound_access_tokens": True}
    return [
        make_client("named", "tls_client_auth", **by_name),
        make_client(SPIFFE_ID, "tls_client_auth", tls_client_auth_san_uri=SPIFFE_ID),
        make_client("bound", "tls_client_auth", **by_name, **bound),
        make_client("own", "self_signed_tls_client_auth", jwks=register(own)),
        make_client("own-bound", "self_signed_tls_client_auth", jwks=register(own), **bound),
    ]


@pytest.fixture(scope="module")
def packages() -> Path:
    return install(HERE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provider(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Provider]:
    folder = tmp_path_factory.mktemp("provider")
    authority, own = Authority(folder), sign_itself(folder)
    server = authority.issue("127.0.0.1")
    files = {"key": server.key_file, "cert": server.cert_file, "ca": authority.ca_file}
    settings = {
        "clients": make_clients(own),
        "jwks": build_jwks([ClientKey(USERS_KEY, "ES256", "users")]),
        "tls": {name: path.read_text() for name, path in files.items()},
    }
    async with node(HERE / "server.mjs", packages, folder, OBO_INTEROP=json.dumps(settings)) as process:
        assert process.stdout
        address = (await process.stdout.readline()).decode().strip()
        while not address.startswith("http://"):
            line = await process.stdout.readline()
            assert line, "the server did not start"
            address = line.decode().strip()
        yield Provider(address, authority, own)


@pytest.fixture
def stage(provider: Provider, tmp_path: Path) -> Stage:
    authority = provider.authority
    volumes = {
        "tls_client_auth": Volume(tmp_path / "issued", content(authority.issue("obo-proxy"))),
        "self_signed_tls_client_auth": Volume(tmp_path / "own", content(provider.own)),
    }
    return Stage(provider.issuer, authority, volumes)


def claims_of(token: AccessToken) -> dict[str, Any]:
    return jwt.decode(token.value, options={"verify_signature": False})


async def exchange(server: AuthorizationServer) -> AccessToken:
    token = await server.grant(REQUEST, make_user_token())
    assert claims_of(token)["sub"] == "alice"
    return token


@pytest.mark.parametrize(("client_id", "auth"), [("named", AUTHS[0]), ("own", AUTHS[1])])
async def test_both_ways(stage: Stage, client_id: str, auth: str) -> None:
    """RFC 8705 §2.1, §2.2: the metadata's alias is where the certificate is shown; users' and our own tokens."""
    async with stage.meet(client_id, auth) as server:
        assert (await exchange(server)).certificate is None
        assert claims_of(await server.grant(SERVICE, None))["client_id"] == client_id
        assert server.status().token_url.startswith("https://")


@pytest.mark.parametrize(("client_id", "auth"), [("bound", AUTHS[0]), ("own-bound", AUTHS[1])])
async def test_tokens_are_bound(stage: Stage, client_id: str, auth: str) -> None:
    """RFC 8705 §3: to what we have shown, as its own thumbprint of it says."""
    async with stage.meet(client_id, auth) as server:
        for token in (await exchange(server), await server.grant(SERVICE, None)):
            assert token.certificate == stage.thumbprint(auth)
            assert claims_of(token)["cnf"] == {"x5t#S256": token.certificate}


async def test_an_svid(stage: Stage) -> None:
    """draft-ietf-oauth-spiffe-client-auth: an X.509-SVID, and client_id is the SPIFFE ID."""
    stage.volumes[AUTHS[0]].update(content(stage.authority.issue(SPIFFE_ID)))
    async with stage.meet(SPIFFE_ID, AUTHS[0]) as server:
        await exchange(server)


async def test_a_rotation(stage: Stage) -> None:
    """Contract 8: the new certificate is shown from the next request on."""
    async with stage.meet("bound", AUTHS[0]) as server:
        for _ in range(3):
            assert (await exchange(server)).certificate == stage.thumbprint(AUTHS[0])
            stage.volumes[AUTHS[0]].update(content(stage.authority.issue("obo-proxy")))


@pytest.mark.parametrize(
    ("client_id", "auth", "name"), [("named", AUTHS[0], "somebody"), ("own", AUTHS[1], "obo-proxy")]
)
async def test_another_certificate(stage: Stage, client_id: str, auth: str, name: str) -> None:
    """Its invalid_client is ours to mend, with the remedy for certificates."""
    stage.volumes[auth].update(content(stage.authority.issue(name)))
    async with stage.meet(client_id, auth) as server:
        with pytest.raises(ExchangeMisconfigured) as refused:
            await exchange(server)
        assert refused.value.oauth_error == "invalid_client"
        assert refused.value.remedy.startswith("Compare the certificate in client.cert_file")
