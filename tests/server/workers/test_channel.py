"""What supervisor and worker say to each other."""

from __future__ import annotations

import socket

from proxy.server.workers.channel import Channel


async def test_a_channel_tells_values_and_its_end():
    """Whole values in order, secrets included; None once the other end is gone, even amid a value."""
    one_end, other_end = socket.socketpair()
    one, other = await Channel.over(one_end), await Channel.over(other_end)
    one.say("start", {"secret": "s" * 100_000})
    one.say("drain")
    assert await other.hear() == ("start", {"secret": "s" * 100_000})
    assert await other.hear() == ("drain", None)
    one._writer.write(b"\0\0\0\x09abc")
    one.close()
    assert await other.hear() is None
    other.close()
