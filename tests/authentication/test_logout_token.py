"""OpenID Connect Back-Channel Logout: which tokens end a user's session, and which do not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.authentication.logout_token import (
    EVENT,
    MAX_AGE,
    LogoutPolicy,
    parse_logout_token,
    verify_logout_token,
)
from proxy.errors import SubjectTokenInvalid
from proxy.jose.jwk import parse_jwk
from tests.support.issuer import ISSUER, NOW, Issuer, make_rsa_key

ISSUED = int(NOW) - 5
OKTA = Issuer()
POLICY = LogoutPolicy(ISSUER, frozenset({"0oaclient"}), frozenset({"RS256"}), clock_tolerance=30.0)
CLAIMS = {
    "iss": ISSUER,
    "aud": "0oaclient",
    "sub": "alice@example.com",
    "iat": ISSUED,
    "exp": ISSUED + 120,
    "jti": "logout-1",
    "events": {EVENT: {}},
}
TYP = {"typ": "logout+jwt"}


def build(header: dict[str, Any] | None = None, *, by: Issuer = OKTA, **changes: Any) -> str:
    """A logout token with these changes; a claim or header member that is None is left out."""
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    return by.sign(json.dumps(claims).encode(), TYP | (header or {}))


def verify(token: str, now: float = NOW):
    return verify_logout_token(parse_logout_token(token), parse_jwk(OKTA.jwk), POLICY, now)


GOOD = {
    "as the standard shows it": build(),
    "untyped": build({"typ": None}),
    "just a JWT": build({"typ": "JWT"}),
    "media type in full": build({"typ": "application/LOGOUT+JWT"}),
    "several audiences": build(aud=["another", "0oaclient"]),
    "with a session": build(sid="08a5019c"),
    "further events": build(events={EVENT: {}, "urn:other": 1}),
    "clock a little ahead": build(iat=int(NOW) + 29),
}


@pytest.mark.parametrize("token", GOOD.values(), ids=GOOD)
def test_accepted(token):
    """§2.4: it says whose session is over, and the token's own name."""
    logout = verify(token)
    assert (logout.issuer, logout.subject, logout.token_id) == (ISSUER, "alice@example.com", "logout-1")
    assert "alice" not in repr(logout)
    assert "alice" not in repr(parse_logout_token(token))


BAD = {
    "opaque": ("nonsense", "three parts"),
    "payload no object": (OKTA.sign(b"[]", TYP), "payload"),
    "duplicate member": (OKTA.sign(b'{"iss":"a","iss":"b"}', TYP), "payload"),
    "access token's type": (build({"typ": "at+jwt"}), "typ"),
    "proof's type": (build({"typ": "dpop+jwt"}), "typ"),
    "typ no text": (build({"typ": 7}), "typ"),
    "critical extension": (build({"crit": ["exp"]}), "crit"),
    "alg none": (build({"alg": "none"}), "alg"),
    "alg not allowed": (build({"alg": "RS512"}), "alg"),
    "alg symmetric": (build({"alg": "HS256"}), "alg"),
    "signature of another": (build(by=Issuer(key=make_rsa_key("another"))), "signature"),
    "no issuer": (build(iss=None), "iss"),
    "issuer no text": (build(iss=["a"]), "iss"),
    "another issuer": (build(iss="https://other.example"), "another issuer"),
    "no audience": (build(aud=None), "aud"),
    "another's audience": (build(aud="0oaother"), "aud"),
    "audience of numbers": (build(aud=[7, "0oaclient"]), "aud"),
    "no iat": (build(iat=None), "iat"),
    "iat a text": (build(iat=str(ISSUED)), "iat"),
    "iat true": (build(iat=True), "iat"),
    "iat to come": (build(iat=int(NOW) + 31, exp=int(NOW) + 90), "future"),
    "no exp": (build(exp=None), "exp"),
    "ended": (build(iat=int(NOW) - 200, exp=int(NOW) - 30), "expired"),
    "too old, whatever its exp": (build(iat=int(NOW) - MAX_AGE - 30, exp=int(NOW) + 9999), "expired"),
    "no jti": (build(jti=None), "jti"),
    "jti empty": (build(jti=""), "jti"),
    "jti a number": (build(jti=1), "jti"),
    "jti endless": (build(jti="j" * 257), "jti"),
    "no events": (build(events=None), "events"),
    "events a list": (build(events=[EVENT]), "events"),
    "other events": (build(events={"urn:other": {}}), "events"),
    "event no object": (build(events={EVENT: True}), "events"),
    "nonce": (build(nonce="n-0S6"), "nonce"),
    "session alone": (build(sub=None, sid="08a5019c"), "sid"),
    "nobody": (build(sub=None), "sub"),
    "subject empty": (build(sub=""), "sub"),
    "subject a list": (build(sub=["alice"]), "sub"),
    "an access token": (OKTA.mint(), "aud"),
    "an access token for us": (OKTA.mint(aud="0oaclient", iat=ISSUED), "events"),
}


@pytest.mark.parametrize(("token", "reason"), BAD.values(), ids=BAD)
def test_refused(token, reason):
    """§2.6: each fault is named, and nothing of the token with it."""
    with pytest.raises(SubjectTokenInvalid, match=reason) as caught:
        verify(token)
    assert "alice" not in str(caught.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from([*CLAIMS, "nonce", "sid"]), VALUES)
def test_any_claim_value(name, value):
    """Any value of any claim, rightly signed, is accepted or refused."""
    try:
        verify(OKTA.sign(json.dumps(CLAIMS | {name: value}).encode(), TYP))
    except SubjectTokenInvalid:
        return
