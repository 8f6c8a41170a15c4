"""Callers whose tokens are bound to a key prove it with each request, or nothing goes on (RFC 9449 §4.3, §7)."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import jwt
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from proxy.authentication.dpop_proof import ALGORITHMS, MAX_SIZE
from proxy.config.load import parse_settings
from proxy.demo import Demo
from tests.support.issuer import b64, make_key
from tests.support.prover import Prover
from tests.support.proxy import Running, running
from tests.support.raw_upstream import RawUpstream, response

EXTERNAL = "https://api.example.com"
URL = f"{EXTERNAL}/orders/1"
ALICE = Prover()
MALLORY = Prover(key=make_key("ES384"), alg="ES384")


class Stage:
    """A proxy that takes proofs, in front of the demo's API."""

    def __init__(self, demo: Demo, proxy: Running) -> None:
        self.demo = demo
        self.proxy = proxy
        self.token = demo.mint("alice", claims=ALICE.confirmation)

    async def get(self, fields: Any, path: str = "/orders/1", method: str = "GET") -> tuple[int, Any, str]:
        """Status, problem or answer, and all challenges."""
        answer = await self.proxy.client.request(method, path, headers=fields)
        content = json.loads(answer.content) if answer.content else {}
        return answer.status_code, content, answer.headers.get("www-authenticate", "")


def configure(demo: Demo, listen: dict[str, Any] | None = None, **entry: Any) -> dict[str, Any]:
    raw = demo.settings()
    for one in raw["subject_tokens"]:
        one |= {"dpop": "accept", **entry}
    raw["listen"] = {"external_url": EXTERNAL, **(listen or {})}
    raw["protected_resource_metadata"] = True
    return raw


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo() -> AsyncIterator[Demo]:
    async with Demo() as running_demo:
        yield running_demo


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(demo: Demo) -> AsyncIterator[Stage]:
    async with running(configure(demo)) as proxy:
        yield Stage(demo, proxy)


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "RS256", "PS256", "EdDSA", "Ed25519"])
async def test_a_proof_lets_the_token_pass(stage: Stage, alg: str) -> None:
    """By a key of any kind; neither the token nor the proof goes on."""
    prover = Prover(alg)
    token = stage.demo.mint("alice", claims=prover.confirmation)
    for _ in range(2):
        status, answer, _ = await stage.get(prover.show(URL, token))
        assert (status, answer["on_behalf_of"]) == (200, "alice")
        assert "dpop" not in answer["headers"]
        assert token not in json.dumps(answer)


async def test_a_reload_that_lets_proofs_be_older_revives_none(demo: Demo) -> None:
    """One that was used, and forgotten for its age, would be young enough again."""
    token = demo.mint("alice", claims=ALICE.confirmation)
    async with running(configure(demo)) as proxy:
        longer = configure(demo, clock_tolerance="10m")["subject_tokens"]
        settings = parse_settings({**configure(demo), "subject_tokens": longer})
        proxy.app.adopt(
            proxy.app.prepare(replace(proxy.app.settings, subject_tokens=settings.subject_tokens))
        )
        stage = Stage(demo, proxy)
        ages = {age: int(time.time()) - age for age in (0, 60, 200)}
        answers = {age: (await stage.get(ALICE.show(URL, token, iat=iat)))[0] for age, iat in ages.items()}
    assert answers == {0: 200, 60: 200, 200: 401}


async def test_a_bearer_token_passes_as_ever(stage: Stage) -> None:
    answer = await stage.proxy.get("/orders/1", stage.demo.mint("alice"))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "htu",
    [
        "HTTPS://API.Example.com:443/orders/1",
        f"{URL}?a=b",
        f"{URL}#part",
        f"{EXTERNAL}/%6frders/1",
    ],
)
async def test_spellings_of_one_url(stage: Stage, htu: str) -> None:
    """§4.3: as RFC 3986 §6.2 compares them, without query and fragment."""
    assert (await stage.get(ALICE.show(URL, stage.token, htu=htu), "/orders/1?page=2"))[0] == 200


def unsigned(token: str) -> str:
    _, payload, _ = ALICE.prove(URL, token).split(".")
    return f"{b64({'typ': 'dpop+jwt', 'alg': 'none', 'jwk': ALICE.jwk})}.{payload}."


def by_secret(token: str) -> str:
    claims = jwt.decode(ALICE.prove(URL, token), options={"verify_signature": False})
    return jwt.encode(claims, "s" * 32, "HS256", {"typ": "dpop+jwt", "jwk": {"kty": "oct", "k": "AAAA"}})


def with_members(**header: Any) -> Callable[[str], str]:
    return lambda token: ALICE.prove(URL, token, header=header)


def with_claims(**claims: Any) -> Callable[[str], str]:
    return lambda token: ALICE.prove(URL, token, **claims)


def from_now(seconds: float) -> Callable[[str], str]:
    return lambda token: ALICE.prove(URL, token, iat=int(time.time() + seconds))


PRIVATE = ALICE.jwk | {"d": b64(b"\x01" * 32)}
INVALID: dict[str, Callable[[str], str]] = {
    "no JWS": lambda _: "proof",
    "empty": lambda _: "",
    "four parts": lambda token: ALICE.prove(URL, token) + ".a",
    "too long": lambda token: ALICE.prove(URL, token, more="x" * MAX_SIZE),
    "padded": lambda token: ALICE.prove(URL, token) + "=",
    "no typ": lambda token: ALICE.prove(URL, token, header={"typ": None}),
    "typ JWT": with_members(typ="JWT"),
    "unsigned": unsigned,
    "symmetric": by_secret,
    "another alg than the key's": lambda token: ".".join(
        [b64({"typ": "dpop+jwt", "alg": "RS256", "jwk": ALICE.jwk}), *ALICE.prove(URL, token).split(".")[1:]]
    ),
    "crit": with_members(crit=["exp"]),
    "no jwk": lambda token: jwt.encode({}, ALICE.key, "ES256", {"typ": "dpop+jwt"}),
    "jwk of no kind": with_members(jwk={"kty": "EC"}),
    "jwk no object": with_members(jwk="key"),
    "jwk private": with_members(jwk=PRIVATE),
    "signed by another key": lambda token: jwt.encode(
        {}, make_key("ES256", "other"), "ES256", {"typ": "dpop+jwt", "jwk": ALICE.jwk}
    ),
    "claims altered": lambda token: ".".join(
        [ALICE.prove(URL, token).split(".")[0], b64({"htm": "GET"}), ALICE.prove(URL, token).split(".")[2]]
    ),
    "no htm": with_claims(htm=None),
    "another method": with_claims(htm="POST"),
    "the method's case": with_claims(htm="get"),
    "no htu": with_claims(htu=None),
    "another path": with_claims(htu=f"{EXTERNAL}/orders/2"),
    "another host": with_claims(htu="https://evil.example/orders/1"),
    "another scheme": with_claims(htu="http://api.example.com/orders/1"),
    "another port": with_claims(htu="https://api.example.com:8443/orders/1"),
    "a user in the URL": with_claims(htu="https://api.example.com@evil.example/orders/1"),
    "a path alone": with_claims(htu="/orders/1"),
    "a slash encoded": with_claims(htu=f"{EXTERNAL}/orders%2F1"),
    "htu no text": with_claims(htu=[URL]),
    "htu with a line end": with_claims(htu=URL + "\n"),
    "no iat": with_claims(iat=None),
    "iat no number": with_claims(iat="now"),
    "too old": from_now(-92),
    "from the future": from_now(92),
    "no jti": with_claims(jti=None),
    "empty jti": with_claims(jti=""),
    "long jti": with_claims(jti="x" * 257),
    "jti no text": with_claims(jti=7),
    "no ath": with_claims(ath=None),
    "another token's ath": with_claims(ath=b64(b"\x00" * 32)),
    "ath no text": with_claims(ath=1),
    "nonce no text": with_claims(nonce=1),
}


@pytest.mark.parametrize("make", INVALID.values(), ids=INVALID.keys())
async def test_a_proof_that_is_none(stage: Stage, make: Callable[[str], str]) -> None:
    """Every check of §4.3: refused with its own challenge, and nothing goes on."""
    seen = len(stage.demo.api_requests)
    proof = make(stage.token)
    fields = {"Authorization": f"DPoP {stage.token}", "DPoP": proof}
    status, problem, challenge = await stage.get(fields)
    assert (status, problem["code"]) == (401, "proof_invalid")
    assert challenge.startswith('DPoP realm="obo-proxy", error="invalid_dpop_proof"')
    assert f'algs="{" ".join(ALGORITHMS)}"' in challenge
    assert len(stage.demo.api_requests) == seen
    told = "".join(failure.reason for failure in stage.proxy.app.failures)
    secrets = [*stage.token.split("."), *proof.split(".")]
    assert not any(secret in told for secret in secrets if len(secret) > 8)


@pytest.mark.parametrize("number", [0, 2])
async def test_one_proof(stage: Stage, number: int) -> None:
    """§4.3: neither none nor two, not even the same one twice."""
    proof = ALICE.prove(URL, stage.token)
    fields = [("Authorization", f"DPoP {stage.token}"), *[("DPoP", proof)] * number]
    assert (await stage.get(fields))[1]["code"] == "proof_invalid"


async def test_a_proof_is_good_once(stage: Stage) -> None:
    """§11.1: also where only its signature differs, as a caller's may that repeats its jti."""
    fields = ALICE.show(URL, stage.token, jti="once")
    assert (await stage.get(fields))[0] == 200
    again = ALICE.show(URL, stage.token, jti="once", iat=int(time.time()) - 20)
    for repeated in (fields, again):
        status, problem, _ = await stage.get(repeated)
        assert (status, problem["code"]) == (401, "proof_invalid")


async def test_the_same_jti_of_another_key(stage: Stage) -> None:
    """Nobody can use up another's."""
    token = stage.demo.mint("bob", claims=MALLORY.confirmation)
    assert (await stage.get(MALLORY.show(URL, token, jti="shared")))[0] == 200
    assert (await stage.get(ALICE.show(URL, stage.token, jti="shared")))[0] == 200


async def test_another_key(stage: Stage) -> None:
    """§7.1: a thief's own proof is not the token's."""
    status, problem, challenge = await stage.get(MALLORY.show(URL, stage.token))
    assert (status, problem["code"]) == (401, "subject_token_invalid")
    assert 'DPoP realm="obo-proxy", error="invalid_token"' in challenge


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_a_downgrade(stage: Stage, scheme: str) -> None:
    """§7.2: a bound token is no bearer token, with a proof or without, known or not."""
    token = stage.demo.mint("alice", claims=ALICE.confirmation)
    proof = {"DPoP": ALICE.prove(URL, token)}
    for fields in ({}, proof):
        status, problem, challenge = await stage.get({"Authorization": f"{scheme} {token}", **fields})
        assert (status, problem["code"]) == (401, "subject_token_invalid")
        assert 'Bearer realm="obo-proxy", error="invalid_token"' in challenge
        assert (await stage.get(ALICE.show(URL, token)))[0] == 200


async def test_a_bearer_token_with_a_proof(stage: Stage) -> None:
    """§7.1: the scheme DPoP says that the token is bound, and this one is not."""
    status, problem, _ = await stage.get(ALICE.show(URL, stage.demo.mint("alice")))
    assert (status, problem["code"]) == (401, "subject_token_invalid")


@pytest.mark.parametrize(
    "confirmation",
    [
        {},
        {"jwk": ALICE.jwk},
        {"jkt": ALICE.thumbprint, "kid": "a"},
        {"jkt": 1},
        {"jkt": "short"},
        "jkt",
    ],
    ids=["nothing", "a key", "two ways", "a number", "too short", "a text"],
)
async def test_bound_in_a_way_that_nobody_checks(stage: Stage, confirmation: Any) -> None:
    """RFC 7800 has more ways: what is not understood is refused."""
    token = stage.demo.mint("alice", claims={"cnf": confirmation})
    for fields in (ALICE.show(URL, token), {"Authorization": f"Bearer {token}"}):
        assert (await stage.get(fields))[0] == 401


async def test_the_challenge_offers_both(stage: Stage) -> None:
    _, _, challenge = await stage.get({})
    assert challenge.startswith('Bearer realm="obo-proxy"')
    assert ', DPoP realm="obo-proxy", resource_metadata=' in challenge


async def test_metadata(stage: Stage) -> None:
    """RFC 9728 §2, under the URL that callers use."""
    document = (await stage.proxy.get("/.well-known/oauth-protected-resource/orders")).json()
    assert document["resource"] == f"{EXTERNAL}/orders"
    assert document["dpop_signing_alg_values_supported"] == list(ALGORITHMS)
    assert document["dpop_bound_access_tokens_required"] is False


async def test_a_hit_verifies_the_proof_alone(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token's memo, and its access token, serve bound callers as others."""
    await stage.get(ALICE.show(URL, stage.token))
    exchanged = stage.demo.calls["token_exchange"]

    def fail(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("proxy.authentication.verifier.verify_subject_token", fail)
    assert (await stage.get(ALICE.show(URL, stage.token)))[0] == 200
    assert stage.demo.calls["token_exchange"] == exchanged


async def test_inspect_tells_of_the_binding(stage: Stage) -> None:
    inspection = {"token": stage.token, "route": "orders"}
    inspected = (await stage.proxy.admin.post("/api/inspect", json=inspection)).json()
    [step] = [one for one in inspected["steps"] if one["step"] == "binding"]
    assert (inspected["ok"], step["verdict"], step["summary"]) == (
        True,
        "pass",
        "bound: callers need a DPoP proof",
    )


async def test_a_websockets_handshake(stage: Stage) -> None:
    """It is a request like any other; a browser, which can send no proof, has no use for a bound token."""
    address = f"{stage.proxy.url.replace('http', 'ws')}/orders/1"
    with pytest.raises(InvalidStatus) as refused:
        async with connect(address, additional_headers={"Authorization": f"Bearer {stage.token}"}):
            pass
    assert refused.value.response.status_code == 401
    subprotocol = f"base64url.bearer.authorization.obo.{b64(stage.token.encode())}"
    with pytest.raises(InvalidStatus) as refused:
        async with connect(address, subprotocols=[subprotocol, "chat"]):
            pass
    assert refused.value.response.status_code == 401
    with pytest.raises(InvalidStatus) as answered:  # by the API, which speaks no websockets
        async with connect(address, additional_headers=ALICE.show(URL, stage.token)):
            pass
    assert answered.value.response.status_code != 401


async def test_proofs_are_required(demo: Demo) -> None:
    """Of every token, by the one scheme that is left."""
    async with running(configure(demo, dpop="require")) as proxy:
        stage = Stage(demo, proxy)
        assert (await stage.get(ALICE.show(URL, stage.token)))[0] == 200
        for token in (stage.token, demo.mint("alice")):
            status, problem, challenge = await stage.get({"Authorization": f"Bearer {token}"})
            assert (status, problem["code"]) == (401, "subject_token_invalid")
            assert "Bearer" not in challenge
            assert challenge.startswith("DPoP ")
        document = (await proxy.get("/.well-known/oauth-protected-resource/orders")).json()
        assert document["dpop_bound_access_tokens_required"] is True


async def test_proofs_are_refused_unless_accepted(demo: Demo) -> None:
    """The scheme is then unknown, and a bound token no bearer token."""
    async with running(demo.settings()) as proxy:
        stage = Stage(demo, proxy)
        status, problem, challenge = await stage.get(ALICE.show(URL, stage.token))
        assert (status, problem["code"]) == (401, "subject_token_missing")
        assert "DPoP" not in challenge
        answer = await proxy.get("/orders/1", stage.token)
        assert (answer.status_code, answer.json()["code"]) == (401, "subject_token_invalid")


async def test_nonces(demo: Demo) -> None:
    """§9: asked for, given, taken, and given anew when the time has come; one of an API's own stays there."""
    async with running(configure(demo, dpop_nonce=True)) as proxy:
        stage = Stage(demo, proxy)

        async def ask(**claims: Any) -> tuple[int, str, str | None, str]:
            answer = await proxy.client.get("/orders/1", headers=ALICE.show(URL, stage.token, **claims))
            code = answer.json().get("code", "")
            challenge = answer.headers.get("www-authenticate", "")
            return answer.status_code, code, answer.headers.get("dpop-nonce"), challenge

        status, code, nonce, challenge = await ask()
        assert (status, code) == (401, "proof_nonce_required")
        assert challenge.startswith('DPoP realm="obo-proxy", error="use_dpop_nonce"')
        assert (await ask(nonce=nonce))[::2] == (200, None)
        for forged in ("", "x", nonce[:-1], b64(b"\x7f" * 36)):
            status, code, given, _ = await ask(nonce=forged)
            assert (status, code, given) == (401, "proof_nonce_required", nonce)
        assert (await ask(nonce=nonce, htm="POST"))[1] == "proof_invalid"


async def test_an_apis_own_nonce(demo: Demo) -> None:
    """It is for proofs of ours; the caller, who would take it for its own, gets ours in its place."""
    theirs = response(b"{}", b"DPoP-Nonce: theirs")
    async with RawUpstream([theirs, theirs]) as upstream:
        raw = configure(demo, dpop_nonce=True)
        raw["routes"][0]["upstream"] = upstream.url
        async with running(raw) as proxy:
            stage = Stage(demo, proxy)
            answer = await proxy.client.get("/orders/1", headers=ALICE.show(URL, stage.token))
            nonce = answer.headers["dpop-nonce"]
            answer = await proxy.client.get("/orders/1", headers=ALICE.show(URL, stage.token, nonce=nonce))
            assert (answer.status_code, answer.headers.get_list("dpop-nonce")) == (200, [nonce])
            answer = await proxy.get("/orders/1", demo.mint("alice"))
            assert answer.headers["dpop-nonce"] == "theirs", "as ever for callers without proofs"


async def test_no_word_but_the_callers(demo: Demo) -> None:
    """Host is chosen by who sends the request: a proof for another server must not become one for us by it."""
    raw = configure(demo, {"external_url": None, "trusted_proxies": ["10.0.0.0/8"]})
    async with running(raw) as proxy:
        stage = Stage(demo, proxy)
        proof = ALICE.show("http://other.example/orders/1", stage.token)
        status, problem, _ = await stage.get(proof | {"Host": "other.example"})
        assert (status, problem["code"]) == (401, "proof_invalid")


async def test_the_word_of_a_trusted_proxy(demo: Demo) -> None:
    """RFC 9449 §4.3: the URL that the caller used, whatever we are called by."""
    raw = configure(demo, {"external_url": None, "trusted_proxies": ["127.0.0.0/8"]})
    async with running(raw) as proxy:
        stage = Stage(demo, proxy)
        said = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "api.example.com"}
        assert (await stage.get(ALICE.show(URL, stage.token) | said))[0] == 200
        assert (await stage.get(ALICE.show(URL, stage.token)))[0] == 401


async def test_an_actors_token_is_a_bearer_token(demo: Demo) -> None:
    """Nothing in its field could say that it is bound, nor show the key: it is refused, known or not."""
    raw = configure(demo)
    raw["routes"][0]["actor"] = {"header": "X-Actor-Token", "type": "jwt"}
    async with running(raw) as proxy:
        stage = Stage(demo, proxy)
        bound = demo.mint("agent", claims=ALICE.confirmation)
        for actor, status in ((demo.mint("agent"), 200), (bound, 401)):
            answered = await stage.get(ALICE.show(URL, stage.token) | {"X-Actor-Token": actor})
            assert answered[0] == status
        assert (await stage.get(ALICE.show(URL, bound) | {"X-Actor-Token": bound}))[0] == 401


async def test_a_reload_forgets_no_proof(demo: Demo) -> None:
    async with running(configure(demo)) as proxy:
        stage = Stage(demo, proxy)
        fields = ALICE.show(URL, stage.token)
        assert (await stage.get(fields))[0] == 200
        proxy.app.adopt(proxy.app.prepare(proxy.app.settings))
        assert (await stage.get(fields))[1]["code"] == "proof_invalid"


async def test_a_key_elsewhere(demo: Demo) -> None:
    """A token in a query, or in a field of another name, has no scheme to say that it is bound."""
    raw = configure(demo)
    raw["routes"][0]["token_in"] = {"query": "access_token"}
    async with running(raw) as proxy:
        stage = Stage(demo, proxy)
        path = f"/orders/1?access_token={stage.token}"
        status, problem, _ = await stage.get(ALICE.show(URL, stage.token), path)
        assert (status, problem["code"]) == (401, "subject_token_invalid")
