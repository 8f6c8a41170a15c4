"""What programs ask the admin side for all the time, answered at once; all else is the site's.

The site, with its framework, is 3 MiB, and 7 with its page; what writes the metrics is 3. Many a proxy is never looked
at, or never scraped, and does without.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ..http.asgi import ASGIApp, Receive, Scope, Send
from ..runtime import Late
from . import health
from .answer import Answer
from .guard import SAFE

if TYPE_CHECKING:
    from ..app import App

_ALLOWED = ", ".join(sorted(SAFE))


class Front:
    """The admin side's ASGI app behind its guards."""

    def __init__(self, app: App) -> None:
        self._scrape = Late(lambda: _load_scrape(app))
        self._site = Late(lambda: _load_site(app))
        self.answers: dict[str, Callable[[], Awaitable[Answer]]] = {
            **health.build_answers(app),
            "/metrics": self._answer_metrics,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self.answers.get(scope["path"])
        if answer is None:
            site = await self._site.get()
            await site(scope, receive, send)
        elif scope["method"] not in SAFE:
            refusal = Answer(405, b"Method Not Allowed", "text/plain; charset=utf-8", {"allow": _ALLOWED})
            await refusal(scope, receive, send)
        else:
            await (await answer())(scope, receive, send)

    async def _answer_metrics(self) -> Answer:
        scrape = await self._scrape.get()
        return await scrape()


def _load_scrape(app: App) -> Callable[[], Awaitable[Answer]]:
    from .scrape import build_scrape  # noqa: PLC0415 see above

    return build_scrape(app)


def _load_site(app: App) -> ASGIApp:
    from .site import build_site  # noqa: PLC0415 see above

    return build_site(app)
