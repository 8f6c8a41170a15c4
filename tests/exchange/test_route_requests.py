"""What routes ask for, from the configuration to the request."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.config import models
from proxy.config.shape import build_section
from proxy.exchange.first_leg import FirstLeg
from proxy.exchange.route_requests import build_first_request, build_token_request
from proxy.exchange.token_exchange import TokenRequest
from proxy.exchange.token_types import ID_JAG, JWT
from tests.wiring.building import load

SERVERS = {
    "okta": {"issuer": "https://example.okta.com", "client": {"id": "0oa1", "secret": "s"}},
    "chat": {"issuer": "https://auth.chat.example", "client": {"id": "obo", "secret": "s"}},
}
CHAT = "https://auth.chat.example"


def settings(**route: Any) -> tuple[models.Route, models.Settings]:
    raw = {"name": "a", "path": "/", "upstream": "http://a", "authorization_server": "chat"} | route
    built = build_section(models.Settings, {"authorization_servers": SERVERS, "routes": [raw]})
    return built.routes[0], built


def test_a_route_without_a_token():
    """It asks for nothing."""
    route, whole = settings(grant="none", authorization_server=None)
    assert (build_token_request(route, whole), build_first_request(route, whole)) == (None, None)


def test_one_call():
    """All that the route says stands in one request."""
    wishes = {"audience": ["a", "b"], "resource": "urn:c", "scopes": ["s"], "max_actors": 1}
    route, whole = settings(**wishes, actor=True, authorization_details=[{"type": "t"}])
    assert build_first_request(route, whole) is None
    assert build_token_request(route, whole) == TokenRequest(
        "chat",
        "token_exchange",
        audience=("a", "b"),
        resource=("urn:c",),
        scopes=("s",),
        actor=True,
        max_actors=1,
        authorization_details='[{"type":"t"}]',
    )


@pytest.mark.parametrize(
    ("actor", "expected"),
    [
        (False, {"actor": False}),
        (True, {"actor": True}),
        ({"file": "/a", "type": "jwt"}, {"actor_type": JWT, "actor_file": "/a"}),
        ({"header": "X-A", "type": "urn:x"}, {"actor_type": "urn:x"}),
    ],
)
def test_who_acts(actor, expected):
    """Ours, a file's or the caller's."""
    route, whole = settings(actor=actor)
    assert build_token_request(route, whole) == TokenRequest("chat", "token_exchange", **expected)


@pytest.mark.parametrize(("grant", "kind"), [("id_jag", ID_JAG), ("identity_chaining", JWT)])
@pytest.mark.parametrize("audience", [None, "https://other.example"])
def test_two_legs(grant, kind, audience):
    """Leg 1 is for the redeeming server, unless the route says otherwise; the scopes stand in both."""
    wishes = {"grant": grant, "identity_provider": "okta", "scopes": ["s"], "resource": "urn:r"}
    route, whole = settings(**wishes, audience=audience, subject_token_type="id_token")
    aim = (audience or CHAT,)
    assert build_first_request(route, whole) == TokenRequest(
        "okta",
        "token_exchange",
        audience=aim,
        resource=("urn:r",),
        scopes=("s",),
        subject_token_type="id_token",
        requested_token_type=kind,
        leg=1,
        first_leg=FirstLeg(grant, aim, "obo"),
    )
    assert build_token_request(route, whole) == TokenRequest("chat", "assertion", scopes=("s",), leg=2)


@pytest.mark.parametrize(
    ("route", "asked"),
    [
        (
            {},
            {"authorization_server": "okta", "grant": "token_exchange", "scopes": (), "extra_parameters": ()},
        ),
        ({"scopes": ["b", "a"]}, {"scopes": ("b", "a")}),
        ({"extra_parameters": {"b": "2", "a": "1"}}, {"extra_parameters": (("a", "1"), ("b", "2"))}),
        ({"grant": "client_credentials"}, {"authorization_server": "okta", "grant": "client_credentials"}),
        ({"grant": "none", "audience": ...}, None),
    ],
    ids=["plain", "scopes", "parameters in order", "without a user", "without a token"],
)
def test_what_a_route_asks_for(route: dict[str, Any], asked: dict[str, Any] | None):
    """X-01, C-02: what is asked for is part of the key, so it has one spelling."""
    sample = load(**route)
    request = build_token_request(sample.routes[0], sample)
    assert (request is None) == (asked is None)
    if request is not None and asked is not None:
        assert {name: getattr(request, name) for name in asked} == asked
        assert "api://orders" in (request.audience or ())
