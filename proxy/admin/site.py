"""What people and their programs ask the admin side for: the status page, the API, logouts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from . import api, logout, pages
from .refusal import Refused

if TYPE_CHECKING:
    from ..app import App


def build_site(app: App) -> Starlette:
    """The ASGI app; ``guard`` and ``throttle`` stand before it."""
    return Starlette(
        routes=[route for part in (api, logout, pages) for route in part.build_routes(app)],
        exception_handlers={Refused: _answer_refusal},
    )


async def _answer_refusal(_: Request, refusal: Exception) -> Response:
    """Starlette's handler of Refused."""
    assert isinstance(refusal, Refused)  # noqa: S101  it is registered for nothing else
    answer = refusal.answer()
    return Response(answer.body, answer.status, answer.headers, answer.media_type)
