"""What both kinds of an org's tokens have in common; over the wire it is shown by the receivers' tests."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from proxy.authentication.signal_token import (
    CLOCK_TOLERANCE,
    SignalRefused,
    parse_signal_token,
    verify_signal_token,
)
from proxy.jose.jwk import parse_jwk_set
from tests.support.issuer import NOW, make_body, make_jwk, make_rsa_key

CLAIMS: dict[str, Any] = {"iss": "https://o", "aud": "a", "jti": "1", "iat": int(NOW)}
(KEY,) = parse_jwk_set(make_body(make_jwk(make_rsa_key("org"), kid="k", use="sig", alg="RS256"))).keys


def parse(typ: str = "x+jwt", key: str = "org", **changes: Any) -> Any:
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    token = jwt.encode(claims, make_rsa_key(key), "RS256", {"typ": typ, "kid": "k"})
    return parse_signal_token(token, typ="x+jwt", issuer="https://o", audience="a", now=NOW, must_end=False)


@pytest.mark.parametrize("typ", ["x+jwt", "X+JWT", "application/x+jwt"])
def test_the_type_in_any_spelling(typ: str):
    """RFC 7515 §4.1.9: a media type, whose application/ may be left out."""
    verify_signal_token(parse(typ), KEY)


@pytest.mark.parametrize(
    ("changes", "err"),
    [
        ({"iss": "https://p"}, "invalid_issuer"),
        ({"aud": ["b", "c"]}, "invalid_audience"),
        ({"aud": ["a", 1]}, "invalid_audience"),
        ({"iat": int(NOW + CLOCK_TOLERANCE) + 2}, "invalid_request"),
        ({"nbf": int(NOW + CLOCK_TOLERANCE) + 2}, "invalid_request"),
        ({"exp": int(NOW - CLOCK_TOLERANCE) - 1}, "invalid_request"),
        ({"jti": None}, "invalid_request"),
        ({"typ": "y+jwt"}, "invalid_request"),
    ],
)
def test_what_is_told_without_a_key(changes: dict[str, Any], err: str):
    """It costs no signature check."""
    with pytest.raises(SignalRefused) as refused:
        parse(**changes)
    assert refused.value.err == err


def test_the_signature():
    """Another's key under the same kid."""
    with pytest.raises(SignalRefused, match="does not hold"):
        verify_signal_token(parse(key="attacker"), KEY)
