"""What must hold between keys."""

# ruff: noqa: E501  a row of a table stays one line

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from proxy.jose.private_keys import generate_key, pem

from .samples import CLIENT, ODD_PATH, OTHER, SERVER, SOUND, change, faults_of

ORG = "https://example.okta.com"


def test_the_sample_is_sound() -> None:
    """What the tables spoil has no fault of its own."""
    assert faults_of(SOUND) == []


def test_a_proof_needs_the_authorization_field() -> None:
    """RFC 9449 §7.1."""
    raw = change(("authorization_servers.okta.dpop", True), ("routes.0.token_out", {"cookie": "a"}))
    (fault,) = faults_of(raw)
    assert fault.startswith("routes[0].token_out: a DPoP token stands in Authorization alone")


CHAT = {"issuer": "https://auth.chat.example", "client": {"id": "obo", "secret": "s3cr3t"}}


def two_legs(*changes: tuple[str, Any], grant: str = "id_jag") -> dict[str, Any]:
    """A sound route with two legs, changed."""
    return change(
        ("authorization_servers.chat", copy.deepcopy(CHAT)),
        ("routes.0.audience", ...),
        ("routes.0.grant", grant),
        ("routes.0.identity_provider", "okta"),
        ("routes.0.authorization_server", "chat"),
        ("routes.0.scopes", ["chat.read"]),
        *changes,
    )


@pytest.mark.parametrize("grant", ["id_jag", "identity_chaining"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("subject_token_type", "id_token"),
        ("audience", "https://other.example"),
        ("audience", ["https://other.example"]),
        ("resource", ["https://a.example/", "https://b.example/"]),
        ("actor", True),
    ],
)
def test_two_legs_are_sound(grant: str, key: str, value: Any) -> None:
    """The audience is the redeeming server's issuer unless said; audience and resource are one or a list."""
    assert faults_of(two_legs(grant=grant)) == []
    assert faults_of(two_legs((f"routes.0.{key}", value), grant=grant)) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (
            [("routes.0.identity_provider", ...)],
            "routes[0].identity_provider: required with grant: id_jag: who makes",
        ),
        (
            [("routes.0.identity_provider", "okat")],
            "routes[0].identity_provider: no such authorization server, did you mean 'okta'? (got 'okat')",
        ),
        (
            [("routes.0.identity_provider", "chat")],
            "routes[0].identity_provider: also the authorization_server, which redeems",
        ),
        (
            [("routes.0.authorization_server", ...)],
            "routes[0].authorization_server: required, for there are several",
        ),
        (
            [("authorization_servers.okta.client", ...)],
            "authorization_servers.okta.client: required: the route 'orders' gets its first token here",
        ),
        (
            [("authorization_servers.chat.client", ...)],
            "authorization_servers.chat.client: required: the route 'orders' gets its token here",
        ),
        (
            [("routes.0.subject_token_type", "jwt")],
            "routes[0].subject_token_type: id_token or access_token with grant: id_jag",
        ),
        (
            [("routes.0.requested_token_type", "jwt")],
            "routes[0].requested_token_type: not used with grant: id_jag, so leave it out",
        ),
        (
            [("routes.0.scopes", ["openid"])],
            "routes[0].scopes[0]: a system scope, which Okta refuses for ID-JAGs (invalid_scope)",
        ),
        (
            [("routes.0.scopes", ["a", "okta.users.read"])],
            "routes[0].scopes[1]: a system scope, which Okta refuses for ID-JAGs",
        ),
        (
            [("routes.0.resource", ["https://a.example/", "b"])],
            "routes[0].resource[1]: not an absolute URI without a fragment (got 'b')",
        ),
        ([("routes.0.audience", [""])], "routes[0].audience[0]: empty"),
        ([("routes.0.audience", 5)], "routes[0].audience: not a list"),
    ],
)
def test_faults_of_two_legs(changes: list[tuple[str, Any]], fault: str) -> None:
    """Each names the key and what to do."""
    (found,) = faults_of(two_legs(*changes))
    assert found.startswith(fault)


def test_an_identity_provider_needs_two_legs() -> None:
    """A key without effect is a mistake: somebody relies on it."""
    raw = change(("routes.0.identity_provider", "okta"))
    (fault,) = faults_of(raw)
    assert fault.startswith("routes[0].identity_provider: not used with grant: token_exchange")


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        pytest.param({"methods": ["GET"]}, [], id="one names methods"),
        pytest.param({"host": "a.example"}, [], id="one names a host"),
        pytest.param({"methods": ["GET"], "host": "a.example"}, [], id="one names both"),
    ],
)
def test_routes_that_differ_may_share_a_path(changes: dict[str, Any], faults: list[str]) -> None:
    """Host and methods tell routes apart."""
    assert faults_of(change(("routes.1", {**OTHER, "path": "/orders", **changes}))) == faults


def test_routes_whose_methods_overlap_may_not() -> None:
    """Contract 2.3: two routes with the same match are refused, hosts compared without regard to case."""
    one = {**OTHER, "host": "A.example", "methods": ["GET", "POST"]}
    two = {**OTHER, "name": "two", "host": "a.example", "methods": ["POST"]}
    assert faults_of(change(("routes.1", one), ("routes.2", two))) == [
        "routes[2].path: matches the same requests as routes[1] (got '/other')"
    ]


@pytest.mark.parametrize("issuer", [ORG, f"{ORG}/", "https://a.oktapreview.com", f"{ORG}/oauth2"])
def test_an_org_server_is_explained(issuer: str) -> None:
    """A-18: tokens of an Okta org authorization server cannot be verified by anybody but Okta."""
    (fault,) = faults_of(change((f"{SERVER}.issuer", issuer)))
    assert fault.startswith(
        "subject_tokens[0].authorization_server: an Okta org authorization server, whose access"
    )
    assert fault.endswith(f"or set introspect: true (got {issuer!r})")


def test_an_org_server_may_introspect_and_grant() -> None:
    """A-18: with introspection Okta itself verifies; and client credentials need no verification."""
    assert faults_of(change((f"{SERVER}.issuer", ORG), ("subject_tokens.0.introspect", True))) == []
    raw = change((f"{SERVER}.issuer", ORG), ("subject_tokens", []), ("routes.0.grant", "client_credentials"))
    assert faults_of(raw) == []


def test_an_org_server_may_issue_id_tokens() -> None:
    """A-18: the keys of its ID tokens are public; one route that takes them is enough."""
    assert faults_of(change((f"{SERVER}.issuer", ORG), ("routes.0.subject_token_type", "id_token"))) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ([("subject_tokens", [])], "subject_tokens: required: the route 'orders' is called on a user's behalf"),
        ([("subject_tokens", []), ("routes.0.grant", "jwt_bearer")], "subject_tokens: required: the route 'orders' is called on a user's behalf"),
        ([("subject_tokens.0.authorization_server", "a")], "subject_tokens[0].authorization_server: no such authorization server (got 'a')"),
        ([("subject_tokens.0.clock_tolerance", "1h")], "subject_tokens[0].clock_tolerance: more than 600 s (got 3600.0)"),
        ([("subject_tokens.0.required_scopes", ["a b"])], "subject_tokens[0].required_scopes[0]: not one scope: give each an entry of its own (got 'a b')"),
        ([("authorization_servers.b", {"issuer": "https://b"})], "routes[0].authorization_server: required, for there are several authorization servers"),
        ([("authorization_servers.b", {"issuer": "https://b"}), ("routes.0.authorization_server", "b")], "authorization_servers.b.client: required: the route 'orders' gets its token here"),
        ([("authorization_servers.b", {"issuer": "https://b"}), ("routes.0.authorization_server", "okta"), ("subject_tokens.1", {"authorization_server": "b", "expected_audience": "b", "introspect": True})], "authorization_servers.b.client: required: subject tokens are introspected here"),
        ([("authorization_servers", {}), ("subject_tokens", []), ("routes.0.grant", "client_credentials")], "authorization_servers: required: the route 'orders' gets its token from one"),
    ],
)  # fmt: skip
def test_references(changes: list[tuple[str, Any]], fault: str) -> None:
    """What one part of the configuration needs of another."""
    assert faults_of(change(*changes)) == [fault]


def test_a_route_without_a_token_needs_nothing_else() -> None:
    """A configuration of public routes alone has no authorization server."""
    assert faults_of({"routes": [{"name": "a", "path": "/", "upstream": "http://a", "grant": "none"}]}) == []


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("publish_jwks", "/jwks", "publish_jwks: no client has a private_key_file, so there is no key to publish"),
        ("tracing.otlp_endpoint", "collector:4317", "tracing.otlp_endpoint: not an absolute URL (got 'collector:4317')"),
    ],
)  # fmt: skip
def test_publication_and_tracing(path: str, value: Any, fault: str) -> None:
    """Keys must be there to be published; spans need a URL to go to."""
    assert faults_of(change((path, value))) == [fault]


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("/", f"publish_jwks: {ODD_PATH} (got '/')"),
        ("jwks", f"publish_jwks: {ODD_PATH} (got 'jwks')"),
        ("/orders", "publish_jwks: also the path of routes[0] (got '/orders')"),
        ("/.well-known/oauth-protected-resource", "publish_jwks: also the path of protected_resource_metadata (got '/.well-known/oauth-protected-resource')"),
    ],
)  # fmt: skip
def test_the_path_of_our_keys(path: str, fault: str, tmp_path: Path) -> None:
    """publish_jwks has a public path of its own."""
    key = tmp_path / "key.pem"
    key.write_bytes(pem(generate_key("ES256")))
    key.chmod(0o600)
    raw = change(
        (CLIENT, {"id": "a", "auth": "private_key_jwt", "private_key_file": str(key)}),
        ("protected_resource_metadata", True),
        ("publish_jwks", path),
    )
    assert faults_of(raw) == [fault]
