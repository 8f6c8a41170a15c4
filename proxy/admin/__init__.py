"""The admin side, on a port of its own: health, metrics, and what the person who runs it sees.

Reading is for whoever reaches the port, or, with ``admin.token_file``, for whoever knows its token. Everything
but health and metrics also asks for a ``Host`` that is ours, and what changes or exchanges something for a
request that no other site made (``guard``); a logout is vouched for by its issuer's signature. No answer ever
holds a token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..http.asgi import ASGIApp
from .front import Front
from .guard import Guard
from .throttle import Throttle

if TYPE_CHECKING:
    from ..app import App

__all__ = ["build_admin"]


def build_admin(app: App) -> ASGIApp:
    """The admin port's ASGI app."""
    return Guard(Throttle(Front(app), clock=app.clock), read_settings=lambda: app.settings.admin)
