"""What supervisor and worker say to each other: values, one after the other, over a socket pair of their own.

They are pickled, secrets and all: nobody but the two processes has an end of the pair. A worker is what strangers talk
to, so what it says is read as values alone.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from typing import Any, Final, Literal, NamedTuple, Self

from ...cache.revocation import Revocation
from ...config.pickled import read_pickled, write_pickled

# Of a reload: settings are built beside those that serve, then put to use by all, or given up by all.
Word = Literal["prepare", "commit", "abandon"]

_LENGTH = struct.Struct("!I")
_LONGEST: Final = 64 * 1024 * 1024  # bytes: of all news that there may be some 10 MiB come
_NAME_SIZE: Final = 32  # bytes of a revocation's key, or of a taken token's name, at most
_FAR: Final = 1e12  # s: no moment is further from 1970

log = logging.getLogger(__name__)


class News(NamedTuple):
    """What was revoked, and the names of the tokens that told it, which none is to take again."""

    revocations: tuple[Revocation, ...] = ()
    taken: tuple[bytes, ...] = ()


def is_news(value: object) -> bool:
    """Whether it is made of what it should be. What is no number would undo other revocations, or stop them."""
    parts: tuple[Any, ...] = value if isinstance(value, News) else ()
    match parts:
        case (tuple() as revocations, tuple() as taken):
            return all(map(_is_revocation, revocations)) and all(map(_is_name, taken))
        case _:
            return False


def _is_revocation(value: object) -> bool:
    match value:
        case Revocation(str(), key, int() | float() as not_before):
            return _is_name(key) and abs(not_before) < _FAR
        case _:
            return False


def _is_name(value: object) -> bool:
    return isinstance(value, bytes) and len(value) <= _NAME_SIZE


class Channel:
    """One end; ``understood`` is whether the other has said nothing but what one of ours does."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.understood = True
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> Self:
        return cls(*await asyncio.open_connection(sock=end))

    def say(self, word: str, value: Any = None) -> None:
        """Without waiting; lost where the other end is gone."""
        message = write_pickled((word, value))
        self._writer.write(_LENGTH.pack(len(message)) + message)

    async def hear(self) -> tuple[str, Any] | None:
        """The next word and its value; None where the other end is gone, or says what none of ours does."""
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            if length > _LONGEST:
                raise ValueError("longer than anything")
            word, value = read_pickled(await self._reader.readexactly(length), News, Revocation)
        except (asyncio.IncompleteReadError, OSError):
            return None
        except (ValueError, TypeError):
            self.give_up()
            return None
        return word, value

    def give_up(self) -> None:
        """The other end says what none of ours does: nothing more is heard or said."""
        log.error("worker and supervisor do not understand each other")
        self.understood = False
        self.close()

    def close(self) -> None:
        self._writer.close()
