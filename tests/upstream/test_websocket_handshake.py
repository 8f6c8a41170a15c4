"""RFC 6455 §4.1: our handshake with an upstream, as bytes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from websockets.exceptions import InvalidHandshake

from proxy.errors import UpstreamProtocolError, UpstreamUnreachable
from proxy.upstream.websocket_handshake import Handshake, explain_failure

FIELDS = [
    (b"x-a", b"1"),
    (b"host", b"api.example:8080"),
    (b"x-a", b"caf\xe9"),
    (b"authorization", b"Bearer t"),
]

UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
WRONG_KEY = UPGRADE + b"Sec-WebSocket-Accept: AAAA\r\n\r\n"


def ask(target: bytes = b"/chat?x=%20", subprotocols: Sequence[str] = ()) -> tuple[Handshake, list[bytes]]:
    """The handshake and the lines of its request."""
    handshake = Handshake(target, FIELDS, subprotocols)
    handshake.send_request(handshake.connect())
    head = b"".join(handshake.data_to_send())
    assert head.endswith(b"\r\n\r\n")
    return handshake, head[:-4].split(b"\r\n")


def test_the_request_is_what_was_given():
    """H-03, H-31, H-34: target and fields byte for byte, and what makes a handshake; no other field is invented."""
    _, (line, *fields) = ask()
    assert line == b"GET /chat?x=%20 HTTP/1.1"
    names = sorted(field.partition(b":")[0].lower() for field in fields)
    assert names == sorted(
        [
            b"upgrade",
            b"connection",
            b"sec-websocket-key",
            b"sec-websocket-version",
            *(name for name, _ in FIELDS),
        ]
    )
    ours = [tuple(field.split(b": ", 1)) for field in fields]
    assert [field for field in ours if field[0] in {name for name, _ in FIELDS}] == FIELDS


@pytest.mark.parametrize(
    ("subprotocols", "offered"), [([], None), (["chat"], b"chat"), (["a", "b"], b"a, b")]
)
def test_subprotocols(subprotocols: list[str], offered: bytes | None):
    """H-61: those that are given, in their order."""
    _, lines = ask(subprotocols=subprotocols)
    found = dict(line.split(b": ", 1) for line in lines[1:])
    assert found.get(b"Sec-WebSocket-Protocol") == offered


def test_each_handshake_has_a_key_of_its_own():
    """RFC 6455 §4.1: so an answer that was kept somewhere is no answer."""
    assert ask()[1] != ask()[1]


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", None, ""),
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno", None, ""),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", UpstreamProtocolError, "interim"),
        (WRONG_KEY, UpstreamProtocolError, "handshake failed"),
        (b"hello\r\n\r\n", UpstreamProtocolError, "handshake failed"),
        (b"", UpstreamUnreachable, "ended the connection"),
        (b"HTTP/1.1 101 Switch", UpstreamUnreachable, "ended the connection"),
    ],
    ids=["200", "401", "interim", "another's key", "no HTTP", "nothing", "half a line"],
)  # fmt: skip
def test_answers_that_open_nothing(answer: bytes, error: type[Exception] | None, reason: str):
    """H-60, F-11: an answer is passed on; what is none is said to be the upstream's fault."""
    handshake, _ = ask()
    handshake.receive_data(answer)
    handshake.receive_eof()
    assert isinstance(handshake.handshake_exc, InvalidHandshake | EOFError)
    explained = explain_failure(handshake.handshake_exc)
    if error is None:
        assert explained is None
    else:
        assert type(explained) is error
        assert reason in str(explained)
