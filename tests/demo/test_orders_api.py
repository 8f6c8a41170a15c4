"""The sample API verifies what reaches it, shows what it saw, and streams."""

from __future__ import annotations

import json
import uuid

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from proxy.demo.dpop_proofs import build_token_hash
from proxy.demo.resource import fetch_keys
from proxy.demo.signing import build_thumbprint
from tests.support.demo import FORGERIES
from tests.support.proxy import PLAIN

KEY = ec.generate_private_key(ec.SECP256R1())
JWK = ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)


@pytest.fixture
async def http(demo):
    async with httpx.AsyncClient(base_url=demo.api_url, trust_env=False, verify=PLAIN) as client:
        yield client


def bearer(demo, user="alice", **wishes):
    """The header that the API accepts under /orders, but for what is said."""
    return {"authorization": f"Bearer {demo.mint(user, **{'server': 'orders', **wishes})}"}


async def test_shows_what_it_saw(demo, http):
    """Method, raw path, query, repeated fields, claims and body size come back; the token itself does not."""
    headers = [*bearer(demo).items(), ("x-twice", "1"), ("x-twice", "2"), ("dpop", "proof")]
    answer = await http.post("/orders/a%2Fb?x=%20y", headers=headers, content=b"12345")
    seen = answer.json()
    assert (seen["method"], seen["path"], seen["query"]) == ("POST", "/orders/a%2Fb", "x=%20y")
    assert (seen["on_behalf_of"], seen["claims"]["aud"], seen["body_bytes"]) == ("alice", "api://orders", 5)
    assert seen["headers"]["x-twice"] == ["1", "2"]
    assert seen["headers"]["authorization"] == "Bearer (decoded in claims)"
    assert headers[0][1].partition(" ")[2] not in answer.text
    assert demo.api_calls["api"] == 1
    assert demo.api_requests[0].path == "/orders/a/b"


async def test_client_of_its_own(demo, http):
    """A client's own token is on nobody's behalf."""
    client_id = demo.tenant.clients["obo-proxy"].id
    claims = {"sub": client_id, "uid": None, "cid": client_id}
    seen = (await http.get("/reports", headers=bearer(demo, claims=claims))).json()
    assert seen["on_behalf_of"] is None
    assert client_id in seen["message"]


async def test_open_path(demo, http):
    """Under /public nobody is asked."""
    assert (await http.get("/public/x")).json()["claims"] is None


@pytest.mark.parametrize("kind", FORGERIES)
async def test_forged(demo, http, kind):
    """Altered copies of a token are refused, with a challenge."""
    token = FORGERIES[kind](demo, demo.mint(server="default"))
    answer = await http.get("/profile", headers={"authorization": f"Bearer {token}"})
    if kind in ("padded", "trailing bits"):
        return  # What the proxy must refuse, a JWT library need not.
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ([], None),
        (["Basic x"], "invalid_request"),
        (["Bearer"], "invalid_request"),
        (["Bearer x", "Bearer y"], "invalid_request"),
        (["Bearer x"], "invalid_token"),
    ],
    ids=["none", "basic", "empty", "two", "no token"],
)
async def test_unusable(demo, http, values, error):
    """RFC 6750 §3: without a token the challenge names no error."""
    answer = await http.get("/orders", headers=[("authorization", value) for value in values])
    assert answer.status_code == 401
    assert answer.json()["error"] == error
    assert ("error=" in answer.headers["www-authenticate"]) == (error is not None)


async def test_revoked_and_rotated(demo, http):
    """A token revoked here is a 401; one by a new key is good, for the keys are fetched again."""
    assert (await http.get("/orders", headers=bearer(demo))).status_code == 200
    demo.tenant.servers["orders"].keys.rotate()
    assert (await http.get("/orders", headers=bearer(demo))).status_code == 200
    demo.resource.revoked.add("AT.gone")
    assert (await http.get("/orders", headers=bearer(demo, claims={"jti": "AT.gone"}))).status_code == 401


def sign_proof(token, url, key=KEY, **claims):
    payload = {
        "htm": "GET",
        "htu": url,
        "iat": jwt_now(token),
        "jti": uuid.uuid4().hex,
        "ath": build_token_hash(token),
    }
    return jwt.encode({**payload, **claims}, key, "ES256", {"typ": "dpop+jwt", "jwk": JWK})


def jwt_now(token):
    return jwt.decode(token, options={"verify_signature": False})["iat"]


async def test_bound_token(demo, http):
    """D-05: a token bound to a key needs the scheme, a proof by that key with ath, and the nonce where asked."""
    token = demo.mint(server="orders", claims={"cnf": {"jkt": build_thumbprint(JWK)}})
    url = f"{demo.api_url}/orders/1"

    async def get(proof, scheme="DPoP"):
        return await http.get("/orders/1?x=1", headers={"authorization": f"{scheme} {token}", "dpop": proof})

    assert (await get(sign_proof(token, url))).status_code == 200
    assert (await get(sign_proof(token, url), "Bearer")).status_code == 401
    wrong_ath = await get(sign_proof(token, url, ath="x"))
    assert wrong_ath.headers["www-authenticate"].startswith('DPoP error="invalid_dpop_proof"')
    demo.resource.require_nonce = True
    asked = await get(sign_proof(token, url))
    assert asked.headers["www-authenticate"].startswith('DPoP error="use_dpop_nonce"')
    assert (await get(sign_proof(token, url, nonce=asked.headers["dpop-nonce"]))).status_code == 200


async def test_bound_to_another_key(demo, http):
    """A proof by another key than the token's is refused."""
    token = demo.mint(server="orders", claims={"cnf": {"jkt": "x"}})
    headers = {"authorization": f"DPoP {token}", "dpop": sign_proof(token, f"{demo.api_url}/orders")}
    assert (await http.get("/orders", headers=headers)).status_code == 401


async def test_events(demo, http):
    """Server-sent events come one by one, each with its time."""
    async with http.stream("GET", "/orders/events?count=3&interval=0", headers=bearer(demo)) as answer:
        data = [json.loads(line[6:]) async for line in answer.aiter_lines() if line.startswith("data: ")]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert [event["number"] for event in data] == [0, 1, 2]


@pytest.mark.parametrize("size", [0, 1, 65536, 200_000])
async def test_download(demo, http, size):
    """As many bytes as asked for, with their length or chunked."""
    told = await http.get(f"/orders/download?bytes={size}", headers=bearer(demo))
    chunked = await http.get(f"/orders/download?bytes={size}&chunked=1", headers=bearer(demo))
    assert len(told.content) == len(chunked.content) == size
    assert told.headers["content-length"] == str(size)
    assert chunked.headers["transfer-encoding"] == "chunked"


async def test_upload(demo, http):
    """Bytes that come are counted, not kept."""

    async def pieces():
        for _ in range(100):
            yield b"x" * 1000

    answer = await http.post("/orders/upload", headers=bearer(demo), content=pieces())
    assert answer.json()["body_bytes"] == 100_000


@pytest.mark.parametrize("status", [200, 204, 304, 401, 404, 500, 503])
async def test_status(demo, http, status):
    """The status asked for, 401 with a challenge; no other number."""
    answer = await http.get(f"/orders/status/{status}", headers=bearer(demo))
    assert answer.status_code == status
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert (await http.get("/orders/status/999", headers=bearer(demo))).status_code == 400


async def test_websocket(demo):
    """A websocket echoes text and bytes, and tells whose token opened it."""
    url = demo.api_url.replace("http", "ws") + "/orders/echo"
    async with connect(url, additional_headers=bearer(demo), subprotocols=["a", "b"], proxy=None) as socket:
        assert socket.subprotocol == "a"
        await socket.send("hello")
        await socket.send(b"bytes")
        await socket.send("whoami")
        assert [await socket.recv(), await socket.recv()] == ["hello", b"bytes"]
        assert json.loads(await socket.recv())["sub"] == "alice"


async def test_websocket_without_token(demo):
    """A websocket without a token is refused before it is accepted."""
    url = demo.api_url.replace("http", "ws") + "/orders/echo"
    with pytest.raises((InvalidStatus, ConnectionClosedError)):
        async with connect(url, proxy=None):
            pass


async def test_keys_over_http(demo):
    """Alone in its container the API fetches the keys; while they cannot be had there are none."""
    assert await fetch_keys(demo.issuer()) == demo.tenant.servers["default"].keys.published
    demo.faults.fail("keys")
    assert await fetch_keys(demo.issuer()) == []
    await demo.authorization_server.stop()
    assert await fetch_keys(demo.issuer()) == []
