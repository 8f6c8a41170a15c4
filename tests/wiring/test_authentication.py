"""Who verifies callers' tokens, and what a route asks of them."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.config.load import parse_settings
from proxy.errors import ScopeInsufficient, StepUpRequired
from proxy.wiring.authentication import build_demands
from tests.config.samples import change
from tests.support.caching import make_subject_token
from tests.support.issuer import NOW, StillClock

from .building import find, load


@pytest.mark.parametrize(
    ("route", "claims", "error"),
    [
        ({}, {}, None),
        ({"required_scopes": ["a"]}, {"scp": ["a", "b"]}, None),
        ({"required_scopes": ["a"]}, {"scp": ["b"]}, ScopeInsufficient),
        ({"acr_values": ["phr"]}, {"acr": "phr"}, None),
        ({"acr_values": ["phr"]}, {"acr": "pwd"}, StepUpRequired),
        ({"max_age": "5m"}, {"auth_time": NOW - 200}, None),
        ({"max_age": "5m"}, {"auth_time": NOW - 400}, StepUpRequired),
        ({"max_age": 0}, {"auth_time": NOW - 400}, StepUpRequired),
    ],
)
def test_what_a_route_asks_of_a_user(
    route: dict[str, Any], claims: dict[str, Any], error: type[Exception] | None
):
    """A-25, A-26: nothing, and it costs nothing; else all of it, now."""
    require = build_demands(load(**route).routes[0], StillClock())
    assert (require is None) == (not route)
    if require is None:
        return
    subject_token = make_subject_token(**claims)
    if error is None:
        require(subject_token)
    else:
        with pytest.raises(error):
            require(subject_token)


async def test_id_tokens_have_a_verifier_of_their_own(build: Any):
    """A-16: an ID token is good for a route that says so, and for no other."""
    other = {
        "name": "id",
        "path": "/id",
        "upstream": "http://a",
        "audience": "a",
        "subject_token_type": "id_token",
    }
    parts = build(parse_settings(change(("routes.1", other))))
    access, identity = find(parts).authentication, find(parts, b"/id").authentication
    assert access is not None
    assert identity is not None
    assert access.verifier is not identity.verifier
