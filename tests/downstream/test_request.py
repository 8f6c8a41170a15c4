"""The caller's side of a request over ASGI."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.downstream.request import parse_host, parse_request_id
from proxy.errors import BadRequest, DownstreamDeparted, RequestTooLarge

from .callers import Caller, build


def piece(data: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": more}


@pytest.mark.parametrize(
    ("headers", "length", "framing"),
    [
        ([], "none", None),
        ([(b"content-length", b"0")], "none", None),
        ([(b"content-length", b"7")], 7, (b"content-length", b"7")),
        ([(b"transfer-encoding", b"chunked")], None, (b"transfer-encoding", b"chunked")),
    ],
)
def test_a_body_is_there_only_if_announced(headers, length, framing):
    """H-21: framing is generated anew, and a request without a body gets none."""
    body = build(Caller(), headers).body()
    assert (body is None) == (length == "none")
    if body is not None:
        assert (body.length, body.framing) == (length, framing)


async def test_a_body_is_read_piece_by_piece():
    """Empty pieces in between are passed over; the end is told again and again."""
    caller = Caller(
        piece(b"a", more=True), piece(b"", more=True), piece(b"b", more=True), piece(b"", more=False)
    )
    downstream = build(caller, [(b"transfer-encoding", b"chunked")])
    body = downstream.body()
    assert not downstream.is_read
    assert [await body.read() for _ in range(4)] == [b"a", b"b", b"", b""]
    assert downstream.is_read


async def test_a_body_that_breaks_off_is_a_departure():
    """A caller who leaves amid the body has no request to be served."""
    caller = Caller(piece(b"a", more=True))
    caller.gone.set()
    body = build(caller, [(b"content-length", b"5")]).body()
    assert await body.read() == b"a"
    with pytest.raises(DownstreamDeparted):
        await body.read()


async def test_a_body_over_the_limit_is_refused():
    """F-24: by its length at once, chunked as soon as it is over."""
    with pytest.raises(RequestTooLarge):
        build(Caller(), [(b"content-length", b"11")]).body(10)
    assert build(Caller(), [(b"content-length", b"10")]).body(10) is not None
    body = build(
        Caller(piece(b"x" * 10, more=True), piece(b"y", more=False)), [(b"transfer-encoding", b"chunked")]
    ).body(10)
    assert await body.read() == b"x" * 10
    with pytest.raises(RequestTooLarge):
        await body.read()


def test_a_length_that_is_none_is_refused():
    """Under a foreign server that lets it through, an odd length is a 400."""
    with pytest.raises(BadRequest):
        build(Caller(), [(b"content-length", b"+5")]).body()


@pytest.mark.parametrize(
    ("given_ids", "kept"),
    [
        ([b"abc-123"], "abc-123"), ([b"a" * 128], "a" * 128), ([b"a" * 129], None), ([b""], None), ([], None),
        ([b"a", b"b"], None), ([b"a\x1b[31m"], None), ([b"a b"], None), ([b"\xff"], None), ([b'a"b'], None),
    ],
)  # fmt: skip
def test_a_sane_request_id_is_kept(given_ids, kept):
    """H-52: one of at most 128 harmless characters, else one of ours."""
    assert parse_request_id(given_ids) == kept
    downstream = build(Caller(), [(b"x-request-id", value) for value in given_ids])
    assert kept is None or downstream.request_id == kept
    assert len(downstream.request_id) == (len(kept) if kept else 32)


@given(st.lists(st.binary(max_size=140), max_size=2))
def test_request_ids_never_inject_into_logs(values):
    """H-52: whatever is sent, the id is printable ASCII without white space."""
    found = parse_request_id(values)
    assert found is None or (found.isascii() and found.isprintable() and " " not in found)


_TWO_CHILDREN = """
import os
from proxy.downstream.request import build_request_id
build_request_id()
for _ in range(2):
    if os.fork() == 0:
        os.write(1, build_request_id().encode())
        os._exit(0)
    os.wait()
"""


def test_forked_workers_have_request_ids_of_their_own():
    ids = subprocess.run([sys.executable, "-c", _TWO_CHILDREN], stdout=subprocess.PIPE, check=True).stdout
    assert len(ids) == 64
    assert ids[:32] != ids[32:]


@pytest.mark.parametrize(
    ("field", "host"),
    [
        (b"API.example", b"api.example"),
        (b"a:80", b"a"),
        (b"[::1]:8080", b"[::1]"),
        (b"[::1]", b"[::1]"),
        (b"", b""),
    ],
)
def test_host_without_port(field, host):
    """RFC 9110 §7.2: hosts are compared without port and case."""
    assert parse_host(field) == host


async def test_an_answer_is_start_and_body():
    """The status is kept for the log, and that the answer has begun for what may still be answered."""
    caller = Caller()
    downstream = build(caller)
    assert not downstream.started
    await downstream.start(204, [(b"a", b"b")])
    await downstream.write(b"", more=False)
    assert (downstream.started, downstream.status) == (True, 204)
    assert [message["type"] for message in caller.sent] == ["http.response.start", "http.response.body"]


def test_the_peer_is_the_sockets():
    """A unix socket has none."""
    assert build(Caller()).peer == "127.0.0.1"
    assert build(Caller(), client=None).peer == ""
