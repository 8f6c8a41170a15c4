"""Envoy's ``ext_authz`` over gRPC: one Check is asked, and answered, as the same question over HTTP.

envoy/service/auth/v3/external_auth.proto, attribute_context.proto. Whatever is wrong with the original makes an answer
that denies it, never an error of the call: of those a gateway may be told to let the request pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..errors import BadRequest, DownstreamDeparted, ProxyError, RequestTooLarge
from ..http.asgi import Connection, Message, Receive, Scope, Send
from ..http.grpc import find_status, is_grpc
from ..http.headers import Field, Fields, values
from .authorizer import TO_REMOVE
from .dialects import ENVOY_PREFIX
from .original import read_host, read_method, read_target
from .protobuf import read_bytes, read_one, write_bytes, write_number
from .question import Question, read_question

CHECK = b"/envoy.service.auth.v3.Authorization/Check"

_LARGEST = 256 * 1024  # bytes of a CheckRequest: far more than Envoy takes of a head
_PREFIX = 5  # bytes before a message: whether it is compressed, and its length
_SCHEMES = {b"http": "http", b"https": "https"}
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[^\0\r\n]*")
# CheckRequest.attributes.request.http, and in that:
_ATTRIBUTES, _REQUEST, _HTTP = 1, 4, 2
_METHOD, _HEADERS, _PATH, _HOST, _SCHEME, _HEADER_MAP = 2, 3, 4, 5, 6, 13
_KEY, _VALUE_OF_KEY, _RAW_VALUE = 1, 2, 3
# CheckResponse
_STATUS, _DENIED, _OK = 1, 2, 3
_CODE = 1
_OK_HEADERS, _OK_TO_REMOVE, _OK_FOR_CALLER = 2, 5, 6
_DENIED_STATUS, _DENIED_HEADERS, _DENIED_BODY = 1, 2, 3
_OPTION_HEADER, _OPTION_ACTION = 1, 3
_OVERWRITE = 2  # HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
_FOR_CALLER = frozenset({b"dpop-nonce"})
_OF_THIS_ANSWER = frozenset({b"cache-control", b"content-length"})  # and so of no request


def is_check(scope: Scope) -> bool:
    """Whether a request is a Check: its answer needs trailers, so that it is one by HTTP/2 alone."""
    if scope["raw_path"] != CHECK or not is_grpc(values(scope["headers"], b"content-type")):
        return False
    connection: Connection | None = scope.get("extensions", {}).get("obo")
    return connection is not None and connection.http2


async def read_check(
    scope: Scope, receive: Receive, send: Send, require_peer: Callable[[str], None]
) -> tuple[Question, Send]:
    """The question, and what makes a CheckResponse of its answer. Raises DownstreamDeparted.

    What is wrong with it is part of the question. Of a peer that may not ask nothing is read.
    """
    connection = CheckConnection(scope["extensions"]["obo"])
    asked: Scope = {**scope, "extensions": {"obo": connection}}
    answer = CheckAnswer(connection.asked, send)
    client = scope.get("client")
    try:
        require_peer(client[0] if client else "")
        message = await _read_message(receive)
        connection.head_size = len(message)
        return read_question(_build_scope(message, asked)), answer.send
    except ProxyError as error:
        return Question("envoy", {**asked, "headers": []}, fault=error), answer.send


class CheckConnection:
    """``Connection`` of the original's answer, which is told by HTTP's status whatever it was asked by."""

    http2 = False
    grpc = False
    head_size = 0
    trailers: Fields = ()

    def __init__(self, asked: Connection) -> None:
        self.asked = asked
        self.target = b""

    @property
    def refusal(self) -> ProxyError | None:
        return self.asked.refusal

    @property
    def client_certificate(self) -> str | None:
        return self.asked.client_certificate

    def respond(self, *_: object) -> bool:
        """Not at once: a message and trailers are to be written."""
        return False

    def end(self, trailers: Fields) -> None:
        """Nothing is left: what answers has ended the call."""

    def abort(self) -> None:
        self.asked.abort()

    def cancel(self) -> None:
        self.asked.cancel()

    def on_departure(self, callback: Callable[[], None] | None) -> None:
        self.asked.on_departure(callback)


class CheckAnswer:
    """Takes an answer over ASGI, and sends it as a CheckResponse once it is whole."""

    def __init__(self, connection: Connection, send: Send) -> None:
        self._connection = connection
        self._send = send
        self._status = 0
        self._fields: Fields = ()
        self._body = b""

    async def send(self, message: Message) -> None:
        """Only what the authorizer answers comes here: a few hundred bytes."""
        if message["type"] == "http.response.start":
            self._status, self._fields = message["status"], message["headers"]
            return
        self._body += message["body"]
        if not message["more_body"]:
            response = build_response(self._status, self._fields, self._body)
            await self._send(
                {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": [(b"content-type", b"application/grpc")],
                }
            )
            framed = b"\0%b%b" % (len(response).to_bytes(4, "big"), response)
            await self._send({"type": "http.response.body", "body": framed, "more_body": True})
            self._connection.end([(b"grpc-status", b"0")])


def build_response(status: int, fields: Fields, body: bytes) -> bytes:
    """The CheckResponse that says what an answer over HTTP does."""
    kept = [field for field in fields if field[0] not in _OF_THIS_ANSWER]
    if status == 200:
        return write_bytes(_STATUS, b"") + write_bytes(_OK, _build_ok(kept))
    denied = [
        write_bytes(_DENIED_STATUS, write_number(_CODE, status)),
        *(write_bytes(_DENIED_HEADERS, _build_option(*field)) for field in kept),
        write_bytes(_DENIED_BODY, body),
    ]
    code = write_number(_CODE, find_status(status))
    return write_bytes(_STATUS, code) + write_bytes(_DENIED, b"".join(denied))


def _build_ok(fields: list[Field]) -> bytes:
    parts = []
    for name, value in fields:
        if name == TO_REMOVE:
            parts += [write_bytes(_OK_TO_REMOVE, each) for each in value.split(b",")]
        else:
            number = _OK_FOR_CALLER if name in _FOR_CALLER else _OK_HEADERS
            parts.append(write_bytes(number, _build_option(name, value)))
    return b"".join(parts)


def _build_option(name: bytes, value: bytes) -> bytes:
    """A HeaderValueOption that overwrites."""
    header = write_bytes(_KEY, name) + write_bytes(_VALUE_OF_KEY, value)
    return write_bytes(_OPTION_HEADER, header) + write_number(_OPTION_ACTION, _OVERWRITE)


async def _read_message(receive: Receive) -> bytes:
    """The one message of the request, uncompressed."""
    data, more = bytearray(), True
    while more:
        piece = await receive()
        if piece["type"] != "http.request":
            raise DownstreamDeparted
        data += piece.get("body", b"")
        more = piece.get("more_body", False)
        if len(data) > _LARGEST:
            raise RequestTooLarge(f"a CheckRequest of more than {_LARGEST} bytes")
    if len(data) < _PREFIX or data[0] or int.from_bytes(data[1:_PREFIX], "big") != len(data) - _PREFIX:
        raise BadRequest("the gateway sends no single, uncompressed message")
    return bytes(data[_PREFIX:])


def _build_scope(message: bytes, asked: Scope) -> Scope:
    """As if the same had been asked over HTTP. Raises BadRequest, MethodNotAllowed."""
    try:
        http = read_one(read_one(read_one(message, _ATTRIBUTES), _REQUEST), _HTTP)
        method, target, host, scheme = (read_one(http, each) for each in (_METHOD, _PATH, _HOST, _SCHEME))
        fields = _read_fields(http)
    except ValueError as error:
        raise BadRequest(f"the gateway's CheckRequest cannot be read: {error}") from None
    path, mark, query = read_target(target).partition(b"?")
    if scheme not in _SCHEMES:
        raise BadRequest("the original scheme is neither http nor https")
    asked["extensions"]["obo"].target = path + mark + query
    return {
        **asked,
        "method": read_method(method),
        "raw_path": ENVOY_PREFIX + path,
        "query_string": query,
        "scheme": _SCHEMES[scheme],
        "headers": [(b"host", read_host(host)), *fields],
    }


def _read_fields(http: bytes) -> list[Field]:
    """The original's but ``Host``: each by itself where Envoy sends them so, else joined by name. Raises ValueError."""
    headers = read_one(http, _HEADER_MAP)
    pairs = read_bytes(headers, 1) if headers else read_bytes(http, _HEADERS)
    fields = []
    for pair in pairs:
        name = read_one(pair, _KEY).lower()
        if name == b"host" or name.startswith(b":"):
            continue
        value = read_one(pair, _RAW_VALUE) or read_one(pair, _VALUE_OF_KEY)
        if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            raise ValueError("a field is none")
        fields.append((name, value))
    return fields
