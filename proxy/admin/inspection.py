"""A user's token along a route, for a screen: each step's verdict, and both tokens' claims side by side."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..config.models import NEEDS_USER
from ..diagnosis.differences import HIDDEN, compare_claims, hide_tokens
from .refusal import Refused

if TYPE_CHECKING:
    from ..app import App

SHORTEST = 16  # characters; what is shorter is no token, and may occur anywhere


async def inspect(app: App, token: str, route_name: str) -> dict[str, Any]:
    """The steps and the decoded claims. Neither token is in it, even where a claim or an answer repeats one.

    A route that needs no user asks for no ``token``.
    """
    from ..diagnosis.diagnose import diagnose  # noqa: PLC0415 - where nobody inspects, it is not in memory

    route = next((route for route in app.settings.routes if route.name == route_name), None)
    if route is None:
        raise Refused(404, "There is no route of this name.")
    if not token and route.grant in NEEDS_USER:
        raise Refused(400, "This route needs a user's token.")
    diagnosis = await diagnose(token, route, app.parts, app.clock)
    before, after = diagnosis.before or {}, diagnosis.after or {}
    inspection = {
        "route": route.name,
        "ok": diagnosis.ok,
        "steps": [finding.as_document() for finding in diagnosis.findings],
        "subject_token": {"claims": diagnosis.before},
        "access_token": {"claims": diagnosis.after},
        "differences": [asdict(difference) for difference in compare_claims(before, after)],
    }
    shown: dict[str, Any] = hide_tokens(_withhold(inspection, token))
    return shown


def _withhold(value: Any, token: str) -> Any:
    """``value`` without ``token``, which need not look like one."""
    if isinstance(value, str):
        return value.replace(token, HIDDEN) if len(token) >= SHORTEST else value
    if isinstance(value, dict):
        return {name: _withhold(member, token) for name, member in value.items()}
    return [_withhold(item, token) for item in value] if isinstance(value, list) else value
