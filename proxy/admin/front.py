"""What programs ask the admin side for all the time, answered at once; all else is the site's.

The site, with its framework, is 3 MiB, and 7 with its page: many a proxy is probed and scraped and never looked at,
and does without.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ..http.asgi import ASGIApp, Receive, Scope, Send
from . import health, scrape
from .answer import Answer
from .guard import SAFE

if TYPE_CHECKING:
    from ..app import App

_ALLOWED = ", ".join(sorted(SAFE))


class Front:
    """The admin side's ASGI app behind its guards."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.answers: dict[str, Callable[[], Awaitable[Answer]]] = {
            **health.build_answers(app),
            **scrape.build_answers(app),
        }
        self._site: ASGIApp | None = None
        self._loading = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self.answers.get(scope["path"])
        if answer is None:
            site = self._site or await self._load()
            await site(scope, receive, send)
        elif scope["method"] not in SAFE:
            refusal = Answer(405, b"Method Not Allowed", "text/plain; charset=utf-8", {"allow": _ALLOWED})
            await refusal(scope, receive, send)
        else:
            await (await answer())(scope, receive, send)

    async def _load(self) -> ASGIApp:
        async with self._loading:
            if self._site is None:
                build_site = await asyncio.to_thread(_import_site)  # requests do not wait meanwhile
                self._site = build_site(self._app)
        return self._site


def _import_site() -> Callable[[App], ASGIApp]:
    from .site import build_site  # noqa: PLC0415 see above

    return build_site
