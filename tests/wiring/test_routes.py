"""From a route's settings to what serves its requests."""

from __future__ import annotations

from typing import Any

import pytest

from .building import find, load


@pytest.mark.parametrize(
    ("upstream", "host"),
    [
        ("http://orders:8080", b"orders:8080"),
        ("https://orders.example", b"orders.example"),
        ("unix:/run/orders.sock", b"localhost"),
        ("http://[::1]:8080", b"[::1]:8080"),
    ],
)
async def test_the_host_an_upstream_is_called_by(build: Any, upstream: str, host: bytes):
    """H-05: its own, whatever the caller said."""
    assert find(build(load(upstream=upstream))).upstream_host == host


USER = {"authentication", "access_tokens"}


@pytest.mark.parametrize(
    ("route", "parts"),
    [
        ({}, {*USER, "websockets"}),
        ({"grant": "jwt_bearer"}, {*USER, "websockets"}),
        ({"grant": "client_credentials"}, {"access_tokens", "guard", "websockets"}),
        ({"grant": "none", "audience": ...}, {"websockets"}),
        ({"websocket": False}, USER),
        ({"on_token_expiry": "close"}, {*USER, "websockets", "lifetime"}),
        ({"cors_preflight": True}, {*USER, "websockets", "preflight"}),
    ],
    ids=["exchange", "bearer grant", "our own token", "no token", "no websockets", "lifetime", "preflight"],
)
async def test_which_parts_a_route_needs(build: Any, route: dict[str, Any], parts: set[str]):
    """A-03: whoever acts for a user verifies; where a token is sent for whoever asks there is a guard."""
    built = find(build(load(**route)))
    kinds = ("authentication", "access_tokens", "guard", "websockets", "lifetime", "preflight")
    assert {kind for kind in kinds if getattr(built, kind) is not None} == parts


async def test_a_preflight_has_no_credentials(build: Any):
    """It passes without a user, so it brings no token of anybody's."""
    preflight = find(build(load(cors_preflight=True))).preflight
    assert preflight is not None
    assert (preflight.authentication, preflight.access_tokens) == (None, None)
