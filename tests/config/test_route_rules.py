"""What must hold for a route in itself."""

# ruff: noqa: E501  a row of a table stays one line

from __future__ import annotations

from typing import Any

import pytest

from .samples import ODD_PATH, OTHER, change, faults_of


def unused(key: str, grant: str) -> str:
    return f"routes[0].{key}: not used with grant: {grant}, so leave it out"


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("name", "other", "routes[1].name: also the name of routes[0] (got 'other')"),
        ("path", "orders", f"routes[0].path: {ODD_PATH} (got 'orders')"),
        ("path", "/a/../b", f"routes[0].path: {ODD_PATH} (got '/a/../b')"),
        ("path", "/a//b", f"routes[0].path: {ODD_PATH} (got '/a//b')"),
        ("path", "//", f"routes[0].path: {ODD_PATH} (got '//')"),
        ("path", "/a?b", f"routes[0].path: {ODD_PATH} (got '/a?b')"),
        ("path", "/é", f"routes[0].path: {ODD_PATH} (got '/é')"),
        ("path", "/other", "routes[1].path: matches the same requests as routes[0] (got '/other')"),
        ("path", "/other/", "routes[1].path: matches the same requests as routes[0] (got '/other')"),
        ("path_rewrite", "x", f"routes[0].path_rewrite: {ODD_PATH} (got 'x')"),
        ("host", "http://x", "routes[0].host: not a host name without scheme and port (got 'http://x')"),
        ("host", "x:80", "routes[0].host: not a host name without scheme and port (got 'x:80')"),
        ("methods", ["get"], "routes[0].methods[0]: not a method in capitals (got 'get')"),
        ("methods", ["GET", "TRACE"], "routes[0].methods[1]: never served (got 'TRACE')"),
        ("upstream", "orders:8080", "routes[0].upstream: not an absolute URL (got 'orders:8080')"),
        ("upstream", "http://", "routes[0].upstream: not an absolute URL (got 'http://')"),
        ("upstream", "http://x:99999", "routes[0].upstream: not an absolute URL (got 'http://x:99999')"),
        ("upstream", "http://x:0", "routes[0].upstream: not an absolute URL (got 'http://x:0')"),
        ("upstream", "http://[::1", "routes[0].upstream: not an absolute URL (got '***')"),
        ("upstream", "http://a b", "routes[0].upstream: not an absolute URL (got 'http://a b')"),
        ("upstream", "http://x\n", "routes[0].upstream: not an absolute URL (got 'http://x\\n')"),
        ("upstream", "ftp://x", "routes[0].upstream: not an absolute URL (got 'ftp://x')"),
        ("upstream", "http://x/api", "routes[0].upstream: a path is refused here: path_rewrite replaces the matched prefix (got 'http://x/api')"),
        ("upstream", "http://x?", "routes[0].upstream: a query ('?…') is refused (got 'http://x?')"),
        ("upstream", "http://x#a", "routes[0].upstream: a fragment ('#…') is refused (got 'http://x#a')"),
        ("upstream", "http://u:pw@x", "routes[0].upstream: a user name or password in a URL is refused (got 'http://***@x')"),
        ("upstream", "unix:sock", "routes[0].upstream: not like unix:/path.sock (got 'unix:sock')"),
        ("tls", {"server_name": "x"}, "routes[0].tls: only an https upstream has a use for it (got 'http://orders:8080')"),
        ("audience", ..., "routes[0].audience: required, or resource or scopes: else the token would be for nothing named"),
        ("scopes", ["a b"], "routes[0].scopes[0]: not one scope: give each an entry of its own (got 'a b')"),
        ("required_scopes", ['"'], "routes[0].required_scopes[0]: not one scope: give each an entry of its own (got '\"')"),
        ("resource", "orders", "routes[0].resource: not an absolute URI without a fragment (got 'orders')"),
        ("resource", "https://x#y", "routes[0].resource: not an absolute URI without a fragment (got 'https://x#y')"),
        ("extra_parameters", {"scope": "a"}, "routes[0].extra_parameters.scope: set by the proxy itself, so it may not be given"),
        ("token_in", {}, "routes[0].token_in: needs either header or query"),
        ("token_in", {"header": "X-A", "query": "a"}, "routes[0].token_in: needs either header or query"),
        ("token_in", {"query": "a&b"}, "routes[0].token_in.query: not the name of a query parameter (got 'a&b')"),
        ("token_in", {"query": "a", "scheme": "X"}, "routes[0].token_in.scheme: only a header has one"),
        ("token_in", {"header": "Host"}, "routes[0].token_in.header: not a header that may carry a token (got 'Host')"),
        ("token_in", {"header": "a b"}, "routes[0].token_in.header: not a header that may carry a token (got 'a b')"),
        ("token_in", {"header": "X-A", "scheme": "a b"}, "routes[0].token_in.scheme: not an authentication scheme (got 'a b')"),
        ("token_in", {"header": "authorization", "scheme": ""}, "routes[0].token_in.scheme: must not be empty for Authorization: any credentials would pass as a token"),
        ("allowed_origins", ["https://app.example"], "routes[0].allowed_origins: only used where callers need no token (client_credentials, subject_token_file), so leave it out"),
        ("timeouts.response", 0, "routes[0].timeouts.response: must be more than 0"),
        ("authorization_server", "otka", "routes[0].authorization_server: no such authorization server, did you mean 'okta'? (got 'otka')"),
        ("authorization_server", "xyz", "routes[0].authorization_server: no such authorization server (got 'xyz')"),
        ("subject_token_file", "/nowhere", "routes[0].subject_token_file: cannot be read: No such file or directory (got '/nowhere')"),
    ],
)  # fmt: skip
def test_routes(path: str, value: Any, fault: str) -> None:
    """A route that cannot work, or that could be read in two ways, is refused with its reason."""
    assert faults_of(change(("routes.1", OTHER), (f"routes.0.{path}", value))) == [fault]


@pytest.mark.parametrize(
    "origin",
    [
        "app.example",
        "https://app.example/",
        "https://app.example/a",
        "*",
        "null",
        "https://",
        "https://u@app.example",
        "https://*.example",
        "ftp://app.example",
        "https://app.example?a",
        "https://app.example#",
    ],
)
def test_origins_that_are_none(origin: str) -> None:
    """Each is scheme, host and perhaps a port, as browsers say it."""
    raw = change(
        ("routes.0.grant", "client_credentials"),
        ("routes.0.allowed_origins", ["http://localhost:3000", origin]),
    )
    assert faults_of(raw) == [
        f"routes[0].allowed_origins[1]: not an origin such as https://app.example.com (got {origin!r})".replace(
            "'https://u@app.example'", "'https://***@app.example'"
        )
    ]


@pytest.mark.parametrize("scope", ["openid", "profile", "email", "address", "phone", "offline_access"])
@pytest.mark.parametrize("grant", ["token_exchange", "client_credentials"])
def test_openid_scopes_are_refused(scope: str, grant: str) -> None:
    """X-02: a service app gets no OpenID Connect scope from Okta, and the fault says so."""
    (fault,) = faults_of(change(("routes.0.grant", grant), ("routes.0.scopes", ["orders:read", scope])))
    assert fault.startswith("routes[0].scopes[1]: an OpenID Connect scope, which Okta refuses")


def test_openid_scopes_pass_with_the_jwt_bearer_grant() -> None:
    """X-02: Entra ID gives them in its on-behalf-of flow."""
    assert faults_of(change(("routes.0.grant", "jwt_bearer"), ("routes.0.scopes", ["offline_access"]))) == []


@pytest.mark.parametrize(
    ("grant", "key", "value"),
    [
        ("none", "audience", "api://orders"),
        ("none", "actor", True),
        ("none", "required_scopes", ["a"]),
        ("client_credentials", "acr_values", ["a"]),
        ("client_credentials", "max_age", 5),
        ("client_credentials", "subject_token_type", "jwt"),
        ("jwt_bearer", "requested_token_type", "jwt"),
        ("jwt_bearer", "actor", True),
    ],
)
def test_keys_that_a_grant_has_no_use_for(grant: str, key: str, value: Any) -> None:
    """A key without effect is a mistake: somebody relies on it."""
    raw = change(("routes.0.audience", ...), ("routes.0.grant", grant), ("routes.0.scopes", ["a"]))
    raw["routes"][0][key] = value
    if grant == "none":
        del raw["routes"][0]["scopes"]
    assert faults_of(raw) == [unused(key, grant)]


@pytest.mark.parametrize(
    "changes",
    [
        {"upstream": "unix:/run/orders.sock"},
        {"upstream": "https://[::1]:8443"},
        {"upstream": "http://orders:8080/"},
        {"path": "/"},
        {"path_rewrite": ""},
        {"path_rewrite": "/"},
        {"token_in": {"query": "access_token"}},
        {"token_in": {"header": "X-Token", "scheme": ""}},
        {"resource": "https://orders.example.com/v1"},
        {"extra_parameters": {"tenant": "a"}},
        {"host": "orders.example.com", "methods": ["PROPFIND"]},
    ],
    ids=str,
)
def test_routes_that_are_sound(changes: dict[str, Any]) -> None:
    """What a route may say."""
    assert faults_of(change(*((f"routes.0.{key}", value) for key, value in changes.items()))) == []
