"""One connection to an upstream: one request at a time, back-pressure both ways (RFC 9112 §9).

The connection ends its request by itself: as soon as the response is whole it goes back to its owner, and as
soon as anything is amiss it is aborted. No byte that nobody asked for is ever left for the next request.
"""

from __future__ import annotations

import asyncio
import math
import select
from typing import Any, Final, Protocol

from ..errors import UpstreamBroken, UpstreamProtocolError, UpstreamTimeout, UpstreamUnreachable
from ..http.pieces import write_parts
from .body import FramedBody
from .options import Options
from .response import Response
from .tls import is_cut

# Bytes of a response kept for a slow reader; one read brings up to 256 KiB more.
READ_AHEAD: Final = 128 * 1024


class Unanswered(UpstreamUnreachable):
    """The connection ended before any byte of a response: the upstream may have closed it while it was idle."""


class Owner(Protocol):
    """Whose connection it is."""

    def reuse(self, connection: Connection) -> None:
        """It is clean and may carry another request."""
        ...

    def forget(self, connection: Connection) -> None:
        """It is gone."""
        ...


class Connection(asyncio.Protocol):
    """``opened_at`` and ``idle_since`` are loop times; ``served``: it has carried a request before."""

    __slots__ = (
        "_closed",
        "_drained",
        "_loop",
        "_options",
        "_owner",
        "_poll",
        "_read_by",
        "_reading_paused",
        "_response",
        "_transport",
        "_upload",
        "_write_by",
        "_writing_paused",
        "idle_since",
        "opened_at",
        "served",
    )

    def __init__(self, owner: Owner, options: Options) -> None:
        self._owner = owner
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._transport: Any = None
        self._poll = select.poll()
        self._response: Response | None = None
        self._upload: asyncio.Task[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._closed = False
        self._reading_paused = False
        self._writing_paused = False
        self._read_by = math.inf
        self._write_by = math.inf
        self.opened_at = self._loop.time()
        self.idle_since = 0.0
        self.served = False

    # -- what the pool asks for

    def send(self, head: bytes, *, bodiless: bool, body: FramedBody | None) -> Response:
        """Send one request; its response is yet to be waited for.

        ``head`` may bring the beginning of the body along.
        """
        self._response = response = Response(self, bodiless=bodiless)
        self._transport.write(head)
        if body is None or body.ended:
            self._read_by = self._loop.time() + self._options.response
        else:
            self._upload = self._loop.create_task(self._send_body(body))
            self._upload.add_done_callback(self._upload_ended)
        return response

    def is_clean(self) -> bool:
        """Whether it can carry another request: open, and with nothing there to read, not even an end.

        The loop may not have come to read it yet; to write now would make it the answer to this request.
        """
        return not self._closed and not self._poll.poll(0)

    def check_deadlines(self, now: float) -> None:
        """``now`` is a loop time."""
        if now < self._read_by and now < self._write_by:
            return
        if self._response is not None and self._response.status:
            self.abort(UpstreamBroken("the upstream stalled within the response body"))
        else:
            self.abort(UpstreamTimeout("the upstream did not answer in time"))

    # -- what the response asks for

    def expect_body(self) -> None:
        self._read_by = self._loop.time() + self._options.idle

    def resume(self) -> None:
        if self._reading_paused and not self._closed:
            self._reading_paused = False
            self._transport.resume_reading()

    def abort(self, error: Exception | None = None) -> None:
        """End it at once, whatever is under way; ``error`` is for who waits for the response."""
        if self._closed:
            return
        self._closed = True
        self._read_by = self._write_by = math.inf
        upload, self._upload = self._upload, None  # its task refers to us
        if upload is not None:
            upload.cancel()
        if self._transport is not None:
            self._transport.abort()
        response, self._response = self._response, None
        if response is not None:
            response.fail(error or describe_loss(response, "closed by us"))
        self._owner.forget(self)

    # -- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        response = self._response
        if response is None:  # nothing was asked
            self.abort()
            return
        try:
            response.feed(data)
        except (UpstreamProtocolError, UpstreamBroken) as error:
            self.abort(error)
            return
        if response.status:
            self._read_by = math.inf
            if response.whole:
                self._finish(response)
            else:
                self._continue(response)
            response.wake()

    def eof_received(self) -> None:
        response = self._response
        if response is None:
            return
        if is_cut(self._transport):
            self.abort(describe_loss(response, "TLS ended without close_notify"))
        elif response.end():
            self._finish(response)
            response.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        response = self._response
        self.abort(describe_loss(response, exc) if response is not None else None)

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # -- within a request

    def _continue(self, response: Response) -> None:
        if response.buffered > READ_AHEAD and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()
        if response.status >= 400 and self._upload is not None:
            self._upload.cancel()  # it is refused: the rest is of no use to anyone

    def _finish(self, response: Response) -> None:
        self._response = None
        self.served = True
        if response.reusable and self._upload is None and not self._writing_paused:
            if self._reading_paused:
                self.resume()
            self._owner.reuse(self)
        else:
            self.abort()

    async def _send_body(self, body: FramedBody) -> None:
        while not body.ended:
            parts = await body.read()
            if self._poll.poll(0):
                # A response may wait to be read, and to write to a side that is closed would lose it: let
                # the loop read first, which takes it up to two rounds.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            write_parts(self._transport, parts)
            if self._writing_paused:
                await self._drain()
        self._upload = None
        if self._response is not None and not self._response.status:
            self._read_by = self._loop.time() + self._options.response

    async def _drain(self) -> None:
        self._write_by = self._loop.time() + self._options.idle
        self._drained = self._loop.create_future()
        await self._drained
        self._write_by = math.inf

    def _upload_ended(self, upload: asyncio.Task[None]) -> None:
        if not upload.cancelled() and isinstance(error := upload.exception(), Exception):
            self.abort(error)


def describe_loss(response: Response, cause: object) -> Exception:
    """What it means for a request that its connection is gone, by what had come of the response."""
    error: Exception
    if response.status:
        error = UpstreamBroken(f"the connection was lost within the response body: {cause}")
    elif response.started:
        error = UpstreamProtocolError(f"the connection was lost within the response head: {cause}")
    else:
        error = Unanswered(f"the connection was lost before a response: {cause}")
    if isinstance(cause, Exception):
        error.__cause__ = cause.with_traceback(None)  # whose frames would keep the transport
    return error
