"""The admin side, on a port of its own: health, metrics, and what the person who runs it sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette

from . import health, scrape

if TYPE_CHECKING:
    from ..app import App

__all__ = ["build_admin"]


def build_admin(app: App) -> Starlette:
    """The admin port's ASGI app."""
    return Starlette(routes=[*health.build_routes(app), *scrape.build_routes(app)])
