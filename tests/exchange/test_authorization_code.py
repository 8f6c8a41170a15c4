"""The Authorization Code grant's pure half."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.exchange.authorization_code import (
    SignIn,
    SignInRefused,
    build_authorization_url,
    build_code_form,
    parse_redirect,
)

ISSUER = "https://example.okta.com/oauth2/default"
SIGN_IN = SignIn(
    "0oa1", "http://127.0.0.1:5000/callback", ("openid", "a b"), state="st/ate", verifier="v" * 43
)


@pytest.mark.parametrize("endpoint", ["https://okta/authorize", "https://okta/authorize?tenant=1"])
def test_the_address_to_sign_in_at(endpoint: str) -> None:
    """RFC 7636 §4.3: the challenge goes along, the verifier does not."""
    url = build_authorization_url(endpoint, SIGN_IN)
    assert url.startswith(endpoint)
    assert SIGN_IN.verifier not in url
    query = parse_qs(urlsplit(url).query)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"v" * 43).digest()).rstrip(b"=").decode()
    assert query.pop("tenant", ["1"]) == ["1"]
    assert query == {
        "response_type": ["code"],
        "client_id": ["0oa1"],
        "redirect_uri": ["http://127.0.0.1:5000/callback"],
        "scope": ["openid a b"],
        "state": ["st/ate"],
        "code_challenge": [challenge],
        "code_challenge_method": ["S256"],
    }


def test_each_attempt_has_secrets_of_its_own() -> None:
    """RFC 7636 §4.1: 43 to 128 characters of randomness; neither is shown."""
    one, two = (SignIn("a", "b", ()) for _ in range(2))
    assert one.state != two.state
    assert one.verifier != two.verifier
    assert 43 <= len(one.verifier) <= 128
    assert one.verifier not in repr(one)
    assert one.state not in repr(one)


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("/callback?code=c&state=st%2Fate", "c"),
        (f"/callback?code=c&state=st/ate&iss={quote(ISSUER)}", "c"),
        ("/callback?state=st/ate", None),
        ("/callback?code=c", None),
        ("/callback?code=c&state=", None),
        ("/callback?code=c&state=state", None),
        ("/callback?code=c&state=st/ate%C3%A9", None),
        ("/callback?code=c&code=d&state=st/ate", None),
        ("/callback?code=c&state=st/ate&state=st/ate", None),
        ("/callback?code=c&state=st/ate&iss=https://evil.example", None),
        ("/callback?error=access_denied&state=wrong", None),
        ("/?code=c&state=st/ate", None),
        ("/callback?code=c&state=st/ate" + "&a" * 50, None),
        ("/callback", None),
        ("", None),
    ],
)
def test_the_redirect(target: str, code: str | None) -> None:
    """RFC 6749 §10.12, RFC 9207: only who knows our state, and is our issuer, may bring a code."""
    assert parse_redirect(target, SIGN_IN, ISSUER) == code


def test_a_refusal() -> None:
    """RFC 6749 §4.1.2.1."""
    with pytest.raises(SignInRefused, match=r"^access_denied$"):
        parse_redirect("/callback?error=access_denied&state=st/ate", SIGN_IN, ISSUER)


@given(st.text(max_size=60))
def test_any_target_is_no_answer(target: str) -> None:
    """Whatever reaches the loopback port, nothing but our answer is taken, and nothing breaks."""
    assert parse_redirect(target, SIGN_IN, ISSUER) is None


def test_the_form() -> None:
    """RFC 7636 §4.5: the verifier redeems the code."""
    assert build_code_form(SIGN_IN, "c") == [
        ("grant_type", "authorization_code"),
        ("code", "c"),
        ("redirect_uri", "http://127.0.0.1:5000/callback"),
        ("code_verifier", "v" * 43),
    ]
