"""The caller's side of a websocket over ASGI."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any

import pytest

from proxy.downstream.websocket import DownstreamWebSocket
from proxy.errors import AuthorizationMalformed, DownstreamDeparted
from proxy.http.forwarding import Forwarding
from proxy.websockets.closing import Closed

from .callers import Caller

TOKEN = "base64url.bearer.authorization.obo." + urlsafe_b64encode(b"a.b.c").rstrip(b"=").decode()


class Departed(Caller):
    """Nobody reads any more: the server's ``ClientDisconnected`` is an OSError."""

    async def send(self, message: Any) -> None:
        raise OSError


def build(caller: Caller, *protocols: str, scheme: str | None = "ws", **fields: str) -> DownstreamWebSocket:
    headers = [(name.encode(), value.encode()) for name, value in fields.items()]
    headers += [(b"sec-websocket-protocol", line.encode()) for line in protocols]
    scope: dict[str, Any] = {
        "type": "websocket",
        "raw_path": b"/chat",
        "query_string": b"",
        "headers": headers,
    }
    if scheme is not None:  # a server need say neither it nor the version
        scope.update(scheme=scheme, http_version="1.1")
    return DownstreamWebSocket(scope, caller.receive, caller.send, Forwarding())


@pytest.mark.parametrize(("scheme", "seen"), [("ws", "http"), ("wss", "https"), (None, "http")])
def test_a_handshake_is_a_get(scheme: str | None, seen: str):
    """H-60: it is matched, authenticated and forwarded like one."""
    downstream = build(Caller(), scheme=scheme)
    assert (downstream.method, downstream.scheme, downstream.raw_path) == ("GET", seen, b"/chat")
    assert downstream.version == "1.1"
    assert not downstream.is_read, "messages may come, and a departure among them"


@pytest.mark.parametrize(
    ("protocols", "fields", "authorization", "left"),
    [
        ([], {}, [], []),
        (["chat, v2"], {}, [], ["chat", "v2"]),
        ([f"{TOKEN}, chat"], {}, [b"Bearer a.b.c"], ["chat"]),
        (["chat", TOKEN], {}, [b"Bearer a.b.c"], ["chat"]),
        ([f"{TOKEN}, chat"], {"authorization": "Bearer d"}, [b"Bearer d", b"Bearer a.b.c"], ["chat"]),
    ],
    ids=["none", "no token", "a token", "in lines of their own", "beside a header"],
)
def test_a_token_among_the_subprotocols(
    protocols: list[str], fields: dict[str, str], authorization: list[bytes], left: list[str]
):
    """H-61, A-02: it stands for the field that browsers cannot send; beside that one it is one too many."""
    downstream = build(Caller(), *protocols, **fields)
    downstream.read_subprotocols()
    assert downstream.ended.get(b"authorization", []) == authorization
    assert list(downstream.subprotocols) == left


@pytest.mark.parametrize(
    "protocol",
    [TOKEN, f"{TOKEN}, {TOKEN}, chat", TOKEN[:-1] + "=, chat", TOKEN.rpartition(".")[0] + "., chat"],
    ids=["alone", "twice", "padded", "empty"],
)
def test_a_doubtful_token_among_the_subprotocols(protocol: str):
    """H-61: a browser must offer another one, for the token's is never agreed on."""
    with pytest.raises(AuthorizationMalformed):
        build(Caller(), protocol).read_subprotocols()


@pytest.mark.parametrize(
    ("message", "data"),
    [
        ({"text": "h\u00e9", "bytes": None}, "h\u00e9"),
        ({"text": ""}, ""),
        ({"bytes": b"\0"}, b"\0"),
        ({"bytes": bytearray(b"a"), "text": None}, b"a"),
    ],
)
async def test_messages_are_text_or_bytes(message: dict[str, Any], data: str | bytes):
    """H-63: as they were sent, empty ones too."""
    caller = Caller({"type": "websocket.connect"}, {"type": "websocket.receive", **message})
    downstream = build(caller)
    assert await downstream.receive() == data
    await downstream.send(data)
    assert caller.sent == [{"type": "websocket.send", "text" if isinstance(data, str) else "bytes": data}]


@pytest.mark.parametrize(
    ("message", "code"),
    [({"code": 4000, "reason": "bye"}, 4000), ({"code": 1005}, 1000), ({"code": 1006}, 1001), ({}, 1000)],
    ids=["a close", "without a code", "a loss", "nothing said"],
)
async def test_a_close_is_told_once(message: dict[str, Any], code: int):
    """H-63: to the other side, and not back to whoever said it."""
    caller = Caller({"type": "websocket.disconnect", **message})
    downstream = build(caller)
    with pytest.raises(Closed) as closed:
        await downstream.receive()
    assert (closed.value.code, closed.value.reason) == (code, message.get("reason", ""))
    await downstream.close(1000, "")
    assert caller.sent == []


async def test_we_close_once():
    """H-63: whoever closes first."""
    caller = Caller()
    downstream = build(caller)
    await downstream.accept("chat", [(b"x", b"1")])
    assert (downstream.started, downstream.status) == (True, 101)
    await downstream.close(1008, "why")
    await downstream.close(1000, "")
    assert caller.sent == [
        {"type": "websocket.accept", "subprotocol": "chat", "headers": [(b"x", b"1")]},
        {"type": "websocket.close", "code": 1008, "reason": "why"},
    ]


async def test_a_handshake_may_be_answered():
    """H-60: with a status and a body, over ASGI's extension for it."""
    caller = Caller()
    downstream = build(caller)
    await downstream.start(401, [(b"x", b"1")])
    await downstream.write(b"no", more=False)
    assert downstream.status == 401
    assert [message["type"].removeprefix("websocket.http.response.") for message in caller.sent] == [
        "start",
        "body",
    ]


async def test_nobody_is_there_to_read():
    """F-20: a departure in an answer, the end of the websocket in a message."""
    downstream = build(Departed())
    for answering in (
        downstream.start(401, []),
        downstream.write(b"", more=False),
        downstream.accept(None, []),
    ):
        with pytest.raises(DownstreamDeparted):
            await answering
    with pytest.raises(Closed) as closed:
        await downstream.send("x")
    assert closed.value.code == 1001
