"""One connection to an upstream that speaks HTTP/2: many requests at a time (RFC 9113 §3, §5, §6.8).

It ends by itself: as soon as anything is amiss it is aborted, and once it takes no more requests, with the last of
those that it has. Each request has its deadlines; one that has waited in vain while nothing else came either takes its
connection out of use. A peer that is silent for longer is asked whether it is there.
"""

from __future__ import annotations

import asyncio
import math
import select
from collections.abc import Hashable, Sequence
from typing import Any, Protocol

from ...errors import UpstreamProtocolError, UpstreamUnreachable
from ...http.headers import Field
from ...http2.codec import Codec, ConnectionFault, Event, GoneAway, RoomMade
from ...http2.liveness import SERVERS_PAUSE, Liveness
from ...runtime import count_untaken
from ..options import Options
from .body import RepeatableBody
from .carrier import Sender
from .failure import TURN_OFF, Failure, NotProcessed, Unanswered
from .response import Response
from .stream import Stream

MAX_STREAMS = 100  # at once; RFC 9113 §6.5.2 wants no peer to allow fewer
# s that a peer may take nothing of what is uploaded: the next request goes by another connection.
MAX_SHUT = 1.0
MAX_UNSENT = 1024 * 1024  # bytes that a peer may leave unread of what does not wait for it
_CLOSED = Failure(Unanswered, "the connection was closed by us")


class Owner(Protocol):
    """Whose connection it is."""

    def leave(self, user: Hashable) -> None:
        """A request of that user's is over."""
        ...

    def forget(self, connection: Connection) -> None:
        """It is gone."""
        ...


class Connection(asyncio.Protocol):
    """``opened_at`` and ``idle_since`` are loop times; ``served``: it has brought a response before.

    ``opened`` is done once the peer has said what it allows, or with why the connection is of no use.
    """

    def __init__(self, owner: Owner, options: Options, codec: Codec) -> None:
        self.options = options
        self.codec = codec
        self.served = False
        self._loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[Failure | None] = self._loop.create_future()
        self.opened_at = self.idle_since = self._loop.time()
        self._liveness = Liveness(self.opened_at, pause=SERVERS_PAUSE)
        self._owner = owner
        self._transport: Any = None
        self._poll = select.poll()
        self._streams: dict[int, Stream] = {}
        self._blocked: dict[Sender, None] = {}  # whose turn is next comes first
        self._closed = False
        self._retired = False
        self._flushing = False
        self._writing_paused = False
        self._shut_since = math.inf  # loop time

    # -- what the pool asks for

    @property
    def capacity(self) -> int:
        """How many streams it takes at once."""
        return min(MAX_STREAMS, self.codec.max_streams)

    @property
    def has_room(self) -> bool:
        """Whether it takes another."""
        return not (self._closed or self._retired) and len(self._streams) < self.capacity

    @property
    def idle(self) -> bool:
        return not self._streams

    def is_quiet(self) -> bool:
        """Whether there is nothing to read, not even an end, which the loop has not come to yet."""
        return not self._poll.poll(0)

    def send(
        self, head: Sequence[Field], *, bodiless: bool, body: RepeatableBody | None, user: Hashable
    ) -> Response:
        """Send one request in a place of ``user``'s; its response is yet to be waited for."""
        if not self._streams:
            self._liveness.begin(self._loop.time())
        stream = Stream(self, user)
        response = stream.open(head, body, bodiless=bodiless)
        self._streams[stream.id] = stream
        return response

    def retire(self) -> None:
        """Take no more requests, and end with the last."""
        self._retired = True
        if not (self._streams or self._closed):
            self.codec.go_away()
            self.abort()

    def check_deadlines(self, now: float) -> None:
        """``now`` is a loop time."""
        for stream in tuple(self._streams.values()):
            stream.check_deadlines(now)
        self._check_room(now)
        if self._streams and now >= self._liveness.deadline:
            self._look_for_peer(now)

    def abort(self, failure: Failure = _CLOSED) -> None:
        """End it at once, whatever is under way; requests without a response hear of ``failure``."""
        if self._closed:
            return
        self._closed = True
        if self._transport is not None:
            self.flush()
            self._transport.abort()
        self.codec.close()
        for stream in tuple(self._streams.values()):
            stream.fail(failure)
        if not self.opened.done():
            self.opened.set_result(failure)
        self._owner.forget(self)

    # -- what streams ask for

    def room(self, stream_id: int) -> int:
        return 0 if self._writing_paused or self._closed else self.codec.room(stream_id)

    def block(self, sender: Sender) -> None:
        self._blocked[sender] = None

    def unblock(self, sender: Sender) -> None:
        self._blocked.pop(sender, None)

    def flush(self) -> None:
        self._flushing = False
        if data := self.codec.take():
            self._transport.write(data)

    def flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush_within_bounds)

    def doubt(self, since: float) -> None:
        """Where nothing else has come either, whoever was there may be gone: no other request is to wait for it."""
        if self._liveness.heard_at <= since:
            self._retired = True

    def forget(self, stream_id: int, user: Hashable) -> None:
        del self._streams[stream_id]
        self._owner.leave(user)
        self.idle_since = self._loop.time()
        if self._retired:
            self.retire()

    # -- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and tls.selected_alpn_protocol() != "h2":
            self.abort(
                Failure(UpstreamProtocolError, "the upstream has not chosen HTTP/2 (ALPN h2)", TURN_OFF)
            )
            return
        self.codec.begin()
        self.flush()

    def data_received(self, data: bytes) -> None:
        self._liveness.hear(self._loop.time())
        try:
            told = self.codec.feed(data)
        except ConnectionFault as fault:
            self.abort(self._describe_fault(fault))
            return
        for event in told:
            self._receive(event)
        if self._closed:
            return
        if not self.opened.done() and self.codec.settled:
            self.opened.set_result(None)
        self._flush_within_bounds()

    def connection_lost(self, exc: Exception | None) -> None:
        reason = f"the connection was lost: {exc}"
        if self.codec.settled:
            self.abort(Failure(Unanswered, reason))
        else:
            self.abort(Failure(UpstreamProtocolError, f"{reason}, before anything of HTTP/2", TURN_OFF))

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._go_round()

    # -- within

    def _receive(self, event: Event) -> None:
        match event:
            case GoneAway(last_stream_id):
                self._go(last_stream_id)
            case RoomMade():
                self._go_round()
            case _:
                self._liveness.hear_stream()
                stream = self._streams.get(event.stream_id)
                if stream is not None:
                    stream.receive(event)

    def _go(self, last_stream_id: int) -> None:
        """RFC 9113 §6.8: what came behind that stream is not processed; the others go on."""
        failure = Failure(NotProcessed, "the upstream ends the connection, and has not processed the request")
        for stream_id, stream in tuple(self._streams.items()):
            if stream_id > last_stream_id:
                stream.fail(failure)
        self.retire()

    def _go_round(self) -> None:
        """One turn for each who waits, again and again while there is room: nobody takes all of it."""
        blocked = self._blocked
        moved = True
        while moved:
            moved = False
            for sender in tuple(blocked):
                if sender.push():
                    moved = True
                    self._shut_since = math.inf
                    blocked.pop(sender, None)
                    if sender.waits:
                        blocked[sender] = None  # behind the others

    def _look_for_peer(self, now: float) -> None:
        if not self._liveness.asked:
            self.codec.ping()
            self.flush()
            self._liveness.ask(now, count_untaken(self._transport))
        elif self._liveness.is_lost(now, count_untaken(self._transport)):
            self.abort(Failure(Unanswered, "the upstream has gone without a word: it does not answer a PING"))

    def _check_room(self, now: float) -> None:
        """Who waits for the peer's credit waits on: it may be one stream that makes all of them wait (§5.2.1)."""
        if not self._blocked or self.room(0) > 0:
            self._shut_since = math.inf
        elif self._shut_since == math.inf:
            self._shut_since = now
        elif now - self._shut_since >= MAX_SHUT:
            self._retired = True

    def _flush_within_bounds(self) -> None:
        """Bodies wait for a peer that does not read; heads, resets and what it makes us answer do not."""
        if self._closed:
            return
        self.flush()
        if self._writing_paused and self._transport.get_write_buffer_size() > MAX_UNSENT:
            self.abort(Failure(UpstreamUnreachable, "the upstream does not read"))

    def _describe_fault(self, fault: ConnectionFault) -> Failure:
        if self.codec.settled:
            return Failure(UpstreamProtocolError, f"the upstream has broken the rules of HTTP/2: {fault}")
        return Failure(UpstreamProtocolError, f"the upstream does not answer in HTTP/2: {fault}", TURN_OFF)
