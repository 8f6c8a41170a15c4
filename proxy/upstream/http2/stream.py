"""One stream: a request on its way up, and its response on its way back (RFC 9113 §5.1, §8.1).

Both directions run at the same time. Of the response no more is here than the credit that its reader has given.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Hashable, Sequence

from ...errors import UpstreamBroken, UpstreamProtocolError, UpstreamTimeout, UpstreamUnreachable
from ...http.headers import Field
from ...http2.codec import DataReceived, ErrorCode, ResponseReceived, StreamEnded, StreamEvent, StreamReset
from .body import RepeatableBody
from .carrier import Carrier
from .failure import TURN_OFF, Failure, NotProcessed
from .response import Response
from .upload import Upload


class Stream:
    """``user`` is in whose share of the places it counts; ``id`` is 0 until it is opened."""

    __slots__ = (
        "_body",
        "_carrier",
        "_loop",
        "_read_by",
        "_response",
        "_silent_since",
        "_upload",
        "_user",
        "id",
    )

    def __init__(self, carrier: Carrier, user: Hashable) -> None:
        self.id = 0
        self._user = user
        self._carrier = carrier
        self._loop = asyncio.get_running_loop()
        self._response: Response | None = None  # until it is opened, and once it is over
        self._body: RepeatableBody | None = None
        self._upload: Upload | None = None
        self._read_by = math.inf
        self._silent_since = 0.0

    # -- what the connection asks for

    def open(self, head: Sequence[Field], body: RepeatableBody | None, *, bodiless: bool) -> Response:
        """Send the head at once, and the body as it comes; the response is yet to be waited for."""
        self.id = self._carrier.codec.open(head, ended=body is None)
        self._response = response = Response(self, bodiless=bodiless)
        self._body = body
        if body is None:
            self._wait_for(self._carrier.options.response)
        else:
            self._upload = Upload(self._carrier, self.id, body)
            self._upload.start(self._upload_ended)
        self._carrier.flush_soon()
        return response

    def check_deadlines(self, now: float) -> None:
        """``now`` is a loop time."""
        if now >= self._read_by:
            since = self._silent_since
        elif self._upload is not None and now >= self._upload.shut_since + self._carrier.options.idle:
            since = self._upload.shut_since
        else:
            return
        self._carrier.doubt(since)
        if self._response is not None and self._response.status:
            self.abort(UpstreamBroken("the upstream stalled within the response body"))
        else:
            self.abort(UpstreamTimeout("the upstream did not answer in time"))

    # -- what the peer says

    def receive(self, event: StreamEvent) -> None:
        response = self._response
        if response is None:
            return
        try:
            match event:
                case ResponseReceived(_, fields, ended):
                    self._receive_head(response, fields)
                    if ended:
                        self._receive_end(response, ())
                case DataReceived(_, data, size):
                    response.feed(data, size)
                case StreamEnded(_, trailers):
                    self._receive_end(response, trailers)
                case StreamReset(_, code):
                    self._receive_reset(code)
        except (UpstreamProtocolError, UpstreamBroken) as error:
            self.abort(error.with_traceback(None), ErrorCode.PROTOCOL_ERROR)
            return
        self._read_by = math.inf
        response.wake()

    def _receive_head(self, response: Response, fields: list[Field]) -> None:
        response.begin(fields)
        if self._body is not None:
            self._body.forget()
        if response.status >= 400:
            self._stop_upload()  # it is refused: the rest is of no use to anyone

    def _receive_end(self, response: Response, trailers: Sequence[Field]) -> None:
        response.end(trailers)
        self._carrier.served = True
        self._end(ErrorCode.CANCEL)

    def _receive_reset(self, code: int) -> None:
        reason = f"the upstream has reset the stream: {name(code)}"
        if code == ErrorCode.REFUSED_STREAM:
            self.fail(Failure(NotProcessed, reason))
        elif code == ErrorCode.HTTP_1_1_REQUIRED:
            self.fail(Failure(UpstreamProtocolError, reason, TURN_OFF))
        else:
            self.fail(Failure(UpstreamUnreachable, reason))

    def fail(self, failure: Failure) -> None:
        """It is over for the peer."""
        response = self._response
        if response is not None:
            self._end(None)
            response.fail(failure.build(response.status))

    # -- what the response asks for

    def expect_body(self) -> None:
        self._wait_for(self._carrier.options.idle)

    def resume(self) -> None:
        if self._response is not None:
            self._carrier.codec.consume(self.id, self._response.take_credit())
            self._carrier.flush_soon()

    def abort(self, error: Exception | None = None, code: ErrorCode = ErrorCode.CANCEL) -> None:
        """End it at once, whatever is under way; ``error`` is for who waits for the response."""
        response = self._response
        if response is not None:
            self._end(code)
            self._carrier.flush_soon()
            response.fail(error or UpstreamBroken("closed by us"))

    # -- within

    def _wait_for(self, seconds: float) -> None:
        """The peer is to send something within ``seconds``."""
        self._silent_since = self._loop.time()
        self._read_by = self._silent_since + seconds

    def _upload_ended(self, error: Exception | None) -> None:
        if error is not None:
            self.abort(error)
        elif self._response is not None and not self._response.status:
            self._wait_for(self._carrier.options.response)

    def _stop_upload(self) -> None:
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.stop()

    def _end(self, code: ErrorCode | None) -> None:
        """Let go of everything; ``code`` tells the peer, where one of us has not ended."""
        self._response = None  # which refers to us
        self._body = None
        self._read_by = math.inf
        self._stop_upload()
        if code is not None:
            self._carrier.codec.reset(self.id, code)
        self._carrier.forget(self.id, self._user)


def name(code: int) -> str:
    """What RFC 9113 §7 calls it."""
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"{code:#x}"
