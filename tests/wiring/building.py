"""The sample as settings, and the route of its parts that serves a path."""

from __future__ import annotations

from typing import Any

from proxy.config.load import parse_settings
from proxy.config.models import Settings
from proxy.gateway.upstream_request import Route
from proxy.parts import Parts
from tests.config.samples import change


def load(**route: Any) -> Settings:
    """The sample with its route ``orders`` changed; ``...`` removes a key."""
    return parse_settings(change(*((f"routes.0.{key}", value) for key, value in route.items())))


def find(parts: Parts, path: bytes = b"/orders") -> Route:
    return parts.gateway._routes.match(path, b"", "GET")[0]
