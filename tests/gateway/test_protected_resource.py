"""RFC 9728: the metadata document."""

import pytest

from proxy.gateway.protected_resource import build_document, build_well_known_path


def test_document():
    """A-05: the document names the resource exactly, its issuers, and the header as the only method."""
    assert build_document("https://api.example.com/orders", ["https://a"], ["read"]) == {
        "resource": "https://api.example.com/orders",
        "authorization_servers": ["https://a"],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["read"],
    }
    assert "scopes_supported" not in build_document("https://a", ["https://b"], [])


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ("https://api.example.com", "/.well-known/oauth-protected-resource"),
        ("https://api.example.com/", "/.well-known/oauth-protected-resource"),
        ("https://api.example.com/orders", "/.well-known/oauth-protected-resource/orders"),
        ("https://api.example.com/a?b=c", "/.well-known/oauth-protected-resource/a?b=c"),
    ],
)
def test_path(resource, path):
    """A-05: the well-known path goes before the resource's own."""
    assert build_well_known_path(resource) == path
