"""Clients are let in and turned away as Okta does."""

from __future__ import annotations

import ssl
import uuid
from base64 import b64encode

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from proxy.demo import Demo
from proxy.demo.client_authentication import ASSERTION_TYPE, SPIFFE_ASSERTION_TYPE
from proxy.demo.org import KEY_SERVICE_ID, LOGIN_ID, SERVICE_ID, SERVICE_SECRET, WORKLOAD_SERVICE_ID
from proxy.demo.refusals import REFUSALS
from proxy.demo.signing import build_public_jwk
from proxy.demo.tenant import CLIENT_CREDENTIALS
from proxy.demo.workloads import SERVICE_ACCOUNT, SPIFFE_ID
from tests.demo.conftest import URL
from tests.support.demo import basic

REQUEST = {"grant_type": CLIENT_CREDENTIALS, "scope": "orders:read"}
TOKEN_URL = f"{URL}/oauth2/orders/v1/token"


@pytest.mark.parametrize(
    "secret", ["plain", "a:b%c+d e/=", SERVICE_SECRET], ids=["plain", "odd characters", "the demo's own"]
)
async def test_secret(org, secret):
    """X-08: any secret works in the header, form-encoded, and in the body."""
    org.tenant.clients["obo-proxy"].secret = secret
    in_header = await org.ask("orders", REQUEST, authorization=basic(SERVICE_ID, secret))
    in_body = await org.ask("orders", {**REQUEST, "client_id": SERVICE_ID, "client_secret": secret})
    assert (in_header.status_code, in_body.status_code) == (200, 200)


def _raw_basic(text: str) -> str:
    return f"Basic {b64encode(text.encode()).decode()}"


WRONG = {
    "wrong secret": ({}, basic(secret="wrong"), "invalid_client_secret"),
    "unknown client": ({}, basic("0oanobody"), "invalid_client_id"),
    "not base64": ({}, "Basic ?", "missing_client_credentials"),
    "no colon": ({}, _raw_basic("x"), "missing_client_credentials"),
    "not ASCII": ({}, _raw_basic("é:é"), "missing_client_credentials"),
    "another scheme": ({}, "Bearer eDp5", "missing_client_credentials"),
    "two ways": ({"client_secret": "x"}, basic(), "multiple_client_credentials"),
    "not form-encoded": ({}, _raw_basic(f"{SERVICE_ID}:{SERVICE_SECRET}"), "missing_client_credentials"),
    "a secret of a client with a key": ({}, basic(KEY_SERVICE_ID), "invalid_client_secret"),
}


@pytest.mark.parametrize(("form", "authorization", "refusal"), WRONG.values(), ids=WRONG)
async def test_wrong_secret(org, form, authorization, refusal):
    """Wrong credentials are refused by name."""
    answer = await org.ask("orders", {**REQUEST, **form}, authorization=authorization)
    assert answer.json()["error_description"] == REFUSALS[refusal].description


@pytest.mark.parametrize(
    ("form", "refusal"),
    [
        ({"client_id": ""}, "missing_client_credentials"),
        ({"client_id": SERVICE_ID}, "missing_client_credentials"),
        ({"client_id": LOGIN_ID, "client_secret": "x"}, "invalid_client_secret"),
        ({"client_id": LOGIN_ID}, "unauthorized_client"),
    ],
    ids=["nobody", "without secret", "public with a secret", "public"],
)
async def test_without_header(org, form, refusal):
    """A confidential client must prove itself, a public one has nothing to prove it with."""
    answer = await org.ask("orders", {**REQUEST, **form})
    assert answer.json()["error"] == REFUSALS[refusal].error


def sign_assertion(org, *, key=None, alg="ES256", header=None, **claims):
    """A right client assertion, but for what is said; None leaves a claim out."""
    now = int(org.tenant.now())
    right = {"iss": KEY_SERVICE_ID, "sub": KEY_SERVICE_ID, "aud": TOKEN_URL, "iat": now, "exp": now + 60}
    merged = {**right, "jti": uuid.uuid4().hex, **claims}
    kid = org.tenant.clients["obo-proxy-key"].jwks[0]["kid"]
    payload = {name: value for name, value in merged.items() if value is not None}
    return jwt.encode(payload, key or org.client_key, alg, {"kid": kid, **(header or {})})


async def assert_by(org, assertion, server="orders", **form):
    request = {**REQUEST, "client_assertion": assertion, "client_assertion_type": ASSERTION_TYPE, **form}
    return await org.ask(server, request)


@pytest.mark.parametrize(
    "claims",
    [{}, {"aud": [TOKEN_URL]}, {"iat": None}, {"jti": None}, {"exp": None}],
    ids=["right", "aud list", "no iat", "no jti", "no exp"],
)
async def test_assertion(org, claims):
    """X-09: an assertion by the registered key lets the client in; exp is the one claim of time it needs."""
    answer = await assert_by(org, sign_assertion(org, **claims))
    assert answer.status_code == (401 if claims == {"exp": None} else 200)


FAR = 10**6
BAD_ASSERTIONS = {
    "other audience": ({"aud": URL}, "client_assertion_invalid_audience"),
    "unknown issuer": ({"iss": "0oanobody"}, "client_assertion_invalid_issuer"),
    "other subject": ({"sub": SERVICE_ID}, "client_assertion_invalid_subject"),
    "expired": ({"exp": 1}, "client_assertion_expired_token"),
    "exp as text": ({"exp": "1795216074"}, "client_assertion_expiration_required"),
    "exp too far": ({"exp": 4_000_000_000}, "client_assertion_expires_too_far_in_future"),
    "iat ahead": ({"iat": 4_000_000_000}, "client_assertion_issued_at_in_future"),
    "other kid": ({"header": {"kid": "x"}}, "client_assertion_invalid_kid"),
    "other key": ({"key": ec.generate_private_key(ec.SECP256R1())}, "client_assertion_invalid_signature"),
    "symmetric": ({"key": "0" * 32, "alg": "HS256"}, "client_assertion_invalid_signature_algorithm"),
}


@pytest.mark.parametrize(("wrong", "refusal"), BAD_ASSERTIONS.values(), ids=BAD_ASSERTIONS)
async def test_bad_assertion(org, wrong, refusal):
    """X-09: each fault of an assertion has its own words."""
    answer = await assert_by(org, sign_assertion(org, **wrong))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.json()["error_description"] == REFUSALS[refusal].description


async def test_assertion_replayed(org):
    """X-09: the same jti is not taken twice."""
    assertion = sign_assertion(org)
    assert (await assert_by(org, assertion)).status_code == 200
    again = await assert_by(org, assertion)
    assert again.json()["error_description"] == REFUSALS["client_assertion_already_used"].description


async def test_assertion_that_is_none(org):
    """What is no JWT, or of no known type, or by a client without keys, is refused."""
    assert (await assert_by(org, "x")).json()["error"] == "invalid_client"
    odd = await assert_by(org, sign_assertion(org), client_assertion_type="saml2")
    assert odd.json()["error_description"] == REFUSALS["client_assertion_type_invalid"].description
    keyless = sign_assertion(org, iss=SERVICE_ID, sub=SERVICE_ID)
    answer = await assert_by(org, keyless)
    assert answer.json()["error_description"] == REFUSALS["client_assertion_jwks_not_configured"].description


async def test_rsa_key_signs_with_any_rsa_algorithm(org):
    """A registered RSA key is good for RS512 too."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = build_public_jwk(key)
    org.tenant.clients["obo-proxy-key"].jwks.append(jwk)
    assertion = sign_assertion(org, key=key, alg="RS512", header={"kid": jwk["kid"]})
    assert (await assert_by(org, assertion)).status_code == 200


async def test_org_server_takes_a_key(org):
    """The org's own server gives okta.* scopes to a client with a key: a token for nobody else to verify."""
    assertion = sign_assertion(org, aud=f"{URL}/oauth2/v1/token")
    answer = await assert_by(org, assertion, "org", scope="okta.users.read")
    token = answer.json()["access_token"]
    header = jwt.get_unverified_header(token)
    assert header["typ"] == "application/okta-internal-at+jwt"
    assert jwt.decode(token, options={"verify_signature": False})["aud"] == URL
    published = (await org.http.get("/oauth2/v1/keys")).json()["keys"]
    assert header["kid"] not in {key["kid"] for key in published}  # those are of ID tokens and events


async def test_keys_fetched_from_the_client(org):
    """A client's keys may stand at its own URL; while that is down, only the registered ones are good."""
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = build_public_jwk(key)
    client = org.tenant.clients["obo-proxy-key"]
    async with Demo() as other:
        other.faults.refuse("keys", 200, {"keys": [jwk]})
        client.jwks_uri = f"{other.issuer()}/v1/keys"
        assertion = sign_assertion(org, key=key, header={"kid": jwk["kid"]})
        assert (await assert_by(org, assertion)).status_code == 200
    down = await assert_by(org, sign_assertion(org, key=key, header={"kid": jwk["kid"]}))
    assert down.json()["error_description"] == REFUSALS["client_assertion_invalid_kid"].description
    assert (await assert_by(org, sign_assertion(org))).status_code == 200


WORKLOADS = {SERVICE_ACCOUNT: ASSERTION_TYPE, SPIFFE_ID: SPIFFE_ASSERTION_TYPE}


async def vouch_by(org, subject=SERVICE_ACCOUNT, *, audience=URL, expires_in=60, **form):
    assertion = org.tenant.workloads.vouch(subject, audience, expires_in=expires_in)
    right = {"client_assertion": assertion, "client_assertion_type": WORKLOADS.get(subject, ASSERTION_TYPE)}
    return await org.ask("orders", {**REQUEST, **right, **form})


@pytest.mark.parametrize("subject", WORKLOADS)
@pytest.mark.parametrize("form", [{}, {"client_id": WORKLOAD_SERVICE_ID}], ids=["alone", "with client_id"])
async def test_workload(org, subject, form):
    """RFC 7523, SPIFFE: the assertion alone says who asks, and may come as often as it likes."""
    for audience in (URL, f"{URL}/oauth2/orders", TOKEN_URL):
        answer = await vouch_by(org, subject, audience=audience, **form)
        assert answer.status_code == 200
        token = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
        assert token["cid"] == WORKLOAD_SERVICE_ID


BAD_WORKLOADS = {
    "another audience": ({"audience": "https://elsewhere"}, "client_assertion_invalid_audience"),
    "ended": ({"expires_in": -1}, "client_assertion_expired_token"),
    "another account": ({"subject": "system:serviceaccount:a:b"}, "client_assertion_invalid_subject"),
    "another client": ({"client_id": SERVICE_ID}, "client_assertion_invalid_subject"),
    "as an SVID": ({"client_assertion_type": SPIFFE_ASSERTION_TYPE}, "client_assertion_type_invalid"),
    "an SVID as none": (
        {"subject": SPIFFE_ID, "client_assertion_type": ASSERTION_TYPE},
        "client_assertion_invalid_issuer",
    ),
}


@pytest.mark.parametrize(("wrong", "refusal"), BAD_WORKLOADS.values(), ids=BAD_WORKLOADS)
async def test_bad_workload(org, wrong, refusal):
    """Each fault of an assertion has its own words."""
    answer = await vouch_by(org, **wrong)
    assert answer.json()["error_description"] == REFUSALS[refusal].description


async def test_workload_forged(org):
    """Nobody else signs for the cluster."""
    claims = {"iss": org.tenant.workloads.issuer, "sub": SERVICE_ACCOUNT, "aud": [URL], "exp": 4_000_000_000}
    answer = await assert_by(org, jwt.encode(claims, org.client_key, "ES256"))
    assert answer.json()["error_description"] == REFUSALS["client_assertion_invalid_signature"].description


@pytest.mark.parametrize("way", ["tls_client_auth", "self_signed_tls_client_auth"])
async def test_certificate(demo, way):
    """RFC 8705: at the address for mutual TLS, with the certificate that is registered, and no other."""
    client = demo.client_files.build_client(demo.tenant, way)
    others = {one: demo.client_files.pairs[one] for one in demo.client_files.pairs if one != way}
    right, wrong = demo.client_files.pairs[way], *others.values()
    url = f"{demo.tenant.tls_url}/oauth2/orders/v1/token"
    answers = []
    for pair in (right, wrong, None):
        context = ssl.create_default_context(cafile=demo.authority.ca_file)
        if pair is not None:
            context.load_cert_chain(pair.cert_file, pair.key_file)
        async with httpx.AsyncClient(verify=context, trust_env=False) as http:
            answers.append(await http.post(url, data={**REQUEST, "client_id": client["id"]}))
    assert [answer.status_code for answer in answers] == [200, 401, 401]
    told = [answer.json().get("error_description") for answer in answers[1:]]
    assert told == [
        REFUSALS["invalid_client_certificate"].description,
        REFUSALS["missing_client_credentials"].description,
    ]
