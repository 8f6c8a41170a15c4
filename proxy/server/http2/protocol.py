"""One connection of HTTP/2: what comes by it, to which stream, and what is refused.

A request reaches the application once its head is whole and checked (``head``). What is refused of it is answered
here, on its stream alone. All deadlines are looked at by one sweep, so that a stream costs no timer.
"""

from __future__ import annotations

import asyncio
import secrets
from functools import cached_property
from typing import Any, cast

from ...errors import BadRequest, Overloaded, ProxyError
from ...http.grpc import is_grpc
from ...http.headers import values
from ...http.problem import Problem
from ...http2.choose import make_codec
from ...http2.codec import (
    ConnectionFault,
    DataReceived,
    ErrorCode,
    Event,
    GoneAway,
    RequestReceived,
    RoomMade,
    StreamEnded,
    StreamReset,
)
from ...http2.messages import find_method, read_request, read_trailers
from ...http2.options import CodecOptions
from ..deadlines import NEVER
from ..flow import FlowControl
from ..options import ALLOW, answer_options
from ..protocol import LOOK_ABOVE, MORE_CONNECTIONS
from ..scope import build_scope, build_template
from ..state import State
from ..tls import find_client_certificate
from .allowance import STREAMS
from .deadlines import TimedConnection
from .flow import Outflow
from .patience import CallPatience, Patience
from .stream import Stream

MAX_STREAMS = 100  # at once; as many applications may run on, of streams that are over
# What applications are told, as HTTP/1.1 would, of a body whose length is not known.
_UNTIL_ITS_END = (b"transfer-encoding", b"chunked")


class Http2Protocol(TimedConnection):
    """Made before its connection, or once that has begun as one of HTTP/2."""

    def __init__(self, state: State, app_state: dict[str, Any]) -> None:
        super().__init__(state)
        self._app_state = app_state
        self._tasks: set[asyncio.Task[None]] = set()  # of applications that have not returned
        self._refusal: ProxyError | None = None  # of all streams
        self._waiting = 0  # bytes that applications give and the transport has no room for

    @cached_property
    def client_certificate(self) -> str | None:
        """Found once for all requests of the connection, and not before one needs it."""
        return find_client_certificate(self.transport)

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        limits = self._limits
        self.transport = cast("asyncio.Transport", transport)
        self.flow = FlowControl(self.transport)
        self.codec = make_codec(
            CodecOptions(client=False, max_header_bytes=limits.max_header_bytes, max_streams=MAX_STREAMS)
        )
        self.outflow = Outflow(
            self.codec, self.transport, patience=limits.write_timeout, least=limits.least_taken
        )
        self._scope = build_template(self.transport)
        self.state.connections.add(self)
        if self.state.is_flooded():
            self.transport.abort()
            return
        if self.state.overloaded:
            self._refusal = Overloaded("connection limit reached", remedy=MORE_CONNECTIONS)
        self.codec.begin()
        self.outflow.write()
        self._watch_head()
        if self.state.draining:
            self.shutdown()

    def data_received(self, data: bytes) -> None:
        if self._done:
            return
        self._liveness.hear(self.loop.time())
        try:
            events = self.codec.feed(data)
        except ConnectionFault as fault:
            self._told = True
            self._fail(BadRequest(str(fault)))
            return
        self._taking = True
        for event in events:
            self._take(event)
        self._taking = False
        self._count_held()
        self._watch_head()
        self._rest()
        self.outflow.write_soon()

    def pause_writing(self) -> None:
        self.flow.pause_writing()
        self.outflow.paused = True
        self._expect_writes()

    def resume_writing(self) -> None:
        self.flow.resume_writing()
        self.write_deadline = NEVER
        self.outflow.paused = False
        self.outflow.run()
        self.await_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self.state.connections.discard(self)
        self._done = True
        self._end_streams()
        self._head_deadline = self._idle_deadline = self._final_deadline = NEVER
        self.read_deadline = self.write_deadline = NEVER
        self.outflow.close()
        self.flow.resume_writing()
        self.codec.close()

    # What the peer sends

    def _take(self, event: Event) -> None:
        match event:
            case RequestReceived():
                self._on_request(event)
            case DataReceived():
                self._on_data(event)
            case StreamEnded():
                self._on_end(event)
            case StreamReset():
                self._on_reset(event)
            case RoomMade():
                self.outflow.make_room(event.stream_id)
                self.await_room()
            case GoneAway():  # it opens no more streams here
                self._leaving = True

    def _on_request(self, event: RequestReceived) -> None:
        grpc = is_grpc(values(event.fields, b"content-type"))
        self.state.refusing.note_http2(grpc=grpc)
        grpc = grpc and self._limits.grpc
        patience = CallPatience(self._limits) if grpc else Patience(self._limits)
        stream = Stream(self, self.state.app, event.stream_id, patience)
        self._open(stream)
        stream.grpc = grpc
        try:
            self._check_load()
            request = read_request(event.fields, self._limits, ended=event.ended)
        except ProxyError as error:
            stream.method = find_method(event.fields)
            self._refuse(stream, error)
            return
        if request.content_length is None and not event.ended:
            request.headers.append(_UNTIL_ITS_END)
        scope = build_scope(
            self._scope,
            version=request.version,
            method=request.method,
            target=request.target,
            headers=request.headers,
            app_state=self._app_state,
        )
        stream.take_head(request, scope)
        if request.target == b"*":
            stream.app = answer_options
        if event.ended:
            stream.feed_end()
        task = stream.task = self.loop.create_task(stream.run())
        self._tasks.add(task)
        self.state.accepted += 1
        task.add_done_callback(self._be_done_with)

    def _be_done_with(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.state.accepted -= 1

    def _check_load(self) -> None:
        """Raises Overloaded."""
        if self._refusal is not None:
            self._leave()
            raise self._refusal
        under_way = max(self.state.running, self.state.accepted)
        if len(self._tasks) >= 2 * MAX_STREAMS or under_way >= self._limits.max_connections:
            raise Overloaded("too many requests under way", remedy=MORE_CONNECTIONS)

    def _on_data(self, event: DataReceived) -> None:
        stream = self._find_taker(event.stream_id)
        if stream is None:
            self.codec.consume(event.stream_id, event.size)
            return
        stream.patience.extend(event.size, self.loop.time())
        try:
            stream.take(event.data)
        except BadRequest as error:
            self._refuse(stream, error)

    def _on_end(self, event: StreamEnded) -> None:
        stream = self._find_taker(event.stream_id)
        if stream is None:
            return
        stream.patience.end()
        try:
            stream.take_end(read_trailers(event.trailers, self._limits))
        except BadRequest as error:
            self._refuse(stream, error)

    def _find_taker(self, stream_id: int) -> Stream | None:
        """Whose application may still take more of the request."""
        stream = self._streams.get(stream_id)
        return None if stream is None or stream.departed or stream.complete else stream

    def _on_reset(self, event: StreamReset) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is not None:
            self._forget(stream)
            stream.withdraw()

    # What a stream asks for

    def await_room(self) -> None:
        super().await_room()
        self._count_held()

    def consume(self, stream: Stream, size: int) -> None:
        """The application has passed on as many bytes of the body."""
        self.codec.consume(stream.stream_id, size)
        self.outflow.write_soon()
        self._count_held()

    def hold(self, size: int) -> None:
        """So many bytes more, or fewer below 0, wait until the transport has room for them."""
        self._waiting += size
        self._count_held()

    def on_response_complete(self, stream: Stream) -> None:
        """The response is sent whole. What is still to come of the request is not wanted (RFC 9113 §8.1)."""
        if self._streams.get(stream.stream_id) is stream:
            self._end_stream(stream, ErrorCode.NO_ERROR)

    def cut(self, stream: Stream) -> None:
        if self._streams.get(stream.stream_id) is stream:
            self._end_stream(stream, ErrorCode.INTERNAL_ERROR)
            stream.depart()

    def end_early(self, stream: Stream) -> None:
        """The application has returned without a whole response."""
        self._refuse(stream, ProxyError("the application gave no response", remedy=LOOK_ABOVE))

    def _end_stream(self, stream: Stream, code: ErrorCode) -> None:
        self._forget(stream)
        self.codec.reset(stream.stream_id, code)
        self.outflow.write_soon()
        self._count_held()
        self._rest()

    def _forget(self, stream: Stream) -> None:
        del self._streams[stream.stream_id]
        self.outflow.drop(stream.stream_id)

    # Refusals

    def _refuse(self, stream: Stream, error: ProxyError) -> None:
        if stream.written:
            self.cut(stream)
            return
        stream.refusal = error
        begun = stream.withdraw()
        status, headers, body = self._tell(error, method=stream.method, begun=begun, grpc=stream.grpc)
        if status == 405:
            headers.append(ALLOW)
        stream.answer(status, headers, body)

    def _tell(self, error: ProxyError, *, method: str, begun: bool, grpc: bool = False) -> Problem:
        request_id = secrets.token_hex(16)
        return self.state.refusing.refuse(error, method=method, request_id=request_id, begun=begun, grpc=grpc)

    def _fail(self, error: ProxyError) -> None:
        self._tell(error, method="", begun=False)
        self._end_streams()
        self._say_goodbye(ErrorCode.ENHANCE_YOUR_CALM)
        self._finish()

    # Ends

    def _end_streams(self) -> None:
        streams = tuple(self._streams.values())
        self._streams.clear()
        for stream in streams:
            self.outflow.drop(stream.stream_id)
            stream.withdraw()
        STREAMS.note(self, 0)

    def _count_held(self) -> None:
        STREAMS.note(self, 0 if self._done else self.codec.held + self.outflow.waiting + self._waiting)

    def give_up(self) -> None:
        """The memory is needed."""
        self.abort()

    def abort(self) -> None:
        """End at once; responses under way end visibly."""
        for stream in self._streams.values():
            self.codec.reset(stream.stream_id, ErrorCode.INTERNAL_ERROR)
        self._end_streams()
        for task in self._tasks:
            task.cancel()
        self._say_goodbye()
        self.outflow.write()
        self._done = True
        self.transport.abort()
