"""How long a connection of HTTP/2 and its streams may keep us waiting, and how it ends."""

from __future__ import annotations

import asyncio

from ...errors import ProxyError, RequestTimeout
from ...http2.codec import Codec, ErrorCode
from ...http2.liveness import Liveness
from ...runtime import count_untaken
from ..deadlines import NEVER, Deadlines
from ..flow import FlowControl
from ..limits import LAST_CALL
from ..sockets import reset
from ..state import State
from .flow import Outflow
from .stream import Stream


class TimedConnection(Deadlines, asyncio.Protocol):
    """``read_deadline`` is when to look next at all that has its time, but for the transport's own buffer."""

    codec: Codec
    flow: FlowControl
    outflow: Outflow

    def __init__(self, state: State) -> None:
        super().__init__(state.limits)
        self.state = state
        self._streams: dict[int, Stream] = {}  # those without a whole response
        self._head_deadline = NEVER  # for a preface or a head that has begun
        self._idle_deadline = NEVER  # for a stream to come, and in the end for the peer to close
        self._final_deadline = NEVER  # from then on no stream is taken that is not here
        self._liveness = Liveness(self.loop.time(), reads_later=True)
        self._leaving = False  # ends with its last stream
        self._told = False  # the peer knows from a GOAWAY
        self._done = False  # nothing more is read
        self._taking = False  # there may be more in what was read

    # What streams ask for

    def await_body(self, stream: Stream) -> None:
        """The application waits for more of the body: only now does its time run.

        Once a call of gRPC's is answered it lasts as long as either side likes.
        """
        if stream.grpc and stream.written:
            return
        stream.patience.run(self.loop.time())
        self._look_by(stream.patience.deadline)

    def await_room(self) -> None:
        """A stream waits for its peer."""
        self._look_by(self.outflow.deadline)

    def cut(self, stream: Stream) -> None:
        """Break off what ``stream`` was sending, so that the peer can tell."""
        raise NotImplementedError

    # Times

    def _look_by(self, deadline: float) -> None:
        self.read_deadline = min(self.read_deadline, deadline)

    def _watch_head(self) -> None:
        """What is here of a head already has a deadline, which is earlier."""
        if not self.codec.in_head:
            self._head_deadline = NEVER
        elif self._head_deadline == NEVER:
            self._head_deadline = self.loop.time() + self._limits.header_timeout
            self._look_by(self._head_deadline)

    def _rest(self) -> None:
        """Where no stream is left: end, or wait for the next one. What is no stream does not prolong that."""
        if self._streams or self._done or self._taking:
            return
        if self._leaving:
            self._finish()
        elif self._idle_deadline == NEVER:
            self._idle_deadline = self.loop.time() + self._limits.keep_alive_timeout
            self._look_by(self._idle_deadline)

    def _expire_reading(self) -> None:
        now = self.loop.time()
        for stream in [one for one in self._streams.values() if one.patience.deadline < now]:
            self._refuse(stream, RequestTimeout("the request did not arrive in time"))
        for stream_id in self.outflow.find_stalled(now):
            self._give_up_sending(stream_id)
        if self._final_deadline < now:
            self._final_deadline = NEVER
            self._leave()
        if self._streams and self._liveness.deadline < now:
            self._look_for_peer(now)
        if self._head_deadline < now:
            self._expire_head()
        elif self._idle_deadline < now:
            self._expire_idle()
        self._look_again()

    def _look_again(self) -> None:
        self.read_deadline = min(
            self._head_deadline,
            self._idle_deadline,
            self._final_deadline,
            self.outflow.deadline,
            self._liveness.deadline if self._streams else NEVER,
            *(stream.patience.deadline for stream in self._streams.values()),
        )

    def _expire_head(self) -> None:
        """Who has not even said what it speaks has not asked for anything that could be refused."""
        if self.codec.settled:
            self._fail(RequestTimeout("the head of a request did not arrive in time"))
        else:
            self._finish()

    def _expire_idle(self) -> None:
        if self._done:
            self.transport.abort()
        else:
            self._finish()

    def _open(self, stream: Stream) -> None:
        self._idle_deadline = NEVER
        if not self._streams:
            self._liveness.begin(self.loop.time())
        self._streams[stream.stream_id] = stream
        self._look_by(self._liveness.deadline)

    def _look_for_peer(self, now: float) -> None:
        """Whose cable was pulled says no end, and its calls may be silent for long."""
        if not self._liveness.asked:
            self.codec.ping()
            self.outflow.write()
            self._liveness.ask(now, count_untaken(self.transport))
        elif self._liveness.is_lost(now, count_untaken(self.transport)):
            reset(self.transport)

    def _give_up_sending(self, stream_id: int) -> None:
        """The peer does not take what the rate asks for; 0 where it gives no room to any stream."""
        if stream_id:
            self.cut(self._streams[stream_id])
        else:
            reset(self.transport)

    def _refuse(self, stream: Stream, error: ProxyError) -> None:
        """Answer in the application's place."""
        raise NotImplementedError

    def _fail(self, error: ProxyError) -> None:
        """The whole connection cannot go on."""
        raise NotImplementedError

    # Ends

    def shutdown(self) -> None:
        """Say that the end is near, and serve what comes meanwhile: no stream is lost (RFC 9113 §6.8)."""
        if self._told or self._final_deadline != NEVER:
            return
        self.codec.go_away(final=False)
        self.outflow.write_soon()
        self._final_deadline = self.loop.time() + LAST_CALL
        self._look_by(self._final_deadline)

    def _leave(self) -> None:
        """End with the streams that are here."""
        self._leaving = True
        self._say_goodbye()
        self._rest()

    def _say_goodbye(self, code: ErrorCode = ErrorCode.NO_ERROR) -> None:
        if not self._told:
            self._told = True
            self.codec.go_away(code)
            self.outflow.write_soon()

    def _finish(self) -> None:
        """No stream is left. With input unread, a mere close could destroy what was sent (RFC 9112 §9.6)."""
        self._say_goodbye()
        self._done = True
        self.outflow.write()
        self.outflow.close()
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()
        self._head_deadline = self._final_deadline = NEVER
        self._idle_deadline = self.loop.time() + self._limits.linger_timeout
        self._look_by(self._idle_deadline)
        self._expect_writes()
