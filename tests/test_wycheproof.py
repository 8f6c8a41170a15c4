"""Project Wycheproof's JWS and JWK vectors: the verdict is theirs, or stands in a table with its reason."""

import json
from pathlib import Path

import pytest

from proxy.errors import SubjectTokenInvalid
from proxy.jose.jwk import parse_jwk_set
from proxy.jose.jws import parse_jws, verify_signature

VECTORS = Path(__file__).parents[2] / "shared" / "data" / "wycheproof"
FILES = ("json_web_signature_test.json", "json_web_key_test.json", "json_web_crypto_test.json")
ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"})

# What Wycheproof accepts and we refuse, by the key's alg.
SYMMETRIC = "symmetric algorithms have no place where the issuer and we share no secret (A-06)"
REFUSALS = {
    **dict.fromkeys(("HS256", "HS384", "HS512"), SYMMETRIC),
    "ES521": "the key says alg ES521, which no specification knows: it is ES512 (RFC 7518 §3.1)",
    **dict.fromkeys(
        ("A256KW", "ECDH-ES+A128KW"), "encrypted tokens are refused: nobody encrypts to us (A-09)"
    ),
}
OTHER_ALG = "the key says PS256 and the token PS384: a key is for the algorithm that it names (A-06)"
REFUSED_VECTORS = {346: OTHER_ALG, 350: OTHER_ALG}  # of json_web_signature


def _load():
    for name in FILES:
        path = VECTORS / name
        groups = json.loads(path.read_text())["testGroups"] if path.exists() else []
        for group in groups:
            first = group["tests"][0]["tcId"]
            yield pytest.param(
                group, id=f"{name.removesuffix('_test.json')}-{group.get('comment', first)}-{first}"
            )


def _accepts(keys, token):
    """Whether the verifier takes the signature, with the key that the token's kid names or the only one."""
    try:
        jws = parse_jws(token)
        key_set = parse_jwk_set(json.dumps(keys if "keys" in keys else {"keys": [keys]}).encode())
        named = [key for key in key_set.keys if jws.kid in (key.kid, None)]
        verify_signature(jws, named[0], ALGORITHMS)
    except (SubjectTokenInvalid, ValueError, IndexError):
        return False
    return True


def _is_refused(keys, test):
    algorithms = {key.get("alg") for key in keys.get("keys", [keys])}
    return bool(algorithms & REFUSALS.keys()) or (
        test["comment"] == "Figure20" and test["tcId"] in REFUSED_VECTORS
    )


@pytest.mark.skipif(not VECTORS.exists(), reason="the vectors are not beside this checkout")
@pytest.mark.parametrize("group", [*_load()])
def test_vectors(group):
    """A-06, A-23, A-24: the invalid is refused; the valid is accepted, or refused for a reason in the table."""
    keys = group.get("public", group["private"])
    assert {
        test["tcId"]: test["comment"] for test in group["tests"] if not _is_judged_rightly(keys, test)
    } == {}


def _is_judged_rightly(keys, test):
    token = test.get("jws", test.get("jwe"))
    accepted = _accepts(keys, token if isinstance(token, str) else json.dumps(token))
    return accepted == (test["result"] == "valid" and not _is_refused(keys, test))
