"""Which URLs may be used, and what is wrong with the others."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.config.urls import check_secure_url, check_url, is_confidential, is_host, parse_url


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ("https://a.example", True),
        ("http://127.0.0.1:8080/p?q#f", True),
        ("https://[::1]:8443/", True),
        ("HTTPS://A.example", True),
        ("https://", False),
        ("https:///p", False),
        ("https://a:0", False),
        ("https://a:65536", False),
        ("https://a:b", False),
        ("https://a b/", False),
        ("https://a/\n", False),
        ("\thttps://a", False),
        ("https://\u00e4.example", False),
        ("https://a%20b/", False),
        ("https://[::1", False),
        ("ftp://a", False),
        ("//a", False),
        ("a", False),
    ],
)
def test_absolute_urls(text: str, sound: bool):
    """K-02, O-06: what ``urlsplit`` would cut or mend without a word is refused."""
    assert (parse_url(text) is not None) is sound


@pytest.mark.parametrize(
    ("text", "allowed", "fault"),
    [
        ("https://a/p", {}, None),
        ("https://a", {"path": False}, None),
        ("https://a/", {"path": False}, None),
        ("https://a/p", {"path": False}, "a path is refused here (got 'https://a/p')"),
        ("https://a?q=1", {"query": True}, None),
        ("https://a?q=secret", {}, "a query ('?…') is refused (got 'https://a?q=***')"),
        ("https://a?", {}, "a query ('?…') is refused (got 'https://a?')"),
        ("https://a#f", {}, "a fragment ('#…') is refused (got 'https://a#f')"),
        ("https://u:secret@a", {"userinfo": True}, None),
        ("https://u:secret@a", {}, "a user name or password in a URL is refused (got 'https://***@a')"),
        ("https://@a", {}, "a user name or password in a URL is refused (got 'https://***@a')"),
        ("valkey://a", {"schemes": ("valkey", "redis")}, None),
        (
            "http://a",
            {"schemes": ("valkey", "redis")},
            "not an absolute URL with valkey or redis (got 'http://a')",
        ),
        ("a", {}, "not an absolute URL (got 'a')"),
    ],
)
def test_what_a_url_may_have(text: str, allowed: dict[str, Any], fault: str | None):
    """X-14: beside scheme and host just what is asked for; a fault shows no credential."""
    assert [str(one) for one in check_url("k", text, **allowed)] == ([] if fault is None else [f"k: {fault}"])


@pytest.mark.parametrize(
    ("url", "allow_http", "confidential"),
    [
        ("https://a", False, True),
        ("http://a", False, False),
        ("http://a", True, True),
        ("http://127.0.0.1", False, True),
        ("http://127.1.2.3:80", False, True),
        ("http://[::1]", False, True),
        ("http://LOCALHOST", False, True),
        ("http://localhost.evil.example", False, False),
        ("http://127.0.0.1.evil.example", False, False),
        ("http://10.0.0.1", False, False),
        ("ftp://127.0.0.1", True, False),
    ],
)
def test_where_secrets_may_be_sent(url: str, allow_http: bool, confidential: bool):
    """A-18: over https, or nowhere beyond this machine."""
    assert is_confidential(url, allow_http=allow_http) is confidential
    faults = [str(one) for one in check_secure_url("k", url, allow_http=allow_http)]
    assert (faults == []) is confidential


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("a.example", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("[::1]", True),
        ("2001:db8::a", True),
        ("x:80", False),
        ("cafe:80", False),
        ("[cafe:80]", False),
        ("a/b", False),
        ("", False),
    ],
)
def test_hosts(text: str, host: bool):
    """A name or an address, without a port."""
    assert is_host(text) is host
