"""What supervisor and worker say to each other."""

from __future__ import annotations

import os
import pickle
import socket
from typing import Any

import pytest

from proxy.cache.revocation import Revocation
from proxy.server.workers.channel import _LENGTH, _LONGEST, Channel, News

from ..test_serve import make_settings


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


async def test_what_there_is_to_tell():
    """Settings, and what was revoked."""
    one_end, other_end = socket.socketpair()
    one, other = await Channel.over(one_end), await Channel.over(other_end)
    news = News((Revocation("user", b"k" * 32, 1.5),), (b"t" * 32,))
    one.say("start", (1, make_settings(), news, b"secret"))
    assert await other.hear() == ("start", (1, make_settings(), news, b"secret"))
    one.close()
    other.close()


class Calls:
    """Pickled as a call of ``os.mkdir``."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("made",)


@pytest.mark.parametrize(
    ("message", "length"),
    [
        (pickle.dumps(("revoked", Calls())), None),
        (pickle.dumps("revoked"), None),
        (pickle.dumps(("revoked", 1, 2)), None),
        (pickle.dumps(1), None),
        (b"", None),
        (b"hello", None),
        (b"hello", _LONGEST + 1),
    ],
)
async def test_what_none_of_ours_says(message, length, tmp_path, monkeypatch, caplog):
    """It is not done, and nothing more is heard or said: the other end finds that we are gone."""
    monkeypatch.chdir(tmp_path)
    one_end, other_end = socket.socketpair()
    one, other = await Channel.over(one_end), await Channel.over(other_end)
    one._writer.write(_LENGTH.pack(len(message) if length is None else length) + message)
    assert await other.hear() is None
    assert not list(tmp_path.iterdir())
    assert caplog.messages == ["worker and supervisor do not understand each other"]
    assert await one.hear() is None
    one.close()
