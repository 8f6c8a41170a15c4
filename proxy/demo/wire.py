"""What stands between the socket and an app: counts, records, faults, and the header fields that Okta sends."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .faults import Calls
from .tenant import Tenant

API = "api"  # the sample API as an endpoint
_KEPT = 10_000


@dataclass(frozen=True)
class Recorded:
    """A request that came: ``form`` is there for token requests."""

    endpoint: str
    method: str
    path: str
    headers: list[tuple[str, str]] = field(repr=False)
    form: dict[str, str] = field(repr=False, default_factory=dict)


class Wire:
    """An ASGI app around another; ``name_endpoint`` tells from the path which endpoint is meant, None for no faults."""

    def __init__(self, app: ASGIApp, tenant: Tenant, name_endpoint: Callable[[str], str | None]) -> None:
        self._app = app
        self._tenant = tenant
        self._name_endpoint = name_endpoint
        self.calls = Calls()
        self.requests: deque[Recorded] = deque(maxlen=_KEPT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request or websocket."""
        endpoint = self._name_endpoint(scope["path"])
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        scope["demo.wire"] = self
        self._record(endpoint, scope)
        answer = await self._tenant.faults.pass_through(endpoint)
        app: ASGIApp = self._app
        if answer is not None and scope["type"] == "http":
            app = Response(answer.body, answer.status, dict(answer.headers))
        await app(scope, receive, self._add_headers(endpoint, send))

    def note_form(self, scope: Scope, form: dict[str, str], grant: str) -> None:
        """Adds to the record what only the body tells."""
        scope["demo.recorded"].form.update(form)
        self.calls.count(grant)

    def _record(self, endpoint: str, scope: Scope) -> None:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        method = scope.get("method", "WEBSOCKET")
        recorded = scope["demo.recorded"] = Recorded(endpoint, method, scope["path"], headers)
        self.requests.append(recorded)
        self.calls.count(endpoint)

    def _add_headers(self, endpoint: str, send: Send) -> Send:
        now = self._tenant.now()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                headers["date"] = formatdate(now, usegmt=True)
                if endpoint != API:
                    _add_okta_headers(headers, now, self._tenant.faults.rate_limit_remaining)
            await send(message)

        return send_with_headers


def _add_okta_headers(headers: MutableHeaders, now: float, remaining: int) -> None:
    headers["x-okta-request-id"] = secrets.token_urlsafe(18)
    headers.setdefault("x-rate-limit-limit", "300")
    headers.setdefault("x-rate-limit-remaining", str(remaining))
    headers.setdefault("x-rate-limit-reset", str(int(now) + 60))
