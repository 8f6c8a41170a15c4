"""The configurations for gateways that do not run here, as they are written."""

from __future__ import annotations

import json

import pytest
import yaml

from .programs import SHIPPED


@pytest.mark.parametrize(
    "name", ["envoy.yaml", "envoy-grpc.yaml", "istio.yaml", "ingress-nginx.yaml", "traefik.yaml"]
)
def test_no_gateway_lets_requests_through_unasked(name: str):
    """What ships fails closed, and takes nobody's word for the original."""
    documents = list(yaml.safe_load_all((SHIPPED / name).read_text()))
    text = json.dumps(documents)
    assert documents
    for key in ("failure_mode_allow", "failOpen", "trustForwardHeader"):
        assert f'"{key}": true' not in text


@pytest.mark.parametrize("name", ["envoy.yaml", "istio.yaml", "nginx.conf"])
def test_a_caller_learns_which_nonce_its_proof_needs(name: str):
    """RFC 9449 §8: these pass on of a refusal what they name, and without the nonce no proof would ever do."""
    text = (SHIPPED / name).read_text().lower()
    assert "www-authenticate" in text
    assert "dpop-nonce" in text
