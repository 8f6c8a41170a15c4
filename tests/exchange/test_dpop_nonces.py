"""The nonces that servers ask for."""

from __future__ import annotations

import pytest

from proxy.exchange.dpop_nonces import Nonces

URL = "https://idp.example/token"


def test_nonces_belong_to_origins():
    """D-02: the latest counts, for its own origin alone."""
    nonces = Nonces()
    assert nonces.learn("https://a/token", {"dpop-nonce": "one"})
    assert nonces.learn("https://A/other?x", {"dpop-nonce": "two"})
    assert not nonces.learn("https://a/token", {})
    assert (nonces.find("https://a/"), nonces.find("https://b/"), nonces.find("http://a/")) == (
        "two",
        None,
        None,
    )


@pytest.mark.parametrize("nonce", ["", 'a"b', "a b", "a\\b", "é", "x" * 1025])
def test_what_is_no_nonce(nonce):
    """RFC 9449 §8.1: characters that a nonce cannot have."""
    nonces = Nonces()
    assert not nonces.learn(URL, {"dpop-nonce": nonce})
    assert nonces.find(URL) is None
