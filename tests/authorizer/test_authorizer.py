"""What gateways are told: the user's own token for the original's route, or a refusal; never anything between."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from proxy.app import build_app
from proxy.config.load import parse_settings
from proxy.demo import Demo
from tests.support.demo import FORGERIES, decode
from tests.support.prover import Prover
from tests.support.proxy import Running, running
from tests.support.raw_client import RawResponse

from .asking import ask, build_question, send
from .conftest import build_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")
DIALECTS = ["envoy", "nginx", "forward"]
BASIC = ("Authorization", "Basic dXNlcjpwYXNzd29yZC1vZi1hLXVzZXI=")


def claims_of(answer: RawResponse) -> dict[str, Any]:
    """Of the token that the gateway is to call with."""
    assert answer.status == 200, answer
    value = answer.header(b"authorization")
    assert value is not None
    scheme, _, token = value.decode().partition(" ")
    assert scheme == "Bearer"
    return decode(token)


def code_of(answer: RawResponse) -> tuple[int, str]:
    """Status and code of a refusal, which tells no token."""
    assert answer.header(b"authorization") is None
    assert answer.header(b"content-type") == b"application/problem+json"
    return answer.status, json.loads(answer.body)["code"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_gateway_gets_the_users_token_for_the_originals_route(
    demo: Demo, proxy: Running, dialect: str
):
    """By its path, its method and its host; nothing is forwarded."""
    before = demo.api_calls.total()
    answer = await ask(proxy, dialect, "/orders/7?a=b%20c&", demo.mint("alice"), ("X-Request-Id", "r-1"))
    claims = claims_of(answer)
    assert (claims["sub"], claims["aud"], claims["scp"]) == ("alice", "api://orders", ["orders:read"])
    assert (answer.header(b"x-request-id"), answer.header(b"cache-control")) == (b"r-1", b"no-store")
    claims = claims_of(await ask(proxy, dialect, "/profile", demo.mint("bob"), method="POST"))
    assert (claims["sub"], claims["scp"]) == ("bob", ["api:access:read"])
    claims_of(await ask(proxy, dialect, "/named/1", demo.mint("bob"), host="API.example:8443"))
    assert code_of(await ask(proxy, dialect, "/named/1", demo.mint("bob"))) == (404, "no_route")
    claims_of(await ask(proxy, dialect, "/reading", demo.mint("bob")))
    assert code_of(await ask(proxy, dialect, "/reading", demo.mint("bob"), method="PUT")) == (404, "no_route")
    assert demo.api_calls.total() == before


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_second_question_is_answered_from_the_cache(demo: Demo, proxy: Running, dialect: str):
    """The very cache that proxied requests are served from."""
    token = demo.mint(f"cached-{dialect}")
    first = claims_of(await ask(proxy, dialect, "/orders/1", token))
    before = demo.calls["token"]
    assert claims_of(await ask(proxy, dialect, "/orders/2", token)) == first
    assert (await proxy.get("/orders/1", token)).json()["claims"] == first
    assert demo.calls["token"] == before


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "target",
    ["/orders/../profile", "/orders/%2e%2e/profile", "/orders%2f..%2fprofile", "/orders/..;/profile", "//orders",
     "/orders/\\..\\profile", "/%6frders", "/orders/%252e%252e/profile"],
)  # fmt: skip
async def test_a_path_of_two_readings_is_refused(demo: Demo, proxy: Running, dialect: str, target: str):
    """As the proxy refuses it: whatever the API would make of it, no token goes there."""
    assert code_of(await ask(proxy, dialect, target, demo.mint("alice"))) == (400, "path_refused")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
async def test_a_forged_token_is_refused(demo: Demo, proxy: Running, dialect: str, forge: Any):
    """With the challenge that the proxy gives."""
    answer = await ask(proxy, dialect, "/orders/1", forge(demo, demo.mint("alice")))
    assert code_of(answer)[0] in (400, 401, 503)
    if answer.status == 401:
        assert (answer.header(b"www-authenticate") or b"").startswith(b"Bearer ")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_refusals_are_the_proxys(demo: Demo, proxy: Running, dialect: str):
    """Status, code and challenge."""
    answer = await ask(proxy, dialect)
    assert code_of(answer) == (401, "subject_token_missing")
    assert answer.header(b"www-authenticate") == b'Bearer realm="obo-proxy"'
    assert code_of(await ask(proxy, dialect, "/nowhere", demo.mint("alice"))) == (404, "no_route")
    assert code_of(await ask(proxy, dialect, "/payroll", demo.mint("alice"))) == (403, "exchange_denied")
    assert code_of(await ask(proxy, dialect, "/orders", None, BASIC)) == (401, "subject_token_missing")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_two_credentials_are_refused(demo: Demo, proxy: Running, dialect: str):
    """In two fields, or in one as a gateway joins them."""
    alice, bob = demo.mint("alice"), demo.mint("bob")
    two = await ask(proxy, dialect, "/orders", alice, ("Authorization", f"Bearer {bob}"))
    assert code_of(two) == (400, "authorization_malformed")
    joined = await ask(proxy, dialect, "/orders", f"{alice},Bearer {bob}")
    assert code_of(joined) == (400, "authorization_malformed")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "place", ["Cookie", "X-Copy", "Proxy-Authorization", "X-Forwarded-Access-Token", "Via", "Referer", "Connection"]
)  # fmt: skip
async def test_a_copy_of_the_token_that_would_go_on_is_refused(
    demo: Demo, proxy: Running, dialect: str, place: str
):
    """The proxy takes it off; a gateway would not."""
    token = demo.mint("alice")
    fields = (
        [(place, f"a={token}")] if place != "Connection" else [("Connection", "x-copy"), ("X-Copy", token)]
    )
    answer = await ask(proxy, dialect, "/orders", token, *fields)
    assert code_of(answer) == (400, "authorization_malformed")
    in_query = await ask(proxy, dialect, f"/orders?access_token={token}", token)
    assert code_of(in_query) == (400, "authorization_malformed")


async def test_a_token_among_the_subprotocols_is_refused(demo: Demo, proxy: Running):
    """Only the proxy can take it from there."""
    encoded = base64.urlsafe_b64encode(demo.mint("alice").encode()).decode().rstrip("=")
    protocols = ("Sec-WebSocket-Protocol", f"chat, base64url.bearer.authorization.obo.{encoded}")
    answer = await ask(proxy, "nginx", "/orders", demo.mint("alice"), protocols)
    assert code_of(answer) == (400, "authorization_malformed")


async def test_a_handshake_is_answered_as_the_request_that_it_is(demo: Demo, proxy: Running):
    """Whether or not the gateway tells of the upgrade; where the route takes no websockets it is refused."""
    handshake = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]
    claims_of(await ask(proxy, "envoy", "/orders/echo", demo.mint("alice"), *handshake))
    answer = await ask(proxy, "envoy", "/plain/echo", demo.mint("alice"), *handshake)
    assert code_of(answer) == (404, "no_route")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_where_no_token_is_sent_the_callers_does_not_pass(demo: Demo, proxy: Running, dialect: str):
    """Envoy is told to take it off; for the others the request is refused."""
    preflight = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "GET")]
    for answer in (
        await ask(proxy, dialect, "/public"),
        await ask(proxy, dialect, "/plain", None, *preflight, method="OPTIONS"),
    ):
        assert (answer.status, answer.header(b"authorization")) == (200, None)
    answer = await ask(proxy, dialect, "/public", demo.mint("alice"))
    if dialect == "envoy":
        assert (answer.status, answer.header(b"authorization")) == (200, None)
        assert answer.header(b"x-envoy-auth-headers-to-remove") == b"authorization"
    else:
        assert code_of(answer) == (400, "authorization_malformed")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_token_that_stands_elsewhere(demo: Demo, proxy: Running, dialect: str):
    """Under the name that the API wants; the caller's is taken off, or overwritten by an empty one."""
    answer = await ask(proxy, dialect, "/placed", demo.mint("alice"))
    assert answer.status == 200
    assert decode(answer.header(b"x-api-token").decode())["sub"] == "alice"
    if dialect == "envoy":
        assert answer.header(b"authorization") is None
        assert answer.header(b"x-envoy-auth-headers-to-remove") == b"authorization"
    else:
        assert answer.header(b"authorization") == b""
    # A reader that folds names would take the caller's for ours.
    for path, name in (("/placed", "X_Api_Token"), ("/identity", "X_Auth_Token")):
        answer = await ask(proxy, dialect, path, demo.mint("alice"), (name, "mine"))
        if dialect == "envoy":
            removed = f"authorization,{name.lower()}".encode()
            assert answer.header(b"x-envoy-auth-headers-to-remove") == removed
        else:
            assert code_of(answer) == (400, "authorization_malformed")


async def test_envoy_is_not_told_to_take_ours_off(demo: Demo, proxy: Running):
    """Though it stands in a field that no caller may send."""
    answer = await ask(proxy, "envoy", "/identity", demo.mint("alice"), ("X-Auth-Token", "mine"))
    assert decode(answer.header(b"x-auth-token").decode())["sub"] == "alice"
    assert answer.header(b"x-envoy-auth-headers-to-remove") == b"authorization"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_where_no_token_is_sent_none_of_the_callers_stands_in_its_place(proxy: Running, dialect: str):
    """A preflight overwrites nothing, so the API would take the caller's for ours."""
    preflight = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "GET")]
    answer = await ask(proxy, dialect, "/placed", None, *preflight, method="OPTIONS")
    assert answer.status == 200
    answer = await ask(proxy, dialect, "/placed", None, *preflight, ("X-Api-Token", "mine"), method="OPTIONS")
    if dialect == "envoy":
        assert answer.header(b"x-envoy-auth-headers-to-remove") == b"x-api-token"
    else:
        assert code_of(answer) == (400, "authorization_malformed")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_token_in_a_field_that_ends_at_the_proxy(demo: Demo, proxy: Running, dialect: str):
    """Envoy takes off after it has set: our own token must not be among what goes."""
    answer = await ask(proxy, dialect, "/identity", demo.mint("alice"), ("X-Auth-Token", "mine"))
    assert answer.status == 200
    assert decode(answer.header(b"x-auth-token").decode())["sub"] == "alice"
    if dialect == "envoy":
        assert answer.header(b"x-envoy-auth-headers-to-remove") == b"authorization"
    answer = await ask(proxy, dialect, "/identity", demo.mint("alice"), ("X_Auth_Token", "mine"))
    if dialect == "envoy":
        assert answer.header(b"x-envoy-auth-headers-to-remove") == b"authorization,x_auth_token"
    else:
        assert code_of(answer) == (400, "authorization_malformed")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_preflight_brings_nothing_in_that_place(demo: Demo, proxy: Running, dialect: str):
    """It passes without a token, and with none of the caller's making."""
    fields = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "GET")]
    assert (await ask(proxy, dialect, "/placed", None, *fields, method="OPTIONS")).status == 200
    fields.append(("X-Api-Token", "mine"))
    answer = await ask(proxy, dialect, "/placed", None, *fields, method="OPTIONS")
    if dialect == "envoy":
        assert answer.header(b"x-envoy-auth-headers-to-remove") == b"x-api-token"
    else:
        assert code_of(answer) == (400, "authorization_malformed")


async def test_envoy_is_told_to_take_off_what_the_proxy_would(demo: Demo, proxy: Running):
    """Identities that only a proxy may tell, proofs of keys, and all that may be misread; nothing of Envoy's own."""
    fields = [
        ("X-Forwarded-User", "root"),
        ("x_auth_user", "root"),
        ("DPoP", "a.b.c"),
        ("Proxy-Authorization", "Basic YTpi"),
        ("X-Forwarded-For", "10.0.0.1"),
        ("X-Forwarded-Proto", "https"),
        ("X-Mine", "kept"),
        ("TE", "trailers"),
    ]
    answer = await ask(proxy, "envoy", "/orders", demo.mint("alice"), *fields)
    assert claims_of(answer)["sub"] == "alice"
    assert (
        answer.header(b"x-envoy-auth-headers-to-remove")
        == b"dpop,proxy-authorization,x-forwarded-user,x_auth_user"
    )


@pytest.mark.parametrize(
    ("asked", "original", "status"),
    [
        ("evil.example:8070", "localhost", 403),  # a page that has its own name point here
        ("evil.example:8070", "127.0.0.1", 403),
        ("evil.example:8070", "evil.example", 403),
        ("127.0.0.1:8070", "localhost", 200),
        ("localhost:8070", "localhost", 200),
        ("localhost", "localhost:8080", 200),  # Caddy asks by the original's
    ],
)
async def test_no_page_is_given_a_token_of_ours(proxy: Running, asked: str, original: str, status: int):
    """It may say of the original what it likes, but not by which name it asks."""
    question = build_question("forward", "GET", "/reports", [("Sec-Fetch-Site", "same-origin")], original)
    answer = await send(proxy, question.replace(b"Host: authorizer", f"Host: {asked}".encode()))
    assert answer.status == status
    assert (answer.header(b"authorization") is None) == (status != 200)


async def test_options_with_no_hop_left_is_no_way_past(proxy: Running):
    """The proxy answers it by itself, with a 204; a gateway would take that for a yes."""
    answer = await ask(proxy, "nginx", "/orders", None, ("Max-Forwards", "0"), method="OPTIONS")
    assert code_of(answer) == (401, "subject_token_missing")


NGINX = ["X-Original-Method: GET", "X-Original-URI: /orders"]
FORWARD = [
    "X-Forwarded-Method: GET",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Host: localhost",
    "X-Forwarded-Uri: /orders",
]


def spoil() -> list[Any]:
    """Each field of the original left out, there twice, or ill-formed."""
    found = []
    for path, sound in (("/nginx", NGINX), ("/forward", FORWARD)):
        for index, line in enumerate(sound):
            rest = sound[:index] + sound[index + 1 :]
            name = line.partition(":")[0]
            found += [
                pytest.param(path, rest, id=f"no {name}"),
                pytest.param(path, [*sound, line], id=f"two {name}"),
                pytest.param(path, [*rest, f"{name}:"], id=f"empty {name}"),
                pytest.param(path, [*rest, f"{name}: a b"], id=f"odd {name}"),
            ]
        name = sound[-1].partition(":")[0]
        for target in ("orders", "http://localhost/orders", "*", "/orders#a", "/orders é", "/orders\t"):
            found.append(pytest.param(path, [*sound[:-1], f"{name}: {target}x"], id=f"{path} {target!r}"))
    return found


@pytest.mark.parametrize(("path", "lines"), spoil())
async def test_an_original_that_is_not_told_plainly_is_a_bad_request(
    demo: Demo, proxy: Running, path: str, lines: list[str]
):
    """Never a guess."""
    bearer = f"Authorization: Bearer {demo.mint('alice')}"
    head = "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", bearer, *lines, "", ""])
    assert code_of(await send(proxy, head.encode("latin-1"))) == (400, "bad_request")


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
@pytest.mark.parametrize("dialect", ["nginx", "forward"])
async def test_methods_that_are_never_served(demo: Demo, proxy: Running, dialect: str, method: str):
    answer = await ask(proxy, dialect, "/orders", demo.mint("alice"), method=method)
    assert code_of(answer) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    "path", ["/", "/envoy", "/envoyx/orders", "/nginx/", "/orders", "/forward/x", "/AuthorizationHeader"]
)
async def test_there_is_nothing_else(demo: Demo, proxy: Running, path: str):
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {demo.mint('alice')}\r\n\r\n"
    assert code_of(await send(proxy, head.encode())) == (404, "no_route")


async def test_what_gateways_ask_is_told_apart(demo: Demo):
    """In the metrics by the label ``dialect``, which is empty for what was forwarded; in the access log likewise."""
    async with running(build_settings(demo)) as proxy:
        for dialect in DIALECTS:
            await ask(proxy, dialect, "/orders", demo.mint("alice"))
        await ask(proxy, "nginx", "/orders")
        await proxy.get("/orders/1", demo.mint("alice"))
        metrics = (await proxy.admin.get("/metrics")).text
        status = (await proxy.admin.get("/api/status")).json()["authorizer"]
        page = (await proxy.admin.get("/")).text
    assert status == {"address": "127.0.0.1:0", "requests": {"envoy": 1, "forward": 1, "nginx": 2}}
    assert "gateways ask at" in page
    lines = [line for line in metrics.splitlines() if line.startswith("obo_requests_total{")]
    assert sorted(lines) == [
        'obo_requests_total{dialect="envoy",route="orders",status="200"} 1.0',
        'obo_requests_total{dialect="forward",route="orders",status="200"} 1.0',
        'obo_requests_total{dialect="nginx",route="orders",status="200"} 1.0',
        'obo_requests_total{dialect="nginx",route="orders",status="401"} 1.0',
        'obo_requests_total{route="orders",status="200"} 1.0',
        'obo_requests_total{route="orders",status="401"} 0.0',
    ]


async def test_peers_that_are_not_named_get_no_answer(demo: Demo):
    """Beyond loopback only the gateways' networks may ask."""
    token = demo.mint("alice")
    async with running(build_settings(demo, host="127.0.0.1", allowed_peers=["10.0.0.0/8"])) as proxy:
        assert code_of(await ask(proxy, "nginx", "/orders", token)) == (404, "no_route")
    async with running(build_settings(demo, host="127.0.0.1", allowed_peers=["127.0.0.0/8"])) as proxy:
        claims_of(await ask(proxy, "nginx", "/orders", token))


async def test_a_token_that_is_bound_to_our_certificate_is_given_to_nobody():
    """A gateway could not show what it is bound to."""
    async with Demo() as demo:
        raw = build_settings(demo)
        raw["authorization_servers"] = demo.settings(way="tls_client_auth")["authorization_servers"]
        for client in demo.tenant.clients.values():
            client.binds_tokens = True
        async with running(raw) as proxy:
            for dialect in DIALECTS:
                answer = await ask(proxy, dialect, "/orders", demo.mint("alice"))
                assert code_of(answer) == (502, "exchange_response_invalid")


async def test_beyond_this_machine_the_application_is_given_no_token(demo: Demo):
    """Gateways are, those that are named; under any other server as well."""
    raw = build_settings(demo, host="0.0.0.0", allowed_peers=["127.0.0.0/8"])
    app = build_app(parse_settings(raw))
    transport = httpx.ASGITransport(app.authorize)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        refused = await client.get("/AuthorizationHeaderUnauthenticated/reports")
        assert (refused.status_code, refused.json()["code"]) == (404, "no_route")
        assert (await client.get("/envoy/public")).status_code == 200
    await app.parts.retire()


@pytest.mark.parametrize(
    ("trusted", "removed"), [([], b"forwarded,x-auth-user,x-real-ip"), (["127.0.0.0/8"], b"x-auth-user")]
)
async def test_what_a_trusted_gateway_says_of_its_caller_stays(
    demo: Demo, trusted: list[str], removed: bytes
):
    """As the proxy takes a trusted proxy's word for it; identities are nobody's to tell."""
    raw = build_settings(demo)
    raw["listen"] = {"trusted_proxies": trusted}
    fields = [("X-Real-IP", "10.0.0.1"), ("Forwarded", "for=10.0.0.1"), ("X-Auth-User", "root")]
    async with running(raw) as proxy:
        answer = await ask(proxy, "envoy", "/orders", demo.mint("alice"), *fields)
    assert (answer.status, answer.header(b"x-envoy-auth-headers-to-remove")) == (200, removed)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_bound_token_needs_the_proof_of_the_original(demo: Demo, dialect: str):
    """Its method and its URL, once, whoever asks about it; and Envoy takes the proof off."""
    raw, prover = build_settings(demo), Prover()
    raw["listen"] = {"external_url": "https://api.example.com"}
    for entry in raw["subject_tokens"]:
        entry["dpop"] = "accept"
    token = demo.mint("alice", claims=prover.confirmation)
    async with running(raw) as proxy:
        shown = prover.show("https://api.example.com/orders/7", token, "POST").items()
        answer = await ask(proxy, dialect, "/orders/7?a=b", None, *shown, method="POST")
        assert claims_of(answer)["sub"] == "alice"
        if dialect == "envoy":
            assert b"dpop" in (answer.header(b"x-envoy-auth-headers-to-remove") or b"").split(b",")
        for fields, method in (
            (shown, "POST"),
            (prover.show("https://api.example.com/", token).items(), "GET"),
        ):
            again = await ask(proxy, dialect, "/orders/7", None, *fields, method=method)
            assert code_of(again) == (401, "proof_invalid")
        assert code_of(await ask(proxy, dialect, "/orders/7", token)) == (401, "subject_token_invalid")


@pytest.mark.parametrize("dialect", ["envoy", "nginx"])
async def test_a_proof_for_another_host_is_not_taken_at_the_callers_word(demo: Demo, dialect: str):
    """These gateways tell the host by ``Host``; an ``X-Forwarded-Host`` that they pass on is whoever's."""
    raw, prover = build_settings(demo), Prover()
    raw["listen"] = {"trusted_proxies": ["127.0.0.0/8"]}
    for entry in raw["subject_tokens"]:
        entry["dpop"] = "accept"
    token = demo.mint("alice", claims=prover.confirmation)
    async with running(raw) as proxy:
        for said, answered in (("localhost", 200), ("other.example", 401)):
            shown = prover.show(f"http://{said}/orders/7", token).items()
            answer = await ask(proxy, dialect, "/orders/7", None, *shown, ("X-Forwarded-Host", said))
            assert answer.status == answered
