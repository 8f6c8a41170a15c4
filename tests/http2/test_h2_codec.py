"""What is particular to h2; what holds for any codec is shown by ``test_frame_codec`` and ``test_reception``."""

from __future__ import annotations

import logging

import h2.windows
import pytest

from proxy.http2 import field_block, frames
from proxy.http2.codec import ConnectionFault, ErrorCode, ResponseReceived, StreamEnded
from proxy.http2.credit import STREAM_WINDOW
from proxy.http2.frames import FrameReader, build_frame, build_settings
from proxy.http2.h2_codec import H2Codec
from proxy.http2.options import CodecOptions
from tests.http2.pairs import OK, REQUEST, Pair

SECRET = b"Bearer not-for-any-log"


def test_no_field_is_logged(caplog: pytest.LogCaptureFixture):
    """H2-15: its libraries tell of every field, at a level that nobody may turn on."""
    caplog.set_level(logging.DEBUG)
    pair = Pair("h2", "h2")
    stream_id = pair.client.open([*REQUEST, (b"authorization", SECRET)], ended=True)
    pair.talk()
    pair.server.respond(stream_id, [*OK, (b"set-cookie", SECRET)], ended=True)
    pair.talk()
    assert SECRET.decode() not in caplog.text


def test_no_field_is_kept():
    """H2-15: neither in a table of ours nor as what was read last."""
    pair = Pair("h2", "h2")
    pair.client.open([*REQUEST, (b"authorization", SECRET)], ended=True)
    pair.talk()
    assert pair.server._decoder.fields == []
    assert not pair.server._decoder.header_table.dynamic_entries
    assert not pair.client._connection.encoder.header_table.dynamic_entries


@pytest.mark.parametrize("length", [b"5", b"x", b"", b"5, 5"])
def test_a_wrong_length_is_for_the_rules_of_messages(length):
    """H2-04: h2 would end the connection."""
    pair = Pair("h2", "h2")
    stream_id = pair.client.open(REQUEST, ended=True)
    pair.talk()
    pair.server.respond(stream_id, [*OK, (b"content-length", length)], ended=True)
    fields = [*OK, (b"content-length", length)]
    assert pair.talk()[0] == [ResponseReceived(stream_id, fields, ended=True)]


def test_the_peers_table_is_not_ours():
    """H2-13: however large a table the peer would keep, we fill none."""
    pair = Pair("h2", "h2")
    pair.server.feed(build_settings({frames.Setting.HEADER_TABLE_SIZE: 1 << 31}))
    stream_id = pair.client.open(REQUEST, ended=True)
    pair.talk()
    pair.server.respond(stream_id, [*OK, (b"x-a", b"b" * 1000)], ended=True)
    pair.talk()
    assert not pair.server._connection.encoder.header_table.dynamic_entries


def test_interim_responses_are_not_told_and_bounded():
    """H2-12."""
    client = H2Codec(CodecOptions(client=True), lambda: 0.0)
    client.begin()
    client.feed(build_settings({}))
    client.open(REQUEST, ended=True)
    interim = build_frame(frames.HEADERS, frames.END_HEADERS, 1, field_block.encode([(b":status", b"103")]))
    assert client.feed(interim * 900) == []
    with pytest.raises(ConnectionFault) as raised:
        client.feed(interim * 200)
    assert raised.value.code == ErrorCode.ENHANCE_YOUR_CALM


def test_credit_for_what_comes_late_has_no_end(monkeypatch: pytest.MonkeyPatch):
    """H2-14: of streams that are reset. In h2, which sees none of it, it would add up to the connection's end."""
    monkeypatch.setattr(h2.windows, "LARGEST_FLOW_CONTROL_WINDOW", 1024 * 1024)
    pair = Pair("h2", "h2")
    given = 0
    for _ in range(20):
        stream_id = pair.client.open(REQUEST, ended=False)
        pair.talk()
        pair.server.reset(stream_id, ErrorCode.CANCEL)
        pair.client.send_data(stream_id, bytes(STREAM_WINDOW), ended=False)
        pair.server.feed(pair.client.take())
        answer = pair.server.take()
        updates = [one for one in FrameReader().feed(answer) if one.kind == frames.WINDOW_UPDATE]
        given += sum(int.from_bytes(one.payload, "big") for one in updates)
        pair.client.feed(answer)
    assert given >= 15 * STREAM_WINDOW
    stream_id = pair.client.open(REQUEST, ended=False)
    pair.client.send_data(stream_id, bytes(STREAM_WINDOW), ended=True)
    assert pair.talk()[1][-1] == StreamEnded(stream_id)


def test_large_data_goes_in_frames_that_the_peer_takes():
    pair = Pair("h2", "h2")
    stream_id = pair.client.open(REQUEST, ended=False)
    pair.talk()
    pair.client.send_data(stream_id, bytes(100_000), ended=True)
    sizes = [frame.size for frame in FrameReader().feed(pair.client.take())]
    assert max(sizes) <= frames.MAX_FRAME_SIZE
    assert sum(sizes) == 100_000


def test_empty_trailers_are_an_end():
    pair = Pair("h2", "h2")
    stream_id = pair.client.open(REQUEST, ended=False)
    pair.client.send_trailers(stream_id, [])
    assert pair.talk()[1][-1] == StreamEnded(stream_id)
