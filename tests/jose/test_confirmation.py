"""What a token is bound to."""

from __future__ import annotations

import pytest

from proxy.jose.confirmation import parse_confirmation


@pytest.mark.parametrize(
    ("claims", "thumbprint"),
    [({}, None), ({"cnf": {"jkt": "a"}}, None), ({"cnf": {"x5t#S256": "b"}}, "b")],
)
def test_what_a_token_is_bound_to(claims, thumbprint):
    """RFC 8705 §3.1."""
    assert parse_confirmation(claims) == thumbprint


@pytest.mark.parametrize("cnf", ["a", [], {"x5t#S256": 1}, {"x5t#S256": ["a"]}])
def test_a_binding_that_cannot_be_read(cnf):
    """Nobody knows what it is bound to, so it is not taken for one that is bound to nothing."""
    with pytest.raises(ValueError, match="cnf"):
        parse_confirmation({"cnf": cnf})
