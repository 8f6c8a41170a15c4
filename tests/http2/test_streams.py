"""The streams of a connection."""

from __future__ import annotations

from proxy.http2.streams import Stream, Streams


def test_ids():
    """RFC 9113 §5.1.1."""
    streams = Streams()
    assert [streams.next_id() for _ in range(3)] == [1, 3, 5]
    assert [streams.is_new(stream_id) for stream_id in (5, 6, 7, 0)] == [False, False, True, False]
    assert [streams.is_idle(stream_id) for stream_id in (0, 1, 2, 5, 7)] == [True, False, True, False, True]


def test_late_frames_are_expected_of_those_that_we_reset():
    """H2-11: of the last ones only, and not where the peer had ended."""
    streams = Streams()
    for stream_id in range(1, 3001, 2):
        streams.add(stream_id, Stream(received=stream_id == 2999))
        streams.remove_reset(stream_id, 5)
    assert len(streams) == 0
    assert not streams.was_reset(1)
    assert streams.was_reset(2997)
    assert not streams.was_reset(2999)
    assert len(streams._reset) == 1024
    assert [streams.spend_late(2997, size) for size in (3, 2, 1)] == [True, True, False]
