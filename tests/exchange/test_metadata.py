"""Metadata documents believed and not believed."""

from __future__ import annotations

import json

import pytest

from proxy.config.urls import is_confidential
from proxy.errors import ExchangeMisconfigured
from proxy.exchange.metadata import build_metadata_urls, is_own_page, parse_metadata

ISSUER = "https://example.okta.com/oauth2/default"
GOOD = {
    "issuer": ISSUER,
    "token_endpoint": ISSUER + "/v1/token",
    "jwks_uri": ISSUER + "/v1/keys",
    "introspection_endpoint": ISSUER + "/v1/introspect",
    "authorization_endpoint": ISSUER + "/v1/authorize",
}


@pytest.mark.parametrize(
    ("issuer", "urls"),
    [
        (
            ISSUER,
            (
                "https://example.okta.com/.well-known/oauth-authorization-server/oauth2/default",
                "https://example.okta.com/oauth2/default/.well-known/openid-configuration",
            ),
        ),
        (
            "https://as.example:8443/",
            (
                "https://as.example:8443/.well-known/oauth-authorization-server",
                "https://as.example:8443/.well-known/openid-configuration",
            ),
        ),
    ],
)
def test_where_to_look(issuer, urls):
    """K-03: between host and path, then appended."""
    assert build_metadata_urls(issuer) == urls


def test_the_endpoints():
    """RFC 8414 §2; what is not named is None."""
    metadata = parse_metadata(json.dumps(GOOD).encode(), ISSUER, allow_http=False)
    assert metadata.token_url == ISSUER + "/v1/token"
    assert metadata.jwks_url == ISSUER + "/v1/keys"
    assert metadata.introspection_url == ISSUER + "/v1/introspect"
    assert metadata.authorization_url == ISSUER + "/v1/authorize"
    assert parse_metadata(json.dumps({"issuer": ISSUER}).encode(), ISSUER, allow_http=False).token_url is None


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": ISSUER + "/"},
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"issuer": [ISSUER]},
        {"token_endpoint": "http://example.okta.com/token"},
        {"token_endpoint": "https://evil.example/token"},
        {"token_endpoint": "https://example.okta.com@evil.example/token"},
        {"token_endpoint": "ftp://example.okta.com/token"},
        {"token_endpoint": 5},
        {"jwks_uri": "https://evil.example/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"introspection_endpoint": "https://169.254.169.254/"},
    ],
    ids=str,
)
def test_documents_that_are_not_believed(change):
    """K-02: another issuer, another host, another scheme."""
    with pytest.raises(ExchangeMisconfigured):
        parse_metadata(json.dumps(GOOD | change).encode(), ISSUER, allow_http=False)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b"[" * 100_000, b'{"issuer":"a","issuer":"b"}']
)
def test_what_is_no_document(body):
    """F-02: garbage is refused, however deep."""
    with pytest.raises(ExchangeMisconfigured):
        parse_metadata(body, ISSUER, allow_http=False)


@pytest.mark.parametrize(
    ("url", "allow_http", "confidential"),
    [
        ("https://as.example", False, True),
        ("http://as.example", False, False),
        ("http://as.example", True, True),
        ("http://127.0.0.1:8080", False, True),
        ("http://[::1]/", False, True),
        ("http://localhost", False, True),
        ("http://localhost.evil.example", False, False),
        ("http://127.0.0.1.evil.example", False, False),
        ("http:///nohost", False, False),
        ("ftp://as.example", True, False),
    ],
)
def test_where_secrets_may_go(url, allow_http, confidential):
    """A-18: https, or http where it is allowed or never leaves the host."""
    assert is_confidential(url, allow_http=allow_http) is confidential


TLS = {"token_endpoint": "https://example.okta.com:8443/mtls/token"}


def parse(change, *, mutual_tls):
    return parse_metadata(json.dumps(GOOD | change).encode(), ISSUER, allow_http=False, mutual_tls=mutual_tls)


def test_the_endpoints_for_mutual_tls():
    """RFC 8705 §5: the aliases where there are some, else the usual ones; nobody else is shown to them."""
    change = {"mtls_endpoint_aliases": TLS}
    metadata = parse(change, mutual_tls=True)
    assert metadata.token_url == TLS["token_endpoint"]
    assert metadata.introspection_url == GOOD["introspection_endpoint"]
    assert parse(change, mutual_tls=False).token_url == GOOD["token_endpoint"]
    assert parse({}, mutual_tls=True).token_url == GOOD["token_endpoint"]


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://mtls.example.okta.com/token", True),
        ("https://a.b.example.okta.com:9443/token", True),
        ("https://mtls.okta.com/token", False),
        ("https://evilexample.okta.com/token", False),
        ("https://example.okta.com.evil.example/token", False),
        ("http://mtls.example.okta.com/token", False),
        (5, False),
    ],
)
def test_an_alias_is_on_the_issuers_host_or_below_it(url, taken):
    """K-02: users' tokens go there, so it is believed no further than that; token_url may name any other."""
    change = {"mtls_endpoint_aliases": {"token_endpoint": url}}
    if taken:
        assert parse(change, mutual_tls=True).token_url == url
    else:
        with pytest.raises(ExchangeMisconfigured):
            parse(change, mutual_tls=True)
    assert parse(change, mutual_tls=False).token_url == GOOD["token_endpoint"]


@pytest.mark.parametrize("aliases", [None, [], "https://example.okta.com", {}])
def test_aliases_that_are_none(aliases):
    """RFC 8414 §3.2: what is not understood is left alone."""
    assert parse({"mtls_endpoint_aliases": aliases}, mutual_tls=True).token_url == GOOD["token_endpoint"]


@pytest.mark.parametrize(
    ("url", "issuer", "own"),
    [
        ("https://example.okta.com/a", "https://example.okta.com", True),
        ("https://example.okta.com:443/a", "https://example.okta.com/oauth2/default", True),
        ("https://EXAMPLE.okta.com/a", "https://example.okta.com", True),
        ("https://example.okta.com:8443/a", "https://example.okta.com", False),
        ("https://example.okta.com:99999/a", "https://example.okta.com", False),
        ("https://evil.example/a", "https://example.okta.com", False),
        ("https://a.example.okta.com/a", "https://example.okta.com", False),
        ("https://example.okta.com.evil.example/a", "https://example.okta.com", False),
        ("http://example.okta.com/a", "https://example.okta.com", False),
        ("https://127.0.0.1:8443/a", "http://127.0.0.1:8081", True),
        ("http://127.0.0.1:8081/a", "http://127.0.0.1:8081", False),
    ],
)
def test_pages_of_the_authorization_servers_own(url, issuer, own):
    """A user is sent to https on the issuer's own host and port, and nowhere else."""
    assert is_own_page(url, issuer) is own
