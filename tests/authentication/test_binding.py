"""What a token is bound to, as its claims say (RFC 7800 §3.1)."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.authentication.binding import PROOF_LEEWAY, is_confirmation, read_binding

KEY, CERTIFICATE = "k" * 43, "c" * 43


@pytest.mark.parametrize(
    ("confirmation", "key", "certificate"),
    [
        ({"jkt": KEY}, KEY, None),
        ({"x5t#S256": CERTIFICATE}, None, CERTIFICATE),
        ({"jkt": KEY, "x5t#S256": CERTIFICATE}, KEY, CERTIFICATE),
    ],
)
def test_what_it_is_bound_to(confirmation: Any, key: str | None, certificate: str | None) -> None:
    assert is_confirmation(confirmation)
    binding = read_binding({"cnf": confirmation}, tolerance=5.0, nonce=True)
    assert binding is not None
    assert (binding.key, binding.certificate, binding.nonce) == (key, certificate, True)
    assert binding.window == 5.0 + PROOF_LEEWAY


def test_a_bearer_token() -> None:
    assert read_binding({"sub": "alice"}, tolerance=5.0, nonce=False) is None


@pytest.mark.parametrize(
    "value", [None, "jkt", [], {"jkt": 1}, {"jkt": "k"}, {"jkt": KEY + "="}, {"x5t#S256": None}], ids=str
)
def test_no_confirmation(value: Any) -> None:
    assert not is_confirmation(value)
