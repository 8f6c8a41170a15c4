"""What is wrong is told with its place, and without what may be a secret."""

from __future__ import annotations

import pytest

from .samples import change, faults_of

SECRET_PLACES = [
    ("authorization_servers.okta.client.secret", ["CANARY"]),
    ("authorization_servers.okta.client.secret", {"a": "CANARY"}),
    ("authorization_servers.okta.client", "CANARY"),
    ("authorization_servers.okta.client", ["CANARY"]),
    ("authorization_servers.okta.clientsecret", "CANARY"),
    ("authorization_servers.okta.proxy_url", "http://user:CANARY@x/y"),
    ("authorization_servers.okta.proxy_url", "user:CANARY@x"),
    ("authorization_servers.okta.proxy_url", "http://u:CANA/CANARY@x"),
    ("authorization_servers.okta.token_url", "http://x/?key=CANARY"),
    ("cache.shared", "CANARY"),
    ("cache.shared", {"url": "valkey://:CANARY@x y", "encryption_key_file": "/nowhere"}),
    ("cache.shared", {"url": ["CANARY"], "encryption_key_file": "/nowhere"}),
    ("routes.0.extra_parameters", {"client_secret": "CANARY"}),
    ("routes.0.extra_parameters", {"secret": ["CANARY"]}),
    ("routes.0.extra_parameters", ["CANARY"]),
    ("routes.0.upstream", "https://u:CANARY@x"),
    ("tracing.otlp_endpoint", "https://x?token=CANARY"),
]


@pytest.mark.parametrize(("path", "value"), SECRET_PLACES, ids=range(len(SECRET_PLACES)))
def test_no_secret_is_part_of_a_fault(path: str, value: object) -> None:
    """O-06: what may be a secret is never quoted."""
    faults = faults_of(change((path, value)))
    assert faults
    assert "CANARY" not in "".join(faults)
