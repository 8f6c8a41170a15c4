"""What must hold between keys."""

# ruff: noqa: E501  a row of a table stays one line

from __future__ import annotations

import copy
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from proxy.jose.private_keys import generate_key, pem

from .samples import CLIENT, EXPOSED, SOUND, change, faults_of

OTHER = {"name": "other", "path": "/other", "upstream": "http://other", "audience": "api://other"}
SERVER = "authorization_servers.okta"
ORG = "https://example.okta.com"
HTTP = "plain http is refused, for tokens and keys travel here: use https (allow_http: true accepts the risk)"
ODD_PATH = "not a path that starts with '/' and reads alike to all"


def test_the_sample_is_sound() -> None:
    """What the tables spoil has no fault of its own."""
    assert faults_of(SOUND) == []


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


@pytest.mark.parametrize("name", ["a b", "X-É", "X:", "", "*", "X-*-User", "**", "X-User\n"])
def test_headers_to_strip(name: str) -> None:
    """H-32: a name that no header can have is a fault; one that ends with a * stands for all that begin so."""
    raw = change(("listen.strip_headers", ["X-Corp-*", "Cookie", name]))
    (fault,) = faults_of(raw)
    assert fault.startswith("listen.strip_headers[2]: ")


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
    ("changes", "fault"),
    [
        (
            [("requested_token_type", "saml2")],
            "routes[0].requested_token_type: neither access_token, jwt nor an absolute URI (got 'saml2')",
        ),
        (
            [("requested_token_type", "urn:ietf:params:oauth:token-type:id-jag")],
            "routes[0].requested_token_type: no API takes an ID-JAG: use grant: id_jag",
        ),
        (
            [("authorization_details", [{"actions": ["read"]}])],
            "routes[0].authorization_details[0].type: required (RFC 9396 §2)",
        ),
        (
            [("authorization_details", [{"type": "a", "on": date(2026, 1, 1)}])],
            "routes[0].authorization_details[0]: has what JSON cannot hold: put dates in quotes",
        ),
        ([("authorization_details", "payment")], "routes[0].authorization_details: not a list"),
        (
            [("actor", "yes")],
            "routes[0].actor: neither true, false nor a mapping with file or header (got 'yes')",
        ),
        ([("actor", {"type": "jwt"})], "routes[0].actor: needs file or header; true is our own token"),
        ([("actor", {"file": __file__, "header": "X-A"})], "routes[0].actor: needs either file or header"),
        (
            [("actor", {"header": "X-A", "type": "saml"})],
            "routes[0].actor.type: neither jwt, access_token, id_token nor an absolute URI (got 'saml')",
        ),
        (
            [("actor", {"header": "Authorization"})],
            "routes[0].actor.header: also where the caller's own token stands (got 'Authorization')",
        ),
        (
            [("actor", {"header": "Host"})],
            "routes[0].actor.header: not a header that may carry a token (got 'Host')",
        ),
        ([("actor", {"headre": "X-A"})], "routes[0].actor.headre: unknown key (did you mean 'header'?)"),
        ([("max_actors", -1)], "routes[0].max_actors: less than 0 (got -1)"),
        ([("allowed_actors", "agent")], "routes[0].allowed_actors: not a list (got 'agent')"),
        ([("token_out", {})], "routes[0].token_out: needs one of header, query and cookie"),
        (
            [("token_out", {"header": "X-A", "cookie": "a"})],
            "routes[0].token_out: needs one of header, query and cookie",
        ),
        (
            [("token_out", {"query": "a&b"})],
            "routes[0].token_out.query: not the name of a query parameter (got 'a&b')",
        ),
        (
            [("token_out", {"cookie": "a;b"})],
            "routes[0].token_out.cookie: not the name of a cookie (got 'a;b')",
        ),
        (
            [("token_out", {"cookie": "a", "scheme": "X"})],
            "routes[0].token_out.scheme: only a header has one",
        ),
        (
            [("token_out", {"header": "Connection"})],
            "routes[0].token_out.header: not a header that may carry a token (got 'Connection')",
        ),
        (
            [("token_out", {"header": "Proxy_Authorization"})],
            "routes[0].token_out.header: not a header that may carry a token (got 'Proxy_Authorization')",
        ),
        (
            [("token_out", {"header": "Host"})],
            "routes[0].token_out.header: not a header that may carry a token (got 'Host')",
        ),
        (
            [("token_out", {"header": "X-Forwarded-For"})],
            "routes[0].token_out.header: not a header that may carry a token",
        ),
        (
            [("token_out", {"header": "Sec-WebSocket-Protocol"})],
            "routes[0].token_out.header: not a header that may carry a token",
        ),
        (
            [("token_out", {"header": "X-A", "scheme": "a b"})],
            "routes[0].token_out.scheme: not an authentication scheme (got 'a b')",
        ),
        (
            [("token_in", {"header": "X-A"}), ("token_out", {"header": "x_a"})],
            "routes[0].token_out: also the place of the caller's own token (token_in)",
        ),
        (
            [("token_in", {"query": "t"}), ("token_out", {"query": "t"})],
            "routes[0].token_out: also the place of the caller's own token (token_in)",
        ),
        (
            [("grant", "none"), ("audience", ...), ("token_out", {"cookie": "a"})],
            "routes[0].token_out: not used with grant: none, so leave it out",
        ),
    ],
)
def test_the_token_that_is_asked_for(changes: list[tuple[str, Any]], fault: str) -> None:
    """What it is, and where it stands on the way up: nowhere that HTTP, or the caller's own token, has for itself."""
    (found,) = faults_of(change(*((f"routes.0.{key}", value) for key, value in changes)))
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("requested_token_type", "urn:okta:params:oauth:token-type:oauth-sts"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("token_out", {"header": "X-Api-Token", "scheme": ""}),
        ("token_out", {"header": "Authorization", "scheme": "Bearer"}),
        ("token_out", {"header": "Authorization", "scheme": ""}),
        ("token_out", {"query": "access_token"}),
        ("token_out", {"cookie": "session"}),
        ("authorization_details", [{"type": "payment"}]),
        ("audience", ["api://a", "api://b"]),
        ("actor", True),
        ("actor", False),
        ("actor", {"header": "X-Actor-Token", "type": "urn:ietf:params:oauth:token-type:jwt"}),
        ("allowed_actors", []),
    ],
)
def test_tokens_of_every_kind_are_sound(key: str, value: Any) -> None:
    """As the reference says."""
    assert faults_of(change((f"routes.0.{key}", value))) == []


@pytest.mark.parametrize("claim", ["act", "may_act"])
def test_who_acts_stays_in_the_key(claim: str) -> None:
    """What one actor may do is not served to another."""
    assert faults_of(change(("cache.ignore_claims", [claim]))) == [
        f"cache.ignore_claims[0]: says who acts for the user, so it stays in the key (got {claim!r})"
    ]


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
    assert faults_of(raw) == [unused("identity_provider", "token_exchange")]


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


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("issuer", "example.okta.com", f"{SERVER}.issuer: not an absolute URL (got 'example.okta.com')"),
        ("issuer", "http://okta.example", f"{SERVER}.issuer: {HTTP} (got 'http://okta.example')"),
        ("issuer", "https://x/?a=b", f"{SERVER}.issuer: a query ('?…') is refused (got 'https://x/?a=***')"),
        ("issuer", "https://x/#", f"{SERVER}.issuer: a fragment ('#…') is refused (got 'https://x/#')"),
        ("issuer", "https://u:p@x", f"{SERVER}.issuer: a user name or password in a URL is refused (got 'https://***@x')"),
        ("issuer", "https://a-admin.okta.com/oauth2/default", f"{SERVER}.issuer: the address of Okta's Admin Console: leave out '-admin' (got 'https://a-admin.okta.com/oauth2/default')"),
        ("token_url", "http://x/token", f"{SERVER}.token_url: {HTTP} (got 'http://x/token')"),
        ("jwks_url", "file:///etc/passwd", f"{SERVER}.jwks_url: not an absolute URL (got 'file:///etc/passwd')"),
        ("introspection_url", "https://x/#a", f"{SERVER}.introspection_url: a fragment ('#…') is refused (got 'https://x/#a')"),
        ("proxy_url", "http://u:pw@proxy/a", f"{SERVER}.proxy_url: a path is refused here (got 'http://***@proxy/a')"),
        ("timeout", 0, f"{SERVER}.timeout: must be more than 0"),
        ("ca_file", "/nowhere", f"{SERVER}.ca_file: cannot be read: No such file or directory (got '/nowhere')"),
        ("ca_file", "/dev/null", f"{SERVER}.ca_file: holds no certificates in PEM (got '/dev/null')"),
        ("client", ..., f"{CLIENT}: required: the route 'orders' gets its token here"),
        ("client.secret", ..., f"{CLIENT}.secret: required, or secret_file, with auth: client_secret_basic"),
        ("client.secret", " ", f"{CLIENT}.secret: empty"),
        ("client.key_id", "a", f"{CLIENT}.key_id: not used with auth: client_secret_basic, but with private_key_jwt"),
        ("client", {"id": "a", "auth": "private_key_jwt"}, f"{CLIENT}.private_key_file: required with auth: private_key_jwt"),
    ],
)  # fmt: skip
def test_authorization_servers(path: str, value: Any, fault: str) -> None:
    """A-18: an authorization server that cannot be talked to safely is refused with its reason."""
    assert faults_of(change((f"{SERVER}.{path}", value))) == [fault]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000"])
def test_http_on_loopback_is_taken(host: str) -> None:
    """A-18: plain http is for loopback."""
    assert faults_of(change((f"{SERVER}.issuer", f"http://{host}/oauth2/default"))) == []


def test_http_elsewhere_needs_a_word() -> None:
    """A-18: allow_http accepts the risk for one server."""
    raw = change((f"{SERVER}.issuer", "http://okta.example"), (f"{SERVER}.allow_http", True))
    assert faults_of(raw) == []


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


@pytest.mark.parametrize("host", ["login.example.com", "notokta.com", "okta.com.evil.example"])
def test_other_hosts_are_no_org_server(host: str) -> None:
    """A-19: a custom domain may be any path's issuer."""
    assert faults_of(change((f"{SERVER}.issuer", f"https://{host}"))) == []


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
        ("listen.host", "http://0.0.0.0", "listen.host: not a host name or address without a port (got 'http://0.0.0.0')"),
        ("listen.keep_alive_timeout", 0, "listen.keep_alive_timeout: must be more than 0"),
        ("admin.port", 8080, "admin.port: the same as listen.port: the admin side needs one of its own (got 8080)"),
        ("admin", {"port": 8080, "host": "127.0.0.1"}, "admin.port: the same as listen.port: the admin side needs one of its own (got 8080)"),
        ("admin.host", "a:b c", "admin.host: not a host name or address without a port (got 'a:b c')"),
        ("cache.max_ttl", 30, "cache.expiry_leeway: not less than max_ttl: nothing would ever be kept (got 30.0)"),
        ("cache.ignore_claims", ["sid", "sub"], "cache.ignore_claims[1]: tells users apart, so it stays in the key (got 'sub')"),
        ("cache", {"key": "token", "ignore_claims": ["sid"]}, "cache.ignore_claims: not used with key: token, so leave it out"),
        ("publish_jwks", "/jwks", "publish_jwks: no client has a private_key_file, so there is no key to publish"),
        ("tracing.otlp_endpoint", "collector:4317", "tracing.otlp_endpoint: not an absolute URL (got 'collector:4317')"),
    ],
)  # fmt: skip
def test_the_rest(path: str, value: Any, fault: str) -> None:
    """Listeners, cache, publication and tracing."""
    assert faults_of(change((path, value))) == [fault]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "orders.internal"])
def test_an_open_admin_side_needs_a_token(host: str, tmp_path: Path) -> None:
    """Whoever reaches it could purge users and read the configuration; the remedy is in the fault."""
    assert faults_of(change(("admin.host", host))) == [f"admin.token_file: {EXPOSED} (got {host!r})"]
    token = tmp_path / "token"
    token.write_text("t0ken")
    token.chmod(0o400)
    assert faults_of(change(("admin", {"host": host, "token_file": str(token)}))) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_needs_none(host: str) -> None:
    """Nobody beyond this machine reaches it."""
    assert faults_of(change(("admin.host", host))) == []


def test_a_port_that_both_sides_want_is_a_fault_beside_an_open_admin_side() -> None:
    """Both come at once."""
    raw = change(("admin", {"port": 8080, "host": "::"}))
    assert [fault.partition(":")[0] for fault in faults_of(raw)] == ["admin.port", "admin.token_file"]


@pytest.mark.parametrize(
    ("networks", "sound"),
    [
        (["0.0.0.0/0"], False),
        (["10.0.0.0/8", "::/0"], False),
        (["0.0.0.0/1", "128.0.0.0/1"], False),
        (["0.0.0.0/1"], True),
        (["10.0.0.0/8", "172.16.0.0/12", "::1", "fc00::/7"], True),
        ([], True),
    ],
)
def test_not_everybody_is_a_trusted_proxy(networks: list[str], sound: bool) -> None:
    """H-50: whoever is trusted says who the caller is."""
    fault = "listen.trusted_proxies: every address, so that any caller could choose its X-Forwarded-For: name the proxies' networks"
    assert faults_of(change(("listen.trusted_proxies", networks))) == ([] if sound else [fault])


@pytest.mark.parametrize("port", [0, 9090])
def test_listeners_that_do_not_collide(port: int) -> None:
    """Port 0 is any that is free, so two of them never collide; nor do two addresses."""
    raw = change(
        ("listen", {"port": port}),
        ("admin", {"port": port, "host": "127.0.0.1" if not port else "127.0.0.2"}),
    )
    assert faults_of(raw) == []


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
