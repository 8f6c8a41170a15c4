"""The ASGI app of the public port: one request in, one answer out, and the parts' life around it.

Everything that can go wrong in a request ends here, and ``refusals`` says how it is answered.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from time import monotonic
from typing import Final, TypeVar

from .authorizer.authorizer import Authorizer
from .authorizer.grpc_check import is_check, read_check
from .authorizer.question import read_question
from .cache.revocation import Revocation
from .cache.revoker import Fellows
from .config.models import Settings
from .downstream.disconnects import Departures
from .downstream.request import Downstream
from .downstream.websocket import DownstreamWebSocket
from .errors import DownstreamDeparted, NoRoute, ProxyError, UpstreamBroken
from .exchange.record import ExchangeRecord
from .http.asgi import Receive, Scope, Send
from .http.problem import Problem
from .observability.event_loop_lag import LoopLag
from .observability.failures import Failures
from .observability.history import History
from .observability.metrics import Gauges, Metrics
from .observability.refusals import Refusals
from .parts import Parts
from .runtime import Background, Clock, SystemClock
from .signals.building import build_desk
from .signals.record import SignalRecord
from .wiring.parts import build_parts, build_tracing

log = logging.getLogger(__name__)
D = TypeVar("D", bound=Downstream)

_read_clock: Final = monotonic  # by a name that is looked up once, where it is compiled
DEPARTED: Final = 499  # what is counted, as nginx does, where the caller left before an answer


class App:
    """The public port's ASGI app, and what the admin side is told of it."""

    def __init__(
        self, settings: Settings, *, clock: Clock, secret: bytes, fellows: Fellows | None = None
    ) -> None:
        self.settings = settings
        self._logs_access = settings.log.access
        self._secret = secret
        self.metrics = Metrics()
        self.failures = Failures()
        self.draining = False
        self.clock = clock
        self.started_at = clock.time()
        self._background = Background()
        self._departures = Departures(self._background)
        self._refusals = Refusals(self.metrics, self.failures, clock)
        self._loop_lag = LoopLag(self.metrics.loop_lag)
        self._tracing = build_tracing(settings.tracing)
        self._answer = self._tracing.trace_requests(self._serve) if self._tracing else self._serve
        self._desk = build_desk(clock, self._note_signal, fellows)
        self._parts = self._build_parts(settings)
        self._announce(settings)
        self.history = History(self.metrics, self._read_gauges, clock)

    @property
    def parts(self) -> Parts:
        """What serves requests now; a reload replaces it whole."""
        return self._parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(Downstream(scope, receive, send, self._parts.gateway.forwarding), _forward)
        elif scope["type"] == "websocket":
            await self._answer(
                DownstreamWebSocket(scope, receive, send, self._parts.gateway.forwarding), _forward_websocket
            )
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def authorize(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The authorizer's port: gateways ask about their callers' requests, applications for their own header."""
        if is_check(scope):
            try:
                question, send = await read_check(scope, receive, send, self._require_peer)
            except DownstreamDeparted:
                return
        else:
            question = read_question(scope)
        downstream = Downstream(question.scope, receive, send, self._parts.gateway.forwarding)
        downstream.dialect = question.dialect

        async def answer(parts: Parts, downstream: Downstream) -> None:
            await _find_authorizer(parts).answer(question, downstream)

        await self._answer(downstream, answer)

    def _require_peer(self, peer: str) -> None:
        _find_authorizer(self._parts).require_peer(peer)

    def refuse(
        self, error: ProxyError, *, method: str, request_id: str, begun: bool, grpc: bool = False
    ) -> Problem:
        """``Refusing``: what the server refuses by itself, of which no route is known."""
        if not begun:
            self._count_request("", error.status, None, method=method, request_id=request_id)
        return self._refusals.answer(error, route="", request_id=request_id, grpc=grpc)

    def note_http2(self, *, grpc: bool) -> None:
        """``Refusing``: counted here alone, so that nothing of HTTP/1.1 is."""
        self.metrics.http2["grpc" if grpc else "other"] += 1

    def hear(self, revocations: Sequence[Revocation], taken: Iterable[bytes] = ()) -> None:
        """Another worker was told of these, by tokens of those names."""
        self._desk.users.hear(revocations)
        for name in taken:
            self._desk.once.take(name)

    def prepare(self, settings: Settings) -> Parts:
        """What would serve by ``settings``, for ``adopt`` or ``discard``. Raises OSError or ValueError."""
        return self._build_parts(settings, before=self._parts)

    def adopt(self, parts: Parts) -> None:
        """Serve by ``parts`` from the next request on; requests under way end as they began."""
        parts.start()
        self._parts, before = parts, self._parts
        self.settings = parts.settings
        self._logs_access = parts.settings.log.access
        if parts.store is not before.store:
            parts.store.take_over(before.store)
        self._announce(parts.settings)
        self.discard(before)

    def discard(self, parts: Parts) -> None:
        """Close ``parts`` once nothing uses them."""
        self._background.spawn(parts.retire(), name="retire")

    def _announce(self, settings: Settings) -> None:
        legs = [
            (server, leg)
            for route in settings.routes
            if route.identity_provider is not None
            for server, leg in ((route.identity_provider, 1), (settings.authorization_server_of(route), 2))
            if server is not None
        ]
        self.metrics.announce(
            list(settings.authorization_servers),
            [route.name for route in settings.routes],
            legs,
            [entry.authorization_server for entry in settings.signals],
            http2=settings.listen.http2,
        )

    def _build_parts(self, settings: Settings, before: Parts | None = None) -> Parts:
        return build_parts(
            settings,
            clock=self.clock,
            on_exchange=self._note_exchange,
            desk=self._desk,
            before=before,
            tracing=self._tracing,
            secret=self._secret,
        )

    async def _serve(self, downstream: D, forward: Callable[[Parts, D], Awaitable[None]]) -> None:
        parts, in_flight = self._parts, self._parts.in_flight
        in_flight.enter()
        began = _read_clock()
        downstream.watch()
        if downstream.connection is None:
            self._departures.add(downstream, began)
        refusal: ProxyError | None = None
        try:
            try:
                await forward(parts, downstream)
            except ProxyError as error:
                # Answered behind this block: compiled, one that waits would be in the midst of handling this error
                # for everybody who runs meanwhile.
                refusal = error
            except UpstreamBroken as error:
                self._break_off(downstream, error)
            if refusal is not None:
                await self._refuse(downstream, refusal)
        except DownstreamDeparted:  # also while it is refused
            self._note_departure(downstream)
        except asyncio.CancelledError:
            if not downstream.departed:
                raise
            _stay_alive()
            self._note_departure(downstream)
        except Exception:
            downstream.status = 500  # the server answers it; here it is only counted
            raise
        finally:
            refusal = None  # its traceback refers to us
            if downstream.connection is None:  # ours forgets by itself
                downstream.unwatch()
                self._departures.discard(downstream)
            in_flight.leave()
            self._count_request(
                downstream.route,
                downstream.status or DEPARTED,
                _read_clock() - began,
                method=downstream.method,
                request_id=downstream.request_id,
                dialect=downstream.dialect,
            )

    def _read_gauges(self) -> Gauges:
        return self._parts.gauges()  # those that serve now: a reload replaces them

    async def _refuse(self, downstream: Downstream, error: ProxyError) -> None:
        documents = self._parts.documents
        status, headers, body = self._refusals.answer(
            error,
            route=downstream.route,
            request_id=downstream.request_id,
            resource_metadata=documents.metadata_url(downstream) if documents else None,
            scopes=self._parts.required_scopes.get(downstream.route, ()),
            schemes=self._parts.schemes,
            grpc=downstream.is_grpc,
        )
        if downstream.started:
            downstream.abort()
            return
        if downstream.dialect:  # nginx passes no body of a refusal on
            headers.append((b"x-obo-code", error.code.encode("ascii")))
        await downstream.start(status, headers)
        await downstream.write(body, more=False)
        downstream.status = error.status  # what is counted; a call of gRPC's is refused by a 200

    def _note_exchange(self, record: ExchangeRecord) -> None:
        """One canonical line for each exchange, beside Okta's System Log by its request id."""
        self.metrics.count_exchange(
            record.authorization_server, record.outcome, record.seconds, leg=record.request.leg
        )
        level = logging.INFO if record.outcome == "ok" else logging.WARNING
        if log.isEnabledFor(level):
            log.log(level, "exchange", extra=record.fields())
        if self._tracing is not None:
            self._tracing.note_exchange(record)

    def _note_signal(self, record: SignalRecord) -> None:
        """The audit trail: one line for each signal that was looked at."""
        self.metrics.signals[record.authorization_server, record.signal, record.outcome] += 1
        if record.outcome != "limited":
            level = logging.WARNING if record.outcome == "owed" else logging.INFO
            log.log(level, "signal", extra=record.fields())

    def _note_departure(self, downstream: Downstream) -> None:
        downstream.departed = True
        refusal = downstream.connection.refusal if downstream.connection is not None else None
        if refusal is not None:
            downstream.status = refusal.status
            return
        self.metrics.departures["during_response" if downstream.started else "before_response"] += 1

    def _break_off(self, downstream: Downstream, error: UpstreamBroken) -> None:
        self.metrics.broken_off[downstream.route] += 1
        log.warning(
            "response broken off",
            extra={"request_id": downstream.request_id, "route": downstream.route, "reason": str(error)},
        )
        downstream.abort()

    def _count_request(
        self,
        route: str,
        status: int,
        seconds: float | None,
        *,
        method: str,
        request_id: str,
        dialect: str = "",
    ) -> None:
        self.metrics.count_request(route, status, seconds, dialect)
        if self._logs_access:
            log.info(
                "request",
                extra={
                    "request_id": request_id,
                    "route": route,
                    "method": method,
                    "status": status,
                    **({"dialect": dialect} if dialect else {}),
                    "seconds": None if seconds is None else round(seconds, 6),
                },
            )

    async def _live(self, receive: Receive, send: Send) -> None:
        """ASGI's lifespan protocol."""
        await receive()
        self._parts.start()
        self._departures.start()
        self.history.start()
        self._loop_lag.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._loop_lag.stop()
        self.history.stop()
        self._departures.stop()
        await self._background.aclose()
        await self._parts.retire()
        if self._tracing is not None:
            await self._tracing.aclose()
        await send({"type": "lifespan.shutdown.complete"})


def build_app(
    settings: Settings,
    *,
    clock: Clock | None = None,
    fellows: Fellows | None = None,
    secret: bytes = b"",
) -> App:
    """The proxy as an ASGI app, not yet started: its lifespan starts and ends it.

    ``fellows`` are the other workers behind the same port, ``secret`` is what they have in common: they take each
    other's nonces.
    """
    return App(settings, clock=clock or SystemClock(), secret=secret or os.urandom(32), fellows=fellows)


def _find_authorizer(parts: Parts) -> Authorizer:
    if parts.authorizer is None:
        raise NoRoute("there is no authorizer")
    return parts.authorizer


def _forward(parts: Parts, downstream: Downstream) -> Awaitable[None]:
    ours = parts.own_paths
    answer = None if ours is None else ours.answer(downstream)
    return parts.gateway.forward(downstream) if answer is None else answer


def _forward_websocket(parts: Parts, downstream: DownstreamWebSocket) -> Awaitable[None]:
    return parts.gateway.forward_websocket(downstream)


def _stay_alive() -> None:
    """The cancellation was ours and is done with: the server's task may end in peace."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
