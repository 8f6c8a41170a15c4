"""Figures as people read them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

_STEPS = {
    "token": "The token is well formed",
    "issuer": "Its issuer is accepted",
    "signature": "Its signature holds",
    "introspection": "Its authorization server vouches for it",
    "audience": "It is meant for us",
    "client": "It was issued to an accepted client",
    "binding": "What it is bound to can be checked",
    "kind": "It is an access token",
    "times": "It is valid now",
    "scopes": "It has the scopes required of all",
    "verification": "It is accepted as a whole",
    "demands": "It meets what the route asks for",
    "actors": "Those who act for the user may",
    "first_leg": "The identity provider vouches for the user at the other server",
    "exchange": "The authorization server exchanges it",
    "answer": "The answer is what was asked for",
    "id_jags": "What it costs of Okta's allowance",
    "api_signature": "API: the signature can be checked",
    "api_issuer": "API: the issuer",
    "api_audience": "API: the audience",
    "api_times": "API: the times",
    "api_scopes": "API: the scopes",
}


def show_step(name: str) -> str:
    """What a step of an inspection is about."""
    return _STEPS.get(name, name)


def show_number(value: float) -> str:
    """With thin spaces between thousands."""
    return f"{value:,.0f}".replace(",", "\u202f")


def show_rate(value: float) -> str:
    """Three digits at most: 0, 0.4, 12.5, 1.2k."""
    if value >= 10_000:
        return f"{value / 1000:.0f}k"
    if value >= 1000:
        return f"{value / 1000:.1f}k"
    return (
        f"{value:.0f}"
        if value >= 100
        else f"{value:.2f}"
        if 0 < value < 0.1
        else f"{value:.1f}".removesuffix(".0")
    )


def show_seconds(value: float) -> str:
    """A duration in the unit that fits: 0.4 ms, 63 ms, 1.5 s, 12 min, 3 h 20 min, 2 d 4 h."""
    if value < 1:
        return f"{value * 1000:.1f} ms" if value < 0.01 else f"{value * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    minutes = round(value / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def show_share(value: float) -> str:
    """A share of one as percent; only all of it is 100 %."""
    percent = value * 100
    return f"{percent:.0f} %" if percent in (0, 50, 100) else f"{min(percent, 99.9):.1f} %"


def show_time(at: float) -> str:
    """The time of day, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")


def show_moment(at: float) -> str:
    """Date and time, as a machine reads it too."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def show_claim(name: str, value: Any) -> str:
    """A claim as JSON; times also as such."""
    if name in ("iat", "nbf", "exp", "auth_time", "updated_at") and isinstance(value, int | float):
        try:
            return f"{value} ({show_moment(value).replace('T', ' ').replace('Z', ' UTC')})"
        except (OverflowError, OSError, ValueError):
            return str(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
