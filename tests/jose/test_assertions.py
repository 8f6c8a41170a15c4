"""Others' assertions are read for their end, and for nothing that only a verifier may say."""

from __future__ import annotations

import jwt
import pytest

from proxy.jose.assertions import MAX_SIZE, parse_assertion

KEY = "0" * 64


def sign(**claims) -> bytes:
    return jwt.encode({"sub": "s", "exp": 200, **claims}, KEY).encode()


def test_what_is_read():
    """A service account's token: whose it is, and its times."""
    content = sign(iss="https://kubernetes", sub="system:serviceaccount:a:b", iat=100.5, exp=200)
    assertion = parse_assertion(content)
    assert (assertion.issuer, assertion.subject) == ("https://kubernetes", "system:serviceaccount:a:b")
    assert (assertion.begins_at, assertion.expires_at) == (100.5, 200.0)
    assert assertion.value.encode() == content
    assert assertion.value not in repr(assertion)


def test_an_svid_need_not_name_its_issuer():
    """SPIFFE JWT-SVID §3: sub, aud and exp are required, iss and iat are not."""
    assertion = parse_assertion(sign(sub="spiffe://example.org/a"))
    assert (assertion.issuer, assertion.subject, assertion.begins_at) == ("", "spiffe://example.org/a", None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no signed JWT"),
        (b"canary", "no signed JWT"),
        (b"canary.canary.canary", "no signed JWT"),
        (sign()[:-200], "no signed JWT"),
        (sign() + b"\n" + sign(), "no signed JWT"),
        (sign() + "é".encode(), "no signed JWT"),
        (b"e30.W10.", "no signed JWT"),
        (sign(sub=""), "without sub"),
        (sign(sub=None), "without sub"),
        (sign(exp="200"), "without exp"),
        (sign(exp=True), "without exp"),
        (b"a" * (MAX_SIZE + 1), "longer than"),
    ],
)
def test_what_is_no_assertion(content, reason):
    """RFC 7523 §3: without sub and exp it is none; no reason quotes what the file holds (X-14)."""
    with pytest.raises(ValueError, match=reason) as refused:
        parse_assertion(content)
    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None
