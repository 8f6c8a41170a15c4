"""The effective configuration without its secrets."""

from __future__ import annotations

from typing import Any

from .faults import HIDDEN, hide_credentials, is_secret_name
from .models import Section, Settings, show_actor
from .units import Secret, shorten


def build_shown(settings: Settings) -> dict[str, Any]:
    """``settings`` as plain values, each secret and the credentials in each URL as ``***``."""
    shown: dict[str, Any] = _show(settings)
    for route, entry in zip(settings.routes, shown["routes"], strict=True):
        entry["audience"], entry["resource"] = shorten(route.audience), shorten(route.resource)
        entry["actor"] = show_actor(route.actor)
        for name in filter(is_secret_name, route.extra_parameters):
            entry["extra_parameters"][name] = HIDDEN
    return shown


def _show(value: Any) -> Any:
    if isinstance(value, Section):
        return _show(vars(value))
    if isinstance(value, dict):
        return {key: _show(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_show(item) for item in value]
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Secret):
        return HIDDEN
    text = str(value)  # paths and networks too
    return hide_credentials(text) if "://" in text else text
