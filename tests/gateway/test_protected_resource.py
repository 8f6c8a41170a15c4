"""RFC 9728: the metadata document."""

from proxy.gateway.protected_resource import build_document


def test_document():
    """A-05: the document names the resource exactly, its issuers, and the header as the only method."""
    assert build_document("https://api.example.com/orders", ["https://a"], ["read"]) == {
        "resource": "https://api.example.com/orders",
        "authorization_servers": ["https://a"],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["read"],
    }
    assert "scopes_supported" not in build_document("https://a", ["https://b"], [])
