"""DPoP at the token endpoint: D-01 to D-03 as Okta checks them."""

from __future__ import annotations

import uuid

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from proxy.demo.refusals import REFUSALS
from proxy.demo.signing import build_thumbprint
from tests.demo.conftest import URL
from tests.support.demo import basic, decode

TOKEN_URL = f"{URL}/oauth2/orders/v1/token"
KEY = ec.generate_private_key(ec.SECP256R1())
JWK = ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)


def sign_proof(org, *, key=KEY, header=None, **claims):
    """A right proof with the nonce in force, but for what is said; None leaves a claim out."""
    right = {"htm": "POST", "htu": TOKEN_URL, "iat": int(org.tenant.now()), "jti": uuid.uuid4().hex}
    merged = {**right, "nonce": org.tenant.dpop_nonces[-1], **claims}
    payload = {name: value for name, value in merged.items() if value is not None}
    return jwt.encode(payload, key, "ES256", {"typ": "dpop+jwt", "jwk": JWK, **(header or {})})


async def exchange(org, *proofs):
    """An exchange of a client that must prove possession, with those proofs."""
    org.tenant.clients["obo-proxy"].dpop_required = True
    form = {"grant_type": "client_credentials", "scope": "orders:read"}
    return await org.ask("orders", form, **({"dpop": proofs[0]} if proofs else {}))


async def test_bound_token(org):
    """D-01: a proof with the nonce gives a token bound to its key."""
    answer = await exchange(org, sign_proof(org))
    assert answer.json()["token_type"] == "DPoP"
    assert decode(answer.json()["access_token"])["cnf"] == {"jkt": build_thumbprint(JWK)}


async def test_proof_without_being_asked(org):
    """A client that need not prove possession may."""
    answer = await org.exchange()
    assert answer.json()["token_type"] == "Bearer"
    org.tenant.clients["obo-proxy"].dpop_required = False
    form = {"grant_type": "client_credentials", "scope": "orders:read"}
    assert (await org.ask("orders", form, dpop=sign_proof(org))).json()["token_type"] == "DPoP"


async def test_nonce_demanded(org):
    """D-02: without the nonce, 400 use_dpop_nonce with it in the header; the one before is still good."""
    answer = await exchange(org, sign_proof(org, nonce=None))
    assert (answer.status_code, answer.json()["error"]) == (400, "use_dpop_nonce")
    nonce = answer.headers["dpop-nonce"]
    org.tenant.renew_dpop_nonce()
    assert (await exchange(org, sign_proof(org, nonce=nonce))).status_code == 200
    org.tenant.renew_dpop_nonce()
    assert (await exchange(org, sign_proof(org, nonce=nonce))).json()["error"] == "use_dpop_nonce"


async def test_replay(org):
    """D-03: a proof is good once."""
    proof = sign_proof(org)
    assert (await exchange(org, proof)).status_code == 200
    again = await exchange(org, proof)
    assert again.json()["error_description"] == REFUSALS["dpop_proof_already_used"].description


WRONG = {
    "type": ({"header": {"typ": "JWT"}}, "invalid_type"),
    "no key": ({"header": {"jwk": None}}, "invalid_jwt"),
    "private key": ({"header": {"jwk": {**JWK, "d": "x"}}}, "invalid_jwt"),
    "symmetric key": ({"header": {"jwk": {"kty": "oct", "k": "x"}}}, "invalid_jwt"),
    "broken key": ({"header": {"jwk": {**JWK, "x": "x"}}}, "invalid_signature"),
    "other key": ({"key": ec.generate_private_key(ec.SECP256R1())}, "invalid_signature"),
    "htm": ({"htm": "GET"}, "invalid_htm"),
    "htu": ({"htu": URL}, "invalid_htu"),
    "no jti": ({"jti": None}, "invalid_jti"),
    "no iat": ({"iat": None}, "invalid_iat"),
    "iat ahead": ({"iat": 4_000_000_000}, "jwt_issued_in_future"),
    "too old": ({"iat": 1_000_000_000}, "jwt_too_old"),
}


@pytest.mark.parametrize(("wrong", "refusal"), WRONG.values(), ids=WRONG)
async def test_wrong_proof(org, wrong, refusal):
    """Each fault of a proof has Okta's words for it."""
    answer = await exchange(org, sign_proof(org, **wrong))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")
    assert answer.json()["error_description"] == REFUSALS[f"invalid_dpop_proof_{refusal}"].description


async def test_no_proof_and_no_jwt(org):
    """A missing header and one that is no JWT are told apart; two headers are refused."""
    missing = await exchange(org)
    assert missing.json()["error_description"] == REFUSALS["invalid_dpop_proof_missing_header"].description
    garbage = await exchange(org, "x")
    assert garbage.json()["error_description"] == REFUSALS["invalid_dpop_proof_invalid_jwt"].description
    proofs = [("dpop", sign_proof(org)), ("dpop", sign_proof(org)), ("authorization", basic())]
    form = {"grant_type": "client_credentials", "scope": "orders:read"}
    twice = await org.http.post("/oauth2/orders/v1/token", data=form, headers=proofs)
    words = REFUSALS["invalid_dpop_proof_multiple_headers_not_allowed"].description
    assert twice.json()["error_description"] == words
