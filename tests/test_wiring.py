"""From settings to working parts."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest

from proxy.config.load import parse_settings
from proxy.config.models import Settings
from proxy.errors import ScopeInsufficient, StepUpRequired
from proxy.gateway.upstream_request import Route
from proxy.parts import Parts
from proxy.wiring import build_demands, build_parts, build_token_request, build_tracing

from .config.samples import SOUND, change
from .support.caching import make_subject_token
from .support.issuer import NOW, StillClock


def load(**route: Any) -> Settings:
    """The sample with its route ``orders`` changed; ``...`` removes a key."""
    return parse_settings(change(*((f"routes.0.{key}", value) for key, value in route.items())))


@pytest.fixture
async def build() -> AsyncIterator[Any]:
    """Builds parts; whatever was built is retired at the end, the last one first."""
    built: list[Parts] = []

    def build(settings: Settings, before: Parts | None = None) -> Parts:
        built.append(build_parts(settings, clock=StillClock(), on_exchange=lambda _: None, before=before))
        return built[-1]

    yield build
    for parts in reversed(built):
        await parts.retire()


def find(parts: Parts, path: bytes = b"/orders") -> Route:
    return parts.gateway._routes.match(path, b"", "GET")[0]


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
    settings = load(**route)
    request = build_token_request(settings.routes[0], settings)
    assert (request is None) == (asked is None)
    if request is not None and asked is not None:
        assert {name: getattr(request, name) for name in asked} == asked
        assert "api://orders" in (request.audience or ())


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


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ([("routes.0.path", "/other")], {"okta", "store"}),
        ([("authorization_servers.okta.timeout", "9s")], {"store"}),
        ([("cache.max_entries", 7)], {"okta"}),
        ([("authorization_servers.okta.client.secret", "new"), ("cache.max_entries", 7)], set()),
    ],
    ids=["a route", "a server", "the cache", "both"],
)
async def test_what_a_reload_keeps(build: Any, changes: list[tuple[str, Any]], kept: set[str]):
    """F-39: the tokens and what is known of a server, as long as nothing that they depend on has changed."""
    before = build(parse_settings(copy.deepcopy(SOUND)))
    after = build(parse_settings(change(*changes)), before)
    same = {"okta": after.issuers["okta"] is before.issuers["okta"], "store": after.store is before.store}
    assert {name for name, is_same in same.items() if is_same} == kept


async def test_what_is_not_asked_for_is_not_built(build: Any):
    """A request need not ask for documents that nobody publishes, and nothing is traced."""
    parts = build(load())
    assert parts.documents is None
    assert build_tracing(parts.settings.tracing) is None
    published = build(parse_settings(change(("protected_resource_metadata", True))))
    assert published.documents is not None


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
