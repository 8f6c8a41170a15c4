"""The caller's side of one request, over ASGI: what came, the body as it comes, and the way back.

Under our own server a departure is told by a callback (``scope["extensions"]["obo"]``, see ``server``); under
any other ASGI server it is learnt from ``receive()`` (``disconnects``).
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ..errors import BadRequest, DownstreamDeparted, RequestTooLarge
from ..http.asgi import Connection, Receive, Scope, Send
from ..http.forwarding import Forwarding
from ..http.headers import Field, Fields, values

_NO_VALUES: Final = [b""]
_NONCE: Final = b"dpop-nonce"
_NO_EXTENSIONS: Final[Mapping[str, Any]] = {}
_ID_BYTES: Final = 16
_IDS_AT_ONCE: Final = 256
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9\-_.:+/=@]{1,128}")


class Downstream:
    """One HTTP request and its answer.

    ``version`` is of HTTP (``1.1``).
    ``raw_path`` and ``query`` are the target's two parts as received, ``peer`` is the socket's address (empty on a
    unix socket). ``kept`` are the header fields that go on, ``ended`` the values of those that end here, by name.
    ``subprotocols`` are those offered for a websocket. ``dialect`` is how a gateway asks about the request; empty
    where it is to be forwarded. ``nonce`` is for the caller's next proof, if it needs one (RFC 9449 §8.2), and
    ``has_nonce`` whether its last proof had it already. ``on_trailers`` is shown the answer's, and may
    change them.
    """

    route = ""
    dialect = ""
    subprotocols: Sequence[str] = ()
    started = False
    status = 0
    departed = False
    nonce: bytes | None = None
    has_nonce = False
    on_trailers: Callable[[list[Field]], None] | None = None
    _body: Body | None = None
    _task: asyncio.Task[Any] | None = None

    def __init__(self, scope: Scope, receive: Receive, send: Send, forwarding: Forwarding) -> None:
        client = scope.get("client")
        self.method: str = scope["method"]
        self.scheme: str = scope["scheme"]
        self.version: str = scope["http_version"]
        self.raw_path: bytes = scope["raw_path"]
        self.query: bytes = scope["query_string"]
        self.peer: str = client[0] if client else ""
        self.kept, self.ended = forwarding.split(self.peer, scope["headers"])
        self.host_field = self.ended.get(b"host", _NO_VALUES)[0]
        self._forwarding = forwarding
        given = self.ended.get(b"x-request-id")
        self.request_id = (self._keep_request_id(given) if given else None) or build_request_id()
        self.connection: Connection | None = scope.get("extensions", _NO_EXTENSIONS).get("obo")
        self._receive = receive
        self._send = send

    def shows(self, text: bytes) -> bool:
        """Whether a credential of the caller's stands in ``text``."""
        return self._forwarding.names.stand_in(text, self.ended, self.query)

    def values(self, name: bytes) -> Sequence[bytes]:
        """The values of a field, whether it goes on or ends here."""
        return self.ended.get(name) or values(self.kept, name)

    @property
    def is_http2(self) -> bool:
        """Whether the caller can be given trailers, and more than one answer at a time."""
        return self.connection is not None and self.connection.http2

    @property
    def is_grpc(self) -> bool:
        """Whether this is a call of gRPC's, which is refused in its own terms."""
        return self.connection is not None and self.connection.grpc

    @property
    def origin(self) -> str:
        """Scheme and authority that the caller used, as far as we see them or a trusted peer says."""
        return self._forwarding.find_origin(self.peer, self.scheme, self.host_field, self.ended)

    @property
    def caller(self) -> str:
        """The address that called, as far as we see it or a trusted peer says."""
        return self._forwarding.find_caller(self.peer, self.ended)

    @property
    def head_size(self) -> int:
        """Bytes that the head has at the most."""
        return sys.maxsize if self.connection is None else self.connection.head_size

    @property
    def vouched_origin(self) -> str | None:
        """``origin`` as somebody else than the caller says; None where nobody does."""
        return self.origin if self._forwarding.vouches_for(self.peer) else None

    @property
    def query_part(self) -> bytes:
        """``?`` and the query, as received; ASGI alone does not tell a ``?`` that nothing follows."""
        if self.query:
            return b"?" + self.query
        return b"?" if self.connection is not None and self.connection.target.endswith(b"?") else b""

    def body(self, limit: int | None = None) -> Body | None:
        """The body as it comes, or None where the head announces none. Raises RequestTooLarge at once by length."""
        length = None
        if b"transfer-encoding" not in self.ended:
            if b"content-length" not in self.ended:
                return None
            length = _parse_length(self.ended[b"content-length"][0])
            if length == 0:
                return None
            if limit is not None and length > limit:
                raise RequestTooLarge(f"content-length is over {limit}")
        self._body = Body(self._receive, length, limit)
        return self._body

    async def start(self, status: int, headers: list[Field]) -> None:
        self.started = True
        self.status = status
        headers = self._add_nonce(headers)
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    def respond(self, status: int, headers: list[Field], body: bytes) -> bool:
        """Write a whole response at once where that can be done without waiting; False, and nothing is written."""
        if self.nonce is not None:
            headers = self._add_nonce(headers)
        if self.connection is None or not self.connection.respond(status, headers, body):
            return False
        self.started = True
        self.status = status
        return True

    async def write(self, data: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def end(self, trailers: Fields) -> None:
        """End a body of which nothing is left, with ``trailers`` where the caller can be given any."""
        if trailers and self.connection is not None:
            self.connection.end(trailers)
        else:
            await self.write(b"", more=False)

    def abort(self) -> None:
        """Break the response off visibly; under a foreign server, ending early does it."""
        if self.connection is not None:
            self.connection.abort()

    def watch(self) -> None:
        """From now on a departure cancels the running task."""
        if self.connection is not None:
            self.connection.on_departure(self.depart)
        else:
            self._task = asyncio.current_task()

    def unwatch(self) -> None:
        """A departure, learnt from ``receive()``, cancels nothing any more."""
        self._task = None

    def depart(self) -> None:
        """The caller has left: cancel what is still being done for it."""
        self.departed = True
        if self.connection is not None:
            self.connection.cancel()
        elif self._task is not None:
            self._task.cancel()

    def _add_nonce(self, headers: list[Field]) -> list[Field]:
        """In place of an upstream's, which is for proofs of ours: the caller would take it for its own."""
        if self.nonce is None:
            return headers
        kept = [field for field in headers if field[0] != _NONCE]
        return kept if self.has_nonce and len(kept) == len(headers) else [*kept, (_NONCE, self.nonce)]

    def _keep_request_id(self, given: Sequence[bytes]) -> str | None:
        request_id = parse_request_id(given)
        return None if request_id is None or self.shows(given[0]) else request_id

    @property
    def is_read(self) -> bool:
        """Whether nothing but a departure is left to come."""
        return self._body is None or self._body.whole

    async def wait_for_departure(self) -> None:
        """Wait until the caller leaves; only for a request that is read to its end."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.depart()


class Body:
    """A request body, read piece by piece; ``length`` is None where it is chunked.

    ``read_trailers`` gives what of the fields behind it goes on; None where none do.
    """

    read_trailers: Callable[[], Fields] | None = None

    def __init__(self, receive: Receive, length: int | None, limit: int | None) -> None:
        self.length = length
        self.whole = False
        self._receive = receive
        self._limit = limit
        self._seen = 0

    @property
    def framing(self) -> tuple[bytes, bytes]:
        """The one field that frames this body upstream: generated, never copied (RFC 9112 §6.3)."""
        if self.length is None:
            return b"transfer-encoding", b"chunked"
        return b"content-length", b"%d" % self.length

    @property
    def trailers(self) -> Fields:
        """What goes on of the fields behind the body, once that is ``whole``."""
        return () if self.read_trailers is None else self.read_trailers()

    async def read(self) -> bytes:
        """The next piece, empty at the end. Raises DownstreamDeparted, RequestTooLarge."""
        while not self.whole:
            message = await self._receive()
            if message["type"] != "http.request":
                raise DownstreamDeparted
            self.whole = not message.get("more_body", False)
            data: bytes = message.get("body", b"")
            self._seen += len(data)
            if self._limit is not None and self._seen > self._limit:
                raise RequestTooLarge(f"the body is over {self._limit} bytes")
            if data:
                return data
        return b""


class _RequestIds:
    """Made for many requests at once: a system call for each would take longer than the rest of its id."""

    def __init__(self) -> None:
        self._digits = ""
        self._used = 0

    def take(self) -> str:
        begin = self._used
        if begin == len(self._digits):
            self._digits = os.urandom(_ID_BYTES * _IDS_AT_ONCE).hex()
            begin = 0
        self._used = end = begin + 2 * _ID_BYTES
        return self._digits[begin:end]

    def forget(self) -> None:
        self._digits = ""
        self._used = 0


_request_ids: Final = _RequestIds()
os.register_at_fork(after_in_child=_request_ids.forget)  # workers are forked, and each has ids of its own


def build_request_id() -> str:
    """32 hexadecimal digits, unlike any other; a running number would tell callers how busy we are."""
    return _request_ids.take()


def parse_request_id(given: Sequence[bytes]) -> str | None:
    """One ``X-Request-Id`` of at most 128 harmless characters, else None: it is written into logs."""
    return given[0].decode("ascii") if len(given) == 1 and _REQUEST_ID.fullmatch(given[0]) else None


def parse_host(field: bytes) -> bytes:
    """The host of a ``Host`` field, lower-case, without its port."""
    host, colon, port = field.rpartition(b":")
    return (host if colon and port.isdigit() else field).lower()


def _parse_length(value: bytes) -> int:
    if not value:
        return 0
    if not value.isdigit():
        raise BadRequest("content-length is not a number")
    return int(value)
