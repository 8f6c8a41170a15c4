"""RFC 9113 §8.3.1: a request's head as the server and the application need it."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import BadRequest
from ...http.headers import Field
from ..head import read_head
from ..limits import Limits

CHUNKED = (b"transfer-encoding", b"chunked")


@dataclass(frozen=True, slots=True)
class RequestHead:
    """``length`` is how many bytes of body are announced, None where the stream's end alone tells."""

    method: str
    target: bytes
    headers: list[Field]
    size: int
    length: int | None
    expects_continue: bool
    version: str = "2"


def read_request(fields: list[Field], limits: Limits, *, ended: bool) -> RequestHead:
    pseudo = {name: value for name, value in fields if name[:1] == b":"}
    headers = [(name, value) for name, value in fields if name[:1] != b":"]
    headers.insert(0, (b"host", pseudo.get(b":authority", b"")))
    size = sum(len(name) + len(value) + 4 for name, value in fields)
    method = pseudo[b":method"].decode()
    target, _, expects, _ = read_head(method, pseudo[b":path"], "1.1", headers, limits, size=size)
    lengths = [int(value) for name, value in headers if name == b"content-length"]
    length = lengths[0] if lengths else None
    if ended:
        if length:
            raise BadRequest("a body is announced, and there is none")
        length = 0
    elif length is None:
        headers.append(CHUNKED)
    return RequestHead(method, target, headers, size, length, expects)
