"""What is published on the public port."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.config.models import Route
from proxy.demo import Demo
from proxy.downstream.request import Downstream
from proxy.gateway.published_documents import Documents
from proxy.http.routes import Pattern, RouteTable
from tests.downstream.callers import Caller, build
from tests.support.proxy import problem, running


async def test_protected_resource_metadata(demo: Demo):
    """A-05: the document says where tokens come from, and challenges name it."""
    async with running(demo.settings(protected_resource_metadata=True)) as proxy:
        challenge = (await proxy.get("/orders/7")).headers["www-authenticate"]
        url = f"{proxy.url}/.well-known/oauth-protected-resource/orders"
        assert f'resource_metadata="{url}"' in challenge
        document = (await proxy.client.get(url)).json()
        assert document["resource"] == f"{proxy.url}/orders"
        assert document["authorization_servers"] == [demo.issuer("default")]
        assert document["bearer_methods_supported"] == ["header"]
        assert problem(await proxy.get("/.well-known/oauth-protected-resource/nowhere")) == (404, "no_route")


async def test_our_public_keys_are_published(demo: Demo):
    """``publish_jwks``: what Okta fetches holds no private member."""
    async with running(demo.settings(private_key_jwt=True, publish_jwks="/jwks")) as proxy:
        keys = (await proxy.client.get("/jwks")).json()["keys"]
        assert [key["kid"] for key in keys] == [demo.private_key_id]
        assert not {"d", "p", "q"} & set(keys[0])
        assert (await proxy.get("/orders", demo.mint("alice"))).status_code == 200


PATTERNS = [("/", None, ["a"]), ("/orders", None, ["orders:read"]), ("/orders", "b.example", [])]
WELL_KNOWN = b"/.well-known/oauth-protected-resource"


def publish(**changes: Any) -> Documents:
    routes = [
        Route(name=str(number), path=path, upstream="http://a", host=host, required_scopes=scopes)
        for number, (path, host, scopes) in enumerate(PATTERNS)
    ]
    table = RouteTable(
        Pattern(each.path.encode(), each.host and each.host.encode(), frozenset(), each) for each in routes
    )
    given = {"issuers": ["https://as"], "jwks_path": "/jwks", "read_jwks": lambda: {"keys": []}}
    return Documents(**{"routes": table, **given, **changes})


def request(path: bytes, method: str = "GET", host: bytes = b"a.example") -> Downstream:
    return build(Caller(), [(b"host", host)], method=method, raw_path=path)


@pytest.mark.parametrize(
    ("path", "host", "resource", "scopes"),
    [
        (WELL_KNOWN, b"a.example", "http://a.example", ["a"]),
        (WELL_KNOWN + b"/orders", b"a.example:80", "http://a.example:80/orders", ["orders:read"]),
        (WELL_KNOWN + b"/orders/7", b"a.example", "http://a.example/orders/7", ["orders:read"]),
        (WELL_KNOWN + b"/orders", b"B.example", "http://B.example/orders", None),
    ],
    ids=["the root", "a route", "below a route", "another host's"],
)
def test_the_document_of_a_resource(path: bytes, host: bytes, resource: str, scopes: list[str] | None):
    """A-05: ``resource`` is exactly what was asked for; the scopes are those of its route."""
    document = json.loads(publish().find(request(path, host=host)))
    assert (document["resource"], document.get("scopes_supported")) == (resource, scopes)
    assert document["authorization_servers"] == ["https://as"]


@pytest.mark.parametrize(
    ("path", "method", "changes"),
    [
        (b"/orders", "GET", {}),
        (b"/jwks/", "GET", {}),
        (b"/jwks", "POST", {}),
        (b"/jwks", "GET", {"jwks_path": None}),
        (WELL_KNOWN, "POST", {}),
        (WELL_KNOWN, "GET", {"routes": None}),
        (WELL_KNOWN + b"/a/../b", "GET", {}),
        (b"/.well-known/openid-configuration", "GET", {}),
    ],
)
def test_other_requests_are_left_to_their_routes(path: bytes, method: str, changes: dict[str, Any]):
    """Only what is published is answered here, and only to who reads."""
    assert publish(**changes).find(request(path, method)) is None


@pytest.mark.parametrize(
    ("path", "route", "url"),
    [
        (b"/orders/7", "1", "http://a.example/.well-known/oauth-protected-resource/orders"),
        (b"/elsewhere", "0", "http://a.example/.well-known/oauth-protected-resource"),
        (b"/a/../b", "", "http://a.example/.well-known/oauth-protected-resource"),
    ],
    ids=["a route", "the root", "a path that is refused"],
)
def test_what_a_challenge_names(path: bytes, route: str, url: str):
    """A-05: the document of the route that the request matched, whose name it has by then."""
    downstream = request(path)
    downstream.route = route
    assert publish().metadata_url(downstream) == url
    assert publish(routes=None).metadata_url(downstream) is None
