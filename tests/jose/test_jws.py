"""RFC 7515: a JWS in compact serialization, read strictly."""

from __future__ import annotations

import json

import pytest

from proxy.errors import SubjectTokenInvalid
from proxy.jose.jwk import parse_jwk
from proxy.jose.jws import (
    MAX_HEADER_VALUES,
    MAX_SIZE,
    parse_jws,
    peek_claims,
    verify_payload,
    verify_signature,
)
from tests.support.issuer import Issuer, b64

OKTA = Issuer()
KEY = parse_jwk(OKTA.jwk)
RS256 = frozenset({"RS256"})
HEADER = {"alg": "RS256", "kid": "key-1"}


def build(header: object = HEADER, payload: bytes = b"{}") -> str:
    return f"{b64(header)}.{b64(payload)}.{b64(b'signature')}"


def test_a_token_in_its_parts():
    """The signing input is the very text that was read."""
    token = OKTA.mint()
    jws = parse_jws(token)
    assert (jws.alg, jws.kid) == ("RS256", "key-1")
    assert jws.signing_input.decode() == token.rpartition(".")[0]
    assert peek_claims(jws) == OKTA.claims()
    verify_payload(jws)
    verify_signature(jws, KEY, RS256)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "three parts"),
        ("a.b", "three parts"),
        (build() + ".d", "three parts"),
        (build() + ".d.e", "three parts"),
        ("." + build(), "three parts"),
        (build() + "=", "strictly encoded"),
        (build() + "!", "strictly encoded"),
        (build().replace(".", ".\n", 1), "strictly encoded"),
        (f"{b64(b'')}.{b64(b'{}')}.AA", "strictly encoded"),
        (f"{b64(HEADER)}.{b64(b'{}')}.AB", "strictly encoded"),
        (build([1]), "strictly encoded"),
        (build(b'{"alg":"RS256","alg":"none"}'), "strictly encoded"),
        (build(json.dumps(HEADER).encode("utf-16")), "strictly encoded"),
        (build(b"[" * 10_000), "strictly encoded"),
        (build({**HEADER, "x": list(range(MAX_HEADER_VALUES + 1))}), "strictly encoded"),
        (build({**HEADER, "crit": ["b64"]}), "has crit"),
        (build({**HEADER, "b64": False}), "has b64"),
        (build({**HEADER, "zip": "DEF"}), "has zip"),
        (build({**HEADER, "enc": "A256GCM"}), "has enc"),
        (build({"kid": "a"}), "no alg"),
        (build({"alg": ["RS256"]}), "no alg"),
        (build({"alg": 256}), "no alg"),
        (build({**HEADER, "kid": ""}), "kid"),
        (build({**HEADER, "kid": 7}), "kid"),
        (build({**HEADER, "kid": "k" * 10_000}), "kid"),
        ("a" * (MAX_SIZE + 1), "longer than"),
    ],
)
def test_what_is_no_token(token: str, reason: str):
    """A-08, A-09, A-14, A-21, A-23: refused with its reason, and nothing of it is in the reason."""
    with pytest.raises(SubjectTokenInvalid, match=reason) as caught:
        parse_jws(token)
    assert "eyJ" not in str(caught.value)


@pytest.mark.parametrize(
    ("payload", "peeked"),
    [
        (b'{"sub":"alice","sub":"mallory"}', True),
        (b"[]", False),
        (b"", False),
        (b'"text"', False),
        (b"\xff", False),
    ],
    ids=["a name twice", "a list", "nothing", "a text", "no UTF-8"],
)
def test_a_payload_that_reads_in_two_ways(payload: bytes, peeked: bool):
    """A-14: none is accepted, though one may be looked into so as to find whose key has to have signed it."""
    jws = parse_jws(build(payload=payload))
    if peeked:
        assert peek_claims(jws)
    else:
        with pytest.raises(SubjectTokenInvalid, match="strictly formed"):
            peek_claims(jws)
    with pytest.raises(SubjectTokenInvalid, match="strictly formed"):
        verify_payload(jws)


@pytest.mark.parametrize(
    ("alg", "allowed", "reason"),
    [
        ("RS256", frozenset({"RS512"}), "alg is not allowed"),
        ("none", RS256, "alg is not allowed"),
        ("HS256", frozenset({"HS256"}), "does not fit the key"),
        ("PS256", frozenset({"PS256"}), "does not fit the key"),
        ("ES256", frozenset({"ES256"}), "does not fit the key"),
        ("RS256", RS256, "does not hold"),
    ],
)
def test_signatures_that_do_not_count(alg: str, allowed: frozenset[str], reason: str):
    """A-06: the algorithm is one that we allow and the key allows, whatever the token says."""
    with pytest.raises(SubjectTokenInvalid, match=reason):
        verify_signature(parse_jws(build({**HEADER, "alg": alg})), KEY, allowed)


def test_nothing_of_it_is_shown():
    """X-14: neither header, payload nor signature."""
    assert repr(parse_jws(OKTA.mint())) == "UnverifiedJws(alg='RS256', kid='key-1')"
