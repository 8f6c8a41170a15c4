"""Bodies and credentials of Global Token Revocation."""

from __future__ import annotations

import jwt
import pytest

from proxy.authentication.global_revocation import MAX_LIFETIME, TYPE, parse_credential, parse_revocation
from proxy.authentication.signal_token import SignalRefused
from tests.support.issuer import NOW, make_rsa_key


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"sub_id": {}, "sub_id": {}}', b'{"subject": 1}', b"\xff"]
)
def test_bodies_of_revocations(body: bytes):
    """One subject, read in one way."""
    with pytest.raises(SignalRefused):
        parse_revocation(body)


def test_a_credential_is_short_lived():
    """We remember its jti for as long."""
    claims = {"iss": "https://o", "aud": "https://p/r", "jti": "1", "exp": int(NOW + MAX_LIFETIME)}

    def parse(exp: int) -> None:
        token = jwt.encode(claims | {"exp": exp}, make_rsa_key(), "RS256", {"typ": TYPE, "kid": "k"})
        parse_credential(token, issuer="https://o", audience="https://p/r", now=NOW)

    parse(claims["exp"])
    with pytest.raises(SignalRefused, match="more than an hour away"):
        parse(claims["exp"] + 1)
