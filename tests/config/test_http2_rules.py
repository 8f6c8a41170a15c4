"""What must hold where HTTP/2 is turned on."""

from __future__ import annotations

import pytest

from proxy.config import http2_rules
from proxy.config.load import parse_settings

from .samples import change, faults_of

REMEDY = "HTTP/2 needs packages that are not here: pip install 'obo-proxy[http2]'"
ON = change(("listen.http2", True), ("routes.0.http2", True))


def test_with_its_packages() -> None:
    """H2-17."""
    settings = parse_settings(ON)
    assert settings.listen.http2
    assert settings.routes[0].http2


def test_without_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """H2-17: said as the configuration is read, with what helps, and not only at the first connection."""
    monkeypatch.setattr(http2_rules, "_PACKAGE", "a_package_that_nobody_has")
    assert faults_of(ON) == [f"listen.http2: {REMEDY}", f"routes[0].http2: {REMEDY}"]
    parse_settings(change())
