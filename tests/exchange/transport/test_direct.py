"""Over connections of our own: where a URL leads."""

from __future__ import annotations

import pytest

from proxy.config import models
from proxy.errors import AuthorizationServerUnavailable
from proxy.exchange.transport import Outbound
from proxy.exchange.transport.direct import parse_place


@pytest.fixture
async def outbound():
    outbound = Outbound(models.AuthorizationServer(issuer="https://okta", timeout=5))
    yield outbound
    await outbound.aclose()


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://okta.example", (True, "okta.example", 443, "okta.example", "/")),
        ("https://okta.example:443/t", (True, "okta.example", 443, "okta.example", "/t")),
        ("http://okta.example:443/t", (False, "okta.example", 443, "okta.example:443", "/t")),
        ("https://Okta.Example:8443/t?x=1&y", (True, "okta.example", 8443, "okta.example:8443", "/t?x=1&y")),
        ("http://[::1]:80/t#f", (False, "::1", 80, "[::1]", "/t")),
        ("http://user:word@localhost/t", (False, "localhost", 80, "localhost", "/t")),
    ],
)
def test_where_a_url_leads(url, place):
    """RFC 9112 §3.2: the Host field has a port where it is not the scheme's own, and nobody's password."""
    assert parse_place(url) == place


@pytest.mark.parametrize(
    "url",
    ["ftp://okta/t", "okta", "https:///t", "https://okta:99999/", "https://okta/a b", "https://okta/\r\nX: y", "https://ökta/"],
)  # fmt: skip
async def test_what_is_no_url_is_not_asked(outbound, url):
    """K-02: nothing that metadata may name becomes anything but one request."""
    with pytest.raises(AuthorizationServerUnavailable, match="not a URL"):
        await outbound.get(url)
